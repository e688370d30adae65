"""Carrying out a switch order: command once, then look until the meter shows it.

first time      command ──acknowledged──> accepted ──> look, look, … ──shows it──> confirmed
                   │                                      └ window over ──> failed, with what it shows
                   ├ no answer ──> look ──still the old state──> command again (few times) …
                   ├ cannot be reached ──> later, until the order expires
                   └ refused ──> failed
after a restart look first
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..drivers import Line, Wanted, is_permit
from ..errors import (
    GarbledError,
    MeterBusyError,
    MeterRefusedError,
    NoAnswerError,
    OrderExpiredError,
    OrderSupersededError,
    PasswordRefusedError,
)
from ..model import Circuit, Reading, SwitchState
from ..steps import step
from .orders import SWITCHES, OpenOrder
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner


ECHO_ONLY = "the meter shows the command it was given, not its contactor"
"""Of models whose `read_back` is the command: the contactor itself is not verified."""


class Switching:
    """The work of one switch order on its bus."""

    def __init__(self, bus: BusRunner, opened: OpenOrder, circuit: Circuit) -> None:
        self._bus = bus
        self._open = opened
        self._meter = opened.target
        self._circuit = circuit
        self._tuning = bus.tuning
        self._wanted: Wanted = "on" if SWITCHES[opened.order.kind] == "on" else "off"
        self._priority = Priority.SWITCH_ON if self._wanted == "on" else Priority.SWITCH_OFF
        name = f"order {opened.order.id} switch {self._wanted} {self._meter.serial}"
        self.job = Job(name, self._priority, self._run, self._meter.id)

    async def _run(self, line: Line) -> None:
        if self._open.is_done:
            return
        if self._open.is_sent:
            await self._look(line)
        else:
            await self._command(line)

    async def _command(self, line: Line) -> None:
        """Send the command, once."""
        opened = self._open
        if opened.is_expired and not opened.is_sent:
            opened.finish("expired", "expired before it could be sent")
            return
        step("order.checked")
        if not await self._bus.recording.recorder.start_order(opened.order):
            opened.desk.drop(opened)
            return
        guarded = self._bus.line_for(self.job, attempts=1, check=opened.check)
        try:
            await self._send(guarded)
        except OrderSupersededError:
            return
        except OrderExpiredError:
            if not opened.is_sent:
                opened.finish("expired", "expired before it could be sent")
            else:
                self._again(self._tuning.retry_first_s)
        except (NoAnswerError, GarbledError):
            self._open_window(self._tuning.unsure_s)
        except MeterBusyError as error:
            self._busy(error)
        except MeterRefusedError as error:
            self._refused(error)
        else:
            self._acknowledged()

    async def _send(self, line: Line) -> None:
        """From the first byte on the command may have reached the meter, also when we are killed or cut off meanwhile."""
        opened = self._open
        driver = self._bus.driver_of(self._meter)
        before = line.before

        async def mark() -> None:
            await before()
            opened.is_sent = True
            step("order.started")
            asyncio.get_running_loop().call_soon(step, "order.sent")

        line.before = mark
        opened.commands += 1
        await driver.switch(line, self._meter, self._circuit, self._wanted)
        step("order.answered")

    def _acknowledged(self) -> None:
        opened = self._open
        self._bus.meter_answered(self._meter)
        if not opened.is_done:
            opened.is_acknowledged = True
            self._bus.recording.accepted(opened.order, "pending", "")
            self._open_window(self._obey_s())

    def _busy(self, error: MeterBusyError) -> None:
        """It did nothing: the command may be sent again."""
        opened = self._open
        opened.tries += 1
        opened.is_sent = False
        if opened.tries > self._tuning.busy_retries:
            opened.finish("failed", str(error))
        else:
            self._again(self._tuning.retry_first_s)

    def _refused(self, error: MeterRefusedError) -> None:
        self._bus.meter_answered(self._meter)
        if isinstance(error, PasswordRefusedError):
            self._bus.tell_password_refused(self._meter, self._circuit, error)
        self._open.finish("failed", str(error))

    async def _look(self, line: Line) -> None:
        """Read the switch and decide."""
        opened = self._open
        opened.looks += 1
        driver = self._bus.driver_of(self._meter)
        line.attempts = 1
        try:
            state = await driver.read_switch(line, self._meter, self._circuit)
        except (NoAnswerError, GarbledError, MeterBusyError):
            self._unreachable()
            return
        except MeterRefusedError as error:
            opened.finish("failed", f"the switch cannot be read back: {error}")
            return
        self._bus.meter_answered(self._meter)
        if opened.is_done:
            return
        opened.tries = 0
        self.job.priority = self._priority
        self._show(state)
        await self._decide(line, state)

    async def _decide(self, line: Line, state: SwitchState) -> None:
        opened = self._open
        is_permitted = state == "pending" and self._wanted == "on" and is_permit(self._meter)
        if state == self._wanted or (is_permitted and opened.is_acknowledged):
            opened.finish("confirmed", self._remark(is_permitted))
            self._bus.sweep_soon(self._meter)
        elif asyncio.get_running_loop().time() < opened.window_until:
            self._again(self._delay())
        elif (opened.is_acknowledged and opened.commands) or opened.commands >= self._tuning.command_attempts:
            opened.finish("failed", f"the switch shows {state}, {opened.commands} command(s) notwithstanding")
        elif opened.is_expired:
            opened.finish("expired", f"expired; the switch shows {state}")
        else:
            await self._command(line)

    def _remark(self, is_permitted: bool) -> str:
        """What a person must know beside "confirmed"."""
        if is_permitted:
            return "closing is permitted; the button on the meter is to be pressed"
        switch = self._meter.model.switch
        return ECHO_ONLY if switch is not None and switch.shows_command else ""

    def _unreachable(self) -> None:
        """Come back later, behind those whose meters answer; the bus hurries us when this one does (`hurry`)."""
        opened = self._open
        opened.tries += 1
        if asyncio.get_running_loop().time() < opened.window_until:
            self._again(self._delay())
            return
        self.job.priority = Priority.SCHEDULED
        self._again(self._bus.retry_s(opened.tries))

    def hurry(self, is_back: bool) -> None:
        """The meter is back, or at least the connection to its bus is: try now, with all priority only in the first case."""
        if is_back:
            self.job.priority = self._priority
        self._again(0.0)

    def _show(self, state: SwitchState) -> None:
        """What the switch shows is a reading too, when it says something new."""
        if state in ("unknown", self._open.reported):
            return
        self._open.reported = state
        now = self._bus.clock.now()
        self._bus.recording.readings([Reading(self._circuit.id, now, {"switch": state}, "on_demand")])

    def _open_window(self, seconds: float) -> None:
        self._open.window_until = asyncio.get_running_loop().time() + seconds
        self._open.looks = 0
        self._again(self._delay())

    def _delay(self) -> float:
        delays = self._tuning.look_delays_s
        return delays[min(self._open.looks, len(delays) - 1)]

    def _again(self, seconds: float) -> None:
        if not self._open.is_done:
            self._bus.put(self.job, seconds)

    def _obey_s(self) -> float:
        spec = self._meter.model.switch
        return float((spec.params.get("obey_s") if spec else None) or self._tuning.obey_s)
