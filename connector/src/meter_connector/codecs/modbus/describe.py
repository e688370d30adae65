"""A Modbus frame as a plain dictionary."""

from ..description import Description
from . import frame as f
from .frame import Frame

_DIRECTIONS = {True: "slave", False: "master", None: None}
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, busy with it",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not answer",
}
_REGISTERS = frozenset({f.READ_HOLDING, f.READ_INPUT, f.WRITE_REGISTERS})


def describe(frame: Frame) -> Description:
    """Raw words; what they mean is in the register map of the meter model. ``direction`` None: request and answer look the same."""
    found: Description = {
        "address": str(frame.unit),
        "unit": frame.unit,
        "function": f"{frame.function:02X}",
        "control": f"{frame.function:02X}",
        "direction": _DIRECTIONS[frame.is_answer],
        "abnormal": frame.is_exception,
        "follow_up": False,
        "di": None,
        "values": [],
    }
    if frame.is_exception:
        code = frame.exception
        return found | {"exception": code, "error_names": [_EXCEPTIONS.get(code or 0, "unknown")]}
    if frame.start is not None:
        found |= {"start": f"{frame.start:04X}", "qty": frame.qty}
    return found | _data(frame)


def _data(frame: Frame) -> Description:
    if not frame.data:
        return {}
    found: Description = {"data": frame.data.hex(), "bytes": len(frame.data)}
    if frame.function in _REGISTERS:
        first = frame.start
        found["registers"] = list(frame.words)
        found["values"] = [
            {"name": _register_name(first, number), "value": str(word), "unit": ""}
            for number, word in enumerate(frame.words)
        ]
    return found


def _register_name(first: int | None, number: int) -> str:
    return f"word {number}" if first is None else f"register {first + number:04X}"
