"""One request, one answer, on one wire.

What is not the answer never passes for it: the adapter's echo of the request, the late answer of an earlier request, another
meter's frame, noise. Time-outs follow from the wire: bytes at the bus's speed, the half second a meter may take, and what the
gateway adds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from ..codecs.base import DecodeIssue
from ..errors import GarbledError, NoAnswerError
from ..model import Bus
from ..steps import step
from ..transports import Link


class Encodable(Protocol):
    """Any frame."""

    def encode(self) -> bytes:
        """Its bytes."""


F = TypeVar("F", bound=Encodable)
F_co = TypeVar("F_co", covariant=True)

ANSWER_WAIT_S = 0.5
"""Longest time a meter may take to begin its answer (DL/T 645-2007, 5.3.3: Td <= 500 ms)."""

BYTE_GAP_S = 0.5
"""Longest silence within a frame (Tb <= 500 ms)."""

LATE_S = 2.0
"""An answer that missed its time-out may still come this much later, plus twice what the gateway adds."""


class FrameDecoder(Protocol[F_co]):
    """What the exchange needs of a codec; see codecs/base.py."""

    @property
    def dropped_bytes(self) -> int:
        """Bytes that were part of no frame, since start."""

    @property
    def errors(self) -> Sequence[DecodeIssue]:
        """The latest findings, oldest first."""

    @property
    def incomplete(self) -> bool:
        """Are bytes held back that may become a frame?"""

    def feed(self, data: bytes) -> Sequence[F_co]:
        """Bytes in, complete frames out."""

    def expire(self) -> Sequence[F_co]:
        """Give up what is incomplete."""


@dataclass(frozen=True)
class WireTiming:
    """Speed of a bus and what lies before it."""

    baudrate: int = 2400
    char_bits: float = 11
    extra_latency_s: float = 0.0
    answer_wait_s: float = ANSWER_WAIT_S

    @classmethod
    def of(cls, bus: Bus) -> WireTiming:
        """The timing of a configured bus."""
        bits = 1 + bus.bytesize + (bus.parity != "N") + bus.stopbits
        return cls(bus.baudrate, bits, bus.extra_latency_ms / 1000)

    def wire_s(self, count: float) -> float:
        """Seconds that `count` bytes take on the wire."""
        return count * self.char_bits / self.baudrate

    def timeout_s(self, request_bytes: int, answer_bytes: int) -> float:
        """From handing over the request until the whole answer must be here."""
        return self.wire_s(request_bytes + answer_bytes) + self.answer_wait_s + self.extra_latency_s


@dataclass(frozen=True)
class Query(Generic[F]):
    """A request and how its answer is known.

    `accept` is true for the answer and for the meter's refusal of this very request. `answer_bytes`: its longest form.
    `late_key`: requests with equal keys could take each other's late answers; `item` tells what was asked where the answer does not
    (Modbus RTU). `is_read`: may be repeated without harm. `is_fresh`: must not be answered by what the meter said before it. `retry_data` replaces `data` from the second
    try on. `gap_s`: silence that the protocol wants before a request. `byte_gap_s`: longest silence within the answer. `is_answer_like_request`: the good answer has
    the same bytes as the request (Modbus function 6). `is_guess`: perhaps nobody is there, so silence says nothing about the connection. `baudrate`: asked at
    this speed where it is not the bus's own (0), which the link must be able to set.
    """

    data: bytes
    decoder: FrameDecoder[F]
    accept: Callable[[F], bool]
    answer_bytes: int
    late_key: Hashable
    item: Hashable = None
    what: str = ""
    is_read: bool = True
    is_fresh: bool = False
    retry_data: bytes | None = None
    gap_s: float = 0.0
    byte_gap_s: float = BYTE_GAP_S
    is_answer_like_request: bool = False
    is_guess: bool = False
    baudrate: int = 0


DAMAGE = ("bad_checksum", "bad_end")
"""Kinds of DecodeIssue that were a whole frame once."""


SHORTEST_BEHIND = 7
"""Bytes: two of Modbus' own checksum, which `encode` leaves to the wire, and its shortest answer."""


@dataclass
class WireStats:
    """Counters since start. `wire_s`: time that the bytes themselves took; `busy_s`: time spent on requests."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    garbled: int = 0
    late: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    wire_s: float = 0.0
    busy_s: float = 0.0
    answered_at: float | None = None


@dataclass(frozen=True)
class Unknown:
    """Bytes that belong to nothing we asked: a whole frame (`unasked`) or one that is damaged (bad_checksum, bad_end, …).

    `protocol` where it is not the bus's own.
    """

    kind: str
    hex: str
    protocol: str = ""


@dataclass
class _Asked:
    """An unanswered request whose answer may still come."""

    accept: Callable[[Any], bool]
    key: Hashable
    item: Hashable
    until: float


@dataclass
class _Attempt(Generic[F]):
    """The state of one request on the wire."""

    query: Query[F]
    sent: bytes
    deadline: float
    latest: float
    last_byte: float
    damage_before: DecodeIssue | None = None
    received: bytearray = field(default_factory=bytearray)
    is_echo_open: bool = True


class Exchange:
    """The wire of one bus. `on_unknown` gets frames that answer nothing."""

    def __init__(
        self, link: Link, timing: WireTiming, on_unknown: Callable[[Unknown], None] | None = None
    ) -> None:
        self.link = link
        self.timing = timing
        self.stats = WireStats()
        self.is_echoing = False
        self._on_unknown = on_unknown
        self._late: deque[_Asked] = deque(maxlen=32)
        self._quiet_from = 0.0
        self._decoder: FrameDecoder[Encodable] | None = None
        self._decoders: dict[int, FrameDecoder[Encodable]] = {}
        self._issues_seen: dict[int, DecodeIssue] = {}

    @property
    def dropped_bytes(self) -> int:
        """Bytes that were part of no frame, since start."""
        return sum(decoder.dropped_bytes for decoder in self._decoders.values())

    async def ask(self, query: Query[F], *, is_retry: bool = False) -> F:
        """The answer; LinkError, NoAnswerError (not a byte came) or GarbledError (bytes came, but no answer)."""
        async with self.link.lock:
            await self._let_late_pass(query)
            await self._keep_gap(query.gap_s)
            self._sort_out_stale(query)
            data = query.retry_data if is_retry and query.retry_data is not None else query.data
            if query.baudrate in (0, self.timing.baudrate):
                return await self._run(query, data)
            return await self._run_at(query.baudrate, query, data)

    async def _run_at(self, baudrate: int, query: Query[F], data: bytes) -> F:
        """At another speed, and back: nobody else talks meanwhile, since the link is ours."""
        own = self.timing
        self.link.set_baudrate(baudrate)
        self.timing = replace(own, baudrate=baudrate)
        try:
            return await self._run(query, data)
        finally:
            self.timing = own
            self.link.set_baudrate(own.baudrate)

    async def tell(self, data: bytes, gap_s: float = 0.0) -> None:
        """Send what nobody answers (a broadcast), and keep the wire free until it is out."""
        async with self.link.lock:
            await self._keep_gap(gap_s)
            await self.link.write(data)
            step("order.sent")
            self.stats.requests += 1
            self._count_bytes(out=len(data))
            await asyncio.sleep(self.timing.wire_s(len(data)) + self.timing.extra_latency_s)
            self._quiet_from = self._now()

    async def _run(self, query: Query[F], data: bytes) -> F:
        started = self._now()
        await self.link.write(data)
        if not query.is_read:
            step("order.sent")
        self.stats.requests += 1
        self._count_bytes(out=len(data))
        attempt = self._begin(query, data, started)
        try:
            frame = await self._receive(attempt)
        finally:
            self._quiet_from = self._now()
            self.stats.busy_s += self._quiet_from - started
            self._report_issues(query.decoder)
        if frame is not None:
            self.stats.answers += 1
            self.stats.answered_at = self._quiet_from
            return frame
        raise self._failed(attempt)

    def _begin(self, query: Query[F], data: bytes, started: float) -> _Attempt[F]:
        deadline = started + self.timing.timeout_s(len(data), query.answer_bytes)
        latest = deadline + self.timing.wire_s(query.answer_bytes) + query.byte_gap_s
        issues = query.decoder.errors
        return _Attempt(query, data, deadline, latest, started, issues[-1] if issues else None)

    async def _receive(self, attempt: _Attempt[F]) -> F | None:
        """Read until the answer is there or the time is over."""
        decoder = attempt.query.decoder
        while True:
            wait_s, is_final = self._next_wait(attempt)
            data = await self.link.read(wait_s) if wait_s > 0 else b""
            if data:
                attempt.last_byte = self._now()
                attempt.received += data
                self._count_bytes(into=len(data))
                frames = decoder.feed(self._without_echo(attempt, data))
            else:
                frames = decoder.expire()
            frame = self._pick(attempt.query, frames)
            if frame is not None and self._is_followed_by_damage(attempt, frame):
                self._sort_out(frame)
                frame = None
            if frame is not None or (is_final and not data):
                return frame

    def _next_wait(self, attempt: _Attempt[F]) -> tuple[float, bool]:
        """How long to wait for the next byte, and whether nothing more is hoped for after that.

        A frame that has begun may run over the deadline as long as its bytes keep coming.
        """
        now = self._now()
        if not attempt.query.decoder.incomplete:
            return attempt.deadline - now, True
        gap_end = attempt.last_byte + self._byte_gap_s(attempt.query)
        end = min(gap_end, attempt.latest)
        return end - now, end >= attempt.deadline

    def _byte_gap_s(self, query: Query[F]) -> float:
        return query.byte_gap_s + self.timing.extra_latency_s

    def _pick(self, query: Query[F], frames: Sequence[F]) -> F | None:
        """The answer among the frames; all others are counted.

        Of several that could be it the last one is: what a gateway had kept comes in front of the answer that it was kept from.
        """
        found: F | None = None
        for frame in frames:
            stale, found = (found, frame) if query.accept(frame) else (frame, found)
            if stale is not None:
                self._sort_out(stale)
        return found

    def _is_followed_by_damage(self, attempt: _Attempt[F], frame: F) -> bool:
        """Did a damaged frame come behind this one? Then that was the answer, and this one an old one that a gateway had kept.

        Stray bytes behind an answer, as many adapters add them, are no damaged frame.
        """
        issues = attempt.query.decoder.errors
        is_damaged = bool(issues) and issues[-1] is not attempt.damage_before and issues[-1].kind in DAMAGE
        content = frame.encode().lstrip(b"\xfe")
        behind = len(attempt.received) - attempt.received.rfind(content) - len(content)
        return is_damaged and behind >= SHORTEST_BEHIND

    def _sort_out(self, frame: Encodable) -> None:
        """A frame that is not the answer: late, an echo or a stranger's."""
        for asked in self._late:
            if asked.accept(frame):
                self._late.remove(asked)
                self.stats.late += 1
                return
        if getattr(frame, "is_answer", True) is not False:
            self.tell_unknown("unasked", frame.encode().hex().upper())

    def tell_unknown(self, kind: str, text: str) -> None:
        """A person should look at these bytes (hexadecimal)."""
        if self._on_unknown is not None:
            self._on_unknown(Unknown(kind, text))

    def _report_issues(self, decoder: FrameDecoder[object]) -> None:
        """Tell of damaged frames that were found since the last time."""
        seen = self._issues_seen.get(id(decoder))
        issues = list(decoder.errors)
        fresh = issues[issues.index(seen) + 1 :] if seen in issues else issues
        for issue in fresh:
            if issue.kind != "expired":
                self.tell_unknown(issue.kind, issue.hex)
        if issues:
            self._issues_seen[id(decoder)] = issues[-1]

    def _sort_out_stale(self, query: Query[F]) -> None:
        """What came since the last request answers nothing; half a frame of it must not swallow the coming answer."""
        stale = self.link.discard()
        self._count_bytes(into=len(stale))
        decoder = self._decoder if self._decoder is not None else query.decoder
        for frame in decoder.feed(stale) if stale else []:
            self._sort_out(frame)
        for frame in decoder.expire():
            self._sort_out(frame)
        self._decoder = query.decoder
        self._decoders.setdefault(id(query.decoder), query.decoder)

    def _without_echo(self, attempt: _Attempt[F], data: bytes) -> bytes:
        """Take the adapter's echo of the request away.

        An echoing adapter is known by its first complete echo that was not the answer. Some answers (Modbus function 6) equal their
        requests: as long as no echo was seen there, the first such frame is the answer.
        """
        if not attempt.is_echo_open:
            return data
        got, sent = bytes(attempt.received), attempt.sent
        if len(got) < len(sent) and sent.startswith(got):
            return b"" if self.is_echoing else data
        attempt.is_echo_open = False
        if not got.startswith(sent):
            return got if self.is_echoing else data
        if self.is_echoing:
            return got[len(sent) :]
        self.is_echoing = not attempt.query.is_answer_like_request
        return data

    async def _let_late_pass(self, query: Query[F]) -> None:
        """Wait until no late answer can come any more that would be taken for the answer to `query`.

        A repeated read may take the late answer of its first try: it says the same. A fresh one may not.
        """
        while True:
            now = self._now()
            alike = (asked for asked in self._late if asked.key == query.late_key)
            until = max(
                (asked.until for asked in alike if query.is_fresh or asked.item != query.item), default=now
            )
            if until <= now or self._decoder is None:
                return
            data = await self.link.read(until - now)
            self._count_bytes(into=len(data))
            for frame in self._decoder.feed(data) if data else self._decoder.expire():
                self._sort_out(frame)

    async def _keep_gap(self, gap_s: float) -> None:
        wait_s = self._quiet_from + gap_s - self._now()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _failed(self, attempt: _Attempt[F]) -> NoAnswerError | GarbledError:
        query = attempt.query
        until = self._now() + LATE_S + 2 * self.timing.extra_latency_s
        self._late.append(_Asked(query.accept, query.late_key, query.item, until))
        if not query.is_guess:
            self.link.note_timeout()
        if not attempt.received or bytes(attempt.received) == attempt.sent:
            self.stats.timeouts += 1
            return NoAnswerError(f"{query.what}: no answer")
        self.stats.garbled += 1
        shown = bytes(attempt.received[:64]).hex(" ").upper()
        return GarbledError(
            f"{query.what}: {len(attempt.received)} bytes came, none of them the answer: {shown}"
        )

    def _count_bytes(self, out: int = 0, into: int = 0) -> None:
        self.stats.bytes_out += out
        self.stats.bytes_in += into
        self.stats.wire_s += self.timing.wire_s(out + into)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
