"""Who may do what with each model of this addon, as data; ``test_rights_table.py`` asks Odoo about every cell.

The record asked about belongs to a power meter in building A. A cell says what its user may do with it: r read, w write,
c create, u unlink (of a fresh one that nothing hangs on); a dot is a refusal. A model without a row fails, so does a row that is too generous or too strict.

power, water: operators of building A.  far: power operator of building B.  manager: property manager of A.
super: supervisor of A and B.  tenant: portal user.  nobody: internal user without a role.
connector: service user of another connector.
"""

USERS = (
    "power",
    "water",
    "far",
    "cashier",
    "auditor",
    "reader",
    "manager",
    "super",
    "tenant",
    "nobody",
    "connector",
)

RECORDS = {
    # model                        power water far  cashier auditor reader manager super tenant nobody connector
    "meter.alarm":                  "rw.. rw.. .... r... r... rw.. rw.. rw.. .... .... ....",
    "meter.bus":                    "rwcu rwcu .... r... r... r... r... rwcu .... .... ....",
    "meter.circuit":                "rwcu r... .... r... r... r... rwc. rwcu .... .... ....",
    "meter.completeness":           "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.completeness.due":       ".... .... .... .... .... .... .... .... .... .... ....",
    "meter.connector":              "r... r... r... r... r... r... r... rwcu .... .... ....",
    "meter.discovery":              "rwcu rwcu .... .... r... .... .... rwcu .... .... ....",
    "meter.discovery.line":         "rw.. rw.. .... .... r... .... .... rw.. .... .... ....",
    "meter.energy.day":             "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.energy.hour":            "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.event":                  "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.frame":                  "rw.. rw.. .... .... r... .... .... rw.. .... .... ....",
    "meter.gateway":                "rwcu rwcu .... r... r... r... r... rwcu .... .... ....",
    "meter.ingest.issue":           "rw.. rw.. .... r... r... rw.. rw.. rw.. .... .... ....",
    "meter.installation":           "rwcu r... .... r... r... r... rwc. rwcu .... .... ....",
    "meter.live":                   "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.meter":                  "rwcu r... .... r... r... r... rwc. rwcu .... .... ....",
    "meter.model":                  "r... r... r... r... r... r... r... rwcu .... .... ....",
    "meter.order":                  "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.parameter":              "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.parameter.batch":        "r... r... .... .... r... .... .... r... .... .... ....",
    "meter.parameter.profile":      "rwcu r.cu r.cu r... r... r... r... rwcu .... .... ....",
    "meter.parameter.profile.line": "rwcu r... r... r... r... r... r... rwcu .... .... ....",
    "meter.parameter.type":         "r... r... r... r... r... r... r... r... .... .... ....",
    "meter.purchase":               "rwcu r... .... rwcu r... r... r... rwcu .... .... ....",
    "meter.read.group":             "r... r... r... r... r... r... r... rwcu .... .... ....",
    "meter.reading":                "r... r... .... r... r... r... r... r... .... .... ....",
    "meter.supply.period":          "rwcu r... r... r... r... r... r... rwcu .... .... ....",
    "meter.supply.plan":            "rwcu r.cu r.cu r... r... r... r... rwcu .... .... ....",
    "meter.switch":                 "r... r... .... r... r... r... r... r... .... .... ....",
}  # fmt: skip

#: Who may open a wizard at all; what it then does is checked again by its button.
WIZARDS = {
    "meter.connector.key.wizard": "super",
    "meter.frame.decoder": "power water far super",
    "meter.keep.power.wizard": "power water far manager super",
    "meter.load.profile.wizard": "power water far reader manager super",
    "meter.map.import.wizard": "super",
    "meter.parameter.wizard": "power water far super",
    "meter.parameter.wizard.line": "power water far super",
    "meter.read.items.wizard": "power water far reader manager super",
    "meter.restore.wizard": "power water far manager super",
    "meter.supply.plan.wizard": "power water far super",
    "meter.switch.wizard": "power water far manager super",
}

#: Columns that only the system writes and that would do harm in other hands. Read-only columns are all refused; these are
#: named so that none of them stops being read-only unnoticed.
FACTS = {
    "meter.alarm": "kind severity message meter_id building_id state acknowledged_by resolved_at times",
    "meter.bus": "connector_id building_id company_id queue_length data_age_s reads_ok reads_failed dropped_bytes",
    "meter.circuit": "kind_id connector_id multiplier service_point_id building_id tz active",
    "meter.connector": "user_id config_version last_seen_at status_json outbox_readings nbiot_token_sha256",
    "meter.discovery": "order_id state progress building_id result",
    "meter.discovery.line": "discovery_id address protocol state meter_id elsewhere_id",
    "meter.frame": "at connector_id bus_id building_id hex state",
    "meter.gateway": "state last_seen_at state_since company_id",
    "meter.ingest.issue": "circuit_id building_id content verdict state done_by_id",
    "meter.installation": "meter_id unit_id building_id company_id",
    "meter.meter": "kind_id has_switch gateway_id connector_id multiplier state state_since purchase_count"
    " is_purchase_counted prepay_remaining prepay_overdraft prepay_at supply_plan_id parameter_profile_id",
    "meter.order": "state result",
    "meter.purchase": "number state count book_count meter_count remaining requested_by sent_at done_at result kind_id"
    " building_id company_id",
}

#: Which roles find which screens of metering in the menu.
EVERYBODY = "power water cashier auditor reader manager super"
MENUS = {
    "meter_overview_menu": EVERYBODY,
    "meter_meter_menu_power": EVERYBODY,
    "meter_meter_menu_water": EVERYBODY,
    "meter_meter_menu": EVERYBODY,
    "meter_switch_menu": EVERYBODY,
    "meter_parameter_menu": EVERYBODY,
    "meter_parameter_batch_menu": "power water auditor super",
    "meter_purchase_menu": "power water cashier auditor super",
    "meter_order_menu": EVERYBODY,
    "meter_alarm_menu": EVERYBODY,
    "meter_reading_menu": EVERYBODY,
    "meter_ingest_issue_menu": EVERYBODY,
    "meter_completeness_map_menu": EVERYBODY,
    "meter_completeness_menu": EVERYBODY,
    "meter_event_menu": EVERYBODY,
    "meter_frame_menu": "power water auditor super",
    "meter_frame_decoder_menu": "power water super",
    "meter_gateway_menu": EVERYBODY,
    "meter_bus_menu": EVERYBODY,
    "meter_discovery_menu": "power water super",
    "meter_connector_menu": EVERYBODY,
    "meter_installation_menu": EVERYBODY,
    "meter_energy_day_menu": EVERYBODY,
    "meter_configuration_menu": "power water auditor manager super",
    "meter_model_menu": "power water auditor manager super",
    "meter_parameter_profile_menu": "power water auditor manager super",
    "meter_supply_plan_menu": "power water auditor manager super",
    "meter_read_group_menu": "power water auditor manager super",
}

STAFF = EVERYBODY + " far"
ANYBODY = STAFF + " tenant nobody connector"
SWITCHING = "power manager super"
SETTING = "power super"
READING = "power water reader manager super"
ANY_OPERATOR = "power water super"

#: Who gets something from each public method when it is called on the record of building A, or on a wizard made for it. A
#: page that opens and shows this user nothing is nothing.
METHODS = {
    "meter.alarm": {
        "action_acknowledge": READING,
        "action_make_partitions": READING,
        "action_open_target": EVERYBODY,
        "action_readings_around": EVERYBODY,
        "action_resolve": READING,
    },
    "meter.bus": {
        "action_discover": ANY_OPERATOR,
    },
    "meter.circuit": {
        "action_open_meter": EVERYBODY,
    },
    "meter.completeness": {
        "action_count_again": READING,
        "action_get_map": STAFF,
        "action_open_readings": EVERYBODY,
    },
    "meter.connector": {
        "action_create_key": "super",
        "action_create_nbiot_token": "super",
        "action_revoke_key": "super",
        "action_view_gateways": STAFF,
        "action_view_meters": STAFF,
    },
    "meter.connector.key.wizard": {
        "action_create": "super",
    },
    "meter.discovery": {
        "action_adopt_all": ANY_OPERATOR,
        "action_cancel": ANY_OPERATOR,
        "action_start": ANY_OPERATOR,
    },
    "meter.discovery.line": {
        "action_adopt": ANY_OPERATOR,
        "action_move_here": ANY_OPERATOR,
        "action_open_meter": "power water auditor super",
    },
    "meter.event": {
        "action_readings_around": EVERYBODY,
    },
    "meter.frame": {
        "action_decode": ANY_OPERATOR,
        "action_seen": ANY_OPERATOR,
    },
    "meter.gateway": {
        "action_read_now": READING,
        "action_view_meters": EVERYBODY,
    },
    "meter.ingest.issue": {
        "action_done": READING,
    },
    "meter.keep.power.wizard": {
        "action_apply": SWITCHING,
    },
    "meter.load.profile.wizard": {
        "action_read": READING,
    },
    "meter.map.import.wizard": {
        "action_apply": "super",
        "action_template": "super",
    },
    "meter.meter": {
        "action_alarm_off": SETTING,
        "action_alarm_on": SETTING,
        "action_end_keep_power": SWITCHING,
        "action_get_curve": EVERYBODY,
        "action_get_panel": EVERYBODY,
        "action_keep_power": SWITCHING,
        "action_load_profile": READING,
        "action_purchase": "power water cashier super",
        "action_read_items": READING,
        "action_read_now": READING,
        "action_read_parameters": SETTING,
        "action_read_prepayment": READING,
        "action_restore": SWITCHING,
        "action_set_parameters": SETTING,
        "action_set_supply_plan": SETTING,
        "action_switch_off": SWITCHING,
        "action_switch_on": SWITCHING,
        "action_sync_clock": SETTING,
        "action_view_alarms": EVERYBODY,
        "action_view_events": EVERYBODY,
        "action_view_orders": EVERYBODY,
        "action_view_readings": EVERYBODY,
        "action_view_use": EVERYBODY,
    },
    "meter.model": {
        "action_import_map": "super",
        "action_view_meters": STAFF,
    },
    "meter.order": {
        "action_cancel_read": READING,
    },
    "meter.overview": {
        "action_get_data": STAFF,
    },
    "meter.parameter": {
        "action_keep_meters_value": SETTING,
        "action_read_back": SETTING,
        "action_send_again": SETTING,
        "action_withdraw": SETTING,
    },
    "meter.parameter.batch": {
        "action_send_again": SETTING,
        "action_view_parameters": "power water auditor super",
        "action_withdraw": SETTING,
    },
    "meter.parameter.profile": {
        "action_choose_meters": "power far super",
        "action_read_back": "power far super",
        "action_send": "power far super",
        "action_view_parameters": EVERYBODY,
    },
    "meter.parameter.wizard": {
        "action_apply": SETTING,
    },
    "meter.purchase": {
        "action_cancel": "power cashier super",
        "action_check": "power cashier super",
        "action_send": "power cashier super",
        "action_settle_arrived": SETTING,
        "action_settle_not_arrived": SETTING,
    },
    "meter.read.items.wizard": {
        "action_read": READING,
    },
    "meter.restore.wizard": {
        "action_apply": SWITCHING,
    },
    "meter.supply.plan": {
        "action_view_meters": EVERYBODY,
    },
    "meter.supply.plan.wizard": {
        "action_apply": SETTING,
    },
    "meter.switch": {
        "action_end_keep_power": SWITCHING,
        "action_keep_power": SWITCHING,
        "action_restore": SWITCHING,
        "action_switch_off": SWITCHING,
        "action_switch_on": SWITCHING,
        "action_view_history": EVERYBODY,
    },
    "meter.switch.wizard": {
        "action_apply": SWITCHING,
    },
}
