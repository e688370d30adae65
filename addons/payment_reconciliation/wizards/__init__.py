from . import payment_reconciliation_run
