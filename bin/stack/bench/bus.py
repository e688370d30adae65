"""How much of a wire's own limit the connector uses, at 2400 and 9600 bps, with the queue never empty."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from meter_connector.clock import Clock
from meter_connector.model import Event, Order, OrderResult, Reading
from meter_connector.scheduler import SiteScheduler
from meter_connector.simulator.big_site import big_site
from meter_connector.simulator.config_document import config_document
from meter_connector.simulator.site_reader import read_site as read_simulated_site
from meter_connector.site_document import read_site

from .. import layout
from ..services import Service, own_by_service

BITS_PER_CHARACTER = 11  # start, 8 data, parity, stop
TURNROUND_S = 0.020  # of the simulated meters; part of the wire's limit, no master can shorten it
METERS = 12
WARM_UP_S, MEASURED_S = 3.0, 30.0


class _Counter:
    """A recorder that only counts."""

    pressure = 0

    def __init__(self) -> None:
        self.readings = 0

    async def put_reading(self, reading: Reading) -> None:
        self.readings += 1

    async def put_readings(self, readings: list[Reading]) -> None:
        self.readings += len(readings)

    async def put_event(self, event: Event) -> None: ...

    async def start_order(self, order: Order) -> bool:
        return True

    async def accept_order(self, order: Order, reported: str = "pending", detail: str = "") -> None: ...

    async def upkeeps(self) -> dict[int, Any]:
        return {}

    async def kept_state(self, meter_id: int) -> str:
        return ""

    async def keep_state(self, meter_id: int, text: str) -> None:
        return

    async def contacts(self) -> dict[int, float]:
        return {}

    async def finish_order(self, result: OrderResult) -> None: ...


def measure(progress: Callable[[str], None]) -> dict[str, Any]:
    """{"2400": {...}, "9600": {...}}; `ratio` is reads per second over the wire's limit for the same frames."""
    found = {}
    for baudrate in (2400, 9600):
        progress(f"bus at {baudrate} bps, {MEASURED_S:.0f} s")
        found[str(baudrate)] = asyncio.run(_measure_one(baudrate))
    return found


async def _measure_one(baudrate: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=layout.SITE_DATA) as name:
        directory = Path(name)
        own_by_service(directory)
        document = big_site(1, METERS, 0, baudrate=baudrate, turnround_ms=(20, 20))
        (directory / "site.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
        ready = directory / "ready.json"
        words = [
            layout.PYTHON,
            "-m",
            "meter_connector",
            "simulate",
            directory / "site.yaml",
            "--ready-file",
            ready,
        ]
        simulator = Service("The simulated bus", words, directory / "simulator.log")
        simulator.start()
        try:
            simulator.wait_until(ready.exists, 20, "its bus listened")
            return await _run(document, json.loads(ready.read_text()), baudrate)
        finally:
            simulator.stop()


async def _run(document: dict[str, Any], ready: dict[str, Any], baudrate: int) -> dict[str, Any]:
    counter = _Counter()
    scheduler = SiteScheduler(Clock(), counter)
    every_second = {"energy_s": 1, "live_s": 1, "switch_s": 1}
    await scheduler.apply(read_site(config_document(read_simulated_site(document), ready, every_second)))
    await asyncio.sleep(WARM_UP_S)
    before, began = _wire(scheduler), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    after, elapsed = _wire(scheduler), time.monotonic() - began
    await scheduler.stop()
    delta = {key: after[key] - before[key] for key in ("requests", "answers", "bytes_out", "bytes_in")}
    needed = (delta["bytes_out"] + delta["bytes_in"]) * BITS_PER_CHARACTER / baudrate
    needed += delta["answers"] * TURNROUND_S
    return {
        "reads_per_s": round(delta["answers"] / elapsed, 2),
        "wire_limit_per_s": round(delta["answers"] / needed, 2),
        "ratio": round(needed / elapsed, 3),
        "target": 0.95,
        "unanswered": delta["requests"] - delta["answers"],
    }


def _wire(scheduler: SiteScheduler) -> dict[str, int]:
    """The counters of the one bus."""
    return next(iter(scheduler.details()["buses"].values()))
