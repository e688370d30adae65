"""Orders for meters that sleep: kept until the meter reports, handed to its platform then, over when their time is.

    submit ──> waiting ──meter reports──> start_order (disk) ──downlink──> sent ──later reports show it──> confirmed
                  │ newer generation: superseded                            ├ the meter refuses ──> failed
                  └ time over: expired                                      └ two later reports show the contrary ──> sent again, few times

The platform keeps a command no longer than the order lives, so that nothing is carried out late. A report that was on its way when the
command left proves nothing: only later ones confirm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from ..clock import Clock
from ..drivers import Driver, Exchange, Line, Wanted, make_driver
from ..drivers.exchange import Query
from ..errors import LinkError, MeterRefusedError
from ..model import Bus, Circuit, Link, Meter, Order, OrderResult, ResultState, SwitchState
from ..ports import Recorder, Stage

_logger = logging.getLogger(__name__)

SWITCHES: dict[str, Wanted] = {"switch_on": "on", "switch_off": "off"}
COMMAND_ATTEMPTS = 3
CONTRARY_REPORTS = 2
LAST_LOOK_S = 30.0
NEVER_EXPIRES_TTL_S = 86400
PROTOCOLS = ("cjt188", "dlt645-2007")
_BUS = Bus(0, 1, Link("serial"), ())
"""Drivers are made for a bus; these two ask nothing of it."""


class Downlink(Protocol):
    """The way of a command to a device, through its platform. The platforms' interfaces for it are not among our facts: a site brings
    an adapter (downlink.py)."""

    async def send(self, imei: str, frame: bytes, ttl_s: int) -> None:
        """The platform has the command and drops it after `ttl_s`. LinkError: perhaps it has not; MeterRefusedError: it will not."""


@dataclass(eq=False)
class SleepingOrder:
    """One order under way."""

    order: Order
    imei: str
    meter: Meter
    circuit: Circuit | None
    is_sent: bool = False
    is_acknowledged: bool = False
    commands: int = 0
    contrary: int = 0
    sent_at: float = 0.0
    reported: SwitchState = "unknown"

    @property
    def wanted(self) -> Wanted | None:
        """What a switch order wants."""
        return SWITCHES.get(self.order.kind)


class _Caught(Exception):  # noqa: N818 - unwinds a driver once its bytes are known
    """Raised instead of an answer."""


class _Catcher:
    """Stands for an exchange: keeps the command's bytes. A driver that must read first cannot command a meter that sleeps."""

    def __init__(self) -> None:
        self.data = b""

    async def ask(self, query: Query[Any], *, is_retry: bool = False) -> Any:
        if query.is_read:
            raise MeterRefusedError(f"{query.what}: must be read first, and the meter sleeps")
        self.data = query.data
        raise _Caught


class SleepingOrders:
    """All of them. Its methods are called by one task; `submit` from anywhere in the loop."""

    def __init__(self, recorder: Recorder, clock: Clock, downlink: Downlink | None) -> None:
        self.downlink = downlink
        self._recorder = recorder
        self._clock = clock
        self._open: dict[tuple[int, int], SleepingOrder] = {}
        self._ended: list[OrderResult] = []
        self._newest: dict[int, int] = {}
        self._drivers: dict[str, Driver] = {}

    @property
    def open(self) -> list[SleepingOrder]:
        """Those under way."""
        return list(self._open.values())

    def submit(self, order: Order, stage: Stage, imei: str, meter: Meter, circuit: Circuit | None) -> None:
        """Take an order; what cannot be done at all ends at the next `settle`."""
        if stage is Stage.DONE or (order.id, order.generation) in self._open:
            return
        opened = SleepingOrder(order, imei, meter, circuit, is_sent=stage >= Stage.STARTED)
        opened.is_acknowledged = stage >= Stage.ACCEPTED
        opened.sent_at = self._clock.now()
        self._open[order.id, order.generation] = opened
        if problem := self._problem(opened):
            self._end(opened, "failed", problem)
        elif opened.wanted is not None:
            self._make_newest(opened)

    def reroute(self, find: Callable[[Order], tuple[str, Meter, Circuit | None] | str]) -> None:
        """A new configuration: `find` knows each order's device and meter, or what is wrong."""
        for opened in self.open:
            found = find(opened.order)
            if isinstance(found, str):
                self._end(opened, "failed", found)
            else:
                opened.imei, opened.meter, opened.circuit = found

    def next_at(self) -> float | None:
        """Server time at which something is over, None = nothing ever is; 0 = now."""
        if self._ended:
            return 0.0
        times = [self._over_at(opened) for opened in self.open if opened.order.expires_at > 0]
        return min(times, default=None)

    async def settle(self) -> None:
        """End what is over, and bring ends to the disk. OutboxError leaves them for the next time."""
        now = self._clock.now()
        for opened in self.open:
            if opened.order.expires_at > 0 and self._over_at(opened) <= now:
                if opened.is_sent:
                    self._end(opened, "failed", "was sent, but no later report came before it expired")
                else:
                    self._end(opened, "expired", "expired before the meter reported")
        while self._ended:
            await self._recorder.finish_order(self._ended[0])
            self._ended.pop(0)

    async def heard(
        self,
        meter: Meter,
        at: float,
        switches: dict[int, SwitchState],
        *,
        has_values: bool = False,
        is_acknowledged: bool = False,
        refusal: str = "",
    ) -> None:
        """The meter reported, received `at`; `switches`: by circuit number, what it shows. It is awake now: what waits is sent."""
        for opened in [each for each in self.open if each.meter.id == meter.id]:
            await self._learn(opened, at, switches, has_values, is_acknowledged, refusal)
            if not opened.is_sent and self._is_open(opened) and opened.wanted is not None:
                await self._send(opened)
        await self.settle()

    async def _learn(
        self,
        opened: SleepingOrder,
        at: float,
        switches: dict[int, SwitchState],
        has_values: bool,
        is_acknowledged: bool,
        refusal: str,
    ) -> None:
        number = opened.circuit.number if opened.circuit else 1
        shown = switches.get(number, "unknown")
        if opened.wanted is None:
            if has_values:
                opened.reported = shown
                self._end(opened, "confirmed", "")
            return
        if not opened.is_sent or at <= opened.sent_at:
            return
        if refusal:
            self._end(opened, "failed", refusal)
            return
        if is_acknowledged and not opened.is_acknowledged:
            opened.is_acknowledged = True
            await self._recorder.accept_order(opened.order, "pending", "")
        if shown == "unknown":
            return
        opened.reported = shown
        if shown == opened.wanted:
            self._end(opened, "confirmed", "")
        else:
            await self._contradicted(opened, shown)

    async def _contradicted(self, opened: SleepingOrder, shown: SwitchState) -> None:
        opened.contrary += 1
        if opened.contrary < CONTRARY_REPORTS:
            return
        if opened.commands >= COMMAND_ATTEMPTS:
            self._end(
                opened, "failed", f"the switch shows {shown}, {opened.commands} command(s) notwithstanding"
            )
        else:
            await self._send(opened)

    async def _send(self, opened: SleepingOrder) -> None:
        """Hand the command to the platform, noted on the disk first."""
        order = opened.order
        assert opened.wanted is not None
        if self.downlink is None:
            self._end(opened, "failed", "no way to the platform's commands is set up")
            return
        now = self._clock.now()
        if 0 < order.expires_at <= now:
            return
        try:
            frame = await self._frame(opened)
        except MeterRefusedError as error:
            self._end(opened, "failed", str(error))
            return
        if not await self._recorder.start_order(order):
            self._open.pop((order.id, order.generation), None)
            return
        opened.is_sent = True
        opened.commands += 1
        opened.contrary = 0
        opened.sent_at = now
        ttl_s = int(order.expires_at - now) if order.expires_at > 0 else NEVER_EXPIRES_TTL_S
        try:
            await self.downlink.send(opened.imei, frame, max(1, ttl_s))
        except LinkError as error:
            _logger.warning("order %s: perhaps the platform did not get the command: %s", order.id, error)
        except MeterRefusedError as error:
            self._end(opened, "failed", str(error))

    async def _frame(self, opened: SleepingOrder) -> bytes:
        """The bytes that the meter's driver would put on a bus."""
        meter, circuit, wanted = opened.meter, opened.circuit, opened.wanted
        protocol = meter.model.protocol
        if circuit is None or wanted is None or protocol not in PROTOCOLS:
            raise MeterRefusedError(f"meter {meter.serial}: {protocol} has no switch behind a platform")
        if protocol not in self._drivers:
            self._drivers[protocol] = make_driver(protocol, _BUS)
        # Over the air no converter sleeps: nothing is sent ahead to wake one.
        quirks = {key: value for key, value in meter.model.quirks.items() if key != "first_request_lost"}
        meter = replace(meter, model=replace(meter.model, quirks=quirks))
        catcher = _Catcher()
        line = Line(cast("Exchange", catcher), self._clock.now)
        with suppress(_Caught):
            await self._drivers[protocol].switch(line, meter, circuit, wanted)
        return catcher.data

    def _problem(self, opened: SleepingOrder) -> str:
        """Why it can never be done, empty when it can."""
        if opened.wanted is None:
            return (
                ""
                if opened.order.kind == "read"
                else f"{opened.order.kind} cannot be done through a platform"
            )
        if opened.circuit is None:
            return f"meter {opened.meter.serial} has no circuit {opened.order.circuit_id}"
        if not opened.imei:
            return f"meter {opened.meter.serial} has no IMEI"
        return "" if self.downlink is not None else "no way to the platform's commands is set up"

    def _make_newest(self, opened: SleepingOrder) -> None:
        order = opened.order
        if self._newest.get(order.circuit_id, order.generation) > order.generation:
            self._end(opened, "superseded", "a newer generation is known")
            return
        self._newest[order.circuit_id] = order.generation
        for other in self.open:
            is_rival = other.order.circuit_id == order.circuit_id and other.wanted is not None
            if is_rival and other.order.generation < order.generation:
                self._end(other, "superseded", f"generation {order.generation} is newer")

    def _over_at(self, opened: SleepingOrder) -> float:
        return opened.order.expires_at + (LAST_LOOK_S if opened.is_sent else 0.0)

    def _is_open(self, opened: SleepingOrder) -> bool:
        return (opened.order.id, opened.order.generation) in self._open

    def _end(self, opened: SleepingOrder, state: ResultState, detail: str) -> None:
        if self._open.pop((opened.order.id, opened.order.generation), None) is None:
            return
        order = opened.order
        _logger.info("order %s (%s, NB-IoT): %s %s", order.id, order.kind, state, detail)
        now = self._clock.now()
        self._ended.append(OrderResult(order.id, order.generation, state, opened.reported, now, detail))
