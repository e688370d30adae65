{
    "name": "Payment Provider: Alipay",
    "version": "19.0.1.0.0",
    "category": "Accounting/Payment Providers",
    "summary": "Alipay for merchants in China: page, phone and QR code payment, refunds, daily bill",
    "author": "Prepaid Utility Contributors",
    "license": "AGPL-3",
    "depends": ["payment_reconciliation"],
    "external_dependencies": {"python": ["cryptography", "requests"]},
    "data": [
        "views/payment_alipay_templates.xml",
        "views/payment_provider_views.xml",
        "data/payment_provider_data.xml",  # depends on the templates
    ],
    "assets": {
        "web.assets_frontend": [
            "payment_alipay/static/src/interactions/*.js",
        ],
    },
    "post_init_hook": "post_init_hook",
    "uninstall_hook": "uninstall_hook",
}
