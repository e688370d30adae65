from . import property_facts_mixin, property_scope_mixin

# isort: split
from . import (
    audit_entry,
    audit_seal,
    audit_seal_line,
    contract_contract,
    ir_actions_report,
    ir_cron,
    property_building,
    property_floor,
    property_occupancy,
    property_occupant,
    property_site,
    property_unit,
    res_config_settings,
    res_groups,
    res_users,
    utility_kind,
    utility_service_point,
)
