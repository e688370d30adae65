"""How the slaves on a bus find requests in the bytes: one scanner per protocol family, each with its own buffer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from . import bits

EXPIRY_S = 0.5


@dataclass(frozen=True)
class Frame:
    """A request. `address` is in wire order; `data` without offset (645); `preamble` counts the FE before it.

    `transaction` is that of Modbus TCP, -1 for everything else.
    """

    family: str
    address: bytes
    control: int
    data: bytes
    raw: bytes
    preamble: int = 0
    transaction: int = -1


class Scanner(ABC):
    """Feed bytes, get frames. Half a frame is forgotten after half a second of silence."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last_s = 0.0
        self._preamble = 0

    def feed(self, data: bytes, now_s: float) -> list[Frame]:
        """Frames complete with these bytes."""
        if now_s - self._last_s > EXPIRY_S:
            self._buffer.clear()
            self._preamble = 0
        self._last_s = now_s
        self._buffer += data
        frames = []
        while self._buffer:
            found = self.take()
            if found is None:
                break
            size, frame = found
            if frame is None:
                self._preamble = self._preamble + 1 if self._buffer[0] == 0xFE else 0
            else:
                self._preamble = 0
                frames.append(frame)
            del self._buffer[:size]
        return frames

    def forget(self) -> None:
        """The bytes so far belonged to another family's frame."""
        self._buffer.clear()
        self._preamble = 0

    @abstractmethod
    def take(self) -> tuple[int, Frame | None] | None:
        """Bytes to remove and the frame they were (None = noise); None = more bytes needed."""


class Scanner645(Scanner):
    """68 A0..A5 68 C L DATA CS 16."""

    def take(self) -> tuple[int, Frame | None] | None:
        buffer = self._buffer
        if buffer[0] != 0x68 or (len(buffer) > 7 and buffer[7] != 0x68):
            return 1, None
        if len(buffer) < 10 or len(buffer) < 12 + buffer[9]:
            return None
        size = 12 + buffer[9]
        if (
            buffer[size - 1] != 0x16
            or bits.checksum(buffer[: size - 2]) != buffer[size - 2]
            or buffer[8] & 0x80
        ):
            return 1, None
        raw = bytes(buffer[:size])
        return size, Frame("645", raw[1:7], raw[8], bits.minus33(raw[10:-2]), raw, self._preamble)


class Scanner188(Scanner):
    """68 T A0..A6 C L DATA CS 16; the type byte is the first of `address`."""

    def take(self) -> tuple[int, Frame | None] | None:
        buffer = self._buffer
        if buffer[0] != 0x68 or (len(buffer) > 1 and not (0x10 <= buffer[1] <= 0x49 or buffer[1] == 0xAA)):
            return 1, None
        if len(buffer) < 11 or len(buffer) < 13 + buffer[10]:
            return None
        size = 13 + buffer[10]
        if (
            buffer[size - 1] != 0x16
            or bits.checksum(buffer[: size - 2]) != buffer[size - 2]
            or buffer[9] & 0x80
        ):
            return 1, None
        raw = bytes(buffer[:size])
        return size, Frame("188", raw[1:9], raw[9], raw[11:-2], raw, self._preamble)


class ScannerRtu(Scanner):
    """unit function data CRC."""

    def take(self) -> tuple[int, Frame | None] | None:
        buffer = self._buffer
        if len(buffer) < 8:
            return None
        size = 9 + buffer[6] if buffer[1] in (0x0F, 0x10) else 8
        if len(buffer) < size:
            return None
        raw = bytes(buffer[:size])
        if bits.crc16(raw[:-2]) != raw[-2:]:
            return 1, None
        return size, Frame("modbus", raw[:1], raw[1], raw[2:-2], raw)


class ScannerMbap(Scanner):
    """transaction(2) 0000 length(2) unit function data."""

    def take(self) -> tuple[int, Frame | None] | None:
        buffer = self._buffer
        if len(buffer) < 8:
            return None
        size = 6 + int.from_bytes(buffer[4:6], "big")
        if buffer[2:4] != b"\0\0" or not 8 <= size <= 260:
            return 1, None
        if len(buffer) < size:
            return None
        raw = bytes(buffer[:size])
        transaction = int.from_bytes(raw[:2], "big")
        return size, Frame("modbus", raw[6:7], raw[7], raw[8:], raw, transaction=transaction)


def scanners_for(families: set[str], framing: str) -> list[Scanner]:
    """The ears of a bus with meters of these families."""
    if framing == "modbus_tcp":
        return [ScannerMbap()]
    kinds: dict[str, type[Scanner]] = {"645": Scanner645, "188": Scanner188, "modbus": ScannerRtu}
    return [kinds[family]() for family in sorted(families)]
