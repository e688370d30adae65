"""The connector's own bus layer against the demo site: what it reads is what the meters truly show, and every switch obeys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from meter_connector.clock import Clock
from meter_connector.model import Event, Order, OrderResult, Reading, SiteConfig, SwitchState
from meter_connector.ports import Stage
from meter_connector.scheduler import SiteScheduler
from meter_connector.simulator import Simulator, read_site
from meter_connector.simulator.config_document import config_document
from simhelp import demo_document


class Memory:
    """A Recorder without a disk."""

    pressure = 0

    def __init__(self) -> None:
        self.readings: dict[int, Reading] = {}
        self.results: dict[int, OrderResult] = {}
        self.events: list[Event] = []
        self.kept: dict[int, Any] = {}

    async def put_reading(self, reading: Reading) -> None:
        self.readings[reading.circuit_id] = reading

    async def put_readings(self, readings: list[Reading]) -> None:
        for reading in readings:
            await self.put_reading(reading)

    async def put_event(self, event: Event) -> None:
        self.events.append(event)

    async def start_order(self, order: Order) -> bool:
        return True

    async def accept_order(self, order: Order, reported: SwitchState = "pending", detail: str = "") -> None:
        return

    async def keep_upkeep(self, keep: Any) -> None:
        self.kept[keep.circuit_id] = keep

    async def upkeeps(self) -> dict[int, Any]:
        return dict(self.kept)

    async def wish(self, circuit_id: int) -> str:
        return ""

    async def kept_state(self, meter_id: int) -> str:
        return ""

    async def keep_state(self, meter_id: int, text: str) -> None:
        pass

    async def contacts(self) -> dict[int, float]:
        return {}

    async def finish_order(self, result: OrderResult) -> None:
        self.results[result.order_id] = result


@asynccontextmanager
async def connected(
    document: dict[str, Any],
) -> AsyncIterator[tuple[Simulator, SiteScheduler, Memory, SiteConfig]]:
    memory = Memory()
    async with Simulator(read_site(document)) as simulator:
        scheduler = SiteScheduler(Clock(), memory, listen_host="127.0.0.1")
        site = SiteConfig.from_document(config_document(simulator.site, simulator.ready()), is_strict=True)
        try:
            await scheduler.apply(site)
            simulator.dial("127.0.0.1", scheduler.listener.port)
            yield simulator, scheduler, memory, site
        finally:
            await scheduler.stop()


async def until(condition: Any, limit_s: float) -> None:
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, "took too long"
        await asyncio.sleep(0.05)


def quick(document: dict[str, Any]) -> dict[str, Any]:
    """The demo ten times as fast on the wire, loads and transformers as they are, so that a test need not wait."""
    for gateway in document["gateways"]:
        for bus in gateway["buses"]:
            bus["turnround_ms"] = [2, 5]
            if gateway["link"]["kind"] != "serial":
                bus["baudrate"] = 57600
    return document


async def test_every_demo_meter_is_read_as_it_truly_is_and_every_switch_obeys() -> None:
    async with connected(quick(demo_document())) as (simulator, scheduler, memory, site):
        meters = {meter.id: meter for _, _, meter in site.meters()}
        await until(lambda: len(memory.readings) == len(meters), 40)
        for key, meter in meters.items():
            state, values = simulator.meter(meter.serial).state(), memory.readings[key].values
            model = next(spec for spec in simulator.site.meters() if spec.serial == meter.serial).model
            if model.simulate.get("playback"):
                assert values["total"] == Decimal("0.26")
                continue
            for name in ("total", "t1", "t2", "t3", "t4") if model.is_multi_rate else ("total",):
                shown = values[name]
                assert isinstance(shown, Decimal), (meter.serial, name, values)
                assert 0 <= Decimal(state["registers"][name]) - shown <= Decimal("0.05"), (meter.serial, name)
            if model.has_switch:
                assert values["switch"] == "on", meter.serial
        switchable = [
            meter for meter in meters.values() if any(circuit.has_switch for circuit in meter.circuits)
        ]
        assert len(switchable) >= 24
        for number, (kind, word) in enumerate((("switch_off", "off"), ("switch_on", "on"))):
            now = time.time()
            orders = [
                Order(
                    meter.id + 1000 * number, number + 1, kind, meter.id, meter.circuits[0].id, now, now + 60
                )  # type: ignore[arg-type]
                for meter in switchable
            ]
            memory.results.clear()
            for order in orders:
                scheduler.submit(order, Stage.RECEIVED)
            await until(lambda: len(memory.results) == len(switchable), 40)
            assert {result.state for result in memory.results.values()} == {"confirmed"}
            assert {simulator.meter(meter.serial).state()["relay"] for meter in switchable} == {word}
        overlaps = {(row["gateway"], row["bus"]): row["overlaps"] for row in simulator.link_states()}
        assert not any(overlaps.values()), overlaps
