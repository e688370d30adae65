"""One line of meters: half duplex, each character takes its time, meters think before they answer, faults happen on the way."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .faults import BusFaults
from .meters import Meter
from .scanners import Frame, scanners_for
from .site import BusSpec

Reply = Callable[[bytes], None]
STREAM_CHARS = 8
OWN_LATENESS_S = 0.005
"""The event loop wakes us up to a millisecond or so late. What the master sends in reply is dated back by that, so that the wire we
imitate is not slower than a real one."""
OLD_ANSWERS = 8


@dataclass
class Segment:
    """Bytes that came in at once, when, and where answers go."""

    data: bytes
    at_s: float
    reply: Reply


@dataclass
class BusStats:
    """Counters since start. `overlaps`: bytes that came while a request was being answered (the master talked into it). `thought_s`: what
    meters took before they answered. `good_s`: wire and thought of the exchanges whose answer left whole and at once."""

    requests: int = 0
    answers: int = 0
    overlaps: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    thought_s: float = 0.0
    good_s: float = 0.0
    by_fault: dict[str, int] = field(default_factory=dict)


class Bus:
    """Feed it with `receive`; it answers through the segment's `reply`. `is_streaming`: characters go out as the wire has them.

    Witnesses may hear `on_answer` when a meter answers (and has carried out) a request, `on_whole` when its answer has left undamaged.
    """

    def __init__(
        self,
        spec: BusSpec,
        meters: list[Meter],
        rng: random.Random,
        is_streaming: bool = False,
        answer: Callable[[Meter, Frame], bytes | None] = lambda meter, frame: meter.hear(frame),
    ) -> None:
        self.spec = spec
        self.meters = meters
        self.rng = rng
        self.is_streaming = is_streaming
        self.faults = spec.faults
        self.stats = BusStats()
        self.on_answer: Callable[[Meter, Frame], None] = lambda _meter, _frame: None
        self.on_whole: Callable[[Meter, Frame], None] = lambda _meter, _frame: None
        self._hear = answer
        self._scanners = scanners_for({meter.family for meter in meters}, spec.framing)
        self._queue: asyncio.Queue[Segment] = asyncio.Queue()
        self._free_at = 0.0
        self._sent_at = 0.0
        self._is_answering = False
        self._old: deque[bytes] = deque(maxlen=OLD_ANSWERS)
        self._held = b""
        self._late: set[asyncio.TimerHandle] = set()

    def receive(self, data: bytes, reply: Reply) -> None:
        """Bytes from the master."""
        if self._is_answering:
            self.stats.overlaps += 1
        self.stats.bytes_in += len(data)
        self._queue.put_nowait(Segment(data, asyncio.get_running_loop().time(), reply))

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                segment = await self._queue.get()
                start = max(segment.at_s - self._own_lateness(segment), self._free_at)
                self._free_at = start + len(segment.data) * self.spec.char_s
                await sleep_until(self._free_at)
                if self.faults.echo:
                    segment.reply(segment.data)
                await self._serve(segment)
        finally:
            for handle in self._late:
                handle.cancel()

    def _own_lateness(self, segment: Segment) -> float:
        """How much later than the wire we were when the master waited for us; nothing when it took its time."""
        late_by = self._sent_at - self._free_at
        return late_by if 0 < late_by < OWN_LATENESS_S > segment.at_s - self._sent_at else 0.0

    async def _serve(self, segment: Segment) -> None:
        for scanner in self._scanners:
            frames = scanner.feed(segment.data, self._free_at)
            if frames:
                for other in self._scanners:
                    if other is not scanner:
                        other.forget()
            for frame in frames:
                self.stats.requests += 1
                self._is_answering = True
                try:
                    await self._answer(frame, segment.reply)
                finally:
                    self._is_answering = False

    async def _answer(self, frame: Frame, reply: Reply) -> None:
        """All addressed meters answer; two at once destroy each other's bytes."""
        answers = [
            (meter, answer) for meter in self.meters if (answer := self._hear(meter, frame)) is not None
        ]
        for meter, _ in answers:
            self.on_answer(meter, frame)
        if not answers or self.faults.silent or self._happens("drop"):
            return
        answer = true_answer = collide([answer for _, answer in answers])
        low, high = self.spec.turnround_ms
        think_ms = self.rng.uniform(low, high) + max(meter.faults.lag_ms for meter, _ in answers)
        self.stats.thought_s += think_ms / 1000
        begin = self._free_at + think_ms / 1000
        self._free_at = begin + len(answer) * self.spec.char_s
        for meter, _ in answers:
            if meter.rng.random() < meter.faults.garble:
                answer = self._garbled(answer, meter.rng)
        is_whole = await self._send(answer, begin, reply) and answer == true_answer
        self.stats.answers += 1
        if is_whole and len(answers) == 1:
            characters = frame.preamble + len(frame.raw) + len(answer)
            self.stats.good_s += characters * self.spec.char_s + think_ms / 1000
            self.on_whole(answers[0][0], frame)

    async def _send(self, clean: bytes, begin: float, reply: Reply) -> bool:
        """True when it went out as it is and at once."""
        answer = self._held + self._damaged(clean)
        self._held = b""
        if self.faults.late and self._happens("late"):
            self._later(self._free_at + self.faults.late_ms / 1000, answer, reply)
            return False
        if self.faults.merge and self._happens("merge"):
            self._held = answer
            self._later(self._free_at + self.faults.merge_ms / 1000, None, reply)
            return False
        if self.is_streaming and self.spec.char_s:
            for i in range(0, len(answer), STREAM_CHARS):
                part = answer[i : i + STREAM_CHARS]
                await sleep_until(begin + (i + len(part)) * self.spec.char_s)
                self._put(part, reply)
            return answer == clean
        await sleep_until(self._free_at)
        for n, part in enumerate(pieces(answer, self.faults.split)):
            if n:
                await asyncio.sleep(self.faults.split_gap_ms / 1000)
            self._put(part, reply)
        return answer == clean

    def _damaged(self, answer: bytes) -> bytes:
        """Garbled, doubled, with noise or yesterday's answers in front."""
        clean = answer
        if self._happens("garble"):
            answer = self._garbled(answer, self.rng)
        if self._happens("duplicate"):
            answer += answer
        if self._happens("noise"):
            answer = self.rng.randbytes(self.rng.randint(1, 12)) + answer
        if self._old and self._happens("stale"):
            answer = b"".join(list(self._old)[: self.faults.stale_count]) + answer
        if clean:
            self._old.appendleft(clean)
        return answer

    def _garbled(self, answer: bytes, rng: random.Random) -> bytes:
        """One bit wrong. Modbus TCP has no checksum of its own: what is spoiled on the line behind the converter fails the CRC there, and
        TCP spoils nothing, so that nothing comes."""
        return b"" if self.spec.framing == "modbus_tcp" or not answer else flip_bit(answer, rng)

    def _later(self, at_s: float, data: bytes | None, reply: Reply) -> None:
        """Send then; None = whatever is still held."""

        def send() -> None:
            self._late.discard(handle)
            held, self._held = (self._held, b"") if data is None else (data, self._held)
            if held:
                self._put(held, reply)

        handle = asyncio.get_running_loop().call_at(at_s, send)
        self._late.add(handle)

    def _put(self, data: bytes, reply: Reply) -> None:
        self._sent_at = asyncio.get_running_loop().time()
        self.stats.bytes_out += len(data)
        reply(data)

    def _happens(self, fault: str) -> bool:
        """Does a fault of this probability happen now?"""
        probability: float = getattr(self.faults, fault)
        happens = probability > 0 and self.rng.random() < probability
        if happens:
            self.stats.by_fault[fault] = self.stats.by_fault.get(fault, 0) + 1
        return happens

    def set_faults(self, faults: BusFaults) -> None:
        """From the next answer on."""
        self.faults = faults

    def state(self) -> dict[str, Any]:
        """Counters and faults, JSON-able."""
        return {
            **vars(self.stats),
            "faults": {k: v for k, v in vars(self.faults).items() if v != getattr(BusFaults(), k)},
        }


async def sleep_until(when: float) -> None:
    """Until a moment of the loop's clock; from deadline to deadline no time is lost."""
    delay = when - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)


def collide(answers: list[bytes]) -> bytes:
    """What the line carries when several talk at once: a low bit wins."""
    longest = max(map(len, answers))
    line = bytearray(b"\xff" * longest)
    for answer in answers:
        for i, byte in enumerate(answer):
            line[i] &= byte
    return bytes(line)


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    """One bit wrong, behind the preamble."""
    first = next((i for i, byte in enumerate(data) if byte != 0xFE), 0)
    position = rng.randrange(first * 8, len(data) * 8)
    changed = bytearray(data)
    changed[position // 8] ^= 1 << position % 8
    return bytes(changed)


def pieces(data: bytes, count: int) -> list[bytes]:
    """Cut into at most so many pieces."""
    size = max(1, -(-len(data) // max(count, 1)))
    return [data[i : i + size] for i in range(0, len(data), size)]
