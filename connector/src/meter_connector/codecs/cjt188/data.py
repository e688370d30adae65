"""Data identifiers of CJ/T 188: payload <-> values. The tables are in ``items.toml`` beside this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from .. import bcd
from ..base import CodecError
from ..items import load_table
from ..values import Reading, Value, Writable

_TABLE = load_table(__package__, "items.toml")
_UNITS: dict[int, tuple[str, int]] = {
    int(code, 16): (unit, factor) for code, (unit, factor) in _TABLE["units"].items()
}
_VALVE_ORDERS = {0x55: "open", 0x99: "close"}
#: Status layouts seen in the field: valve and battery bits differ by vendor (a, b, c in items.toml).
STATUS_LAYOUTS = tuple(_TABLE["status"])


@dataclass(frozen=True, slots=True)
class StatusLayout:
    """Where valve and battery are in the two ST bytes."""

    byte: int = 0
    valve_shift: int = 0
    battery_bit: int = 2

    @classmethod
    def of(cls, layout: "str | Mapping[str, int] | StatusLayout") -> "StatusLayout":
        """From a letter of the table, or from a meter model's own ``{byte, valve_shift, battery_bit}``; raises CodecError."""
        if isinstance(layout, StatusLayout):
            return layout
        fields = _TABLE["status"].get(layout) if isinstance(layout, str) else layout
        try:
            found = cls(**fields)
            is_good = 0 <= found.byte <= 1 and 0 <= found.valve_shift <= 6 and 0 <= found.battery_bit <= 7
        except TypeError:
            is_good = False
        if not is_good:
            raise CodecError(f"status layout {layout!r} is not one of {', '.join(STATUS_LAYOUTS)}")
        return found

    def valve(self, status: bytes) -> int:
        """The two valve bits."""
        return status[self.byte] >> self.valve_shift & 3

    def is_battery_low(self, status: bytes) -> bool:
        """The battery bit. Never trip or bill on it alone: vendors use it differently."""
        return bool(status[self.byte] >> self.battery_bit & 1)

    def pack(self, valve: int, is_battery_low: bool) -> bytes:
        """ST for the simulator."""
        status = bytearray(2)
        status[self.byte] = valve << self.valve_shift | is_battery_low << self.battery_bit
        return bytes(status)


Layout = str | Mapping[str, int] | StatusLayout


def decode_item(
    di: str,
    payload: bytes,
    *,
    meter_type: int = 0x10,
    status_layout: Layout = "a",
    unit_codes: Mapping[int, int] | None = None,
) -> Reading:
    """What a meter answered to ``di``; heat meters (2x) have another 901F. Never raises for payloads.

    901F has values with keys current, settle, clock and st (heat: see items.toml), to be had by ``Reading.get``; ``details``:
    ``valve`` (open, closed, abnormal, unknown), ``switch`` (on, off, unknown) and ``battery_low``. ``unit_codes``: code as sent ->
    code that is meant, for models that use codes of their own. A code without a row in the table gives an empty unit.
    """
    layout = StatusLayout.of(status_layout)
    row = _find(di, meter_type, len(payload))
    if row is None:
        return Reading(di.upper(), problem=None if _find(di, meter_type) is None else f"{len(payload)} bytes")
    parts = _split(row, payload)
    codes = unit_codes or {}
    values = tuple(_decode_field(spec, parts[spec["key"]], codes) for spec in row["fields"])
    details = describe_status(parts["st"], layout) if "st" in parts else {}
    return Reading(di.upper(), row["name"], values, is_block=True, details=details)


def split_payload(di: str, payload: bytes, meter_type: int = 0x10) -> dict[str, bytes]:
    """Bytes of each field by key; empty where the table has no row of this length."""
    row = _find(di, meter_type, len(payload))
    return {} if row is None else _split(row, payload)


def encode_item(
    di: str,
    values: Mapping[str, Writable | None],
    *,
    meter_type: int = 0x10,
    units: Mapping[str, int] | None = None,
) -> bytes:
    """The reverse for the simulator: values by key of the table; ``st`` as bytes in hexadecimal (``StatusLayout.pack``).

    A missing or None value is sent as filler. ``units``: unit code by key, default 2C (m3), 05 (kWh) for heat.
    """
    row = next((row for row in _TABLE["item"] if _is_row(row, di, meter_type)), None)
    if row is None:
        raise CodecError(f"data identifier {di} is not in the table")
    unit = dict.fromkeys(("current", "settle", "power", "flow", "volume"), 0x2C)
    if meter_type >> 4 == 2:
        unit |= {"current": 0x05, "settle": 0x05, "power": 0x17, "flow": 0x35}
    unit |= units or {}
    return b"".join(
        _encode_field(spec, values.get(spec["key"]), unit.get(spec["key"], 0x2C)) for spec in row["fields"]
    )


def describe_status(status: bytes, layout: Layout = "a") -> dict[str, object]:
    """``valve``, ``switch`` and ``battery_low`` from the two ST bytes."""
    if len(status) != 2:
        return {}
    place = StatusLayout.of(layout)
    bits = place.valve(status)
    return {
        "valve": _TABLE["valve"]["words"][bits],
        "switch": _TABLE["valve"]["switch"][bits],
        "battery_low": place.is_battery_low(status),
    }


def valve_state(status: bytes, layout: Layout = "a") -> str:
    """Switch word from the two ST bytes: "on" (open), "off" (closed), "unknown" (abnormal or no status)."""
    return str(describe_status(status, layout).get("switch", "unknown"))


def valve_order(payload: bytes) -> str | None:
    """ "open" or "close" from the payload of a valve order."""
    return _VALVE_ORDERS.get(payload[0]) if len(payload) == 1 else None


def item_name(di: str, meter_type: int = 0x10) -> str | None:
    """Name of an identifier, for requests."""
    row = _find(di, meter_type)
    return None if row is None else str(row["name"])


def field_keys(di: str, meter_type: int = 0x10) -> list[str]:
    """Keys of an identifier's fields in their order, empty where the table has none."""
    row = _find(di, meter_type)
    return [] if row is None else [spec["key"] for spec in row["fields"]]


def unit_of(code: int) -> str | None:
    """Unit of a unit code, None when it is not in the table."""
    return _UNITS.get(code, (None, 1))[0]


def _is_row(row: Mapping[str, Any], di: str, meter_type: int) -> bool:
    pattern = row["di"]
    is_di = di.upper() == pattern or (pattern.endswith("x") and di.upper()[:3] == pattern[:3])
    kind = meter_type >> 4
    return is_di and (kind in row["kinds"] or kind == 0xA)


def _find(di: str, meter_type: int, size: int | None = None) -> dict[str, Any] | None:
    """The row; with ``size`` only one whose fields have exactly so many bytes (a type AA meter is known by it)."""
    for row in _TABLE["item"]:
        if _is_row(row, di, meter_type) and (
            row.get("is_open") or size in (None, sum(map(_size, row["fields"])))
        ):
            return dict(row)
    return None


def _split(row: Mapping[str, Any], payload: bytes) -> dict[str, bytes]:
    parts = {}
    at = 0
    for spec in row["fields"]:
        size = len(payload) - at if spec["format"] == "raw" else _size(spec)
        parts[spec["key"]] = payload[at : at + size]
        at += size
    return parts


def _size(spec: Mapping[str, Any]) -> int:
    return {"quantity": 5, "clock": 7, "status": 2, "valve": 1}.get(spec["format"]) or int(spec["size"])


def _decode_field(spec: Mapping[str, Any], data: bytes, codes: Mapping[int, int]) -> Value:
    kind = spec["format"]
    unit = spec.get("unit", "")
    value: Decimal | str | None
    if kind == "quantity":
        unit, factor = _UNITS.get(codes.get(data[4], data[4]), ("", 1))
        number = bcd.to_decimal(data[:4], spec["decimals"])
        value = None if number is None else number * factor
    elif kind == "number":
        value = bcd.to_decimal(data, spec["decimals"])
    elif kind == "clock":
        value = decode_clock(data)
    elif kind == "digits":
        value = bcd.to_digits(data)
    elif kind == "valve":
        value = _VALVE_ORDERS.get(data[0])
    else:
        value = data.hex().upper()
    return Value(spec["name"], value, unit, spec["key"])


def decode_clock(data: bytes) -> str | None:
    """ss mm hh DD MM YY YYhi -> ISO text; None for filler, zeros and impossible times (seconds 60 are seen in the field)."""
    digits = bcd.to_digits(data)
    if digits is None or len(digits) != 14:
        return None
    try:
        return (
            datetime.strptime(digits, "%Y%m%d%H%M%S").strftime("%Y-%m-%d %H:%M:%S")
            if digits[12] < "6"
            else None
        )
    except ValueError:
        return None


def print_clock(data: bytes) -> str | None:
    """The digits of a clock as the meter sent them, possible or not; None where they are no digits."""
    digits = bcd.to_digits(data)
    if digits is None or len(digits) != 14:
        return None
    pairs = [digits[at : at + 2] for at in range(0, 14, 2)]
    return f"{pairs[0]}{pairs[1]}-{pairs[2]}-{pairs[3]} {pairs[4]}:{pairs[5]}:{pairs[6]}"


def _encode_field(spec: Mapping[str, Any], value: Writable | None, unit: int) -> bytes:
    kind = spec["format"]
    if kind == "quantity":
        number = b"\xff" * 4 if value is None else _encode_number(value, 4, spec["decimals"], _UNITS[unit][1])
        return number + bytes((unit,))
    if value is None:
        return b"\x00\x00" if kind == "status" else b"\xff" * _size(spec)
    if kind == "number":
        return _encode_number(value, spec["size"], spec["decimals"])
    if kind == "clock":
        if not isinstance(value, datetime):
            raise CodecError(f"{value!r} is not a datetime")
        return bcd.from_digits(value.strftime("%Y%m%d%H%M%S"), 7)
    if kind == "digits":
        return bcd.from_digits(str(value), spec["size"])
    return _encode_word(kind, str(value))


def _encode_word(kind: str, value: str) -> bytes:
    orders = {text: bytes((code,)) for code, text in _VALVE_ORDERS.items()}
    try:
        data = orders[value] if kind == "valve" else bytes.fromhex(value)
    except (KeyError, ValueError):
        data = b""
    if not data or (kind == "status" and len(data) != 2):
        raise CodecError(f"{value!r} is no {kind}")
    return data


def _encode_number(value: Writable, size: int, decimals: int, factor: int = 1) -> bytes:
    try:
        number = Decimal(str(value)) / factor
    except InvalidOperation:
        raise CodecError(f"{value!r} is not a number") from None
    return bcd.from_decimal(number, size, decimals)
