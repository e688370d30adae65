{
    "name": "Prepaid Billing",
    "version": "19.0.1.0.0",
    "category": "Services/Water and Power",
    "summary": "Tariffs, wallets, settlement, trip policy and counter for prepaid water and power",
    "author": "Prepaid Utility Contributors",
    "license": "AGPL-3",
    "depends": ["meter_gateway", "contract", "payment", "account_payment", "report_xlsx"],
    "data": [],
    "installable": True,
}
