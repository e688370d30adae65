"""Words and tables of the metering domain: the one home of every fact used on both sides of the RPC face."""

# --- readings ------------------------------------------------------------------------------------
#: Registers that only grow; a negative value is refused.
TOTAL_COLUMNS = ("total", "t1", "t2", "t3", "t4")
#: Instantaneous values; power and power factor carry a sign.
LIVE_COLUMNS = ("voltage_v", "current_a", "power_kw", "power_factor")
NUMERIC_COLUMNS = TOTAL_COLUMNS + LIVE_COLUMNS
SIGNED_COLUMNS = ("current_a", "power_kw", "power_factor")
#: All columns of an ``api_ingest`` batch, in the order of docs/rpc.md.
INGEST_COLUMNS = ("circuit_id", "at", *NUMERIC_COLUMNS, "switch", "source", "extras")
MAX_BATCH_ROWS = 5000
#: A reading may be this far ahead of the server's clock before it is refused.
FUTURE_TOLERANCE_S = 600
#: A meter's clock that is no further off is right (the connector tells a drift from there on).
CLOCK_RIGHT_S = 120
#: Below this share of its room a connector's disk is no alarm (the connector tells ``outbox_ok`` there).
DISK_CALM_SHARE = 0.4

READING_SOURCES = [
    ("scheduled", "Scheduled"),
    ("on_demand", "On Demand"),
    ("freeze", "Freeze"),
    ("manual", "Manual"),
]

# --- switch --------------------------------------------------------------------------------------
DESIRED_STATES = [("on", "On"), ("off", "Off")]
REPORTED_STATES = [("on", "On"), ("off", "Off"), ("pending", "Pending"), ("unknown", "Unknown")]
REPORTED_KEYS = frozenset(key for key, _label in REPORTED_STATES)

#: Who wanted the switch to change. Upper addons add theirs with ``selection_add``.
SWITCH_SOURCES = [
    ("operator", "Operator"),
    ("policy", "Policy"),
    ("topup", "Top-up"),
    ("reconcile", "Reconciliation"),
    ("keep_power", "Keep Power"),
    ("schedule", "Schedule"),
    ("system", "System"),
]

#: Whose orders a connector carries out although its supply plan or its recovery lock holds the switch (docs/rpc.md).
PERSON_SOURCES = ("operator", "keep_power")
OVERRIDE_DATA = {"override": True}

# --- orders --------------------------------------------------------------------------------------
ORDER_KINDS = [
    ("switch_on", "Switch On"),
    ("switch_off", "Switch Off"),
    ("read", "Read Now"),
    ("sync_clock", "Set Clock"),
    ("read_items", "Read Values"),
    ("read_profile", "Read Load Profile"),
    ("read_parameters", "Read Parameters"),
    ("write_parameters", "Write Parameters"),
    ("purchase", "Purchase"),
    ("read_prepayment", "Read Prepayment"),
    ("keep_power_on", "Keep Power in the Meter"),
    ("keep_power_off", "End Keep Power in the Meter"),
    ("alarm_on", "Alarm On"),
    ("alarm_off", "Alarm Off"),
    ("discover", "Find Meters"),
]
SWITCH_ORDER_KINDS = ("switch_on", "switch_off")
#: Orders that change nothing in a meter and may be cancelled by whoever may read meters.
READ_ORDER_KINDS = ("read", "read_items", "read_profile", "read_parameters", "read_prepayment", "discover")
#: Orders whose end says nothing before the meter's own count does; silence never makes them a failure.
COUNTED_ORDER_KINDS = ("purchase",)
#: An order's data and a result's data travel as JSON text of at most so many characters.
MAX_ORDER_DATA = 60000
ORDER_STATES = [
    ("pending", "Waiting"),
    ("received", "Received"),
    ("accepted", "Accepted by Meter"),
    ("confirmed", "Confirmed"),
    ("failed", "Failed"),
    ("expired", "Expired"),
    ("superseded", "Superseded"),
]
OPEN_ORDER_STATES = ("pending", "received", "accepted")
#: The life of an order. *accepted* = the meter acknowledged, *confirmed* = read back.
#: ``expired -> confirmed`` is the truth arriving late: done in time, reported after the link came back.
ORDER_TRANSITIONS = {
    "pending": frozenset({"received", "accepted", "confirmed", "failed", "expired", "superseded"}),
    "received": frozenset({"accepted", "confirmed", "failed", "expired", "superseded"}),
    "accepted": frozenset({"confirmed", "failed", "expired", "superseded"}),
    "expired": frozenset({"confirmed"}),
    "confirmed": frozenset(),
    "failed": frozenset(),
    "superseded": frozenset(),
}
#: How long an order may be carried out, by kind.
ORDER_LIFE_S = {
    "switch_on": 24 * 3600,
    "switch_off": 30 * 60,
    "read": 10 * 60,
    "sync_clock": 3600,
    "read_items": 10 * 60,
    "read_profile": 10 * 60,
    "read_parameters": 3600,
    "write_parameters": 24 * 3600,
    "purchase": 3600,
    "read_prepayment": 10 * 60,
    "keep_power_on": 24 * 3600,
    "keep_power_off": 24 * 3600,
    "alarm_on": 3600,
    "alarm_off": 3600,
    "discover": 6 * 3600,
}


def get_order_life_s(kind, is_sleeping=False):
    """How long an order of a kind may be carried out; a meter that sleeps has to wake first."""
    return max(ORDER_LIFE_S[kind], SLEEPING_SILENT_S) if is_sleeping else ORDER_LIFE_S[kind]


#: A connector that took an order and says nothing for so long is given it again.
REDELIVER_AFTER_S = 60
#: Tries before "switch did not obey" is raised, and the pause between tries after that.
MAX_QUICK_TRIES = 3
SLOW_RETRY_S = 60

# --- connection ----------------------------------------------------------------------------------
PROTOCOL_VERSION = 1
HELLO_S = 15
ORDERS_POLL_S = 1.0
#: Meters behind an operator's platform sleep: they report once a day, two hours later when the network gives them a
#: later slot. The connector calls them silent by the same time (``nbiot/service.py``).
SLEEPING_PERIOD_S = 24 * 3600
SLEEPING_SILENT_S = 26 * 3600
#: Protocols whose switches the connector can command behind a platform (``nbiot/orders.py`` has the same).
SLEEPING_SWITCH_PROTOCOLS = ("cjt188", "dlt645-2007")
#: Without a word for so long a connector counts as offline.
CONNECTOR_SILENT_S = 60
#: Readings that a connector still has are waited for until none of them came for so many hours.
BACKLOG_PATIENCE_H = 24
LINK_KINDS = [
    ("tcp_client", "TCP client (we dial the gateway)"),
    ("tcp_server", "TCP server (the gateway dials in)"),
    ("serial", "Serial port"),
    ("nbiot", "NB-IoT platform (it pushes to the connector)"),
]
FRAMINGS = [
    ("transparent", "Transparent (RTU bytes as they are)"),
    ("modbus_tcp", "Modbus TCP"),
    ("rtu_over_tcp", "Modbus RTU over TCP"),
]
BAUDRATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)

# --- alarms --------------------------------------------------------------------------------------
#: kind: (label, severity, target field). Severity: info < warning < critical.
ALARM_KINDS = {
    "connector_offline": ("Connector offline", "critical", "connector_id"),
    "gateway_offline": ("Gateway offline", "critical", "gateway_id"),
    "meter_offline": ("Meter offline", "warning", "meter_id"),
    "switch_disobeyed": ("Switch did not obey", "critical", "circuit_id"),
    "switch_by_hand": ("To be switched by hand", "critical", "circuit_id"),
    "switch_unexpected": ("Switch changed by itself", "warning", "circuit_id"),
    "reading_conflict": ("Conflicting readings", "warning", "circuit_id"),
    "readings_missing": ("Readings missing", "warning", "meter_id"),
    "reading_rejected": ("Readings refused", "warning", "connector_id"),
    "default_partition": ("Readings outside the monthly tables", "critical", None),
    "meter_tripped": ("Meter cut the supply", "critical", "circuit_id"),
    "overload": ("Overload", "critical", "circuit_id"),
    "malignant_load": ("Malignant load", "critical", "circuit_id"),
    "over_temperature": ("Over-temperature", "critical", "circuit_id"),
    "protection_locked": ("Locked after protective trips", "critical", "circuit_id"),
    "keep_power_failed": ("Keep-power in the meter failed", "warning", "circuit_id"),
    "purchase_mismatch": ("Purchase count does not match", "critical", "meter_id"),
    "purchase_unknown": ("Purchase without an answer", "warning", "meter_id"),
    "broken_line": ("Broken line", "critical", "meter_id"),
    "reverse_energy": ("Reverse energy", "warning", "meter_id"),
    "stopped_counting": ("Meter stopped counting", "warning", "circuit_id"),
    "reading_jump": ("Reading jumped", "warning", "circuit_id"),
    "low_battery": ("Low battery", "warning", "meter_id"),
    "valve_fault": ("Valve fault", "critical", "meter_id"),
    "reader_fault": ("Optical reader fault", "warning", "meter_id"),
    "cover_open": ("Cover open", "critical", "meter_id"),
    "magnetic_field": ("Strong magnetic field", "critical", "meter_id"),
    "gateway_refused": ("Unknown gateway dials in", "info", "connector_id"),
    "disk_filling": ("Connector's disk is filling", "critical", "connector_id"),
    "config_problem": ("Configuration not taken whole", "critical", "connector_id"),
    "nbiot_unknown_device": ("Unknown NB-IoT device", "info", "connector_id"),
    "clock_drift": ("Meter clock is wrong", "warning", "meter_id"),
    "password_refused": ("Meter refused the password", "critical", "meter_id"),
    "frame_unknown": ("Frame not understood", "info", "bus_id"),
}
SEVERITIES = [("info", "Notice"), ("warning", "Warning"), ("critical", "Critical")]
ALARM_TARGETS = ("connector_id", "gateway_id", "bus_id", "meter_id", "circuit_id")

#: Event kind reported by a connector -> what it does to an alarm: (action, alarm kind).
EVENT_ALARMS = {
    "gateway_offline": ("open", "gateway_offline"),
    "gateway_online": ("resolve", "gateway_offline"),
    "meter_silent": ("open", "meter_offline"),
    "meter_back": ("resolve", "meter_offline"),
    "clock_drift": ("open", "clock_drift"),
    "clock_ok": ("resolve", "clock_drift"),
    "password_refused": ("open", "password_refused"),
    "frame_unknown": ("open", "frame_unknown"),
    "cover_open": ("open", "cover_open"),
    "cover_closed": ("resolve", "cover_open"),
    "overload": ("open", "overload"),
    "overload_over": ("resolve", "overload"),
    "magnetic_field": ("open", "magnetic_field"),
    "magnetic_field_over": ("resolve", "magnetic_field"),
    "valve_fault": ("open", "valve_fault"),
    "valve_ok": ("resolve", "valve_fault"),
    "battery_low": ("open", "low_battery"),
    "battery_ok": ("resolve", "low_battery"),
    "gateway_refused": ("open", "gateway_refused"),
    "outbox_filling": ("open", "disk_filling"),
    "outbox_ok": ("resolve", "disk_filling"),
    "config_refused": ("open", "config_problem"),
    "config_problem": ("open", "config_problem"),
    "config_ok": ("resolve", "config_problem"),
    "nbiot_unknown_device": ("open", "nbiot_unknown_device"),
}
#: Every kind of event with a name here -> (label, keys of ``data``). docs/rpc.md names the same; a test compares them.
_ORDERED = ("wanted", "result", "reported", "detail", "reason")
_ROOM = ("level", "used_bytes", "capacity_bytes", "bytes_a_day", "days_left", "share")
_PROBLEMS = ("version", "count", "problems")
_RECORD = ("count", "new", "begin", "end", "operator", "values")
EVENT_KINDS = {
    "gateway_online": ("Gateway online", ("links",)),
    "gateway_offline": ("Gateway offline", ("links",)),
    "gateway_refused": ("Unknown gateway dials in", ("peer", "reason", "hex", "dropped")),
    "gateway_replaced": ("Gateway dialled in from elsewhere", ("peer", "former", "dropped")),
    "meter_silent": ("Meter silent", ("error",)),
    "meter_back": ("Meter answers again", ()),
    "clock_drift": ("Meter clock is wrong", ("drift_s",)),
    "clock_ok": ("Meter clock is right again", ("drift_s",)),
    "clock_checked": ("Meter clock looked at", ("drift_s",)),
    "password_refused": ("Meter refused the password", ("code", "dropped")),
    "frame_unknown": ("Frame not understood", ("hex", "size", "protocol", "reason", "dropped")),
    "nbiot_unknown_device": ("Unknown NB-IoT device", ("platform", "imei", "device", "dropped")),
    "outbox_filling": ("Connector's disk is filling", _ROOM),
    "outbox_ok": ("Connector's disk has room again", _ROOM),
    "config_refused": ("Configuration refused", _PROBLEMS),
    "config_problem": ("Part of the configuration left out", _PROBLEMS),
    "config_ok": ("Configuration without fault", ("version",)),
    "plan_switched": ("Switched by its hours of supply", (*_ORDERED, "until")),
    "auto_recovered": ("Closed again after a trip", (*_ORDERED, "trips", "tries")),
    "meter_tripped": ("Meter cut the supply", ("trips", "tries")),
    "recovery_locked": ("Locked after trips in a row", ("trips", "tries")),
    "protection_locked": ("Locked by the meter", ()),
    "overload_trip": ("Overload trip", ()),
    "malignant_load_trip": ("Malignant load trip", ()),
    "temperature_trip": ("Over-temperature trip", ()),
    "trip_recorded": ("Trip noted by the meter", _RECORD),
    "close_recorded": ("Closing noted by the meter", _RECORD),
    "programmed": ("Settings written", _RECORD),
    "meter_cleared": ("Registers cleared", _RECORD),
    "power_lost": ("Power loss", _RECORD),
    "cover_open": ("Cover open", _RECORD),
    "cover_closed": ("Cover closed", _RECORD),
    "overload": ("Overload", ("phases",)),
    "overload_over": ("Overload is over", ("phases",)),
    "magnetic_field": ("Strong magnetic field", ()),
    "magnetic_field_over": ("Magnetic field is over", ()),
    "valve_fault": ("Valve fault", ()),
    "valve_ok": ("Valve in order", ()),
    "battery_low": ("Low battery", ("batteries",)),
    "battery_ok": ("Battery in order", ("batteries",)),
}
#: Keys of ``data`` that say in an alarm's message what exactly is wrong.
EVENT_DETAILS = (
    "problems",
    "imei",
    "platform",
    "peer",
    "former",
    "reason",
    "drift_s",
    "days_left",
    "error",
    "detail",
)

# --- meter models --------------------------------------------------------------------------------
PROTOCOLS = [
    ("dlt645-2007", "DL/T 645-2007"),
    ("dlt645-1997", "DL/T 645-1997"),
    ("cjt188", "CJ/T 188"),
    ("modbus-rtu", "Modbus RTU"),
    ("modbus-tcp", "Modbus TCP"),
]
