"""Takes a gateway's heartbeats out of the stream of its meters' bytes. No clock, no socket: bytes in, bytes out.

A dial-in unit puts its heartbeat wherever its timer fires: alone in a segment, glued before or behind an answer, between two halves
of one, or split over two segments itself. A pattern of MIN_INLINE bytes and more is unlikely enough in meter data to be cut out
anywhere. A shorter one (some units send a single 00 or FE) also occurs inside frames, so it goes only when it fills a segment.
"""

from __future__ import annotations

MIN_INLINE = 4


class HeartbeatFilter:
    """`feed` gives what is not heartbeat. What may be the first half of one is held back until more comes or `flush`."""

    hold_s = 0.03
    """How long the owner lets a held-back half wait. Longer than the gap between two segments of one burst, shorter than a turnround."""

    def __init__(self, pattern: bytes = b"") -> None:
        self.pattern = pattern
        self.swallowed = 0
        self._held = b""

    @property
    def is_holding(self) -> bool:
        """Is there something that only `flush` or more bytes will bring out?"""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """The bytes that belong to the meters."""
        if not self.pattern:
            return data
        if len(self.pattern) < MIN_INLINE:
            return self._strip_whole(data)
        data = self._held + data
        pieces = data.split(self.pattern)
        self.swallowed += len(pieces) - 1
        data = b"".join(pieces)
        held = _overlap(pieces[-1], self.pattern)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def flush(self) -> bytes:
        """Give up waiting: what was held back was no heartbeat."""
        held, self._held = self._held, b""
        return held

    def clear(self) -> None:
        """A new connection begins."""
        self._held = b""

    def _strip_whole(self, data: bytes) -> bytes:
        count, rest = divmod(len(data), len(self.pattern))
        if rest or data != self.pattern * count:
            return data
        self.swallowed += count
        return b""


def _overlap(data: bytes, pattern: bytes) -> int:
    """Length of the longest end of `data` that is a proper beginning of `pattern`."""
    for length in range(min(len(data), len(pattern) - 1), 0, -1):
        if data.endswith(pattern[:length]):
            return length
    return 0
