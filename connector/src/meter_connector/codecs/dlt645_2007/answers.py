"""Answers of DL/T 645-2007, from the meter's side: for the simulator and the tests."""

from .. import bcd
from ..dlt645_frame import normalise_address
from . import frame as f
from .frame import Frame

ABNORMAL = 0x40
ANSWER = 0x80
MORE = 0x20


def read(address: str, di: str, payload: bytes, *, has_more: bool = False) -> Frame:
    """91H, or B1H when more follows. ``payload``: what ``data.encode_item`` gives."""
    control = f.READ | ANSWER | (MORE if has_more else 0)
    return Frame(normalise_address(address), control, bytes.fromhex(di)[::-1] + payload)


def read_more(address: str, di: str, payload: bytes, seq: int, *, has_more: bool = False) -> Frame:
    """92H or B2H."""
    control = f.READ_MORE | ANSWER | (MORE if has_more else 0)
    return Frame(normalise_address(address), control, bytes.fromhex(di)[::-1] + payload + bytes((seq,)))


def read_address(address: str) -> Frame:
    """93H."""
    return Frame(normalise_address(address), f.READ_ADDRESS | ANSWER, bcd.from_digits(address, 6))


def done(request: Frame, address: str, data: bytes = b"") -> Frame:
    """The plain acknowledgement of a write, relay order, freeze (no data) or change of speed (echo of Z)."""
    return Frame(normalise_address(address), request.function | ANSWER, data)


def refused(request: Frame, address: str, error: int) -> Frame:
    """Abnormal answer with the error byte (bits of data/errors.toml)."""
    return Frame(normalise_address(address), request.function | ANSWER | ABNORMAL, bytes((error,)))
