"""Frames of CJ/T 188-2004 (protocols.md section 4): ``68 T A0..A6 C L DATA CS 16``, no offset on the data."""

from dataclasses import dataclass

from ..base import CodecError, Found, NeedMore, Rejected, ScanDecoder

START = 0x68
END = 0x16
PREAMBLE = 0xFE
MAX_DATA = 0x64
HEADER = 11

ANY_TYPE = 0xAA
ANY_ADDRESS = "AA" * 7

READ = 0x01
READ_KEY_VERSION = 0x09
READ_ADDRESS = 0x03
WRITE = 0x04
WRITE_ADDRESS = 0x15
SET_BASE = 0x16

#: Decades of the type byte: 1x water, 2x heat, 3x gas, 4x electricity and others.
_TYPES = frozenset(range(0x10, 0x4A)) | {ANY_TYPE}
#: First printed byte of all data identifiers; tells which way round a meter sends them.
_DI_CLASSES = frozenset({0x90, 0x81, 0xA0, 0xA1, 0xD1})


def pack_address(address: str) -> bytes:
    """Printed address (at most 14 digits, A for wildcards) -> seven bytes, low first; raises CodecError."""
    digits = address.strip().upper()
    if not digits or len(digits) > 14 or set(digits) - set("0123456789A"):
        raise CodecError(f"meter address {address!r} is not 1 to 14 digits (or AA for any)")
    return bytes.fromhex(digits.zfill(14))[::-1]


def normalise_address(address: str) -> str:
    """The printed fourteen digits of an address, zero-filled on the left."""
    return pack_address(address)[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``address``: fourteen characters as printed (vendor code first); ``data`` as on the wire."""

    address: str
    control: int
    data: bytes = b""
    meter_type: int = 0x10

    @property
    def function(self) -> int:
        """The function code, the same in request and answer (D5..D0)."""
        return self.control & 0x3F

    @property
    def is_answer(self) -> bool:
        """D7: sent by the meter."""
        return self.control & 0x80 != 0

    @property
    def is_abnormal(self) -> bool:
        """D6: the meter refused; DATA is then SER and status."""
        return self.control & 0x40 != 0

    @property
    def meter_no(self) -> str:
        """The ten digits of the meter number."""
        return self.address[4:]

    @property
    def vendor(self) -> str:
        """The four digits of the vendor code."""
        return self.address[:4]

    @property
    def di_wire(self) -> str | None:
        """Data identifier in the order it was sent, or None."""
        return None if self.is_abnormal or len(self.data) < 3 else self.data[:2].hex().upper()

    @property
    def is_di_swapped(self) -> bool:
        """True when the identifier came as ``1F 90`` instead of ``90 1F``; both occur in the field."""
        return self.di_wire is not None and self.data[0] not in _DI_CLASSES and self.data[1] in _DI_CLASSES

    @property
    def di(self) -> str | None:
        """Data identifier as printed (``901F``), whichever way it was sent, or None."""
        wire = self.di_wire
        return wire[2:] + wire[:2] if wire and self.is_di_swapped else wire

    @property
    def ser(self) -> int | None:
        """Serial number of the exchange; the answer echoes it."""
        if self.is_abnormal:
            return self.data[0] if self.data else None
        return self.data[2] if len(self.data) >= 3 else None

    @property
    def payload(self) -> bytes:
        """What follows SER."""
        return self.data[1:] if self.is_abnormal else self.data[3:]

    def encode(self, preamble: int = 0) -> bytes:
        """The bytes for the wire, with ``preamble`` wake-up bytes FE in front."""
        if len(self.data) > MAX_DATA:
            raise CodecError(f"{len(self.data)} data bytes, at most {MAX_DATA} fit a frame")
        body = bytes((START, self.meter_type, *_address_bytes(self.address), self.control, len(self.data)))
        body += self.data
        return bytes((PREAMBLE,)) * preamble + body + bytes((sum(body) & 0xFF, END))


def _address_bytes(address: str) -> bytes:
    try:
        data = bytes.fromhex(address)
    except ValueError:
        data = b""
    if len(data) != 7:
        raise CodecError(f"meter address {address!r} is not fourteen digits")
    return data[::-1]


class Decoder(ScanDecoder[Frame]):
    """Byte stream -> frames."""

    longest = HEADER + MAX_DATA + 2
    start = START
    preamble = PREAMBLE

    def examine(self, window: bytes) -> Found[Frame] | Rejected | NeedMore:
        """Receiver rules: plausible type, length, end byte, sum, in this order."""
        if len(window) < 2:
            return NeedMore()
        if window[1] not in _TYPES:
            return Rejected()
        if len(window) < HEADER:
            return NeedMore()
        size = HEADER + window[10] + 2
        if window[10] > MAX_DATA:
            return Rejected("bad_length", HEADER)
        if len(window) < size:
            return NeedMore(is_header_seen=True)
        return self._check(window[:size])

    def _check(self, raw: bytes) -> Found[Frame] | Rejected:
        if raw[-1] != END:
            return Rejected("bad_end", len(raw))
        if sum(raw[:-2]) & 0xFF != raw[-2]:
            return Rejected("bad_checksum", len(raw))
        frame = Frame(raw[8:1:-1].hex().upper(), raw[9], raw[HEADER:-2], raw[1])
        return Found(frame, len(raw))
