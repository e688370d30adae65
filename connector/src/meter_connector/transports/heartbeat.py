"""Takes a gateway's heartbeats out of the stream of its meters' bytes. No clock, no socket: bytes in, bytes out.

A dial-in unit puts its heartbeat wherever its timer fires: alone in a segment, glued before or behind an answer, between two halves
of one, or split over two segments itself. Some units say their registration packet again in the same way. A pattern of MIN_INLINE bytes and
more, that is not one byte over and over, is unlikely enough in meter data to be cut out anywhere. Any other (some units send a single 00 or
FE, or four zeros) also occurs inside frames, so it goes only when it fills a segment; glued to a frame it is noise that the codecs step over.
"""

from __future__ import annotations

import re

MIN_INLINE = 4
MIN_DISTINCT = 3


def is_inline(pattern: bytes) -> bool:
    """May it be cut out of the middle of meters' bytes?"""
    return len(pattern) >= MIN_INLINE and len(set(pattern)) >= MIN_DISTINCT


class HeartbeatFilter:
    """`feed` gives what is not heartbeat. What may be the first half of one is held back until more comes or `flush`."""

    hold_s = 0.03
    """How long the owner lets a held-back half wait. Longer than the gap between two segments of one burst, shorter than a turnround."""

    def __init__(self, *patterns: bytes) -> None:
        self.patterns = tuple(dict.fromkeys(pattern for pattern in patterns if pattern))
        self.swallowed = 0
        self._inline = [pattern for pattern in self.patterns if is_inline(pattern)]
        self._whole = [pattern for pattern in self.patterns if not is_inline(pattern)]
        longest_first = sorted(self._inline, key=len, reverse=True)
        self._expression = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None
        self._held = b""

    @property
    def is_holding(self) -> bool:
        """Is there something that only `flush` or more bytes will bring out?"""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """The bytes that belong to the meters."""
        if not self._held and any(self._fills(data, pattern) for pattern in self._whole):
            return b""
        if self._expression is None:
            return data
        data = self._held + data
        pieces = self._expression.split(data)
        self.swallowed += len(pieces) - 1
        data = b"".join(pieces)
        held = max(_overlap(pieces[-1], pattern) for pattern in self._inline)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def flush(self) -> bytes:
        """Give up waiting: what was held back was no heartbeat."""
        held, self._held = self._held, b""
        return held

    def clear(self) -> None:
        """A new connection begins."""
        self._held = b""

    def _fills(self, data: bytes, pattern: bytes) -> bool:
        count, rest = divmod(len(data), len(pattern))
        if rest or not count or data != pattern * count:
            return False
        self.swallowed += count
        return True


def _overlap(data: bytes, pattern: bytes) -> int:
    """Length of the longest end of `data` that is a proper beginning of `pattern`."""
    for length in range(min(len(data), len(pattern) - 1), 0, -1):
        if data.endswith(pattern[:length]):
            return length
    return 0
