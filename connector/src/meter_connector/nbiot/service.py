"""NB-IoT at work: the buses whose link is `nbiot`, beside all others; implements ports.BusLayer around the scheduler's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chance import new_name
from ..clock import Clock
from ..errors import LinkError, OutboxError, Retry
from ..model import Bus, Circuit, Event, Gateway, Meter, Order, SiteConfig, SwitchState
from ..ports import BusLayer, BusStatus, GatewayStatus, Recorder, Stage
from ..scheduler.polling import make_readings
from ..transports import Backoff
from ..transports.limiter import RateLimiter
from .decoding import Decoded, Roster, decode
from .endpoint import Endpoint, EndpointLimits, EndpointSettings
from .inbox import Inbox, Waiting
from .orders import Downlink, SleepingOrders
from .push import Push

_logger = logging.getLogger(__name__)

SILENT_AFTER_S = 26 * 3600.0
"""Sleeping meters report once a day or more often; two hours for the slot that the network gives them."""

LATEST_AHEAD_S = 600.0
OLDEST_S = 366 * 86400.0
FORGET_EVERY_S = 3600.0
LISTEN_RETRY_S = 10.0
UNKNOWN_A_MINUTE = 20
UNKNOWN_DEVICES_AN_HOUR = 20
SHOWN_HEX = 800
MAX_EVENTS = 1000
"""That wait for a full disk."""


@dataclass
class _Place:
    """A configured NB-IoT meter."""

    gateway: Gateway
    bus: Bus
    meter: Meter
    imei: str


class NbIotBuses:
    """Hand it the other buses (`inner`); what is not NB-IoT goes on to them unchanged.

    `settings`: where to listen and the local secrets; whether to listen at all and the path's token come with the configuration.
    """

    def __init__(
        self,
        inner: BusLayer,
        recorder: Recorder,
        clock: Clock,
        file: Path,
        settings: EndpointSettings,
        *,
        downlink: Downlink | None = None,
        limits: EndpointLimits | None = None,
        max_bytes: int = 0,
    ) -> None:
        self.inner = inner
        self.clock = clock
        self.orders = SleepingOrders(recorder, clock, downlink)
        self.endpoint: Endpoint | None = None
        self.problem = ""
        self.counts = {"decoded": 0, "readings": 0, "unknown_frames": 0, "unknown_devices": 0}
        self._recorder = recorder
        self._file = file
        self._settings = settings
        self._limits = limits
        self._max_bytes = max_bytes
        self._inbox: Inbox | None = None
        self._places: dict[int, _Place] = {}
        self._roster = Roster()
        self._gateways: tuple[Gateway, ...] = ()
        self._heard: dict[int, float] = {}
        self._silent: set[int] = set()
        self._reads: dict[int, int] = {}
        self._strange: dict[int, int] = {}
        self._since = clock.now()
        self._events: list[Event] = []
        self._listens = (False, "")
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._unknown = RateLimiter(UNKNOWN_A_MINUTE, 60.0)
        self._strangers = RateLimiter(UNKNOWN_DEVICES_AN_HOUR, 3600.0)
        self._broke = asyncio.Event()
        self._error: BaseException | None = None

    # ---- ports.BusLayer ----

    async def apply(self, site: SiteConfig) -> None:
        """See ports.BusLayer."""
        places = {place.meter.id: place for place in _places(site)}
        is_wanted, token = site.nbiot.enabled, site.nbiot.path_token_sha256
        self._places = places
        self._roster = Roster([(place.imei, place.meter) for place in places.values()])
        self._gateways = tuple(gateway for gateway in site.gateways if any(map(_is_nbiot, gateway.buses)))
        self._listens = (is_wanted, token)
        if (places or is_wanted) and not self._tasks:
            await self._try_inbox()
            self._start("nbiot", self._run())
        await self._listen(*self._listens)
        await self.inner.apply(_without_nbiot(site))
        self.orders.reroute(self._find)
        self._more.set()

    def submit(self, order: Order, stage: Stage) -> None:
        """See ports.BusLayer."""
        if order.meter_id not in self._places:
            self.inner.submit(order, stage)
            return
        found = self._find(order)
        if not isinstance(found, str):
            self.orders.submit(order, stage, *found)
            self._more.set()

    def gateway_statuses(self) -> list[GatewayStatus]:
        """See ports.BusLayer. A platform is there as long as any of its meters is heard."""
        known = {status.id: status for status in self.inner.gateway_statuses()}
        for gateway in self._gateways:
            if gateway.id not in known:
                known[gateway.id] = self._gateway_status(gateway)
        return list(known.values())

    def bus_statuses(self) -> list[BusStatus]:
        """See ports.BusLayer."""
        return [*self.inner.bus_statuses(), *(self._bus_status(bus) for bus in self._buses())]

    def silent_meters(self) -> list[int]:
        """See ports.BusLayer."""
        return sorted([*self.inner.silent_meters(), *self._silent])

    def details(self) -> Mapping[str, Any]:
        """See ports.BusLayer."""
        inner = dict(self.inner.details())
        if not self._tasks:
            return inner
        endpoint = self.endpoint
        link = f"nbiot {endpoint.settings.host}:{endpoint.port}" if endpoint else "nbiot, not listening"
        is_open = endpoint is not None and endpoint.is_open
        row = {"link": link, "connected": is_open, "stale_s": SILENT_AFTER_S}
        rows = {str(bus.id): row for bus in self._buses()}
        return {
            **inner,
            "buses": {**inner.get("buses", {}), **rows},
            "nbiot": {
                "port": endpoint.port if endpoint is not None and endpoint.is_open else None,
                "connections": endpoint.connections if endpoint else 0,
                "requests": dict(endpoint.counts) if endpoint else {},
                "orders_waiting": len(self.orders.open),
                "problem": self.problem,
                **self.counts,
            },
        }

    async def wait_broken(self) -> None:
        """See ports.BusLayer."""
        waits = [asyncio.ensure_future(self.inner.wait_broken()), asyncio.ensure_future(self._wait_broken())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def stop(self) -> None:
        """See ports.BusLayer."""
        await self._listen(is_wanted=False, token="")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            await inbox.close()
        await self.inner.stop()

    # ---- pushes ----

    async def take(self, pushes: list[Push]) -> int:
        """What the endpoint calls: returns once the reports are on the disk."""
        if self._inbox is None:
            return 0
        new = await self._inbox.put(pushes, self.clock.now())
        self._more.set()
        return new

    async def _try_inbox(self) -> bool:
        """Without its file nothing is taken; the other buses go on, and the platforms push again."""
        try:
            self._inbox = await Inbox.open(self._file, max_bytes=self._max_bytes)
            self._heard = await self._inbox.heard()
        except OutboxError as error:
            self._note_problem(str(error))
            return False
        self.problem = ""
        return True

    async def _run(self) -> None:
        """The one task that decodes, ends orders and forgets."""
        backoff = Backoff(first_s=0.5, limit_s=30.0)
        forget_at = 0.0
        while self._inbox is None:
            await asyncio.sleep(LISTEN_RETRY_S)
            if await self._try_inbox():
                await self._listen(*self._listens)
        while True:
            try:
                await self._work()
                self._tell_silence()
                if self.clock.monotonic() >= forget_at and self._inbox is not None:
                    await self._inbox.forget(self.clock.now())
                    forget_at = self.clock.monotonic() + FORGET_EVERY_S
                await self._flush_events()
            except OutboxError as error:
                if error.retry is Retry.NEVER:
                    raise
                self._note_problem(str(error))
                await asyncio.sleep(backoff.next_s())
                continue
            self.problem = ""
            backoff.reset()
            await self._wait()

    async def _work(self) -> None:
        inbox = self._inbox
        while inbox is not None:
            self._more.clear()
            rows = await inbox.waiting()
            if not rows:
                break
            for row in rows:
                await self._decode(inbox, row)
        await self.orders.settle()

    async def _wait(self) -> None:
        at = self.orders.next_at()
        pause_s = 60.0 if at is None else min(60.0, max(0.0, at - self.clock.now()) + 0.01)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._more.wait()

    async def _decode(self, inbox: Inbox, row: Waiting) -> None:
        """One report: its readings reach the outbox's disk before it is done here. Done twice after a kill, it gives the same readings with
        the same times."""
        push, places = row.push, self._places
        at = _moment(push, row.received_at)
        decoded = decode(push, self._roster, at)
        readings = [
            reading
            for meter_id, values in decoded.meters.items()
            for reading in make_readings(places[meter_id].meter, values, "scheduled")
        ]
        if readings:
            await self._recorder.put_readings(readings)
        told = decoded.meters.keys() | decoded.acknowledged | decoded.refused.keys()
        told |= {key for key, place in places.items() if place.imei and place.imei == push.imei}
        found = [places[key] for key in sorted(told)]
        for place in found:
            await self._tell_orders(place.meter, row.received_at, decoded)
        heard = dict.fromkeys(told, row.received_at)
        await inbox.done([row.id], heard)
        self._heard |= heard
        self._count(push, decoded, len(readings), found)

    async def _tell_orders(self, meter: Meter, at: float, decoded: Decoded) -> None:
        values = decoded.meters.get(meter.id)
        switches: dict[int, SwitchState] = {}
        for circuit in meter.circuits if values else ():
            shown = values.of(circuit.number).get("switch") if values else None
            if shown in ("on", "off", "pending"):
                switches[circuit.number] = shown  # type: ignore[assignment]
        await self.orders.heard(
            meter,
            at,
            switches,
            has_values=values is not None,
            is_acknowledged=meter.id in decoded.acknowledged,
            refusal=decoded.refused.get(meter.id, ""),
        )

    def _count(self, push: Push, decoded: Decoded, readings: int, found: list[_Place]) -> None:
        self.counts["decoded"] += 1
        self.counts["readings"] += readings
        for place in found:
            if place.meter.id in decoded.meters:
                self._reads[place.bus.id] = self._reads.get(place.bus.id, 0) + 1
        for text, reason in decoded.unknown:
            self._tell_unknown(text, reason, found[0] if found else None)
        if not found:
            self._tell_stranger(push)

    # ---- events ----

    def _tell_unknown(self, text: str, reason: str, place: _Place | None) -> None:
        """For a person to look at; a flood is counted."""
        self.counts["unknown_frames"] += 1
        bus_id = place.bus.id if place else None
        if bus_id is not None:
            self._strange[bus_id] = self._strange.get(bus_id, 0) + 1
        if not self._unknown.allow(bus_id, self.clock.monotonic()):
            return
        data = {
            "hex": text[:SHOWN_HEX],
            "size": len(text) // 2,
            "protocol": place.meter.model.protocol if place else "",
            "reason": reason,
            "dropped": self._unknown.take_left_out(bus_id),
        }
        self._event("frame_unknown", place, data)

    def _tell_stranger(self, push: Push) -> None:
        self.counts["unknown_devices"] += 1
        if self._strangers.allow("", self.clock.monotonic()):
            dropped = self._strangers.take_left_out("")
            data = {
                "platform": push.platform,
                "imei": push.imei,
                "device": push.device,
                "dropped": dropped,
            }
            self._event("nbiot_unknown_device", None, data)

    def _tell_silence(self) -> None:
        now = self.clock.now()
        for key, place in self._places.items():
            is_silent = now - max(self._heard.get(key, 0.0), self._since) > SILENT_AFTER_S
            if is_silent != (key in self._silent):
                (self._silent.add if is_silent else self._silent.discard)(key)
                self._event("meter_silent" if is_silent else "meter_back", place, {}, meter_id=key)
        self._silent &= self._places.keys()

    def _event(
        self, kind: str, place: _Place | None, data: Mapping[str, Any], meter_id: int | None = None
    ) -> None:
        key = f"{kind}:{new_name()}"
        gateway_id, bus_id = (place.gateway.id, place.bus.id) if place else (None, None)
        self._events.append(Event(key, kind, self.clock.now(), gateway_id, bus_id, meter_id, None, data))
        del self._events[:-MAX_EVENTS]

    async def _flush_events(self) -> None:
        while self._events:
            event = self._events[0]
            await self._recorder.put_event(event)
            if event in self._events:
                self._events.remove(event)

    # ---- inside ----

    async def _listen(self, is_wanted: bool, token: str) -> None:
        """Open, close or open anew where the token changed."""
        settings = replace(self._settings, token_sha256=token)
        if self.endpoint is not None and (not is_wanted or self.endpoint.settings != settings):
            endpoint, self.endpoint = self.endpoint, None
            await endpoint.close()
        if not is_wanted or self.endpoint is not None or self._inbox is None:
            return
        self.endpoint = Endpoint(settings, self.take, self._limits)
        try:
            await self.endpoint.open()
        except LinkError as error:
            self._note_problem(str(error))
            self._start("nbiot listen", self._keep_listening(self.endpoint))

    async def _keep_listening(self, endpoint: Endpoint) -> None:
        while self.endpoint is endpoint and not endpoint.is_open:
            await asyncio.sleep(LISTEN_RETRY_S)
            try:
                if self.endpoint is endpoint:
                    await endpoint.open()
            except LinkError as error:
                self._note_problem(str(error))

    def _start(self, name: str, work: Any) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        _logger.critical("%s ended", task.get_name(), exc_info=error)
        self._error = self._error or error
        self._broke.set()

    async def _wait_broken(self) -> None:
        await self._broke.wait()
        assert self._error is not None
        raise self._error

    def _note_problem(self, text: str) -> None:
        if text != self.problem:
            _logger.error("%s; tried again", text)
        self.problem = text

    def _find(self, order: Order) -> tuple[str, Meter, Circuit | None] | str:
        place = self._places.get(order.meter_id)
        if place is None:
            return f"meter {order.meter_id} is not in the configuration"
        circuit = next((each for each in place.meter.circuits if each.id == order.circuit_id), None)
        return place.imei, place.meter, circuit

    def _buses(self) -> Iterator[Bus]:
        return (bus for gateway in self._gateways for bus in gateway.buses if _is_nbiot(bus))

    def _bus_status(self, bus: Bus) -> BusStatus:
        heard = [self._heard[meter.id] for meter in bus.meters if meter.id in self._heard]
        ids = {meter.id for meter in bus.meters}
        return BusStatus(
            id=bus.id,
            queue=sum(1 for opened in self.orders.open if opened.meter.id in ids),
            age_s=round(max(0.0, self.clock.now() - max(heard)), 1) if heard else -1.0,
            reads_ok=self._reads.get(bus.id, 0),
            reads_failed=self._strange.get(bus.id, 0),
        )

    def _gateway_status(self, gateway: Gateway) -> GatewayStatus:
        ids = [meter.id for bus in gateway.buses for meter in bus.meters]
        heard = max((self._heard[key] for key in ids if key in self._heard), default=0.0)
        is_online = heard > 0 and self.clock.now() - heard <= SILENT_AFTER_S
        return GatewayStatus(gateway.id, is_online, heard if is_online else max(heard, self._since))


def _moment(push: Push, received_at: float) -> float:
    """The report's own time where it can be true, else when it came."""
    if push.at is None or not received_at - OLDEST_S < push.at <= received_at + LATEST_AHEAD_S:
        return received_at
    return push.at


def _is_nbiot(bus: Bus) -> bool:
    return bus.link.kind == "nbiot"


def _places(site: SiteConfig) -> Iterator[_Place]:
    for gateway, bus, meter in site.meters():
        if _is_nbiot(bus):
            yield _Place(gateway, bus, meter, meter.imei)


def _without_nbiot(site: SiteConfig) -> SiteConfig:
    """What the scheduler shall see."""
    gateways = tuple(
        replace(gateway, buses=tuple(bus for bus in gateway.buses if not _is_nbiot(bus)))
        for gateway in site.gateways
    )
    return replace(site, gateways=gateways)


if TYPE_CHECKING:

    def _keeps_its_promise(buses: NbIotBuses) -> BusLayer:
        return buses
