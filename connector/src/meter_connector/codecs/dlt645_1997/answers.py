"""Answers of DL/T 645-1997, from the meter's side: for the simulator and the tests."""

from ..dlt645_frame import normalise_address
from . import frame as f
from .frame import Frame

ABNORMAL = 0x40
ANSWER = 0x80
MORE = 0x20


def read(address: str, di: str, payload: bytes, *, has_more: bool = False) -> Frame:
    """81H, or A1H when more follows."""
    control = f.READ | ANSWER | (MORE if has_more else 0)
    return Frame(normalise_address(address), control, bytes.fromhex(di)[::-1] + payload)


def read_more(address: str, di: str, payload: bytes, *, has_more: bool = False) -> Frame:
    """82H or A2H."""
    control = f.READ_MORE | ANSWER | (MORE if has_more else 0)
    return Frame(normalise_address(address), control, bytes.fromhex(di)[::-1] + payload)


def refused(request: Frame, address: str, error: int) -> Frame:
    """Abnormal answer with the error byte."""
    return Frame(normalise_address(address), request.function | ANSWER | ABNORMAL, bytes((error,)))
