"""The simulator's two times: the wall, and a physics time that can run faster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo


class SimTime:
    """All in integer milliseconds since 1970, so that nothing is lost by splitting.

    `mono` is the event loop's time (a virtual one in tests). The wall starts at `epoch_s` and runs true; physics starts there too and
    runs `speed` times as fast. `clock_follows` says whether meter clocks show physics time.
    """

    def __init__(
        self,
        mono: Callable[[], float],
        epoch_s: float,
        zone: tzinfo | None = None,
        speed: float = 1.0,
        clock_follows: bool = False,
    ) -> None:
        self._mono = mono
        self._mono_zero = mono()
        self._wall_zero = round(epoch_s * 1000)
        self._physics_zero = self._wall_zero
        self._rebased_at = self._wall_zero
        self.zone: tzinfo = zone or ZoneInfo("Asia/Shanghai")
        self.speed = speed
        self.clock_follows = clock_follows

    def wall_ms(self) -> int:
        """True time."""
        return self._wall_zero + round((self._mono() - self._mono_zero) * 1000)

    def physics_at(self, wall_ms: int) -> int:
        """Physics time at a moment since the speed was last set."""
        return self._physics_zero + round((wall_ms - self._rebased_at) * self.speed)

    def physics_ms(self) -> int:
        """Physics time now."""
        return self.physics_at(self.wall_ms())

    def clock_ms(self, wall_ms: int) -> int:
        """What an undisturbed meter clock shows."""
        return self.physics_at(wall_ms) if self.clock_follows else wall_ms

    def set_speed(self, speed: float) -> None:
        """From now on. Bring all meters up to now before."""
        now = self.wall_ms()
        self._physics_zero, self._rebased_at = self.physics_at(now), now
        self.speed = speed

    def local(self, ms: int) -> datetime:
        """A moment in the site's zone."""
        return datetime.fromtimestamp(ms / 1000, self.zone)

    def from_local(self, year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
        """Milliseconds of a local date and time; ValueError when there is no such day."""
        moment = datetime(year, month, day, hour, minute, second, tzinfo=self.zone)
        return round(moment.timestamp() * 1000)
