"""The demo estate in Odoo, made or refreshed from a site file; `load.py` is fed to `odoo shell`."""
