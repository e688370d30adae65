"""Commands that switch nothing: keep-power, alarm, clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ...drivers import Line
from ...errors import GarbledError, NoAnswerError
from ..orders import OpenOrder
from ..queue import Priority
from .base import Errand, circuit_of

if TYPE_CHECKING:
    from ..bus import BusRunner


class KeepPowerErrand(Errand):
    """Keep power on whatever trips come, or no longer; among the switch orders, in their order."""

    is_change = True

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        super().__init__(bus, opened)
        self._is_on = opened.order.kind == "keep_power_on"
        self.priority = Priority.SWITCH_ON if self._is_on else Priority.SWITCH_OFF
        self.job.priority = self.priority

    async def work(self, line: Line) -> None:
        opened = self._open
        circuit = circuit_of(opened)
        try:
            await self._bus.driver_of(opened.target).keep_power(line, opened.target, circuit, self._is_on)
        except (NoAnswerError, GarbledError):
            if not opened.is_sent:
                raise
            self._again(self._bus.tuning.look_delays_s[0])
            return
        self._accepted()
        await self.look(line)

    async def look(self, line: Line) -> None:
        opened = self._open
        driver, circuit = self._bus.driver_of(opened.target), circuit_of(opened)
        shown = await driver.read_keep_power(line, opened.target, circuit)
        if shown is None:
            detail = "acknowledged, but" if opened.is_acknowledged else "may have been sent, but"
            self._finish("failed", f"{detail} this meter does not show whether power is kept")
            return
        if shown is not self._is_on and self._is_window_open:
            self._again(self._bus.tuning.look_delays_s[0])
            return
        opened.reported = await driver.read_switch(line, opened.target, circuit)
        data = {"keep_power": "on" if shown else "off"}
        is_right = shown is self._is_on
        self._finish(
            "confirmed" if is_right else "failed", "" if is_right else "the meter shows otherwise", data
        )


class AlarmErrand(Errand):
    """Lamp or buzzer. No meter shows it, so its acknowledgement is all there is."""

    is_change = True

    async def work(self, line: Line) -> None:
        opened = self._open
        try:
            await self._bus.driver_of(opened.target).alarm(
                line, opened.target, opened.order.kind == "alarm_on"
            )
        except (NoAnswerError, GarbledError) as error:
            if not opened.is_sent:
                raise
            opened.finish("failed", f"sent, but {error}; no meter shows its alarm")
            return
        self._finish("confirmed", "acknowledged; no meter shows its alarm")

    async def look(self, line: Line) -> None:
        self._open.finish("failed", "may have been sent; no meter shows its alarm")


class ClockErrand(Errand):
    """Set the meter's clock and read it back."""

    is_change = True

    async def work(self, line: Line) -> None:
        target = self._open.target
        await self._bus.driver_of(target).set_clock(line, target, self._bus.local_time())
        await self._compare(line)

    async def look(self, line: Line) -> None:
        await (self._compare(line) if self._open.is_expired else self.work(line))

    async def _compare(self, line: Line) -> None:
        opened = self._open
        try:
            shown = await self._bus.driver_of(opened.target).read_clock(line, opened.target)
        except (NoAnswerError, GarbledError) as error:
            opened.finish("failed", str(error))
            return
        self._report(shown)

    def _report(self, shown: datetime | None) -> None:
        if shown is None:
            self._finish("failed", "the meter shows no clock to compare")
            return
        drift_s = self._bus.clocks.note(self._open.target, shown)
        is_right = abs(drift_s) <= self._bus.tuning.drift_s
        detail = f"meter clock differs by {drift_s:.0f} s"
        self._finish("confirmed" if is_right else "failed", detail, {"drift_s": round(drift_s)})
