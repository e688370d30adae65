"""WeChat Pay API v3 for a direct merchant, without Odoo: keys, signatures, AEAD, client, notifications, bills."""
