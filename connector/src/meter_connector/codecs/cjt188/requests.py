"""Requests of CJ/T 188 as frames. ``ser``: the caller counts 0..255; ``is_swapped``: send DI as ``1F 90`` (per meter model)."""

from datetime import datetime

from .. import bcd
from ..base import CodecError
from . import frame as f
from .frame import Frame, normalise_address

READ_DATA = "901F"
ADDRESS = "810A"
VALVE = "A017"
CLOCK = "A015"
VALVE_BYTES = {"open": 0x55, "close": 0x99}


def read(
    address: str, di: str = READ_DATA, *, ser: int = 0, meter_type: int = 0x10, is_swapped: bool = False
) -> Frame:
    """01H."""
    return Frame(normalise_address(address), f.READ, _head(di, ser, is_swapped), meter_type)


def read_address(*, ser: int = 0, meter_type: int = f.ANY_TYPE, is_swapped: bool = False) -> Frame:
    """03H to any meter: only where one meter is on the line."""
    return Frame(f.ANY_ADDRESS, f.READ_ADDRESS, _head(ADDRESS, ser, is_swapped), meter_type)


def valve(
    address: str,
    action: str,
    *,
    ser: int = 0,
    meter_type: int = 0x10,
    is_swapped: bool = False,
    control: int = f.WRITE,
) -> Frame:
    """``action`` open or close. ``control``: 04H, some vendors 2AH. Read 901F afterwards: the valve needs seconds."""
    if action not in VALVE_BYTES:
        raise CodecError(f"valve action {action!r} is not open or close")
    data = _head(VALVE, ser, is_swapped) + bytes((VALVE_BYTES[action],))
    return Frame(normalise_address(address), control, data, meter_type)


def write_clock(
    address: str, when: datetime, *, ser: int = 0, meter_type: int = 0x10, is_swapped: bool = False
) -> Frame:
    """04H A015: ss mm hh DD MM YY YY(hi) by the meter's own clock (naive)."""
    data = _head(CLOCK, ser, is_swapped) + bcd.from_digits(when.strftime("%Y%m%d%H%M%S"), 7)
    return Frame(normalise_address(address), f.WRITE, data, meter_type)


def write(
    address: str, di: str, payload: bytes, *, ser: int = 0, meter_type: int = 0x10, is_swapped: bool = False
) -> Frame:
    """04H: price table, days, purchase; ``payload`` as ``data.encode_item`` gives it."""
    return Frame(normalise_address(address), f.WRITE, _head(di, ser, is_swapped) + payload, meter_type)


def _head(di: str, ser: int, is_swapped: bool) -> bytes:
    try:
        data = bytes.fromhex(di)
    except ValueError:
        data = b""
    if len(data) != 2:
        raise CodecError(f"data identifier {di!r} is not four hexadecimal digits")
    if not 0 <= ser <= 255:
        raise CodecError(f"SER {ser} is not between 0 and 255")
    return (data[::-1] if is_swapped else data) + bytes((ser,))
