"""The only wiring: outbox, Odoo, buses, health page; and the only place where an unexpected error is caught.

bus layer ──Recorder──> Outbox ──Sender──> Odoo        readings, events, order results
Odoo ──orders──> Outbox ──submit──> bus layer          on the disk before anything is sent to a meter
Odoo ──configuration──> Outbox ──apply──> bus layer
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from . import __version__, systemd
from .clock import Clock, kernel_is_synchronised
from .config import Settings
from .errors import ConnectorError, OdooError, SiteConfigError
from .health import HealthPage
from .log import SECRETS
from .model import Event, Order, SiteConfig
from .nbiot.downlink import HttpDownlink
from .nbiot.service import NbIotBuses
from .odoo.client import OdooClient, OdooSettings, make_client
from .odoo.face import OdooFace
from .odoo.uplink import Hooks, Uplink
from .outbox import Outbox
from .outbox.room import Room, readings_a_day
from .ports import BusLayer, Recorder, Stage
from .scheduler import SiteScheduler

_logger = logging.getLogger(__name__)

BusFactory = Callable[[Recorder, Clock, Settings], BusLayer]
ClientFactory = Callable[[OdooSettings], OdooClient]
OutboxFactory = Callable[[Settings, Clock], Awaitable[Outbox]]

FIRST_CONTACT_S = 3.0
"""Orders from before a restart wait so long for Odoo's own word on the time, where it is known without."""
BUS_STOP_S = 10.0
FLUSH_S = 5.0
RESTART_LOOP_S = 5.0
SHOWN_PROBLEMS = 50
ROOM_EVERY_S = 20.0
KEEP_TIME_EVERY_S = 60.0


class App:
    """`run()` until `stop()`."""

    def __init__(
        self,
        settings: Settings,
        make_buses: BusFactory,
        make_odoo: ClientFactory = make_client,
        clock: Clock | None = None,
        open_outbox: OutboxFactory | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock(is_wall_right=kernel_is_synchronised)
        self.site: SiteConfig | None = None
        self.started_at = self.clock.now()
        self.config_problem = ""
        self.room: Room | None = None
        self.running = asyncio.Event()
        self._make_buses = make_buses
        self._open_outbox = open_outbox or open_settings_outbox
        self._client = make_odoo(settings.odoo)
        self._stop = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._config_lock = asyncio.Lock()
        self._is_applied = False
        self._broken: BaseException | None = None
        self.outbox: Outbox
        self.buses: BusLayer
        self.uplink: Uplink

    def stop(self) -> None:
        """End in good order: the frame on the wire is finished, what waits is sent once more."""
        self._stop.set()

    async def run(self) -> None:
        """Raises OutboxError when the outbox cannot be opened, and what broke the buses for good; all else is met and logged."""
        self.outbox = await self._open_outbox(self.settings, self.clock)
        await self.outbox.begin_time()
        self.started_at = self.clock.now()
        self.buses = self._make_buses(self.outbox, self.clock, self.settings)
        hooks = Hooks(self.status, self.take_config, self.take_orders, self.held_version)
        self.uplink = Uplink(
            OdooFace(self._client, self.clock), self.outbox, self.clock, hooks, self.started_at
        )
        self.page = HealthPage(self, self.settings.health_host, self.settings.health_port)
        try:
            await self._start()
            await self._stop.wait()
        finally:
            await self._end()
        if self._broken is not None:
            raise self._broken

    async def _start(self) -> None:
        _logger.info("connector_started", extra={"version": __version__, "outbox": str(self.outbox.path)})
        await self._take_kept_config()
        for name, loop in self.uplink.loops().items():
            self._spawn(name, loop)
        self._spawn("resume", self._resume)
        await self.page.start()
        self._spawn("buses", self._watch_buses)
        self._spawn("room", self._watch_room)
        self._spawn("time", self._watch_time)
        self._spawn("watchdog", lambda: systemd.watch(self._stop))
        self.running.set()
        systemd.notify("READY=1")

    async def _end(self) -> None:
        _logger.info("connector_stopping")
        systemd.notify("STOPPING=1")
        await self.page.stop()
        await self._cancel("resume", "buses", "orders", "config", "hello", "room", "time")
        await self._bounded("buses", self.buses.stop(), BUS_STOP_S)
        if self.uplink.contact.is_up and self.uplink.contact.calls_ok:
            await self._bounded("flush", self.uplink.flush(), FLUSH_S)
        await self._cancel(*self._tasks)
        await self._client.close()
        await self.outbox.close()
        _logger.info("connector_stopped")

    # -- configuration -----------------------------------------------------------------------------

    def held_version(self) -> int:
        """Version of the configuration in force; 0 when there is none, or it could not be applied: it is fetched again."""
        return self.site.version if self.site and self._is_applied else 0

    async def take_config(self, document: Mapping[str, Any]) -> int:
        """Keep and apply Odoo's configuration; one that cannot be used leaves the last good one in force."""
        try:
            site = await asyncio.to_thread(SiteConfig.from_document, document)
        except SiteConfigError as error:
            self.config_problem = f"configuration refused: {error.problems[0]}"
            version = document.get("version")
            await self._report_problems("config_refused", version, error.problems)
            return version if isinstance(version, int) else self.held_version()
        await self.outbox.keep_config(document)
        await self._apply(site)
        if site.problems:
            await self._report_problems("config_problem", site.version, site.problems)
        elif await self.outbox.keep_problem(""):
            data = {"version": site.version}
            key = f"config_ok:{site.version}:{self.clock.now():.3f}"
            await self.outbox.put_event(Event(key, "config_ok", self.clock.now(), data=data))
        return site.version

    async def _take_kept_config(self) -> None:
        document = await self.outbox.kept_config()
        if document is None:
            return
        try:
            site = SiteConfig.from_document(document)
        except SiteConfigError as error:
            _logger.error("kept_config_refused", extra={"problems": error.problems[:SHOWN_PROBLEMS]})
            return
        try:
            await self._apply(site, is_resuming=False)
        except Exception:  # whatever it is: Odoo's next configuration may be without it, and must be fetched
            _logger.exception("kept_config_failed", extra={"version": site.version})

    async def _apply(self, site: SiteConfig, *, is_resuming: bool = True) -> None:
        async with self._config_lock:
            self.site, self._is_applied = site, False
            self.config_problem = f"left out: {site.problems[0]}" if site.problems else ""
            try:
                await self.buses.apply(site)
            except Exception as error:
                self.config_problem = f"version {site.version} could not be applied: {error}"
                await self._report_problems("config_refused", site.version, [self.config_problem])
                raise
            self._is_applied = True
        meters = sum(1 for _ in site.meters())
        _logger.info(
            "config_applied",
            extra={"version": site.version, "buses": sum(1 for _ in site.buses()), "meters": meters},
        )
        if is_resuming:
            await self._submit_open()
            self.uplink.say_hello_soon()

    async def _report_problems(self, kind: str, version: object, problems: Sequence[str]) -> None:
        shown = list(problems[:SHOWN_PROBLEMS])
        _logger.error(kind, extra={"version": version, "count": len(problems), "problems": shown})
        digest = hashlib.sha256("\n".join(problems).encode()).hexdigest()[:16]
        data = {"version": version, "count": len(problems), "problems": shown}
        await self.outbox.keep_problem(digest)
        await self.outbox.put_event(Event(f"{kind}:{version}:{digest}", kind, self.clock.now(), data=data))

    # -- orders ------------------------------------------------------------------------------------

    def take_orders(self, orders: Sequence[Order]) -> None:
        """Stored orders of Odoo, to be carried out."""
        for order in orders:
            self._submit(order, Stage.RECEIVED)

    async def _resume(self) -> None:
        """What a killed connector left open. Nothing of it begins while nobody knows the time, and so whether it has expired."""
        await self.uplink.time_known.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_CONTACT_S):
                await self.uplink.first_contact.wait()
        await self._submit_open()
        await self._stop.wait()

    async def _submit_open(self) -> None:
        for row in await self.outbox.open_orders():
            self._submit(row.order, row.stage)

    def _submit(self, order: Order, stage: Stage) -> None:
        """To the bus. One for a meter we do not know waits while a newer configuration is on its way; the bus layer refuses it else. While
        none is in force all of them wait: they are submitted again with the next."""
        if self._is_applied and (self._is_known(order) or not self.uplink.is_config_pending):
            self.buses.submit(order, stage)

    def _is_known(self, order: Order) -> bool:
        if self.site is None:
            return False
        if order.bus_id and not order.meter_id:
            return any(bus.id == order.bus_id for _gateway, bus in self.site.buses())
        for _gateway, _bus, meter in self.site.meters():
            if meter.id == order.meter_id:
                return not order.circuit_id or any(
                    circuit.id == order.circuit_id for circuit in meter.circuits
                )
        return False

    # -- looking at it -----------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """The status of hello."""
        stats = await self.outbox.stats()
        return {
            "outbox": {
                **vars(stats),
                "bytes": self.outbox.size_bytes(),
                **(self.room.as_data() if self.room else {}),
            },
            "gateways": [vars(status) for status in self.buses.gateway_statuses()],
            "buses": [vars(status) for status in self.buses.bus_statuses()],
            "meters_silent": self.buses.silent_meters(),
            "nbiot": {"downlink": bool(self.settings.downlink.url)},
            "config_version": self.held_version(),
            "config_problems": len(self.site.problems) if self.site else 0,
        }

    async def _watch_room(self) -> None:
        """Long before the disk is full people hear of it and less is read."""
        while True:
            self.room = await self.outbox.measure_room(readings_a_day(self.site))
            await asyncio.sleep(ROOM_EVERY_S)

    async def _watch_time(self) -> None:
        """A power cut may come at any minute, and the machine may start with a wrong clock."""
        while True:
            await asyncio.sleep(KEEP_TIME_EVERY_S)
            await self.uplink.keep_time()

    async def _watch_buses(self) -> None:
        """What ends a task that should run for ever ends us: the service manager starts us anew, and the disk knows all."""
        try:
            await self.buses.wait_broken()
        except Exception as error:
            _logger.critical("buses_broke", exc_info=error)
            self._broken = error
            self._stop.set()

    # -- tasks -------------------------------------------------------------------------------------

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]], *, is_once: bool = False) -> None:
        if name in self._tasks and not self._tasks[name].done():
            return
        task = asyncio.create_task(self._supervised(name, work, is_once), name=name)
        self._tasks[name] = task
        if is_once:
            task.add_done_callback(lambda _done: self._tasks.pop(name, None))

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]], is_once: bool) -> None:
        """One loop's unknown trouble ends neither the others nor itself."""
        while True:
            try:
                await work()
                return
            except ConnectorError as error:
                _logger.error(
                    "task_failed", extra={"task": name, "error": str(error), "retry": error.retry.value}
                )
            except Exception:
                _logger.exception("task_broke", extra={"task": name})
            if is_once:
                return
            await asyncio.sleep(RESTART_LOOP_S)

    async def _cancel(self, *names: str) -> None:
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bounded(self, name: str, work: Awaitable[None], seconds: float) -> None:
        """The end comes, whatever happens on the way."""
        try:
            async with asyncio.timeout(seconds):
                await work
        except TimeoutError:
            _logger.warning("stop_took_too_long", extra={"part": name, "limit_s": seconds})
        except OdooError as error:
            _logger.info("not_flushed", extra={"error": str(error)})
        except Exception:
            _logger.exception("stop_broke", extra={"part": name})


async def open_settings_outbox(settings: Settings, clock: Clock) -> Outbox:
    """Where and how large the settings say; see Outbox.open."""
    return await Outbox.open(settings.outbox_file, clock, max_bytes=settings.outbox_max_bytes)


def make_buses(recorder: Recorder, clock: Clock, settings: Settings) -> BusLayer:
    """The real ones: NB-IoT around all others."""
    buses = SiteScheduler(clock, recorder, listen_host=settings.listen_host, listen_port=settings.listen_port)
    downlink = HttpDownlink(settings.downlink) if settings.downlink.url else None
    return NbIotBuses(buses, recorder, clock, settings.nbiot_file, settings.nbiot, downlink=downlink)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    SECRETS.add(settings.odoo.key)
    SECRETS.add(settings.nbiot.onenet_token)
    SECRETS.add(settings.downlink.token)
    app = App(settings, make_buses)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop)
    await app.run()
