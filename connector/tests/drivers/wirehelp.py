"""Meters on a fake wire: a loop whose time jumps, the simulator's byte-true meters, a link with moods, a recorder in memory.

The simulator speaks the protocols without the connector's codecs, so an error there is not mirrored here.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import yaml
from meter_connector.clock import Clock
from meter_connector.drivers import Exchange, Line, Unknown, WireTiming
from meter_connector.model import Event, Order, OrderResult, Reading, SiteConfig, SwitchState
from meter_connector.outbox.upkeep import Upkeep
from meter_connector.simulator import DEMO_SITE, read_site
from meter_connector.simulator.bus import Bus as SimBus
from meter_connector.simulator.faults import BusFaults
from meter_connector.simulator.journal import Journal
from meter_connector.simulator.meters import Meter as SimMeter
from meter_connector.simulator.meters import World, make_meter
from meter_connector.simulator.simtime import SimTime
from meter_connector.transports import BaseLink

T = TypeVar("T")
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone(timedelta(hours=8))).timestamp()


# ---- time --------------------------------------------------------------------------------------------------------------------------
class _NoWait(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for ever"
            self.loop.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Instead of waiting, its clock jumps."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _NoWait()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now


def virtually(main: Callable[[], Awaitable[T]]) -> T:
    """Run on a virtual loop; fails when tasks are left behind."""
    return _run(main, VirtualLoop)


def really(main: Callable[[], Awaitable[T]]) -> T:
    """Run in real time, for sockets and terminals; fails when tasks are left behind."""
    return _run(main, None)


def _run(main: Callable[[], Awaitable[T]], factory: Callable[[], asyncio.AbstractEventLoop] | None) -> T:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_without_leftovers(main))


async def _without_leftovers(main: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(1_000_000):
        result = await main()
    for _ in range(3):
        await asyncio.sleep(0)
    left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
    assert not left, f"tasks left behind: {left}"
    return result


async def until(is_so: Callable[[], object], timeout_s: float = 300.0, step_s: float = 0.01) -> None:
    """Wait for something that has no event of its own; costs nothing on a virtual loop."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(step_s)


def make_clock() -> Clock:
    """NOON at the start, running with the loop."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    return Clock(wall=lambda: NOON + loop.time() - begin, steady=loop.time)


# ---- sites -------------------------------------------------------------------------------------------------------------------------
DEMO: dict[str, Any] = yaml.safe_load(DEMO_SITE.read_text(encoding="utf-8"))
ADDRESSES = {"power": "2026010001{:02}", "water": "783300100001{:02}", "modbus": "{}"}


def meter_row(number: int, model: str = "ddsy315", **more: Any) -> dict[str, Any]:
    """A meter of the simulator, numbered 1.. on its bus."""
    protocol = DEMO["models"][model]["protocol"]
    pattern = ADDRESSES["water" if protocol == "cjt188" else "modbus" if "modbus" in protocol else "power"]
    address = pattern.format(number)
    return {
        "serial": f"S{number}",
        "address": address,
        "model": model,
        "password": "123456",
        "load": "shop_small",
        "start": "100.00",
        **more,
    }


class SimWire:
    """A bus of simulated meters, and a link to it. `models`: changes to the demo's models, for both sides."""

    def __init__(
        self,
        rows: Iterable[dict[str, Any]],
        *,
        bus: Mapping[str, Any] | None = None,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int = 7,
        is_streaming: bool = False,
        zone: str = "Asia/Shanghai",
    ) -> None:
        self.rows = list(rows)
        self.models = {
            code: {**model, **(models or {}).get(code, {})} for code, model in DEMO["models"].items()
        }
        link = {"kind": "tcp_client", "host": "127.0.0.1", "port": 1}
        self.bus_row = {"number": 1, "baudrate": 2400, "parity": "E", "link": link, **(bus or {})}
        loop = asyncio.get_running_loop()
        self.time = SimTime(loop.time, NOON)
        self.journal = Journal(self.time.wall_ms)
        self.spec = read_site(self._sim_document(seed, link)).gateways[0].buses[0]
        world = World(seed, self.time, self.journal)
        self.meters: dict[str, SimMeter] = {spec.serial: make_meter(spec, world) for spec in self.spec.meters}
        self.bus = SimBus(self.spec, list(self.meters.values()), random.Random(seed), is_streaming)
        self.zone = zone
        self._task = asyncio.create_task(self.bus.run(), name="simulated bus")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def faults(self, **faults: Any) -> None:
        """Of the bus, from the next answer on."""
        self.bus.set_faults(BusFaults(**faults))

    def meter_faults(self, serial: str, **faults: Any) -> None:
        """Of one meter."""
        meter = self.meters[serial]
        meter.set_faults(replace(meter.faults, **faults))

    def commands(self, serial: str) -> list[str]:
        """What the meter was told to switch, in order."""
        return [each["command"] for each in self.journal.since(kind="command") if each["meter"] == serial]

    def moves(self, serial: str) -> list[str]:
        """What its relay did."""
        return [each["state"] for each in self.journal.since(kind="relay") if each["meter"] == serial]

    def document(
        self, *, version: int = 1, bus_id: int = 1, schedule: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What `api_config` would answer for this bus. Meter ids 101.., circuit ids 1001.. ."""
        meters = []
        for number, row in enumerate(self.rows, start=1):
            circuits = [
                {"id": 1000 + number, "number": 1, "has_switch": self.models[row["model"]]["has_switch"]}
            ]
            keys = {"id": 100 + number, "read_group": "default", "circuits": circuits}
            meters.append(
                {
                    **keys,
                    **{key: row[key] for key in ("serial", "address", "model", "password") if key in row},
                }
            )
        bus = {"id": bus_id, **self.bus_row, "meters": meters}
        return {
            "version": version,
            "connector": {"id": 1, "code": "C", "timezone": self.zone},
            "models": self.models,
            "schedules": {
                "default": {"energy_s": 60, "live_s": 60, "switch_s": 60, "clock_at": "", **(schedule or {})}
            },
            "gateways": [{"id": 10 + bus_id, "name": f"G{bus_id}", "buses": [bus]}],
        }

    def site(self, **how: Any) -> SiteConfig:
        """The same, read; strict."""
        return SiteConfig.from_document(self.document(**how), is_strict=True)

    def _sim_document(self, seed: int, link: dict[str, Any]) -> dict[str, Any]:
        return {
            "seed": seed,
            "site": DEMO["site"],
            "models": self.models,
            "loads": DEMO["loads"],
            "gateways": [
                {"code": "G1", "name": "G1", "link": link, "buses": [{**self.bus_row, "meters": self.rows}]}
            ],
        }


# ---- links -------------------------------------------------------------------------------------------------------------------------
class _Pipe:
    """The connection of a FakeLink."""

    def __init__(self, link: FakeLink) -> None:
        self._link = link

    def write(self, data: bytes) -> None:
        self._link.sent.append(data)
        self._link.answer(self, data)

    def abort(self) -> None:
        return


class FakeLink(BaseLink):
    """What is written goes to `respond(data, reply)`; `is_single` hands every byte over on its own."""

    def __init__(
        self, respond: Callable[[bytes, Callable[[bytes], None]], None], *, is_single: bool = False
    ) -> None:
        super().__init__("fake")
        self.respond = respond
        self.is_single = is_single
        self.sent: list[bytes] = []
        self.is_plugged = True
        self._again: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        if self.is_plugged:
            self.plug()

    async def close(self) -> None:
        self.is_plugged = False
        if self._again is not None:
            self._again.cancel()
        await super().close()

    def plug(self) -> None:
        """A (new) connection."""
        self.is_plugged = True
        self.wire_attached(_Pipe(self))

    def _drop(self, reason: str) -> None:
        super()._drop(reason)
        if self.is_plugged:
            self._again = asyncio.get_running_loop().call_later(0.5, self.plug)

    def unplug(self) -> None:
        """The connection goes."""
        self.is_plugged = False
        if self._wire is not None:
            self.wire_lost(self._wire, "unplugged")

    def answer(self, pipe: _Pipe, data: bytes) -> None:
        self.respond(data, lambda answer: self._came(pipe, answer))

    def _came(self, pipe: _Pipe, data: bytes) -> None:
        if not self.is_single:
            self.wire_fed(pipe, data)
            return
        loop = asyncio.get_running_loop()
        for place in range(len(data)):
            loop.call_later(place * 0.004, self.wire_fed, pipe, data[place : place + 1])


def link_to(wire: SimWire, *, is_single: bool = False) -> FakeLink:
    """A link whose other end is the simulated bus."""
    return FakeLink(lambda data, reply: wire.bus.receive(data, reply), is_single=is_single)


class Desk:
    """Exchange, line and meters of one simulated bus, for driver tests."""

    def __init__(self, wire: SimWire, *, is_single: bool = False) -> None:
        self.wire = wire
        self.link = link_to(wire, is_single=is_single)
        site = wire.site()
        self.bus = site.gateways[0].buses[0]
        self.meters = self.bus.meters
        self.meter = self.meters[0]
        self.circuit = self.meter.circuits[0]
        self.unknown: list[Unknown] = []
        self.clock = make_clock()
        self.exchange = Exchange(self.link, WireTiming.of(self.bus), self.unknown.append)
        self.line = Line(self.exchange, self.clock.now, rng=random.Random(1))
        self.link.plug()


# ---- recorder ----------------------------------------------------------------------------------------------------------------------
class MemoryRecorder:
    """A recorder that keeps all in lists. `may_start`: what start_order answers."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self.started: list[int] = []
        self.states: dict[int, str] = {}
        self.accepted: list[int] = []
        self.results: list[OrderResult] = []
        self.progress: list[tuple[int, str]] = []
        self.kept: dict[int, Upkeep] = {}
        self.may_start: Callable[[Order], bool] = lambda order: True
        self.fail: Exception | None = None

    pressure = 0

    async def put_reading(self, reading: Reading) -> None:
        await self.put_readings([reading])

    async def put_readings(self, readings: list[Reading]) -> None:
        if self.fail is not None:
            raise self.fail
        self.readings += readings

    async def put_event(self, event: Event) -> None:
        self.events.append(event)

    async def start_order(self, order: Order) -> bool:
        self.started.append(order.id)
        return self.may_start(order)

    async def accept_order(self, order: Order, reported: SwitchState = "pending", detail: str = "") -> None:
        self.accepted.append(order.id)

    async def progress_order(self, order: Order, data: str) -> None:
        self.progress.append((order.id, data))

    async def own_order(self, order: Order, keep: Upkeep | None = None) -> Order | None:
        raise AssertionError("the connector's own orders need a disk")

    async def keep_upkeep(self, keep: Upkeep) -> None:
        self.kept[keep.circuit_id] = keep

    async def upkeeps(self) -> dict[int, Upkeep]:
        return dict(self.kept)

    async def wish(self, circuit_id: int) -> str:
        return ""

    async def kept_state(self, meter_id: int) -> str:
        return self.states.get(meter_id, "")

    async def keep_state(self, meter_id: int, text: str) -> None:
        self.states[meter_id] = text

    async def contacts(self) -> dict[int, float]:
        return {}

    async def finish_order(self, result: OrderResult) -> None:
        self.results.append(result)

    def kinds(self) -> list[str]:
        """Kinds of the events so far."""
        return [event.kind for event in self.events]

    def result(self, order_id: int) -> OrderResult | None:
        """What became of an order."""
        return next((result for result in self.results if result.order_id == order_id), None)
