"""Requests of DL/T 645-1997 as frames. Relay and prepayment are not standardised in 1997: read, clock and broadcast time only."""

from datetime import datetime

from .. import bcd
from ..base import CodecError
from ..dlt645_frame import normalise_address
from . import frame as f
from .frame import Frame


def read(address: str, di: str) -> Frame:
    """01H. Address 99 x6 reads the only meter on the line; it answers with its own address."""
    return Frame(normalise_address(address), f.READ, pack_di(di))


def read_more(address: str, di: str) -> Frame:
    """02H: the next part of an answer that said "more follows"."""
    return Frame(normalise_address(address), f.READ_MORE, pack_di(di))


def write(address: str, di: str, value: bytes, password: str = "") -> Frame:
    """04H with the four password bytes (eight digits, level first); of use for the clock items C010 and C011."""
    data = pack_di(di) + bcd.from_digits(password.replace(":", "").strip() or "0", 4) + value
    return Frame(normalise_address(address), f.WRITE, data)


def broadcast_time(when: datetime, address: str = f.BROADCAST) -> Frame:
    """08H: ss mm hh DD MM YY, never answered."""
    return Frame(
        normalise_address(address), f.BROADCAST_TIME, bcd.from_digits(when.strftime("%y%m%d%H%M%S"), 6)
    )


def pack_di(di: str) -> bytes:
    """Printed identifier (four hexadecimal digits) -> DI0 DI1; raises CodecError."""
    try:
        data = bytes.fromhex(di)
    except ValueError:
        data = b""
    if len(data) != 2:
        raise CodecError(f"data identifier {di!r} is not four hexadecimal digits")
    return data[::-1]
