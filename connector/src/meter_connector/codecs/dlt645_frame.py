"""The frame that DL/T 645-1997 and -2007 share (protocols.md section 2).

``68 A0..A5 68 C L DATA CS 16``; the sum runs from the first 68 to the last DATA byte; every DATA byte goes out +33H.
"""

from dataclasses import dataclass
from typing import TypeVar

from .base import CodecError, Found, NeedMore, Rejected, ScanDecoder

START = 0x68
END = 0x16
PREAMBLE = 0xFE
MAX_DATA = 200
HEADER = 10
_SHIFT_OUT = bytes((value + 0x33) & 0xFF for value in range(256))
_SHIFT_IN = bytes((value - 0x33) & 0xFF for value in range(256))


def pack_address(address: str) -> bytes:
    """Printed address (at most 12 digits; A for wildcards) -> six bytes, low first; raises CodecError."""
    digits = address.strip().upper()
    if not digits or len(digits) > 12 or set(digits) - set("0123456789A"):
        raise CodecError(f"meter address {address!r} is not 1 to 12 digits (or AA for any)")
    return bytes.fromhex(digits.zfill(12))[::-1]


def normalise_address(address: str) -> str:
    """The printed twelve digits of an address, zero-filled on the left."""
    return pack_address(address)[::-1].hex().upper()


def address_matches(requested: str, answered: str) -> bool:
    """Compare byte by byte; AA in the request stands for any value (wildcard and abbreviated addresses)."""
    pairs = zip(_byte_texts(requested), _byte_texts(answered), strict=True)
    return all(want in ("AA", have) for want, have in pairs)


def _byte_texts(address: str) -> list[str]:
    digits = address.upper().zfill(12)
    return [digits[at : at + 2] for at in range(0, len(digits), 2)]


@dataclass(frozen=True, slots=True)
class Dlt645Frame:
    """One frame. ``address``: twelve characters as printed; ``data``: DATA bytes without the 33H offset."""

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """The function code, the same in request and answer (D4..D0)."""
        return self.control & 0x1F

    @property
    def is_answer(self) -> bool:
        """D7: sent by the meter."""
        return self.control & 0x80 != 0

    @property
    def is_abnormal(self) -> bool:
        """D6: the meter refused."""
        return self.control & 0x40 != 0

    @property
    def has_more(self) -> bool:
        """D5: more data follows, to be asked for."""
        return self.control & 0x20 != 0

    def encode(self, preamble: int = 0) -> bytes:
        """The bytes for the wire, with ``preamble`` wake-up bytes FE in front."""
        if len(self.data) > MAX_DATA:
            raise CodecError(f"{len(self.data)} data bytes, at most {MAX_DATA} fit a frame")
        body = bytes((START, *_address_bytes(self.address), START, self.control, len(self.data)))
        body += self.data.translate(_SHIFT_OUT)
        return bytes((PREAMBLE,)) * preamble + body + bytes((sum(body) & 0xFF, END))


def _address_bytes(address: str) -> bytes:
    try:
        data = bytes.fromhex(address)
    except ValueError:
        data = b""
    if len(data) != 6:
        raise CodecError(f"meter address {address!r} is not twelve digits")
    return data[::-1]


F = TypeVar("F", bound=Dlt645Frame)


class Dlt645Decoder(ScanDecoder[F]):
    """Scanner for 645 frames; subclasses name the frame class."""

    longest = HEADER + MAX_DATA + 2
    start = START
    preamble = PREAMBLE
    frame_class: type[F]

    def examine(self, window: bytes) -> Found[F] | Rejected | NeedMore:
        """Receiver rules of protocols.md section 8: second 68, length, end byte, sum, in this order."""
        if len(window) < 8:
            return NeedMore()
        if window[7] != START:
            return Rejected()
        if len(window) < HEADER:
            return NeedMore(is_header_seen=True)
        size = HEADER + window[9] + 2
        if window[9] > MAX_DATA:
            return Rejected("bad_length", HEADER)
        if len(window) < size:
            return NeedMore(is_header_seen=True)
        return self._check(window[:size])

    def _check(self, raw: bytes) -> Found[F] | Rejected:
        if raw[-1] != END:
            return Rejected("bad_end", len(raw))
        if sum(raw[:-2]) & 0xFF != raw[-2]:
            return Rejected("bad_checksum", len(raw))
        address = raw[6:0:-1].hex().upper()
        frame = self.frame_class(address, raw[8], raw[HEADER:-2].translate(_SHIFT_IN))
        return Found(frame, len(raw))
