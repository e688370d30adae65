"""A CJ/T 188 frame as a plain dictionary."""

from collections.abc import Callable
from dataclasses import replace

from .. import description
from ..description import Description
from ..values import Value
from . import data
from . import frame as f
from .frame import Frame

_STATUS_SIZE = 2


def describe(frame: Frame) -> Description:
    """See ``codecs.description``; never raises. Status bits by layout (a); ``rtc`` as sent, the clock value only when possible."""
    found: Description = {
        "meter_type": f"{frame.meter_type:02X}",
        "address": frame.address,
        "meter_no": frame.meter_no,
        "vendor": frame.vendor,
        "control": f"{frame.control:02X}",
        "length": len(frame.data),
        "data": frame.data.hex().upper(),
        "direction": "slave" if frame.is_answer else "master",
        "abnormal": frame.is_abnormal,
        "follow_up": False,
        "di": frame.di,
        "ser": frame.ser,
        "values": [],
    }
    if frame.di_wire is not None:
        order = "swapped" if frame.is_di_swapped else "DI0-first"
        found |= {"di_wire": frame.di_wire, "di_order": order}
    if frame.is_abnormal:
        return found | _status(frame.payload)
    return found | (_answer(frame) if frame.is_answer else _request(frame))


def _request(frame: Frame) -> Description:
    if frame.di is None:
        return {}
    name = data.item_name(frame.di, frame.meter_type)
    found: Description = {"name": name} if name else {}
    if frame.payload:
        found |= _payload(frame)
    if frame.di == "A017" and (order := data.valve_order(frame.payload)) is not None:
        found["valve"] = order
    return found


def _answer(frame: Frame) -> Description:
    if frame.function == f.READ_ADDRESS:
        value: Description = {"name": "meter address", "value": frame.address, "unit": ""}
        return {"meter_address": frame.address, "values": [value]}
    return _payload(frame) if frame.di is not None and frame.payload else {}


def _payload(frame: Frame) -> Description:
    di = frame.di or ""
    reading = data.decode_item(di, frame.payload, meter_type=frame.meter_type)
    found = description.of_reading(replace(reading, details={}), frame.payload)
    parts = data.split_payload(di, frame.payload, frame.meter_type)
    for value in reading.values:
        found |= _FIELDS[value.key](value, parts[value.key]) if value.key in _FIELDS else {}
    return found


def _current(value: Value, _: bytes) -> Description:
    return {"current": value.text, "unit": value.unit}


def _settle(value: Value, wire: bytes) -> Description:
    return {"settle": value.text, "settle_raw": wire[:4].hex().upper(), "unit2": value.unit}


def _clock(_: Value, wire: bytes) -> Description:
    return {"rtc": data.print_clock(wire), "rtc_raw": wire.hex().upper()}


def _status(wire: bytes) -> Description:
    if len(wire) != _STATUS_SIZE:
        return {}
    bits = data.describe_status(wire, "a")
    return {
        "st": wire.hex().upper(),
        "st_valve_lsb": bits["valve"],
        "st_batt_low_lsb": bits["battery_low"],
        "switch": bits["switch"],
    }


_FIELDS: dict[str, Callable[[Value, bytes], Description]] = {
    "current": _current,
    "settle": _settle,
    "clock": _clock,
    "st": lambda _, wire: _status(wire),
}
