from . import (
    contract_charges,
    contract_ledger,
    contract_portal,
    contract_supply,
    contract_topup,
    contract_use,
)
