"""How much room the outbox has, how long an outage of Odoo may last, and what is done long before there is none.

share of the room used
  under 50 %   nothing
  50 %         an alarm: `outbox_filling`, with the days that are left
  80 %         meters are read ten times less often: energies still come, in coarser steps
  95 %         scheduled reads pause; what is left is for orders and what becomes of them
Back below 40 %: `outbox_ok`. Nothing that is on the disk is ever thrown away.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model import SiteConfig

DAY_S = 86400.0
ROW_BYTES = 80
"""Of a reading, as long as there are too few to measure: 77 with all live values of a single-phase meter. A site of 1,283 meters that is
read once a minute makes 1.85 million rows, 150 MB a day."""
MEASURED_FROM = 2000
KEPT_FREE_BYTES = 64 * 1024 * 1024
"""Of the disk: for the write-ahead log, and because others use it too."""
ALARM, THIN, PAUSE, CALM = 0.5, 0.8, 0.95, 0.4
STRETCH = (1.0, 1.0, 10.0, 10.0)
PAUSED = 3


@dataclass(frozen=True)
class Room:
    """Bytes. `level`: 0 calm, 1 alarm, 2 thinned, 3 paused."""

    used: int
    capacity: int
    per_day: int
    level: int

    @property
    def share(self) -> float:
        """Of the room, 0..1 and more."""
        return self.used / self.capacity if self.capacity > 0 else 1.0

    @property
    def days_left(self) -> float:
        """So long Odoo may be away from now on; -1 = nothing is read."""
        return round(max(0, self.capacity - self.used) / self.per_day, 2) if self.per_day else -1.0

    def as_data(self) -> dict[str, Any]:
        """For events and the status."""
        return {
            "used_bytes": self.used,
            "capacity_bytes": self.capacity,
            "bytes_a_day": self.per_day,
            "days_left": self.days_left,
            "share": round(self.share, 3),
        }


def readings_a_day(site: SiteConfig | None) -> int:
    """Rows that the configuration makes: groups of equal period are read together."""
    if site is None:
        return 0
    total = 0.0
    for _gateway, bus, meter in site.meters():
        if bus.link.kind == "nbiot":
            total += len(meter.circuits)
            continue
        schedule = site.schedule_of(meter)
        periods = {each for each in (schedule.energy_s, schedule.live_s, schedule.switch_s) if each > 0}
        total += len(meter.circuits) * sum(DAY_S / period for period in periods)
    return round(total)


def measure(
    path: Path, pages: tuple[int, int, int], readings: int, a_day: int, max_bytes: int, before: int
) -> Room:
    """`pages`: (size, count, free); `before`: the last level, so that it does not flutter."""
    size, count, free = pages
    used = size * (count - free)
    capacity = size * count + max(0, _disk_free(path) - KEPT_FREE_BYTES)
    if max_bytes:
        capacity = min(capacity, max_bytes)
    row = used / readings if readings >= MEASURED_FROM else ROW_BYTES
    share = used / capacity if capacity > 0 else 1.0
    return Room(used, capacity, round(row * a_day), _level(share, before))


def _level(share: float, before: int) -> int:
    level = sum(share >= limit for limit in (ALARM, THIN, PAUSE))
    if level >= before:
        return level
    slack = (CALM, ALARM + 0.1, THIN + 0.1)[before - 1]
    return level if share < slack else before


def _disk_free(path: Path) -> int:
    found = os.statvfs(path.parent)
    return found.f_bavail * found.f_frsize
