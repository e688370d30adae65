from . import payment_provider, payment_provider_keys, payment_transaction
