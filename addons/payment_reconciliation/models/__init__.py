from . import (
    payment_gateway_case,
    payment_provider,
    payment_provider_certificate,
    payment_reconciliation,
    payment_reconciliation_line,
    payment_transaction,
    payment_transaction_guard,
    payment_transaction_poll,
    payment_transaction_sweep,
)
