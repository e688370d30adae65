"""Acrel's envelope:

    7B 7B cmd payload CRC(lo hi) 7D 7D        CRC of Modbus over cmd and payload

The length is not said: the end is the first tail behind a right CRC, since a tail may also stand inside a payload.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Found, NeedMore, Rejected, ScanDecoder
from ..modbus.frame import CRC_START, crc16, crc_step

HEAD = b"\x7b\x7b"
TAIL = b"\x7d\x7d"
CONFIGURATION = 0x82
REGISTER = 0x84
CONFIGURATION_2 = 0x88
ALARM = 0x89
DOWNLINK = 0x90
UPLOAD = 0x91
TIME = 0x93
HEARTBEAT = 0x94
COMMANDS = (CONFIGURATION, REGISTER, CONFIGURATION_2, ALARM, DOWNLINK, UPLOAD, TIME, HEARTBEAT)
SERIAL_SIZE = 20
MAX_FRAME = 512
"""Three times the longest documented upload."""


@dataclass(frozen=True)
class AcrelFrame:
    """One message."""

    command: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """Its bytes."""
        body = bytes((self.command,)) + self.payload
        return HEAD + body + crc16(body) + TAIL


def take_frame(data: bytes) -> tuple[AcrelFrame | None, int, bool]:
    """Look at the beginning of `data`: (frame or None, bytes that are done with, may it become a frame).

    On any failure go on one byte further.
    """
    if not HEAD.startswith(data[:2]) or (len(data) > 2 and data[2] not in COMMANDS):
        return None, 1, False
    size = _size(data)
    if size:
        return AcrelFrame(data[2], data[3 : size - 4]), size, False
    return (None, 1, False) if len(data) >= MAX_FRAME else (None, 0, True)


def _size(data: bytes) -> int:
    """Bytes up to and with the first tail behind a right CRC; 0 = there is none yet. One pass, however many tails there are."""
    crc = CRC_START
    for at in range(2, min(len(data), MAX_FRAME) - 3):
        if at > 2 and data[at + 2 : at + 4] == TAIL and crc.to_bytes(2, "little") == data[at : at + 2]:
            return at + 4
        crc = crc_step(crc, data[at])
    return 0


class Decoder(ScanDecoder[AcrelFrame]):
    """Byte stream -> messages, both directions."""

    longest = MAX_FRAME
    start = HEAD[0]

    def examine(self, window: bytes) -> Found[AcrelFrame] | Rejected | NeedMore:
        """A right CRC and the tail behind it; a wrong CRC shows only by the message not ending."""
        frame, size, is_open = take_frame(window)
        if frame is not None:
            return Found(frame, size)
        return NeedMore(is_header_seen=len(window) > 2) if is_open else Rejected()
