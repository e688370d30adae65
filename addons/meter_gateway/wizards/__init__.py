from . import meter_read_wizard_mixin  # isort: skip - the wizards below inherit it
from . import (
    meter_connector_key_wizard,
    meter_frame_decoder,
    meter_keep_power_wizard,
    meter_load_profile_wizard,
    meter_map_import_wizard,
    meter_parameter_wizard,
    meter_read_items_wizard,
    meter_restore_wizard,
    meter_supply_plan_wizard,
    meter_switch_wizard,
)
