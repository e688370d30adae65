{
    "name": "Payment Reconciliation",
    "summary": "Guards, polling and daily reconciliation for payment gateways that publish bills",
    "version": "19.0.1.0.0",
    "category": "Accounting/Payment Providers",
    "license": "AGPL-3",
    "author": "Prepaid Utility Contributors",
    "depends": ["account_payment", "report_xlsx"],
    "data": [
        "security/ir.model.access.csv",
        "security/payment_reconciliation_rules.xml",
        "data/ir_cron_data.xml",
    ],
}
