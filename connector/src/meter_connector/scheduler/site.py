"""All buses of a site; implements ports.BusLayer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..chance import generator
from ..clock import Clock
from ..drivers import Unknown
from ..errors import LinkError
from ..model import Bus, Circuit, Gateway, Meter, Order, Schedule, SiteConfig
from ..ports import BusLayer, BusStatus, GatewayStatus, Recorder, Stage
from ..transports import BaseLink, DialInLimits, DialInLink, DialInListener, Refusal, acrel
from .bus import BusRunner
from .gateways import GatewayWatch
from .links import LinkPool, link_key, make_link
from .notices import Notices
from .orders import OpenOrder, OrderDesk
from .polling import MeterPoll
from .recording import Recording
from .supply import SupplyKeeper
from .tuning import Tuning

_logger = logging.getLogger(__name__)

LISTEN_RETRY_S = 10.0


class SiteScheduler:
    """Give it a `Recorder` (the outbox), then `apply` a configuration and `submit` orders.

    `listen_host`, `listen_port`: where dial-in gateways call; the port is only opened when the configuration has one.
    """

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        *,
        listen_host: str = "0.0.0.0",  # noqa: S104 - gateways call from outside; the settings file narrows it
        listen_port: int = 0,
        limits: DialInLimits | None = None,
        tuning: Tuning | None = None,
        rng: random.Random | None = None,
        make: Callable[[Bus, DialInListener], BaseLink] = make_link,
    ) -> None:
        self.clock = clock
        self.tuning = tuning or Tuning()
        self.recording = Recording(recorder, self.tuning.max_unrecorded, self.tuning.max_events)
        self.listener = DialInListener(listen_host, listen_port, limits, self._refused)
        self.listener.on_strange = self._strange
        self.listener.on_replaced = self._replaced
        self.notices = Notices(self.recording.event, clock.now)
        self.desk = OrderDesk(clock, self.recording, self.tuning)
        self.keeper = SupplyKeeper(recorder, clock, self.desk, self.notices, self.submit, self.tuning)
        self.desk.on_ended = self.keeper.closed
        self._contacts: dict[int, float] = {}
        self.problem = ""
        self._rng = rng or generator()
        self._pool = LinkPool(self.listener, make)
        self._runners: dict[int, BusRunner] = {}
        self._signatures: dict[int, Hashable] = {}
        self._watches: dict[int, GatewayWatch] = {}
        self._meters: dict[int, tuple[BusRunner, Meter]] = {}
        self._recorder_task: asyncio.Task[None] | None = None
        self._listen_task: asyncio.Task[None] | None = None
        self._keeper_task: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._broke = asyncio.Event()
        self._error: BaseException | None = None

    async def apply(self, site: SiteConfig) -> None:
        """See ports.BusLayer."""
        async with self._changing:
            if self._recorder_task is None:
                self._contacts = await self.recording.recorder.contacts()
                self._recorder_task = asyncio.create_task(self.recording.run(), name="recording")
                self._recorder_task.add_done_callback(self._task_ended)
                self._keeper_task = asyncio.create_task(self.keeper.run(), name="supply")
                self._keeper_task.add_done_callback(self._task_ended)
            self.keeper.apply(site)
            self.listener.now = lambda: datetime.fromtimestamp(self.clock.now(), site.timezone)
            wanted = {bus.id: (gateway, bus, _signature(site, gateway, bus)) for gateway, bus in site.buses()}
            polls = await self._stop_changed(wanted)
            await self._pool.keep_only({link_key(bus) for _, bus, _ in wanted.values()})
            for gateway, bus, signature in wanted.values():
                if bus.id not in self._runners:
                    self._start_bus(site, gateway, bus, signature, polls)
            self._watch_gateways(site)
            await self._listen(site)
            await self._pool.open()
            self._reroute()

    def submit(self, order: Order, stage: Stage) -> None:
        """See ports.BusLayer."""
        found = self._find(order)
        if isinstance(found, str):
            if not self.desk.is_open(order) and stage is not Stage.DONE:
                self.desk.refuse(order, "failed", found)
            return
        runner, meter, circuit = found
        opened = self.desk.take(order, stage, meter, circuit)
        if opened is not None:
            runner.take(opened)

    def gateway_statuses(self) -> list[GatewayStatus]:
        """See ports.BusLayer."""
        return [watch.status for watch in self._watches.values()]

    def bus_statuses(self) -> list[BusStatus]:
        """See ports.BusLayer."""
        return [runner.status() for runner in self._runners.values()]

    def silent_meters(self) -> list[int]:
        """See ports.BusLayer."""
        polls = (poll for runner in self._runners.values() for poll in runner.polls.values())
        return sorted(poll.meter.id for poll in polls if poll.is_silent)

    def details(self) -> Mapping[str, Any]:
        """See ports.BusLayer."""
        return {
            "buses": {str(key): runner.details() for key, runner in self._runners.items()},
            "orders": {"open": len(self.desk.open), **self.desk.finished},
            "recording": {"waiting": self.recording.waiting, "problem": self.recording.problem},
            "dial_in": {
                "port": self.listener.port if self.listener.is_open else None,
                "pending": self.listener.pending,
                "refused": self.listener.refused,
                "replaced": sum(watch.status.replaced for watch in self._watches.values()),
                "problem": self.problem,
            },
        }

    async def wait_broken(self) -> None:
        """See ports.BusLayer."""
        await self._broke.wait()
        assert self._error is not None
        raise self._error

    async def stop(self) -> None:
        """See ports.BusLayer."""
        async with self._changing:
            await self._cancel(self._listen_task)
            await self._cancel(self._keeper_task)
            self._keeper_task = None
            await asyncio.gather(*(runner.stop() for runner in self._runners.values()))
            for watch in self._watches.values():
                watch.close()
            self.desk.close()
            await self._pool.keep_only(set())
            await self.listener.close()
            await self._stop_recording()
            self._runners.clear()
            self._watches.clear()

    # ---- inside ----

    async def _stop_changed(
        self, wanted: Mapping[int, tuple[Gateway, Bus, Hashable]]
    ) -> dict[int, MeterPoll]:
        """Stop buses that are gone or changed; returns what they knew of their meters."""
        gone = [key for key in self._runners if key not in wanted or wanted[key][2] != self._signatures[key]]
        stopped = [self._runners.pop(key) for key in gone]
        await asyncio.gather(*(runner.stop() for runner in stopped))
        return {key: poll for runner in stopped for key, poll in runner.polls.items()}

    def _start_bus(
        self,
        site: SiteConfig,
        gateway: Gateway,
        bus: Bus,
        signature: Hashable,
        polls: Mapping[int, MeterPoll],
    ) -> None:
        schedules: dict[int, Schedule] = {meter.id: site.schedule_of(meter) for meter in bus.meters}
        runner = BusRunner(
            bus,
            gateway.id,
            schedules,
            site.timezone,
            self._pool.get(bus),
            self.clock,
            self.recording,
            self.notices,
            self.desk,
            self.tuning,
            random.Random(self._rng.random()),  # noqa: S311 - jitter
            self.keeper.seen,
            self._contacts,
        )
        self._runners[bus.id] = runner
        self._signatures[bus.id] = signature
        runner.start(polls).add_done_callback(self._task_ended)

    def _watch_gateways(self, site: SiteConfig) -> None:
        """A gateway whose links stayed the same is watched on without a word."""
        before = self._watches
        self._watches = {}
        for gateway in (gateway for gateway in site.gateways if gateway.buses):
            links = list(dict.fromkeys(self._pool.get(bus) for bus in gateway.buses))
            old = before.pop(gateway.id, None)
            if old is not None and old.links == links:
                self._watches[gateway.id] = old
                continue
            if old is not None:
                old.close()
            self._watches[gateway.id] = GatewayWatch(gateway.id, links, self.clock, self.notices, self.tuning)
        for gone in before.values():
            gone.close()

    async def _listen(self, site: SiteConfig) -> None:
        """Open the port for dial-in gateways, now or as soon as it can be had."""
        is_wanted = any(bus.link.kind == "tcp_server" for _, bus in site.buses())
        if not is_wanted:
            await self._cancel(self._listen_task)
            self._listen_task = None
            await self.listener.close()
        elif not self.listener.is_open and self._listen_task is None:
            try:
                await self.listener.open()
            except LinkError as error:
                self._cannot_listen(error)
                self._listen_task = asyncio.create_task(self._keep_listening(), name="listen")

    async def _keep_listening(self) -> None:
        while not self.listener.is_open:
            await asyncio.sleep(LISTEN_RETRY_S)
            try:
                await self.listener.open()
            except LinkError as error:
                self._cannot_listen(error)
        self.problem = ""

    def _cannot_listen(self, error: LinkError) -> None:
        if str(error) != self.problem:
            _logger.error("%s; tried again every %.0f s", error, LISTEN_RETRY_S)
        self.problem = str(error)

    def _reroute(self) -> None:
        """Orders of buses that were started anew go on there; a sent one looks first."""
        self._meters = {
            meter.id: (runner, meter) for runner in self._runners.values() for meter in runner.bus.meters
        }
        for opened in self.desk.open:
            found = self._find(opened.order)
            if isinstance(found, str):
                opened.finish("failed", found)
            elif found[0] is not opened.runner:
                self._move(opened, found)

    def _move(self, opened: OpenOrder, found: tuple[BusRunner, Meter | None, Circuit | None]) -> None:
        runner, opened.meter, opened.circuit = found
        runner.take(opened)

    def _find(self, order: Order) -> tuple[BusRunner, Meter | None, Circuit | None] | str:
        """Bus, meter and circuit of an order, or what is wrong with it."""
        if order.kind == "discover":
            bus = self._runners.get(order.bus_id)
            return (bus, None, None) if bus else f"bus {order.bus_id} is not in the configuration"
        if order.meter_id not in self._meters:
            return f"meter {order.meter_id} is not in the configuration"
        runner, meter = self._meters[order.meter_id]
        circuit = next((each for each in meter.circuits if each.id == order.circuit_id), None)
        if circuit is None and order.kind in ("switch_on", "switch_off"):
            return f"meter {meter.serial} has no circuit {order.circuit_id}"
        return runner, meter, circuit

    def _strange(self, link: DialInLink, message: bytes) -> None:
        """A dial-in meter said something that is no answer and that nobody here can read: for a person."""
        runner = next((each for each in self._runners.values() if each.link is link), None)
        if runner is not None:
            runner.tell_unknown(Unknown(acrel.kind_of(message), message.hex().upper(), "acrel"))

    def _replaced(self, link: DialInLink, peer: str, former: str) -> None:
        for watch in self._watches.values():
            if link in watch.links:
                watch.tell_replaced(peer, former)

    def _refused(self, refusal: Refusal) -> None:
        text = refusal.data.hex(" ").upper()
        limit = self.tuning.refusals_an_hour
        self.notices.tell_limited(
            "refused", limit, "gateway_refused", peer=refusal.peer, reason=refusal.reason, hex=text
        )

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        _logger.critical("%s ended", task.get_name(), exc_info=error)
        self._error = self._error or error
        self._broke.set()

    async def _stop_recording(self) -> None:
        """What was read and decided until now still goes to the disk, if the disk takes it."""
        task, self._recorder_task = self._recorder_task, None
        if task is None:
            return
        try:
            async with asyncio.timeout(self.tuning.stop_s):
                await self.recording.flush()
        except TimeoutError:
            _logger.error("%s readings could not be stored before the stop", self.recording.waiting)
        await self._cancel(task)

    @staticmethod
    async def _cancel(task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _signature(site: SiteConfig, gateway: Gateway, bus: Bus) -> Hashable:
    """Differs when a bus must be started anew. The objects themselves hold unhashable data, so their texts are compared."""
    schedules = [(meter.id, site.schedule_of(meter)) for meter in bus.meters]
    return (gateway.id, str(site.timezone), repr(schedules), _Compared(bus))


class _Compared:
    """Equal when the configured buses are; hashable only to be part of a signature."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Compared) and self.bus == other.bus

    def __hash__(self) -> int:
        return hash(self.bus.id)


if TYPE_CHECKING:

    def _keeps_its_promise(scheduler: SiteScheduler) -> BusLayer:
        return scheduler
