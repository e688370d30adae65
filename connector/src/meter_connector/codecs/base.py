"""What all codecs share: the bounded byte scanner, what it finds and what it could not use."""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

F = TypeVar("F")

#: Findings kept for the operator. The oldest go first; ``error_count`` goes on counting.
MAX_ISSUES = 100
#: At most this many new bytes are taken into the buffer before it is scanned again.
_CHUNK = 256


class CodecError(ValueError):
    """A value that cannot be put into a frame (bad address, too long, not a number). Never worth a retry."""


@dataclass(frozen=True, slots=True)
class DecodeIssue:
    """Bytes that looked like a frame and were not one.

    ``offset`` counts from the first byte ever fed; ``kind`` is bad_checksum, bad_end, bad_length,
    frame_inside (a whole good frame within) or expired;
    ``hex`` holds the refused candidate, upper case, without blanks.
    """

    offset: int
    kind: str
    hex: str


@dataclass(frozen=True, slots=True)
class Found(Generic[F]):
    """A good frame and its size on the wire."""

    frame: F
    size: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """No frame starts here. ``kind`` is None where nothing even looked like one."""

    kind: str | None = None
    size: int = 1


@dataclass(frozen=True, slots=True)
class NeedMore:
    """A frame may start here. ``is_header_seen`` tells a recognised header from a mere start byte."""

    is_header_seen: bool = False


@dataclass(frozen=True, slots=True)
class Located(Generic[F]):
    """A good frame and where it stood in the stream."""

    offset: int
    size: int
    frame: F


class ScanDecoder(ABC, Generic[F]):
    """Finds frames in a byte stream by the receiver rules: on any failure go on ONE byte further.

    The buffer never outgrows the longest frame plus one chunk, whatever is fed. A candidate that waits for bytes which never
    come is given up by ``expire()``, to be called when the inter-byte time-out (about 500 ms) has passed.
    """

    #: Longest frame on the wire; more bytes than this always lead to a decision.
    longest: int
    #: First byte of every frame, or None where the protocol has no start mark.
    start: int | None = None
    #: Wake-up byte in front of frames: skipped, and not counted as dropped.
    preamble: int | None = None

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self._issues: deque[DecodeIssue] = deque(maxlen=MAX_ISSUES)
        self._rejected_until = 0
        self.dropped_bytes = 0
        self.error_count = 0

    @abstractmethod
    def examine(self, window: bytes) -> Found[F] | Rejected | NeedMore:
        """Decide whether a frame starts at ``window[0]``; never NeedMore when ``window`` has ``longest`` bytes."""

    @property
    def errors(self) -> list[DecodeIssue]:
        """The latest findings, oldest first (at most MAX_ISSUES)."""
        return list(self._issues)

    @property
    def incomplete(self) -> bool:
        """True while bytes are held back that may become a frame."""
        return bool(self._buffer)

    @property
    def is_tail_plausible(self) -> bool:
        """True when the held-back bytes are more than the rest of a candidate that was already refused."""
        if not self._buffer:
            return False
        verdict = self.examine(bytes(self._buffer))
        is_header = isinstance(verdict, NeedMore) and verdict.is_header_seen
        return is_header or self._offset >= self._rejected_until

    @property
    def position(self) -> int:
        """Offset of the first held-back byte in the stream."""
        return self._offset

    @property
    def buffered(self) -> bytes:
        """The bytes held back."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[F]:
        """Take bytes as they came, in pieces of any size; give the frames that are now complete."""
        return [found.frame for found in self.scan(data)]

    def expire(self) -> list[F]:
        """The inter-byte time-out has passed: give up what is incomplete, return good frames hidden behind it."""
        found: list[F] = []
        while self._buffer:
            found += [item.frame for item in self.expire_once()]
        return found

    def scan(self, data: bytes) -> list[Located[F]]:
        """Like ``feed``, with positions."""
        found: list[Located[F]] = []
        for at in range(0, len(data), _CHUNK):
            self._buffer += data[at : at + _CHUNK]
            found += self._scan_buffer()
        return found

    def expire_once(self) -> list[Located[F]]:
        """Take ONE byte from the incomplete candidate and scan again."""
        if self._buffer:
            self._note("expired", len(self._buffer))
            self._drop(1)
        return self._scan_buffer()

    def reset(self) -> None:
        """Forget what is held back (a new connection); counters stay."""
        self._drop(len(self._buffer))

    def _scan_buffer(self) -> list[Located[F]]:
        found: list[Located[F]] = []
        while self._skip_to_start():
            verdict = self._judge(bytes(self._buffer[: self.longest]))
            if isinstance(verdict, NeedMore):
                break
            if isinstance(verdict, Found):
                found.append(Located(self._offset, verdict.size, verdict.frame))
                self._consume(verdict.size)
            else:
                self._reject(verdict)
        return found

    def _judge(self, window: bytes) -> Found[F] | Rejected | NeedMore:
        """``examine``, but a candidate with a whole good frame inside is noise in front of that frame.

        One in 256 spoilt headers meets an eight-bit sum by chance, and most so when they swallow a whole frame: the rest then only has
        to sum up to nothing. No protocol here with a start mark carries frames in frames.
        """
        verdict = self.examine(window)
        if self.start is None or not isinstance(verdict, Found):
            return verdict
        at = window.find(self.start, 1, verdict.size)
        while at > 0:
            if isinstance(self.examine(window[at : verdict.size]), Found):
                return Rejected("frame_inside", verdict.size)
            at = window.find(self.start, at + 1, verdict.size)
        return verdict

    def _skip_to_start(self) -> bool:
        if self.start is not None:
            at = self._buffer.find(self.start)
            self._drop(len(self._buffer) if at < 0 else at)
        return bool(self._buffer)

    def _reject(self, verdict: Rejected) -> None:
        if verdict.kind is not None:
            self._note(verdict.kind, verdict.size)
            self._rejected_until = max(self._rejected_until, self._offset + verdict.size)
        self._drop(1)

    def _note(self, kind: str, size: int) -> None:
        self.error_count += 1
        self._issues.append(DecodeIssue(self._offset, kind, bytes(self._buffer[:size]).hex().upper()))

    def _drop(self, count: int) -> None:
        gone = self._buffer[:count]
        self.dropped_bytes += count - (gone.count(self.preamble) if self.preamble is not None else 0)
        self._consume(count)

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count
