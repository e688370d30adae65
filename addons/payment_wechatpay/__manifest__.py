{
    "name": "Payment Provider: WeChat Pay",
    "summary": "WeChat Pay for merchants in China: QR code, inside WeChat and phone payment, refunds, daily bills",
    "version": "19.0.1.0.0",
    "category": "Accounting/Payment Providers",
    "license": "AGPL-3",
    "author": "Prepaid Utility Contributors",
    "depends": ["payment_reconciliation"],
    "data": [
        "security/ir.model.access.csv",
        "views/payment_wechatpay_templates.xml",
        "views/payment_provider_views.xml",
        "data/payment_provider_data.xml",
        "data/ir_cron_data.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "payment_wechatpay/static/src/backend/*.scss",
        ],
        "web.assets_frontend": [
            "payment_wechatpay/static/src/interactions/*.js",
            "payment_wechatpay/static/src/scss/*.scss",
        ],
    },
    "post_init_hook": "post_init_hook",
    "uninstall_hook": "uninstall_hook",
}
