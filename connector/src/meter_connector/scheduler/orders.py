"""The open orders of a site: which generation is the newest, what has expired, what has been said of each.

    submit ──> waiting for its bus ──command──> sent ──acknowledged──> read back ──> finished (confirmed, failed)
                  │ newer generation: superseded at once, wherever it is
                  └ time over before anything was sent: expired

The work itself is in switching.py and errands/; the disk in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ..clock import Clock
from ..errors import OrderExpiredError, OrderSupersededError
from ..model import Circuit, Meter, Order, OrderResult, ResultState, SwitchState
from ..ports import Stage
from ..steps import step
from .queue import Job
from .recording import Recording
from .tuning import Tuning

_logger = logging.getLogger(__name__)

SWITCHES = {"switch_on": "on", "switch_off": "off"}
KEEP_POWER = {"keep_power_on", "keep_power_off"}
RELAY = KEEP_POWER | SWITCHES.keys()
CHANGES = {"write_parameters", "purchase", "alarm_on", "alarm_off", "sync_clock"}


@dataclass(eq=False)
class OpenOrder:
    """One order under way. `is_sent`: the command may have reached the meter. Times are the event loop's."""

    order: Order
    meter: Meter | None
    circuit: Circuit | None
    desk: OrderDesk
    is_sent: bool = False
    is_acknowledged: bool = False
    is_done: bool = False
    commands: int = 0
    looks: int = 0
    tries: int = 0
    window_until: float = 0.0
    reported: SwitchState = "unknown"
    job: Job | None = None
    hurry: Callable[[bool], None] | None = None
    timer: asyncio.TimerHandle | None = None
    runner: object = None

    @property
    def meter_id(self) -> int:
        """0 for an order to a bus."""
        return self.meter.id if self.meter is not None else 0

    @property
    def target(self) -> Meter:
        """The meter of an order to a meter."""
        assert self.meter is not None
        return self.meter

    @property
    def place(self) -> str:
        """For the log."""
        return self.meter.serial if self.meter is not None else f"bus {self.order.bus_id}"

    @property
    def is_expired(self) -> bool:
        """By the server's clock; 0 = never."""
        return 0 < self.order.expires_at <= self.desk.clock.now()

    def check(self) -> None:
        """Raise when the command must not be sent (any more)."""
        if self.is_done:
            raise OrderSupersededError(f"order {self.order.id}: superseded or over")
        if self.is_expired:
            raise OrderExpiredError(f"order {self.order.id}: expired")

    def must_follow(self, other: OpenOrder) -> bool:
        """Must `other`, which came first, be over before this one begins? Changes of one meter keep their order."""
        if self.meter_id == 0 or other.meter_id != self.meter_id:
            return False
        kinds = {self.order.kind, other.order.kind}
        if kinds <= CHANGES:
            return True
        return kinds <= RELAY and bool(kinds & KEEP_POWER)

    def finish(self, state: ResultState, detail: str = "", data: str = "") -> None:
        """The order is over; only the first end counts."""
        self.desk.finish(self, state, detail, data)


class OrderDesk:
    """Knows every open order."""

    def __init__(self, clock: Clock, recording: Recording, tuning: Tuning) -> None:
        self.clock = clock
        self.recording = recording
        self.tuning = tuning
        self.finished: dict[str, int] = {}
        self._open: dict[tuple[int, int], OpenOrder] = {}
        self._newest: dict[int, int] = {}
        self.on_closed: list[Callable[[OpenOrder], None]] = []
        self.on_ended: Callable[[OpenOrder, str], None] | None = None

    @property
    def open(self) -> list[OpenOrder]:
        """All that are under way."""
        return list(self._open.values())

    def of_meter(self, meter_id: int) -> list[OpenOrder]:
        """Those of one meter."""
        return [each for each in self._open.values() if each.meter_id == meter_id]

    def must_wait(self, opened: OpenOrder) -> bool:
        """Is an earlier order of its meter still open that must be over first?"""
        for other in self._open.values():
            if other is opened:
                return False
            if opened.must_follow(other):
                return True
        return False

    def is_open(self, order: Order) -> bool:
        """Is it being carried out already?"""
        return (order.id, order.generation) in self._open

    def take(
        self, order: Order, stage: Stage, meter: Meter | None, circuit: Circuit | None
    ) -> OpenOrder | None:
        """Open an order; None when it is over already (its result is on its way) or open."""
        if stage is Stage.DONE or self.is_open(order):
            return None
        if order.kind in SWITCHES and not self._make_newest(order):
            self.refuse(order, "superseded", "a newer generation is known")
            return None
        opened = OpenOrder(order, meter, circuit, self, is_sent=stage >= Stage.STARTED)
        if not opened.is_sent and opened.is_expired:
            self.refuse(order, "expired", "expired before it could be sent")
            return None
        if opened.is_sent:
            opened.is_acknowledged = stage >= Stage.ACCEPTED
            opened.window_until = asyncio.get_running_loop().time() + self.tuning.resume_window_s
        self._open[order.id, order.generation] = opened
        self._watch(opened)
        return opened

    def refuse(self, order: Order, state: ResultState, detail: str) -> None:
        """An order that never opens."""
        self._tell(order, state, "unknown", detail)

    def finish(self, opened: OpenOrder, state: ResultState, detail: str, data: str = "") -> None:
        """See OpenOrder.finish."""
        step("order.ended")
        if self.drop(opened):
            self._tell(opened.order, state, opened.reported, detail, data)
            if self.on_ended is not None:
                self.on_ended(opened, state)

    def drop(self, opened: OpenOrder) -> bool:
        """Close without a result (the disk has one); False when it was closed before."""
        if opened.is_done:
            return False
        opened.is_done = True
        if opened.timer is not None:
            opened.timer.cancel()
        self._open.pop((opened.order.id, opened.order.generation), None)
        for tell in list(self.on_closed):
            tell(opened)
        return True

    def close(self) -> None:
        """Forget all without a word: the disk knows them."""
        self.on_closed.clear()
        for opened in self.open:
            self.drop(opened)

    def _make_newest(self, order: Order) -> bool:
        """Learn the generation; older open orders of the circuit are superseded. False when this one is older itself."""
        if self._newest.get(order.circuit_id, order.generation) > order.generation:
            return False
        self._newest[order.circuit_id] = order.generation
        for other in self.open:
            is_rival = other.order.circuit_id == order.circuit_id and other.order.kind in SWITCHES
            if is_rival and other.order.generation < order.generation:
                other.finish("superseded", f"generation {order.generation} is newer")
        return True

    def _watch(self, opened: OpenOrder) -> None:
        """Come back when the order's time is over. The server's clock may be learnt anew meanwhile."""
        if opened.order.expires_at <= 0 or opened.is_done:
            return
        loop = asyncio.get_running_loop()
        delay = opened.order.expires_at - self.clock.now()
        if opened.is_sent:
            delay = max(delay + self.tuning.last_look_s, opened.window_until - loop.time())
        opened.timer = loop.call_later(min(max(delay, 0.0) + 0.01, 3600.0), self._time_over, opened)

    def _time_over(self, opened: OpenOrder) -> None:
        now = asyncio.get_running_loop().time()
        last_look_until = opened.order.expires_at + self.tuning.last_look_s
        if not opened.is_expired:
            self._watch(opened)
        elif not opened.is_sent:
            opened.finish("expired", "expired before the meter could be reached")
        elif self.clock.now() < last_look_until or now < opened.window_until:
            self._watch(opened)
        else:
            opened.finish("failed", "was sent, but could not be read back before it expired")

    def _tell(
        self, order: Order, state: ResultState, reported: SwitchState, detail: str, data: str = ""
    ) -> None:
        self.finished[state] = self.finished.get(state, 0) + 1
        _logger.info(
            "order %s (%s, generation %s): %s %s", order.id, order.kind, order.generation, state, detail
        )
        now = self.clock.now()
        self.recording.finished(OrderResult(order.id, order.generation, state, reported, now, detail, data))
