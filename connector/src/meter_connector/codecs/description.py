"""Frames as plain dictionaries: what ``decode`` prints. Keys and spellings are those of ``decoded`` in the vectors file.

Identifiers and addresses as printed, high digits first; values as decimal strings; None for not available.
"""

from . import bcd
from .dlt645_frame import Dlt645Frame
from .values import Reading, Value

Description = dict[str, object]


def print_values(values: tuple[Value, ...]) -> list[Description]:
    """``[{"name", "value", "unit"}]``."""
    return [{"name": value.name, "value": value.text, "unit": value.unit} for value in values]


def of_645(frame: Dlt645Frame, di: str | None, service: str | None) -> Description:
    """What every 645 frame has."""
    return {
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "service": service,
        "length": len(frame.data),
        "data_minus33": frame.data.hex().upper(),
        "direction": "slave" if frame.is_answer else "master",
        "abnormal": frame.is_abnormal,
        "follow_up": frame.has_more,
        "di": di,
        "values": [],
    }


def of_reading(reading: Reading, payload: bytes) -> Description:
    """What a payload says: name, value and unit of a single item, values always, details by their own keys."""
    found: Description = {"payload": payload.hex().upper(), "values": print_values(reading.values)}
    if reading.name is not None:
        found["name"] = reading.name
    if len(reading.values) == 1 and not reading.is_block:
        found |= {"value": reading.values[0].text, "unit": reading.values[0].unit}
    units = {value.unit for value in reading.values}
    if reading.is_block and len(units) == 1:
        found["unit"] = units.pop()
    if reading.problem is not None:
        found["problem"] = reading.problem
    return found | reading.details


def of_error(error: int, names: list[str]) -> Description:
    """Error byte, its bits and what they mean."""
    return {
        "error_byte": f"{error:02X}",
        "error_bits": [bit for bit in range(8) if error >> bit & 1],
        "error_names": names,
    }


def print_time(data: bytes) -> str | None:
    """ss mm hh DD MM YY as ISO text without checking the calendar; None where it is no BCD."""
    digits = bcd.to_digits(data)
    if digits is None or len(digits) != 12:
        return None
    pairs = [digits[at : at + 2] for at in range(0, 12, 2)]
    return f"20{pairs[0]}-{pairs[1]}-{pairs[2]} {pairs[3]}:{pairs[4]}:{pairs[5]}"
