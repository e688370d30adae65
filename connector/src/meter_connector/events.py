"""Every kind of event the connector tells Odoo of, and the keys of its `data`. docs/rpc.md names the same; a test compares them."""

from __future__ import annotations

from collections.abc import Mapping

_ORDERED = frozenset({"wanted", "result", "reported", "detail", "reason"})
_ROOM = frozenset({"level", "used_bytes", "capacity_bytes", "bytes_a_day", "days_left", "share"})
_PROBLEMS = frozenset({"version", "count", "problems"})
_DRIFT = frozenset({"drift_s"})
_RECORD = frozenset({"count", "new", "begin", "end", "operator", "values"})
_TRIPS = frozenset({"trips", "tries"})

KINDS: Mapping[str, frozenset[str]] = {
    "gateway_online": frozenset({"links"}),
    "gateway_offline": frozenset({"links"}),
    "gateway_refused": frozenset({"peer", "reason", "hex", "dropped"}),
    "gateway_replaced": frozenset({"peer", "former", "dropped"}),
    "meter_silent": frozenset({"error"}),
    "meter_back": frozenset(),
    "clock_drift": _DRIFT,
    "clock_ok": _DRIFT,
    "clock_checked": _DRIFT,
    "password_refused": frozenset({"code", "dropped"}),
    "frame_unknown": frozenset({"hex", "size", "protocol", "reason", "dropped"}),
    "nbiot_unknown_device": frozenset({"platform", "imei", "device", "dropped"}),
    "outbox_filling": _ROOM,
    "outbox_ok": _ROOM,
    "config_refused": _PROBLEMS,
    "config_problem": _PROBLEMS,
    "config_ok": frozenset({"version"}),
    "plan_switched": _ORDERED | {"until"},
    "auto_recovered": _ORDERED | _TRIPS,
    "meter_tripped": _TRIPS,
    "recovery_locked": _TRIPS,
    "trip_recorded": _RECORD,
    "close_recorded": _RECORD,
    "programmed": _RECORD,
    "meter_cleared": _RECORD,
    "cover_open": _RECORD,
    "cover_closed": _RECORD,
    "power_lost": _RECORD,
    "overload": frozenset({"phases"}),
    "overload_over": frozenset({"phases"}),
    "battery_low": frozenset({"batteries"}),
    "battery_ok": frozenset({"batteries"}),
}
