"""Modbus RTU requests as frames."""

from collections.abc import Sequence

from ..base import CodecError
from . import frame as f
from .frame import Frame


def read(unit: int, start: int, qty: int, function: int = f.READ_HOLDING) -> Frame:
    """01H..04H."""
    return Frame(unit, function, start.to_bytes(2, "big") + qty.to_bytes(2, "big"), False)


def write_registers(unit: int, start: int, words: Sequence[int]) -> Frame:
    """10H."""
    if not 1 <= len(words) <= 123:
        raise CodecError(f"{len(words)} registers, a write carries 1 to 123")
    data = b"".join(word.to_bytes(2, "big") for word in words)
    head = start.to_bytes(2, "big") + len(words).to_bytes(2, "big") + bytes((len(data),))
    return Frame(unit, f.WRITE_REGISTERS, head + data, False)


def write_register(unit: int, address: int, word: int) -> Frame:
    """06H."""
    return Frame(unit, f.WRITE_REGISTER, address.to_bytes(2, "big") + word.to_bytes(2, "big"), None)


def write_coil(unit: int, address: int, is_on: bool) -> Frame:
    """05H."""
    return Frame(
        unit, f.WRITE_COIL, address.to_bytes(2, "big") + (b"\xff\x00" if is_on else b"\x00\x00"), None
    )
