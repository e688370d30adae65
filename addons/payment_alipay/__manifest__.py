{
    "name": "Payment Provider: Alipay",
    "version": "19.0.1.0.0",
    "category": "Accounting/Payment Providers",
    "summary": "Alipay for merchants in China: page, phone and QR code payment, refunds, daily bill",
    "author": "Prepaid Utility Contributors",
    "license": "AGPL-3",
    "depends": ["payment_reconciliation"],
    "data": [],
}
