"""Modbus on a stream: pymodbus makes and reads the messages, our scanner finds them in the bytes.

pymodbus' own RTU framer gives up everything it holds when a checksum is wrong; here the next good frame must survive, so the bytes go
through the codec's decoder, and only checked frames reach pymodbus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU

from ..codecs.base import DecodeIssue, Found, NeedMore, Rejected, ScanDecoder
from ..codecs.modbus import frame as rtu
from .exchange import BYTE_GAP_S, FrameDecoder, WireTiming

RTU_GAP_CHARS = 3.5
RTU_GAP_S = 0.00175
"""The silence between frames, fixed above 19200 bps (Modbus over serial line 1.02, 2.5.1.1)."""

RTU_BYTE_GAP_S = 0.1
MBAP_BYTES = 8
LONGEST = 260


@dataclass(frozen=True)
class Answer:
    """A checked answer: unit, transaction (0 on RTU) and PDU bytes."""

    unit: int
    transaction: int
    pdu: bytes
    is_answer: bool = True

    @property
    def is_exception(self) -> bool:
        """The slave refused."""
        return self.pdu[0] & 0x80 != 0

    def encode(self) -> bytes:
        """Unit and message, for people to look at."""
        return bytes((self.unit,)) + self.pdu


class Adu(Protocol):
    """One of the two framings."""

    overhead: int
    gap_s: float
    byte_gap_s: float
    has_transactions: bool

    @property
    def decoder(self) -> FrameDecoder[Answer]:
        """Finds answers in the stream."""

    def build(self, pdu: ModbusPDU, unit: int, transaction: int) -> bytes:
        """The bytes to send."""


class RtuAdu:
    """Address, PDU, CRC."""

    overhead = 3
    has_transactions = False
    byte_gap_s = RTU_BYTE_GAP_S

    def __init__(self, timing: WireTiming) -> None:
        self.decoder: FrameDecoder[Answer] = RtuDecoder()
        self.gap_s = max(RTU_GAP_S, timing.wire_s(RTU_GAP_CHARS)) if timing.baudrate <= 19200 else RTU_GAP_S
        self._framer = FramerRTU(DecodePDU(False))

    def build(self, pdu: ModbusPDU, unit: int, transaction: int) -> bytes:
        pdu.dev_id = unit
        return self._framer.buildFrame(pdu)


class TcpAdu:
    """MBAP header and PDU."""

    overhead = MBAP_BYTES
    has_transactions = True
    gap_s = 0.0
    byte_gap_s = BYTE_GAP_S

    def __init__(self) -> None:
        self.decoder: FrameDecoder[Answer] = MbapDecoder()
        self._framer = FramerSocket(DecodePDU(False))

    def build(self, pdu: ModbusPDU, unit: int, transaction: int) -> bytes:
        pdu.dev_id = unit
        pdu.transaction_id = transaction
        return self._framer.buildFrame(pdu)


class RtuDecoder:
    """The codec's RTU decoder, giving what both framings have in common."""

    def __init__(self) -> None:
        self._decoder = rtu.Decoder()

    @property
    def dropped_bytes(self) -> int:
        """Bytes that were part of no frame."""
        return self._decoder.dropped_bytes

    @property
    def errors(self) -> Sequence[DecodeIssue]:
        """The latest findings, oldest first."""
        return self._decoder.errors

    @property
    def incomplete(self) -> bool:
        """Are bytes held back that may become a frame?"""
        return self._decoder.incomplete

    def feed(self, data: bytes) -> Sequence[Answer]:
        """Bytes in, answers out."""
        return [_from_rtu(frame) for frame in self._decoder.feed(data)]

    def expire(self) -> Sequence[Answer]:
        """Give up what is incomplete."""
        return [_from_rtu(frame) for frame in self._decoder.expire()]


class MbapDecoder(ScanDecoder[Answer]):
    """Modbus TCP frames in a stream."""

    longest = LONGEST

    def examine(self, window: bytes) -> Found[Answer] | Rejected | NeedMore:
        """Transaction, protocol 0, length of the rest, unit, PDU; there is no checksum."""
        if len(window) < MBAP_BYTES:
            return NeedMore()
        length = int.from_bytes(window[4:6], "big")
        if window[2:4] != b"\0\0" or not 3 <= length <= LONGEST - 6:
            return Rejected("bad_length", MBAP_BYTES)
        size = 6 + length
        if len(window) < size:
            return NeedMore(is_header_seen=True)
        transaction = int.from_bytes(window[:2], "big")
        return Found(Answer(window[6], transaction, bytes(window[7:size])), size)


def _from_rtu(frame: rtu.Frame) -> Answer:
    pdu = bytes((frame.function,)) + frame.body
    return Answer(frame.unit, 0, pdu, frame.is_answer is not False)
