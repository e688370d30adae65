from . import prepaid_balances_xlsx, prepaid_finance_xlsx, prepaid_receipt, prepaid_shift_report
