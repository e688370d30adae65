"""Orders that switch nothing: read a meter now, set its clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..drivers import Line
from ..errors import LinkError, OrderError, WireError
from .orders import OpenOrder
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner


class ReadErrand:
    """Read everything the meter has, for somebody who waits."""

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        self._bus = bus
        self._open = opened
        name = f"order {opened.order.id} read {opened.meter.serial}"
        self.job = Job(name, Priority.DEMAND, self._run, opened.meter.id)

    async def _run(self, line: Line) -> None:
        opened = self._open
        if not await _may_start(self._bus, opened):
            return
        try:
            values = await self._bus.sweep(line, opened.meter, None, "on_demand")
        except LinkError:
            raise
        except WireError as error:
            opened.finish("failed", str(error))
            return
        number = opened.circuit.number if opened.circuit else 1
        state = values.of(number).get("switch")
        if state in ("on", "off", "pending"):
            opened.reported = state  # type: ignore[assignment]
        opened.finish("confirmed", "; ".join(values.refused.values()))


class ClockErrand:
    """Set the meter's clock and read it back."""

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        self._bus = bus
        self._open = opened
        name = f"order {opened.order.id} clock {opened.meter.serial}"
        self.job = Job(name, Priority.DEMAND, self._run, opened.meter.id)

    async def _run(self, line: Line) -> None:
        opened = self._open
        if not await _may_start(self._bus, opened):
            return
        driver = self._bus.driver_of(opened.meter)
        try:
            await driver.set_clock(line, opened.meter, self._bus.local_time())
            shown = await driver.read_clock(line, opened.meter)
        except LinkError:
            raise
        except WireError as error:
            opened.finish("failed", str(error))
            return
        self._report(shown)

    def _report(self, shown: datetime | None) -> None:
        if shown is None:
            self._open.finish("failed", "the meter shows no clock to compare")
            return
        drift_s = (shown - self._bus.local_time()).total_seconds()
        is_right = abs(drift_s) <= self._bus.tuning.drift_s
        self._open.finish("confirmed" if is_right else "failed", f"meter clock differs by {drift_s:.0f} s")


async def _may_start(bus: BusRunner, opened: OpenOrder) -> bool:
    """Neither over nor expired, also by what the disk knows."""
    try:
        opened.check()
    except OrderError:
        opened.finish("expired", "expired before it could be carried out")
        return False
    if await bus.recording.recorder.start_order(opened.order):
        return True
    opened.desk.drop(opened)
    return False
