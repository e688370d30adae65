from . import (
    audit_entry,
    audit_seal,
    audit_seal_line,
    contract_contract,
    property_building,
    property_floor,
    property_occupancy,
    property_site,
    property_unit,
    res_users,
    utility_kind,
    utility_service_point,
)
