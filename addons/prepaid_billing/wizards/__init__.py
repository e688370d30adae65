from . import (
    prepaid_counter,
    prepaid_dry_run,
    prepaid_finance,
    prepaid_invoice_month,
    prepaid_shift,
    prepaid_topup_reversal,
    utility_tariff_assign,
)
