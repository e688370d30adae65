from . import payment_reconciliation_xlsx
