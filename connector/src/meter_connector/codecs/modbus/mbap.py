"""Modbus TCP frames for ``decode``: transaction, protocol 0, length, unit, PDU. There is no checksum; a wrong length is all that shows."""

from dataclasses import dataclass

from ..base import Found, NeedMore, Rejected, ScanDecoder
from ..description import Description
from . import frame as f
from .describe import describe as describe_rtu
from .frame import Frame

HEADER = 8
LONGEST = 260


@dataclass(frozen=True, slots=True)
class TcpFrame:
    """A Modbus frame and its transaction number."""

    transaction: int
    frame: Frame

    def encode(self) -> bytes:
        """The bytes for the wire."""
        body = bytes((self.frame.unit, self.frame.function)) + self.frame.body
        return self.transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


class TcpDecoder(ScanDecoder[TcpFrame]):
    """Byte stream -> frames, both directions."""

    longest = LONGEST

    def examine(self, window: bytes) -> Found[TcpFrame] | Rejected | NeedMore:
        """Protocol 0 and a possible length, then a function that exists."""
        if len(window) < HEADER:
            return NeedMore()
        length = int.from_bytes(window[4:6], "big")
        if window[2:4] != b"\0\0" or not 2 <= length <= LONGEST - 6 or window[7] & 0x7F not in f.FUNCTIONS:
            return Rejected()
        size = 6 + length
        if len(window) < size:
            return NeedMore(is_header_seen=True)
        body = bytes(window[8:size])
        frame = Frame(window[6], window[7], body, is_answer(window[7], body))
        return Found(TcpFrame(int.from_bytes(window[:2], "big"), frame), size)


def is_answer(function: int, body: bytes) -> bool | None:
    """By the shape of the body; None where request and answer look the same."""
    if function & 0x80:
        return True
    if function in (f.WRITE_COIL, f.WRITE_REGISTER):
        return None
    if function in (f.WRITE_COILS, f.WRITE_REGISTERS):
        return len(body) == 4
    return len(body) != 4 or body[0] == 3


def describe(frame: TcpFrame) -> Description:
    """As the RTU frame within, with its transaction."""
    return {**describe_rtu(frame.frame), "transaction": frame.transaction}
