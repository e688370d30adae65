"""The one task of a bus: does what is most urgent, one request at a time, and sleeps when there is nothing to do.

Between two requests of a long sweep more urgent jobs go first (`_before`), so an order waits for one answer at most.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ..chance import generator
from ..clock import Clock
from ..drivers import ENERGY_KEYS, Driver, Exchange, Line, MeterValues, Unknown, WireTiming, make_driver
from ..errors import (
    GarbledError,
    LinkError,
    MeterBusyError,
    MeterRefusedError,
    NoAnswerError,
    OutboxError,
    PasswordRefusedError,
    Retry,
)
from ..model import Bus, Circuit, Meter, Schedule, Source
from ..outbox.room import PAUSED, STRETCH
from ..ports import BusStatus
from ..transports import Link, acrel
from .clocks import ClockKeeper
from .collecting import EventCollector
from .discovery import Discovery
from .errands import ERRANDS
from .freeze import FreezeKeeper
from .notices import Notices
from .orders import OpenOrder, OrderDesk
from .polling import MeterPoll, make_readings
from .queue import Job, JobQueue, Priority
from .recording import Recording
from .stats import BusStats
from .switching import Switching
from .tuning import Tuning

_logger = logging.getLogger(__name__)


class StopRunning(Exception):  # noqa: N818 - not an error; unwinds the job in hand when the bus stops
    """Raised between two requests."""


class BusRunner:
    """A configured bus at work. `put`, `take` and the rest are called from the same event loop."""

    def __init__(
        self,
        bus: Bus,
        gateway_id: int,
        schedules: Mapping[int, Schedule],
        zone: ZoneInfo,
        link: Link,
        clock: Clock,
        recording: Recording,
        notices: Notices,
        desk: OrderDesk,
        tuning: Tuning,
        rng: random.Random | None = None,
        seen: Callable[[Meter, Circuit, object], None] = lambda meter, circuit, state: None,
        contacts: dict[int, float] | None = None,
    ) -> None:
        self.bus = bus
        self.gateway_id = gateway_id
        self.link = link
        self.clock = clock
        self.recording = recording
        self.tuning = tuning
        self.zone = zone
        self.exchange = Exchange(link, WireTiming.of(bus), self.tell_unknown)
        self.stats = BusStats(self.exchange)
        self.unknown: list[dict[str, Any]] = []
        self.polls = {meter.id: MeterPoll(meter, schedules[meter.id], tuning) for meter in bus.meters}
        self._notices = notices
        self._desk = desk
        self._seen = seen
        self._rng = rng or generator()
        self._drivers: dict[str, Driver] = {}
        self._queue = JobQueue()
        self._jobs = {meter.id: self._poll_job(meter) for meter in bus.meters}
        self._wake = asyncio.Event()
        self._parked: list[OpenOrder] = []
        self._yielded_at = 0.0
        self._is_stopping = False
        self._failed_in_row = 0
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self.clocks = ClockKeeper(self, schedules.values())
        self.collector = EventCollector(self)
        self.freezes = FreezeKeeper(self, {} if contacts is None else contacts)

    # ---- life ----

    def start(self, before: Mapping[int, MeterPoll]) -> asyncio.Task[None]:
        """Begin. `before`: what a former runner knew of its meters' silence. The task ends only when stopped or by a fault."""
        now = self._now()
        for place, (meter_id, poll) in enumerate(self.polls.items()):
            poll.start(now, place / len(self.polls))
            if meter_id in before:
                poll.failures = before[meter_id].failures
            self._queue.put(self._jobs[meter_id], now)
        self.clocks.start()
        self.collector.start()
        self._unsubscribe = self.link.subscribe(self._link_changed)
        self._desk.on_closed.append(self._order_closed)
        self._task = asyncio.create_task(self._run(), name=f"bus {self.bus.id}")
        return self._task

    async def stop(self) -> None:
        """End after the frame that is on the wire."""
        self._is_stopping = True
        self._wake.set()
        self._unsubscribe()
        if self._order_closed in self._desk.on_closed:
            self._desk.on_closed.remove(self._order_closed)
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait({task}, timeout=self.tuning.stop_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    # ---- work ----

    def take(self, opened: OpenOrder) -> None:
        """An order for one of our meters."""
        opened.runner = self
        if opened.order.kind == "discover":
            opened.job = Discovery(self, opened).job
        elif opened.order.kind in ERRANDS:
            errand = ERRANDS[opened.order.kind](self, opened)
            opened.hurry = errand.hurry if errand.is_change else None
            opened.job = errand.job
        elif opened.circuit is not None:
            work = Switching(self, opened, opened.circuit)
            opened.hurry = work.hurry
            opened.job = work.job
        else:
            opened.finish("failed", f"meter {opened.place} has no such circuit")
            return
        if self._desk.must_wait(opened):
            self._parked.append(opened)
        else:
            self.put(opened.job)

    def put(self, job: Job, delay_s: float = 0.0) -> None:
        """Do it after `delay_s`."""
        self._queue.put(job, self._now() + delay_s)
        self._wake.set()

    def remove(self, job: Job) -> None:
        """Do it no more."""
        self._queue.remove(job)

    def line_for(self, job: Job, attempts: int, check: Callable[[], None] | None = None) -> Line:
        """What a driver talks through for a job; `check` may refuse in the last moment before each request."""

        async def before() -> None:
            await self._before(job.priority)
            if check is not None:
                check()

        return Line(self.exchange, self.clock.now, attempts, before, self._rng)

    async def sweep(
        self, line: Line, meter: Meter, keys: frozenset[str] | None, source: Source
    ) -> MeterValues:
        """Read `keys` (None = all), keep what came and learn whether the meter is alive; WireError when nothing came."""
        await self.recording.room()
        poll = self.polls[meter.id]
        wanted = poll.all_keys() if keys is None else keys
        line.attempts = poll.attempts if self._failed_in_row < self.tuning.quiet_after else 1
        try:
            values = await self.driver_of(meter).read(line, meter, wanted)
        except LinkError:
            raise
        except (NoAnswerError, GarbledError, MeterBusyError) as error:
            self._meter_failed(poll, error)
            raise
        if values.is_empty and values.refused and not ENERGY_KEYS.isdisjoint(wanted):
            raise MeterRefusedError("; ".join(values.refused.values()))
        self.stats.reads_ok += 1
        if not values.is_empty or values.refused:
            self._meter_alive(poll, wanted)
        else:  # all of it is shunned for now: nothing was asked, so nothing is known of the meter
            poll.asked(self._now(), wanted)
        self.recording.readings(make_readings(meter, values, source))
        if values.at is not None and any(
            found.get("total") is not None for found in values.circuits.values()
        ):
            self.freezes.answered(meter, values.at)
        for circuit in meter.circuits:
            self._seen(meter, circuit, values.of(circuit.number).get("switch"))
        self.clocks.compare(meter, values)
        return values

    def sweep_soon(self, meter: Meter) -> None:
        """Read everything of a meter, after what is urgent: what the registers say the moment a switch moved."""
        poll = self.polls[meter.id]
        now = self._now()
        poll.due = dict.fromkeys(poll.due, now)
        self._queue.put(self._jobs[meter.id], now)
        self._wake.set()

    def meter_answered(self, meter: Meter) -> None:
        """It answered something other than a sweep."""
        self._meter_alive(self.polls[meter.id], frozenset())

    def retry_s(self, tries: int) -> float:
        """The pause after so many tries of an order whose meter does not answer; longer where many such orders wait."""
        waiting = sum(1 for opened in self._desk.open if opened.tries and opened.meter_id in self.polls)
        limit = max(self.tuning.retry_limit_s, waiting * self.tuning.retry_each_s)
        return min(limit, self.tuning.retry_first_s * 2.0 ** min(tries - 1, 20))

    def _order_closed(self, closed: OpenOrder) -> None:
        """Orders that waited for another one of their meter go on."""
        self._parked = [opened for opened in self._parked if not opened.is_done]
        free = [opened for opened in self._parked if not self._desk.must_wait(opened)]
        for opened in free:
            self._parked.remove(opened)
            if opened.job is not None:
                self.put(opened.job)

    def driver_of(self, meter: Meter) -> Driver:
        """The driver of the meter's protocol on this bus."""
        protocol = meter.model.protocol
        if protocol not in self._drivers:
            self._drivers[protocol] = make_driver(protocol, self.bus)
        return self._drivers[protocol]

    def local_time(self, later_s: float = 0.0) -> datetime:
        """The site's time, naive as meters have it."""
        return datetime.fromtimestamp(self.clock.now() + later_s, self.zone).replace(tzinfo=None)

    # ---- events ----

    def tell_password_refused(
        self, meter: Meter, circuit: Circuit | None, error: PasswordRefusedError
    ) -> None:
        """A person must give us the right password."""
        ids: dict[str, Any] = {
            "gateway_id": self.gateway_id,
            "bus_id": self.bus.id,
            "meter_id": meter.id,
            "circuit_id": circuit.id if circuit is not None else None,
        }
        self._notices.tell_limited(("password", meter.id), 1, "password_refused", **ids, code=error.code)

    def tell_drift(self, kind: str, meter: Meter, drift_s: float) -> None:
        """A meter's clock is wrong, or right again."""
        ids = {"gateway_id": self.gateway_id, "bus_id": self.bus.id, "meter_id": meter.id}
        self._notices.tell(kind, **ids, drift_s=round(drift_s))

    def status(self) -> BusStatus:
        """For hello."""
        now = self._now()
        answered_at = self.exchange.stats.answered_at
        return BusStatus(
            id=self.bus.id,
            queue=self._queue.ready_count(now),
            age_s=round(now - answered_at, 1) if answered_at is not None else -1.0,
            reads_ok=self.stats.reads_ok,
            reads_failed=self.stats.reads_failed,
            dropped_bytes=self.exchange.dropped_bytes,
        )

    def details(self) -> dict[str, Any]:
        """For the health page."""
        now = self._now()
        oldest = self._queue.oldest_ready(now)
        return {
            "link": self.link.name,
            "connected": self.link.connected,
            "waiting_s": round(now - oldest, 1) if oldest is not None else 0.0,
            **self.stats.details(now),
            "is_echoing": self.exchange.is_echoing,
            "unknown_frames": list(self.unknown),
        }

    # ---- inside ----

    async def _run(self) -> None:
        try:
            while not self._is_stopping:
                job = await self._next_job()
                if job is not None:
                    began = self._now()
                    await self._do(job)
                    self.stats.worked_s += self._now() - began
        except StopRunning:
            pass

    async def _next_job(self) -> Job | None:
        """The most urgent job that is ready; None when something changed meanwhile. Nothing is done without a connection."""
        self._wake.clear()
        timeout: float | None = None
        if self.link.connected:
            now = self._now()
            job = self._queue.pop(now, before=Priority.SCHEDULED)
            if job is None and self._is_background_due(now):
                job = self._queue.pop_only(now, Priority.BACKGROUND)
            job = job or self._queue.pop(now)
            if job is not None:
                return job
            at = self._queue.next_at()
            timeout = None if at is None else max(0.0, at - now)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass
        return None

    async def _do(self, job: Job) -> None:
        """Carry out. A job that took no time and is wanted again at once waits a moment: it would keep everybody else from ever having a turn."""
        began = self._now()
        await self._carry_out(job)
        now = self._now()
        if now - began < self.tuning.breath_s and job in self._queue and job.ready_at <= now:
            self._queue.put(job, now + self.tuning.breath_s)

    async def _carry_out(self, job: Job) -> None:
        """What the connection broke off is done again once there is one."""
        line = self.line_for(job, job.attempts or self.tuning.read_attempts)
        try:
            await job.run(line)
        except LinkError as error:
            _logger.debug("%s: %s", job.name, error)
            self._queue.put(job, self._now())
        except OutboxError as error:
            if error.retry is Retry.NEVER:
                raise
            _logger.error("%s waits for the disk: %s", job.name, error)
            self._queue.put(job, self._now() + self.tuning.retry_first_s)
        except StopRunning:
            self._queue.put(job, self._now())
            raise

    async def _before(self, priority: Priority) -> None:
        """Ahead of every request: stop when the bus stops, and let what is more urgent go first.

        LinkError without a connection: what the connection broke off waits in the queue, and would be tried again without an end.
        """
        while True:
            if self._is_stopping:
                raise StopRunning
            if not self.link.connected:
                raise LinkError(f"{self.link.name}: not connected")
            urgent = self._queue.pop(self._now(), before=self._yield_to(priority))
            if urgent is None:
                break
            await self._do(urgent)
        if priority is Priority.BACKGROUND:
            self._yielded_at = self._now()

    def _yield_to(self, priority: Priority) -> Priority:
        """What is done in the background lets all else go first, but on a bus that is never idle it must come to its turn."""
        is_due = priority is Priority.BACKGROUND and self._is_background_due(self._now())
        return Priority.SCHEDULED if is_due else priority

    def _is_background_due(self, now: float) -> bool:
        return now - self._yielded_at > self.tuning.background_turn_s

    def _poll_job(self, meter: Meter) -> Job:
        return Job(f"poll {meter.serial}", Priority.SCHEDULED, lambda line: self._poll(line, meter), meter.id)

    async def _poll(self, line: Line, meter: Meter) -> None:
        poll = self.polls[meter.id]
        pressure = self.recording.recorder.pressure
        poll.stretch = STRETCH[pressure]
        if pressure >= PAUSED:
            self._queue.put(self._jobs[meter.id], self._now() + self.tuning.paused_s)
            return
        keys = poll.probe_keys() if poll.is_silent else poll.keys_due(self._now())
        try:
            if keys:
                await self.sweep(line, meter, keys, "scheduled")
        except (NoAnswerError, GarbledError, MeterBusyError) as error:
            _logger.debug("%s", error)
        except MeterRefusedError as error:
            self._meter_useless(poll, error)
        self._plan(poll)

    def _plan(self, poll: MeterPoll) -> None:
        """When this meter is read next."""
        is_bus_dead = all(other.is_silent for other in self.polls.values())
        at = poll.next_at(self._now(), is_bus_dead)
        if at is not None:
            self._queue.put(self._jobs[poll.meter.id], at)

    def _meter_alive(self, poll: MeterPoll, keys: frozenset[str]) -> None:
        """It answered; when it was silent, its neighbours may be back too, and its orders have waited long enough."""
        self._failed_in_row = 0
        was_troubled = poll.failures > 0
        if poll.answered(self._now(), keys):
            self._tell_meter("meter_back", poll.meter)
            self._wake_silent()
            self._plan(poll)
        if was_troubled:
            self._hurry_orders(poll.meter.id, is_back=True)

    def _meter_failed(self, poll: MeterPoll, error: Exception) -> None:
        self._failed_in_row += 1
        self._meter_useless(poll, error)

    def _meter_useless(self, poll: MeterPoll, error: Exception) -> None:
        """Nothing came: it was silent, or refuses all that its model says it has, so that nobody would ever bill by it."""
        self.stats.reads_failed += 1
        if poll.failed(self._now()):
            _logger.warning("meter %s is silent: %s", poll.meter.serial, error)
            self._tell_meter("meter_silent", poll.meter, error=str(error)[:200])

    def _wake_silent(self) -> None:
        """Probe all silent meters now."""
        now = self._now()
        for poll in self.polls.values():
            if poll.is_silent:
                self._queue.put(self._jobs[poll.meter.id], now)

    def _hurry_orders(self, meter_id: int, *, is_back: bool) -> None:
        for opened in self._desk.of_meter(meter_id):
            if opened.hurry is not None and opened.job is not None and opened.job in self._queue:
                opened.hurry(is_back)

    def _link_changed(self, is_up: bool) -> None:
        if is_up:
            self._wake_silent()
            for opened in self._desk.open:
                if opened.meter_id in self.polls:
                    self._hurry_orders(opened.meter_id, is_back=False)
        self._wake.set()

    def _tell_meter(self, kind: str, meter: Meter, **data: Any) -> None:
        ids = {"gateway_id": self.gateway_id, "bus_id": self.bus.id, "meter_id": meter.id}
        self._notices.tell(kind, **ids, **data)

    def tell_unknown(self, unknown: Unknown) -> None:
        """Kept for the operator to look at: hex, time, bus."""
        entry = {"at": self.clock.now(), "kind": unknown.kind, "hex": unknown.hex}
        self.unknown = [*self.unknown, entry][-self.tuning.unknown_frames_kept :]
        size = len(unknown.hex) // 2
        is_known = unknown.kind in acrel.KNOWN_KINDS
        self._notices.tell_limited(
            (unknown.kind if is_known else "unknown", self.bus.id),
            self.tuning.known_messages_an_hour if is_known else self.tuning.unknown_frames_a_minute,
            "frame_unknown",
            window_s=3600.0 if is_known else 60.0,
            gateway_id=self.gateway_id,
            bus_id=self.bus.id,
            hex=unknown.hex[: 2 * self.tuning.unknown_frame_bytes],
            size=size,
            protocol=unknown.protocol or self._protocol,
            reason=unknown.kind,
        )

    @property
    def _protocol(self) -> str:
        """What is spoken on the bus, where it is one."""
        spoken = {meter.model.protocol for meter in self.bus.meters}
        return next(iter(spoken)) if len(spoken) == 1 else ""

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
