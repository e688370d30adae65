"""Meter clocks: the daily broadcast in the site's time, and what differs afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from ..drivers import Line, MeterValues
from ..errors import LinkError, WireError
from ..model import Meter, Schedule
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner

_logger = logging.getLogger(__name__)
BROADCAST_BYTES = 24
DAY_S = 86400.0
UNKNOWN_PAUSE_S = 60.0
"""While nobody knows the time no clock is set, and none is called wrong."""


class ClockKeeper:
    """One for a bus."""

    def __init__(self, bus: BusRunner, schedules: Iterable[Schedule]) -> None:
        self._bus = bus
        times = sorted({schedule.clock_at for schedule in schedules if schedule.clock_at})
        self._jobs = {text: self._broadcast_job(text) for text in times}
        self._targets: dict[str, float] = {}
        self._told: dict[int, float] = {}
        self.drifts: dict[int, float] = {}

    def start(self) -> None:
        """Plan the next broadcasts."""
        for text in self._jobs:
            self._plan(text)

    def compare(self, meter: Meter, values: MeterValues) -> None:
        """Meters that send their clock along with a reading are checked with every reading."""
        for found in values.circuits.values():
            text = found.get("meter_clock")
            if isinstance(text, str):
                self._check(meter, datetime.fromisoformat(text))

    def _plan(self, text: str) -> None:
        if not self._bus.clock.is_known:
            self._bus.put(self._jobs[text], UNKNOWN_PAUSE_S)
            return
        now = self._bus.clock.now()
        self._targets[text] = next_at(now, text, self._bus.zone)
        self._bus.put(self._jobs[text], self._targets[text] - now)

    def _broadcast_job(self, text: str) -> Job:
        return Job(f"broadcast time at {text}", Priority.SCHEDULED, lambda line: self._broadcast(line, text))

    async def _broadcast(self, line: Line, text: str) -> None:
        """Each protocol of the bus in its own way; afterwards every clock is looked at."""
        bus = self._bus
        if text not in self._targets:
            self._plan(text)
            return
        left_s = self._targets[text] - bus.clock.now()
        if left_s > 0.5:
            bus.put(self._jobs[text], left_s)
            return
        drivers = {meter.model.protocol: bus.driver_of(meter) for meter in bus.bus.meters}
        for driver in drivers.values():
            if driver.can_broadcast_clock:
                later_s = (
                    bus.exchange.timing.wire_s(BROADCAST_BYTES) + bus.exchange.timing.extra_latency_s / 2
                )
                await driver.broadcast_clock(line, bus.local_time(later_s))
        self._plan(text)
        for meter in bus.bus.meters:
            if not bus.polls[meter.id].is_silent:
                bus.put(self._check_job(meter), bus.tuning.clock_check_delay_s)

    def _check_job(self, meter: Meter) -> Job:
        return Job(
            f"clock {meter.serial}", Priority.SCHEDULED, lambda line: self._read(line, meter), meter.id
        )

    async def _read(self, line: Line, meter: Meter) -> None:
        line.attempts = 1
        try:
            shown = await self._bus.driver_of(meter).read_clock(line, meter)
        except LinkError:
            raise
        except WireError as error:
            _logger.debug("clock of meter %s: %s", meter.serial, error)
            return
        if shown is None:
            return
        drift_s = self.note(meter, shown)
        if self._may_set(meter, drift_s):
            await self._set(line, meter)
        self._bus.tell_drift("clock_checked", meter, self.drifts[meter.id])

    def _may_set(self, meter: Meter, drift_s: float) -> bool:
        """Meters that no broadcast reaches are set one by one, once a day at most, where their model has a way to."""
        driver = self._bus.driver_of(meter)
        is_single = meter.model.quirks.get("clock") == "write" or meter.model.protocol == "cjt188"
        is_reached = driver.can_broadcast_clock and meter.model.quirks.get("clock") != "write"
        return is_single and not is_reached and abs(drift_s) > self._bus.tuning.drift_set_s

    async def _set(self, line: Line, meter: Meter) -> None:
        """Set and read back; a meter that refuses keeps its time, and its drift is told."""
        driver = self._bus.driver_of(meter)
        try:
            await driver.set_clock(line, meter, self._bus.local_time())
            shown = await driver.read_clock(line, meter)
        except LinkError:
            raise
        except WireError as error:
            _logger.warning("clock of meter %s cannot be set: %s", meter.serial, error)
            return
        if shown is not None:
            self.note(meter, shown)

    def note(self, meter: Meter, shown: datetime) -> float:
        """A clock was read: seconds by which it is ahead."""
        self._check(meter, shown)
        return self.drifts[meter.id]

    def _check(self, meter: Meter, shown: datetime) -> None:
        """Report a wrong clock once a day, and that it is right again."""
        drift_s = (shown - self._bus.local_time()).total_seconds()
        self.drifts[meter.id] = drift_s
        if not self._bus.clock.is_known:
            return
        if abs(drift_s) <= self._bus.tuning.drift_s:
            if self._told.pop(meter.id, None) is not None:
                self._bus.tell_drift("clock_ok", meter, drift_s)
            return
        now = asyncio.get_running_loop().time()
        if now - self._told.get(meter.id, now - DAY_S) >= DAY_S:
            self._told[meter.id] = now
            self._bus.tell_drift("clock_drift", meter, drift_s)


def next_at(now: float, text: str, zone: tzinfo) -> float:
    """The next moment (epoch seconds) at which it is HH:MM in the zone, at least half a minute from now."""
    local = datetime.fromtimestamp(now, zone)
    hour, minute = map(int, text.split(":"))
    target = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if target.timestamp() < now + 30:
        target = (target + timedelta(days=1)).replace(hour=hour, minute=minute)
    return target.timestamp()
