"""Time as the server sees it.

Readings are stamped and orders expire by Odoo's clock, learnt from hello and orders answers. Between two lessons the time runs on
the machine's own uninterrupted clock, so that somebody setting the wall clock moves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LESSON_KEEPS_S = 300.0
"""After this a new lesson counts even when its round trip was slower than the last one's."""


SLEW_LIMIT_S = 60.0
"""So far the clock is never set back: it runs at half its speed until the time is right, so that no later reading has an earlier time. A
lesson with a slow round trip may be wrong by half of it. What is wrong by more was never the server's time, and is set right at once."""
SLEW_SPEED = 0.5


def boot_time() -> float:
    """Seconds since boot, running on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def boot_name() -> str:
    """Differs after every start of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Anchor:
    """The server's time `server_s` was when the machine's steady clock showed `steady_s`, since the start named `boot`."""

    server_s: float
    steady_s: float
    boot: str


class Clock:
    """`now()` is the server's time as epoch seconds UTC; before the first lesson the machine's own."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = boot_time,
        boot: Callable[[], str] = boot_name,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._boot = boot()
        self._base = wall() - steady()
        self._round_trip: float | None = None
        self._learnt_at = 0.0
        self._ahead = 0.0
        self._ahead_since = 0.0

    def now(self) -> float:
        """The server's time, epoch seconds."""
        steady = self._steady()
        lead = self._ahead - SLEW_SPEED * (steady - self._ahead_since) if self._ahead else 0.0
        return self._base + steady + max(0.0, lead)

    def monotonic(self) -> float:
        """Seconds that never jump; for durations and time-outs."""
        return self._steady()

    @property
    def is_synced(self) -> bool:
        """Has the server told its time since start?"""
        return self._round_trip is not None

    @property
    def offset(self) -> float:
        """Server's time minus the machine's wall clock, seconds."""
        return self.now() - self._wall()

    def anchor(self) -> Anchor | None:
        """To be kept for `resume`; None before the first lesson."""
        steady = self._steady()
        return Anchor(self._base + steady, steady, self._boot) if self.is_synced else None

    def resume(self, kept: Anchor) -> bool:
        """Go on by what an earlier process of the same start of the machine learnt, whatever the wall clock says now.

        False when the machine was started anew meanwhile: its steady clock says nothing then.
        """
        if self.is_synced or not kept.boot or kept.boot != self._boot or self._steady() < kept.steady_s:
            return False
        self._base = kept.server_s - kept.steady_s
        return True

    def not_before(self, epoch: float) -> None:
        """The server's time was already this once: a machine without a clock battery starts in the past."""
        if not self.is_synced and self.now() < epoch:
            self._base = epoch - self._steady()

    def learn(self, server_time: float, sent: float, received: float) -> None:
        """Take the server's time out of an answer.

        `sent` and `received` are `monotonic()` around the call. The server's moment is taken as the middle of the round trip, so
        the quickest recent round trip is the most exact lesson, and slower ones are ignored while it is fresh.
        """
        round_trip = max(0.0, received - sent)
        is_stale = received - self._learnt_at > LESSON_KEEPS_S
        estimate = server_time + round_trip / 2 - received
        is_wrong = abs(estimate - self._base) > round_trip
        if self._round_trip is None or round_trip <= self._round_trip or is_stale or is_wrong:
            self._set(estimate)
            self._round_trip = round_trip
            self._learnt_at = received

    def _set(self, base: float) -> None:
        shown = self.now()
        self._ahead_since = self._steady()
        self._base = base
        ahead = shown - (base + self._ahead_since)
        self._ahead = ahead if 0 < ahead <= SLEW_LIMIT_S else 0.0
