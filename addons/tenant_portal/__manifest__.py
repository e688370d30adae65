{
    "name": "Tenant Portal for Water and Power",
    "summary": "What tenants see and do on their phones: balance, supply, use, bills, top-up",
    "version": "19.0.1.0.0",
    "category": "Services/Water and Power",
    "license": "AGPL-3",
    "author": "Prepaid Utility Contributors",
    "depends": ["prepaid_billing", "portal", "payment", "account_payment"],
    "post_init_hook": "post_init_hook",
    "data": [
        "views/portal_home_templates.xml",
        "views/layout_templates.xml",
        "views/tenancy_templates.xml",
        "views/use_templates.xml",
        "views/charge_templates.xml",
        "views/ledger_templates.xml",
        "views/notice_templates.xml",
        "views/topup_templates.xml",
    ],
    "assets": {
        "web.assets_frontend": [
            "tenant_portal/static/src/scss/*.scss",
            "tenant_portal/static/src/interactions/*.js",
        ],
        "web.assets_tests": [
            "tenant_portal/static/tests/tours/*.js",
        ],
    },
}
