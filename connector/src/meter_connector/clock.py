"""Time as the server sees it.

Readings are stamped and orders expire by Odoo's clock, learnt from hello and orders answers. Between two lessons the time runs on
the machine's own uninterrupted clock, so that somebody setting the wall clock moves nothing.

start of the process   what is known                                        until Odoo tells
  same boot            the anchor that was kept                             known: runs on by the steady clock
  new boot             the kernel says that the wall clock is synchronised  known: the wall clock
  new boot             nobody vouches for the wall clock                    guessed: never later than the true time, see `guess`
"""

from __future__ import annotations

import ctypes
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
TIMEX_BYTES = 512
"""More than the kernel's struct timex; all zeros only asks."""
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""


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


def kernel_is_synchronised() -> bool:
    """Does the kernel say that something (NTP, PTP) keeps the wall clock right? False where it does not tell."""
    try:
        answer: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= answer < TIME_ERROR


@dataclass(frozen=True)
class Anchor:
    """The server's time `server_s` was when the machine's steady clock showed `steady_s`, since the start named `boot`."""

    server_s: float
    steady_s: float
    boot: str


@dataclass(frozen=True)
class Correction:
    """What was stamped after `since` and up to `until` by a guess happened `ahead_s` later. Epoch seconds.

    `since` itself is the newest true stamp: set right too, that reading would count under a second time.
    """

    since: float
    until: float
    ahead_s: float

    def true(self, at: float) -> float:
        """The time that belongs to a stamp."""
        return at + self.ahead_s if self.since < at <= self.until else at


class Clock:
    """`now()` is the server's time as epoch seconds UTC; before the first lesson the machine's own.

    `is_wall_right`: does somebody keep the wall clock right?
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = boot_time,
        boot: Callable[[], str] = boot_name,
        is_wall_right: Callable[[], bool] = lambda: False,
    ) -> None:
        self._wall = wall
        self._is_wall_right = is_wall_right
        self._steady = steady
        self._boot = boot()
        self._base = wall() - steady()
        self._round_trip: float | None = None
        self._learnt_at = 0.0
        self._ahead = 0.0
        self._ahead_since = 0.0
        self._guess: Anchor | None = None
        self.correction: Correction | None = None
        """Of what was stamped before the time was known; None = nothing was."""

    def now(self) -> float:
        """The server's time, epoch seconds."""
        steady = self._steady()
        lead = self._ahead - SLEW_SPEED * (steady - self._ahead_since) if self._ahead else 0.0
        return self._base + steady + max(0.0, lead)

    def monotonic(self) -> float:
        """Seconds that never jump; for durations and time-outs."""
        return self._steady()

    @property
    def is_known(self) -> bool:
        """May an order be judged and a meter's clock be set by it? False while it is a guess."""
        return self._guess is None

    @property
    def guessed_since(self) -> float | None:
        """Where the guess began, epoch seconds; None while the time is known."""
        return self._guess.server_s if self._guess else None

    def true(self, at: float) -> float:
        """A stamp of this process, set right once the time is known."""
        return self.correction.true(at) if self.correction else at

    def not_from_the_future(self, at: float) -> float:
        """A stamp that was made by a guess later than the true time, and is to be kept only now."""
        fix = self.correction
        return fix.true(at) if fix is not None and fix.ahead_s < 0 and at > self.now() else at

    @property
    def offset(self) -> float:
        """Server's time minus the machine's wall clock, seconds."""
        return self.now() - self._wall()

    def anchor(self) -> Anchor | None:
        """To be kept for `resume`; None while the time is a guess."""
        steady = self._steady()
        return Anchor(self._base + steady, steady, self._boot) if self.is_known else None

    def resume(self, kept: Anchor) -> bool:
        """Go on by what an earlier process of the same start of the machine knew, whatever the wall clock says now.

        False when the machine was started anew meanwhile: its steady clock says nothing then.
        """
        if self._round_trip is not None or not self._is_of_this_boot(kept):
            return False
        self._base = kept.server_s - kept.steady_s
        return True

    def take_wall(self) -> None:
        """End a guess by the wall clock, if somebody keeps it right by now. The time does not go back by that."""
        if not self.is_known and self._is_wall_right():
            self._settle(max(self._wall(), self.now()) - self._steady())

    def guess(self, earliest: float, kept: Anchor | None = None) -> Anchor:
        """Nobody tells the time: go on from the latest moment that is known to have been (0 = none: from the wall clock's).

        So no guessed time is later than the true one, and none comes before what was stamped earlier. `kept` is the guess of an earlier
        process, to go on by within the same boot. Returns the guess, to be kept.
        """
        if kept is None or not self._is_of_this_boot(kept):
            steady = self._steady()
            kept = Anchor(earliest or self._wall(), steady, self._boot)
        self._base = kept.server_s - kept.steady_s
        self._guess = kept
        return kept

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

    def _is_of_this_boot(self, kept: Anchor) -> bool:
        return bool(kept.boot) and kept.boot == self._boot and self._steady() >= kept.steady_s

    def _settle(self, base: float) -> None:
        """The time is known; what was stamped by the guess is to be set right."""
        if self._guess is not None:
            shown = self.now()
            self.correction = Correction(self._guess.server_s, shown, base + self._steady() - shown)
            self._guess = None
        self._base = base

    def _set(self, base: float) -> None:
        if not self.is_known:
            self._settle(base)
            return
        shown = self.now()
        self._ahead_since = self._steady()
        self._base = base
        ahead = shown - (base + self._ahead_since)
        self._ahead = ahead if 0 < ahead <= SLEW_LIMIT_S else 0.0
