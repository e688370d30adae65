"""How a bus is doing: counters, and how much of its wire it uses."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..drivers import Exchange

WINDOW_S = 60.0
STEP_S = 5.0


class BusStats:
    """`reads_ok` and `reads_failed` count sweeps of meters."""

    def __init__(self, exchange: Exchange) -> None:
        self.reads_ok = 0
        self.reads_failed = 0
        self.worked_s = 0.0
        """Time in which there was something to do."""
        self._exchange = exchange
        self._samples: deque[tuple[float, float, float]] = deque()

    def details(self, now: float) -> dict[str, Any]:
        """Counters since start; utilisation since about the last minute's first look."""
        wire = self._exchange.stats
        used, busy = self._shares(now)
        return {
            "requests": wire.requests,
            "answers": wire.answers,
            "timeouts": wire.timeouts,
            "garbled": wire.garbled,
            "late": wire.late,
            "bytes_out": wire.bytes_out,
            "bytes_in": wire.bytes_in,
            "dropped_bytes": self._exchange.dropped_bytes,
            "wire_s": round(wire.wire_s, 3),
            "worked_s": round(self.worked_s, 3),
            "wire_share": round(used, 3),
            "busy_share": round(busy, 3),
        }

    def _shares(self, now: float) -> tuple[float, float]:
        """(bytes on the wire, requests under way) as shares of the time."""
        wire = self._exchange.stats
        if not self._samples or now - self._samples[-1][0] >= STEP_S:
            self._samples.append((now, wire.wire_s, wire.busy_s))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()
        since, wire_s, busy_s = self._samples[0]
        span = now - since
        if span <= 0:
            return 0.0, 0.0
        return (wire.wire_s - wire_s) / span, (wire.busy_s - busy_s) / span
