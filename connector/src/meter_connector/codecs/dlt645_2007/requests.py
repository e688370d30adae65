"""Requests of DL/T 645-2007 as frames. Addresses as printed, passwords as printed digits, times of the METER's clock (naive).

What changes a meter's address, speed or password, or erases what it has counted (15H, 17H to 1BH), is never sent, nor are 16H and 1DH:
``describe`` reads them where they are overheard.
"""

from dataclasses import dataclass
from datetime import datetime

from .. import bcd
from ..base import CodecError
from ..dlt645_frame import normalise_address
from . import frame as f
from .frame import Frame

MAX_WRITE = 50
#: Relay expiry that no meter's clock reaches: for meters whose clock is not known to be right.
FAR_EXPIRY = datetime(2099, 12, 30)

RELAY_ACTIONS = {
    "trip": 0x1A,
    "close_permitted": 0x1B,
    "close": 0x1C,
    "alarm_on": 0x2A,
    "alarm_off": 0x2B,
    "keep_on": 0x3A,
    "keep_off": 0x3B,
}


@dataclass(frozen=True, slots=True)
class Password:
    """PA (level) and the six digits. ``repr`` does not show the digits."""

    digits: str = "000000"
    level: str = "02"

    @classmethod
    def parse(cls, text: str) -> "Password":
        """``123456`` (level 02), ``04:123456`` or ``04123456``; empty = 000000 of level 02; raises CodecError."""
        digits = text.replace(":", "").strip() or "000000"
        if not digits.isascii() or not digits.isdigit() or len(digits) not in (6, 8):
            raise CodecError("a meter password has six digits, or eight with its level in front")
        return cls(digits[-6:], digits[:-6] or "02")

    def encode(self) -> bytes:
        """PA P0 P1 P2: ``123456`` goes out as 56 34 12."""
        return bcd.from_digits(self.level, 1) + bcd.from_digits(self.digits, 3)

    def __repr__(self) -> str:
        return f"Password(level={self.level!r})"


def read(address: str, di: str, *, count: int | None = None, since: datetime | None = None) -> Frame:
    """11H. ``count`` = number of blocks of a load profile, from ``since`` on (needs ``count``)."""
    data = pack_di(di)
    if since is not None and count is None:
        raise CodecError("a read since a time needs a block count")
    if count is not None:
        data += bcd.from_digits(str(count), 1)
    if since is not None:
        data += bcd.from_digits(since.strftime("%y%m%d%H%M"), 5)
    return Frame(normalise_address(address), f.READ, data)


def read_more(address: str, di: str, seq: int) -> Frame:
    """12H: the next part of an answer that said "more follows"; ``seq`` starts at 1."""
    if not 1 <= seq <= 255:
        raise CodecError(f"SEQ {seq} is not between 1 and 255")
    return Frame(normalise_address(address), f.READ_MORE, pack_di(di) + bytes((seq,)))


def read_address() -> Frame:
    """13H to any meter: only where one meter is on the line."""
    return Frame(f.ANY, f.READ_ADDRESS)


def write(
    address: str,
    di: str,
    value: bytes,
    password: Password,
    operator: str = "",
    *,
    max_data: int = MAX_WRITE,
) -> Frame:
    """14H. ``value``: the item's bytes, low first, as ``data.encode_item`` gives them. ``max_data``: some meters take more than the
    standard's 50 bytes, which 13 and 14 day slots need."""
    data = pack_di(di) + password.encode() + pack_operator(operator) + value
    if len(data) > max_data:
        raise CodecError(f"{len(data)} data bytes, a write carries at most {max_data}")
    return Frame(normalise_address(address), f.WRITE, data)


def security(address: str, di: str, data: bytes, operator: str = "") -> Frame:
    """03H: identifiers 07xxxxFF with operator code; what follows is the layout of ``prepayment.toml`` or the maker's."""
    return Frame(normalise_address(address), f.SECURITY, pack_di(di) + pack_operator(operator) + data)


def broadcast_time(when: datetime, address: str = f.BROADCAST) -> Frame:
    """08H: never answered. Meters accept it once a day and only for small corrections."""
    return Frame(normalise_address(address), f.BROADCAST_TIME, pack_time(when))


def relay(
    address: str, action: str, password: Password, operator: str = "", expiry: datetime | None = FAR_EXPIRY
) -> Frame:
    """1CH. ``action``: a key of RELAY_ACTIONS; ``expiry`` by the meter's clock, None = all zero (some meters accept it).

    The answer 9CH means accepted, not switched: read 04000503 afterwards.
    """
    if action not in RELAY_ACTIONS:
        raise CodecError(f"relay action {action!r} is not one of {', '.join(RELAY_ACTIONS)}")
    until = bytes(6) if expiry is None else pack_time(expiry)
    data = password.encode() + pack_operator(operator) + bytes((RELAY_ACTIONS[action], 0)) + until
    return Frame(normalise_address(address), f.RELAY, data)


def pack_di(di: str) -> bytes:
    """Printed identifier (eight hexadecimal digits) -> DI0..DI3; raises CodecError."""
    try:
        data = bytes.fromhex(di)
    except ValueError:
        data = b""
    if len(data) != 4:
        raise CodecError(f"data identifier {di!r} is not eight hexadecimal digits")
    return data[::-1]


def pack_operator(operator: str) -> bytes:
    """Operator code of up to eight digits -> C0..C3, low first; empty = zero."""
    return bcd.from_digits(operator.strip() or "0", 4)


def pack_time(when: datetime) -> bytes:
    """ss mm hh DD MM YY."""
    return bcd.from_digits(when.strftime("%y%m%d%H%M%S"), 6)
