"""Stand-ins for the gateways of WeChat Pay and Alipay, as processes of their own. See README.md."""
