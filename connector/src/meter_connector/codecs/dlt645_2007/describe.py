"""A 2007 frame as a plain dictionary."""

from collections.abc import Callable

from .. import bcd, description
from ..description import Description
from . import data
from . import frame as f
from .frame import Frame

_HEAD = 8
_BAUDRATES = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}


def describe(frame: Frame) -> Description:
    """See ``codecs.description``; never raises."""
    found = description.of_645(frame, frame.di, data.SERVICES.get(frame.function))
    if frame.is_abnormal:
        return found | _error(frame)
    table = _ANSWERS if frame.is_answer else _REQUESTS
    special = table.get(frame.function)
    return found | special(frame) if special else found


def _error(frame: Frame) -> Description:
    if frame.function == f.SECURITY and len(frame.data) == 2:
        serr = int.from_bytes(frame.data, "little")
        return {"error_bytes": frame.data.hex().upper(), "error_names": data.decode_security_error(serr)}
    if len(frame.data) != 1:
        return {}
    return description.of_error(frame.data[0], data.decode_error(frame.data[0]))


def _read_request(frame: Frame) -> Description:
    found: Description = {}
    if frame.di is not None and (name := data.ITEMS.name(frame.di)) is not None:
        found["name"] = name
    if frame.function == f.READ and frame.payload:
        found["block_count"] = bcd.to_digits(frame.payload[:1])
    if frame.function == f.READ and len(frame.payload) == 6:
        found["since"] = description.print_time(b"\x00" + frame.payload[1:])
    return found | ({"seq": frame.seq} if frame.seq is not None else {})


def _read_answer(frame: Frame) -> Description:
    if frame.di is None:
        return {}
    reading = data.decode_item(frame.di, frame.payload)
    if frame.has_more and reading.problem:
        return {"name": reading.name, "payload": frame.payload.hex().upper()}
    return description.of_reading(reading, frame.payload)


def _more_answer(frame: Frame) -> Description:
    if frame.di is None:
        return {}
    name = data.ITEMS.name(frame.di)
    found: Description = {"payload": frame.payload.hex().upper(), "seq": frame.seq}
    return found | ({"name": name} if name else {})


def _address_answer(frame: Frame) -> Description:
    address = frame.data[::-1].hex().upper()
    value: Description = {"name": "meter address", "value": address, "unit": ""}
    return {"meter_address": address, "values": [value]} if len(frame.data) == 6 else {}


def _write_request(frame: Frame) -> Description:
    if frame.di is None or len(frame.payload) < _HEAD:
        return {}
    written = frame.payload[_HEAD:]
    return _authority(frame.payload) | description.of_reading(data.decode_item(frame.di, written), written)


def _authority(payload: bytes) -> Description:
    return {
        "PA": f"{payload[0]:02X}",
        "password_P0P1P2_wire": payload[1:4].hex().upper(),
        "operator_wire": payload[4:8].hex().upper(),
    }


def _relay_request(frame: Frame) -> Description:
    if len(frame.data) < _HEAD:
        return {}
    found = _authority(frame.data)
    command = frame.data[_HEAD:]
    if len(command) >= 2:
        found |= {"N1": f"{command[0]:02X}", "N2": f"{command[1]:02X}"}
        found["action"] = data.RELAY_TEXTS.get(command[0], "unknown")
    if len(command) >= 8:
        found["expiry"] = _expiry(command[2:8])
    return found


def _expiry(wire: bytes) -> str:
    pairs = [f"{byte:02X}" for byte in wire[::-1]]
    return f"{'-'.join(pairs[:3])} {':'.join(pairs[3:])} (YY-MM-DD hh:mm:ss)"


def _security_request(frame: Frame) -> Description:
    """Name and operator; a purchase by the layout that its length tells, amounts as binary hundredths."""
    di = frame.di or ""
    found: Description = {"name": data.SECURITY_NAMES.get(di)}
    if len(frame.payload) < 4:
        return found
    order = frame.payload[4:]
    found |= {"operator_wire": frame.payload[:4].hex().upper(), "payload": order.hex().upper()}
    layout = _PURCHASES.get(len(order)) if di in ("070102FF", "070108FF") else None
    return found | ({"layout": layout[0], "values": _amounts(order, layout[1])} if layout else {})


def _security_answer(frame: Frame) -> Description:
    """The answer to a purchase tells remaining, count and customer number [S]."""
    di = frame.di or ""
    found: Description = {"name": data.SECURITY_NAMES.get(di), "payload": frame.payload.hex().upper()}
    is_purchase = di == "070102FF" and len(frame.payload) == 14
    return found | ({"values": _amounts(frame.payload, _PURCHASED)} if is_purchase else {})


def _amounts(payload: bytes, fields: tuple[tuple[str, int, str], ...]) -> list[Description]:
    found: list[Description] = []
    at = 0
    for name, size, kind in fields:
        part = payload[at : at + size]
        at += size
        number = int.from_bytes(part, "little")
        texts = {"money": f"{number // 100}.{number % 100:02}", "count": str(number)}
        text = texts.get(kind) or (bcd.to_digits(part) if kind == "digits" else part.hex().upper())
        found.append({"name": name, "value": text, "unit": "CNY" if kind == "money" else ""})
    return found


_PURCHASED = (
    ("remaining amount", 4, "money"),
    ("purchase count", 4, "count"),
    ("customer number", 6, "digits"),
)
_PURCHASES = {
    22: (
        "security-30",
        (
            ("amount", 4, "money"),
            ("purchase count", 4, "count"),
            ("MAC1", 4, "raw"),
            ("customer number", 6, "digits"),
            ("MAC2", 4, "raw"),
        ),
    ),
    26: (
        "security-34",
        (
            ("amount", 4, "money"),
            ("order number", 8, "digits"),
            ("MAC1", 4, "raw"),
            ("customer number", 6, "digits"),
            ("MAC2", 4, "raw"),
        ),
    ),
}


def _cleared(frame: Frame) -> Description:
    """19H, 1AH, 1BH: authority, and what is cleared."""
    if len(frame.data) < _HEAD:
        return {}
    rest = frame.data[_HEAD:]
    return _authority(frame.data) | ({"cleared": rest[::-1].hex().upper()} if rest else {})


def _time_request(frame: Frame) -> Description:
    return {"time": description.print_time(frame.data)}


def _freeze_request(frame: Frame) -> Description:
    digits = bcd.to_digits(frame.data)
    if digits is None or len(digits) != 8:
        return {}
    kinds = {"99999999": "instant", "999999": "hourly", "9999": "daily", "99": "monthly"}
    kind = next((kind for start, kind in kinds.items() if digits.startswith(start)), "dated")
    return {"freeze": kind, "freeze_time": digits}


def _baud_request(frame: Frame) -> Description:
    return {"baudrate": _BAUDRATES.get(frame.data[0])} if len(frame.data) == 1 else {}


def _new_address(frame: Frame) -> Description:
    return {"new_address": frame.data[::-1].hex().upper()} if len(frame.data) == 6 else {}


_Special = Callable[[Frame], Description]
_REQUESTS: dict[int, _Special] = {
    f.SECURITY: _security_request,
    f.CLEAR_DEMAND: _cleared,
    f.CLEAR_METER: _cleared,
    f.CLEAR_EVENTS: _cleared,
    f.READ: _read_request,
    f.READ_MORE: _read_request,
    f.WRITE: _write_request,
    f.WRITE_ADDRESS: _new_address,
    f.BROADCAST_TIME: _time_request,
    f.RELAY: _relay_request,
    f.FREEZE: _freeze_request,
    f.CHANGE_BAUD: _baud_request,
}
_ANSWERS: dict[int, _Special] = {
    f.SECURITY: _security_answer,
    f.READ: _read_answer,
    f.READ_MORE: _more_answer,
    f.READ_ADDRESS: _address_answer,
    f.CHANGE_BAUD: _baud_request,
}
