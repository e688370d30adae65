"""Modbus RTU frames: unit, function, body, CRC low byte first.

RTU has no start mark: frames are found by trying each byte as a unit address and checking the CRC of every length that the function
allows in either direction. The CRC is the only proof, so a chance hit in noise has odds of about 1 in 65,536 a byte and length.
"""

from dataclasses import dataclass

from ..base import CodecError, Found, NeedMore, Rejected, ScanDecoder

READ_COILS = 0x01
READ_DISCRETE = 0x02
READ_HOLDING = 0x03
READ_INPUT = 0x04
WRITE_COIL = 0x05
WRITE_REGISTER = 0x06
WRITE_COILS = 0x0F
WRITE_REGISTERS = 0x10

MAX_SIZE = 256
MAX_UNIT = 247
_SHORTEST = 5
_READS = frozenset({READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT})
_REGISTER_READS = frozenset({READ_HOLDING, READ_INPUT})
_WRITES_ONE = frozenset({WRITE_COIL, WRITE_REGISTER})
_WRITES_MANY = frozenset({WRITE_COILS, WRITE_REGISTERS})
FUNCTIONS = _READS | _WRITES_ONE | _WRITES_MANY
_MAX_QTY = {1: 2000, 2: 2000, 3: 125, 4: 125, 0x0F: 1968, 0x10: 123}


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


CRC_START = 0xFFFF


def crc_step(crc: int, byte: int) -> int:
    """The CRC with one more byte; begin with CRC_START."""
    return crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS as two bytes, low first, ready to append."""
    crc = CRC_START
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: ``function`` with bit 7 for an exception; ``body`` is what lies between function and CRC.

    ``is_answer`` is None where request and answer look the same (05H, 06H).
    """

    unit: int
    function: int
    body: bytes = b""
    is_answer: bool | None = False

    @property
    def is_exception(self) -> bool:
        """The slave refused."""
        return self.function & 0x80 != 0

    @property
    def exception(self) -> int | None:
        """Exception code of a refusal."""
        return self.body[0] if self.is_exception and self.body else None

    @property
    def start(self) -> int | None:
        """First register or coil of a request or of the acknowledgement of a write."""
        return None if self._is_data or self.is_exception else int.from_bytes(self.body[:2], "big")

    @property
    def qty(self) -> int | None:
        """Number of registers or coils; 1 for single writes."""
        if self.start is None:
            return None
        return 1 if self.function in _WRITES_ONE else int.from_bytes(self.body[2:4], "big")

    @property
    def data(self) -> bytes:
        """Register or coil bytes that travel in this frame (read answers, write requests)."""
        if self._is_data:
            return self.body[1:]
        if self.function in _WRITES_ONE:
            return self.body[2:4]
        return self.body[5:] if self.function in _WRITES_MANY else b""

    @property
    def words(self) -> tuple[int, ...]:
        """``data`` as 16-bit registers."""
        data = self.data
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))

    @property
    def _is_data(self) -> bool:
        return self.function in _READS and self.is_answer is True

    def encode(self) -> bytes:
        """The bytes for the wire with CRC."""
        if not (0 <= self.unit <= 255 and 0 <= self.function <= 255):
            raise CodecError(f"Modbus unit {self.unit} or function {self.function} does not fit a byte")
        raw = bytes((self.unit, self.function)) + self.body
        if len(raw) + 2 > MAX_SIZE:
            raise CodecError(f"{len(raw) + 2} bytes, at most {MAX_SIZE} fit a Modbus frame")
        return raw + crc16(raw)


class Decoder(ScanDecoder[Frame]):
    """Byte stream -> frames, both directions."""

    longest = MAX_SIZE

    def examine(self, window: bytes) -> Found[Frame] | Rejected | NeedMore:
        """Try every length that the function allows; the first with a right CRC is it."""
        if len(window) < 2:
            return NeedMore()
        if window[0] > MAX_UNIT or window[1] & 0x7F not in FUNCTIONS:
            return Rejected()
        if len(window) < _SHORTEST:
            return NeedMore()
        shapes = _shapes(window)
        for size, is_answer in shapes:
            if size <= len(window) and crc16(window[: size - 2]) == window[size - 2 : size]:
                return Found(Frame(window[0], window[1], window[2 : size - 2], is_answer), size)
        if any(size > len(window) for size, _ in shapes):
            return NeedMore(is_header_seen=True)
        return Rejected("bad_checksum", max(size for size, _ in shapes)) if shapes else Rejected()

    def _note(self, kind: str, size: int) -> None:
        """One finding for a run of refused bytes: without a start mark every byte of it is refused once."""
        if self._offset >= self._rejected_until:
            super()._note(kind, size)


Shapes = list[tuple[int, bool | None]]


def _shapes(window: bytes) -> Shapes:
    """Possible (size, is_answer) of a frame that starts with these five or more bytes."""
    function = window[1]
    if function & 0x80:
        return [(_SHORTEST, True)]
    if function in _WRITES_ONE:
        return [(8, None)]
    qty = int.from_bytes(window[4:6], "big") if len(window) >= 6 else 1
    is_qty_good = 0 < qty <= _MAX_QTY[function]
    if function in _READS:
        shapes: Shapes = [(8, False)] if is_qty_good else []
        return shapes + [(5 + window[2], True)] if _is_count_good(function, window[2]) else shapes
    if not is_qty_good:
        return []
    is_request = len(window) >= 7 and window[6] == _payload_size(function, qty)
    return [(8, True), (9 + window[6], False)] if is_request else [(8, True)]


def _is_count_good(function: int, count: int) -> bool:
    return 0 < count <= 250 and not (function in _REGISTER_READS and count % 2)


def _payload_size(function: int, qty: int) -> int:
    return 2 * qty if function == WRITE_REGISTERS else (qty + 7) // 8
