"""The same Modbus TCP site polled by ThingsBoard IoT Gateway and by the connector: readings per second, CPU and memory of each.

The site is pymodbus' own server in a process of its own. A reading is one meter polled once: four 32-bit registers by one request.
ThingsBoard delivers to an MQTT broker, the connector by way of its outbox to an Odoo that acknowledges; both are counted there.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import layout
from ..services import Service, answers, free_port, own_by_service
from . import thingsboard
from .broker import Broker, unpacked
from .lone_connector import OTHERS, LoneConnector, page, page_url
from .process_cost import cost_of

WARM_UP_S, MEASURED_S = 15.0, 45.0
VALUES_A_READING = 4
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Load:
    """A site of `ports` TCP servers with `meters` units each, and how often each meter is asked for."""

    name: str
    ports: int
    meters: int
    period_s: float
    storage: str = "memory"

    @property
    def asked_per_s(self) -> float:
        """Readings that the period asks for."""
        return self.ports * self.meters / self.period_s


SAME_RATE = (
    Load("30 meters, each every 5 s", 3, 10, 5),
    Load("300 meters, each every 5 s", 3, 100, 5),
    Load("300 meters, each every 5 s, kept on disk", 3, 100, 5, "sqlite"),
)
"""Both can keep up: what does it cost? ThingsBoard is shipped with its storage in memory; the connector's is always on disk."""

FLAT_OUT = (Load("1,920 meters, each every second", 8, 240, 1),)
"""Neither can keep up: how much do they bring?"""

FLAT_OUT_THINGSBOARD = (
    Load("30 meters, each every 0.1 s", 3, 10, 0.1),
    Load("300 meters, each every 0.5 s", 3, 100, 0.5),
    Load("300 meters, each every 0.3 s", 3, 100, 0.3),
)
"""Periods that the connector does not have; the other's best counts."""


@dataclass(frozen=True)
class Site:
    """The running site."""

    ports: list[int]
    page: int
    load: Load
    pid: int


def measure(progress: Progress) -> dict[str, Any]:
    """{"same_rate": {load: both}, "flat_out": {...}}; `ratio` is the connector against ThingsBoard."""
    with redirect_stdout(sys.stderr):  # what making them says is no result
        thingsboard.python()
        unpacked()
    same = {load.name: _compare(load, progress) for load in SAME_RATE}
    theirs = [_thingsboard(load, progress) for load in (*FLAT_OUT, *FLAT_OUT_THINGSBOARD)]
    ours = [_connector(load, progress) for load in FLAT_OUT]
    return {"same_rate": same, "flat_out": _flat_out(ours, theirs)}


def _compare(load: Load, progress: Progress) -> dict[str, Any]:
    theirs, ours = _thingsboard(load, progress), _connector(load, progress)
    return {"connector": ours, "thingsboard": theirs, "ratio": _ratio(ours, theirs)}


def _flat_out(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    def delivered(found: dict[str, Any]) -> float:
        return float(found["delivered_per_s"])

    best, other = max(ours, key=delivered), max(theirs, key=delivered)
    return {"connector": ours, "thingsboard": theirs, "ratio_of_best": _ratio(best, other)}


def _ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    keys = ("delivered_per_s", "cpu_s_per_1000", "rss_mib")
    return {key: round(ours[key] / theirs[key], 3) for key in keys if theirs[key]}


def _thingsboard(load: Load, progress: Progress) -> dict[str, Any]:
    progress(f"ThingsBoard, {load.name}")
    with _folder() as directory, _site(load, directory) as site:
        broker, tally_page = Broker(directory, thingsboard.NAME), free_port()
        words = [thingsboard.python(), OTHERS / "mqtt_tally.py", str(tally_page), str(broker.port)]
        tally = Service("The tally", words, directory / "tally.log")
        period_ms = round(load.period_s * 1000)
        gateway = thingsboard.gateway(
            directory, broker.port, site.ports, load.meters, period_ms, load.storage
        )
        try:
            broker.start()
            tally.start()
            tally.wait_until(lambda: answers(page_url(tally_page)), 10, "it listened")
            gateway.start()
            return _watch(site, gateway, lambda: page(tally_page)["values"] / VALUES_A_READING)
        finally:
            for service in (gateway, tally, broker):
                service.stop()


def _connector(load: Load, progress: Progress) -> dict[str, Any]:
    progress(f"the connector, {load.name}")
    with _folder() as directory, _site(load, directory) as site:
        subject = LoneConnector(directory, _document(load, site.ports))
        try:
            subject.start()
            return _watch(site, subject.connector, lambda: subject.counts()["readings"])
        finally:
            subject.stop()


def _watch(site: Site, subject: Service, delivered: Callable[[], float]) -> dict[str, Any]:
    """Wait until the first deliveries, warm up, then count over MEASURED_S."""
    subject.wait_until(lambda: delivered() > 0, 90, "its first reading was delivered")
    time.sleep(WARM_UP_S)
    assert subject.process is not None
    pid = subject.process.pid
    before, site_before = cost_of(pid), cost_of(site.pid)
    reads, brought, began = page(site.page)["reads"], delivered(), time.monotonic()
    time.sleep(MEASURED_S)
    after, elapsed = cost_of(pid), time.monotonic() - began
    site_cpu_s = cost_of(site.pid).cpu_s - site_before.cpu_s
    reads, brought = page(site.page)["reads"] - reads, delivered() - brought
    cpu_s = after.cpu_s - before.cpu_s
    return {
        "load": site.load.name,
        "asked_per_s": round(site.load.asked_per_s, 1),
        "read_per_s": round(reads / elapsed, 1),
        "delivered_per_s": round(brought / elapsed, 1),
        "cpu_share": round(cpu_s / elapsed, 3),
        "cpu_share_of_site": round(site_cpu_s / elapsed, 3),
        "cpu_s_per_1000": round(1000 * cpu_s / brought, 3) if brought else None,
        "rss_mib": after.rss_mib,
        "rss_growth_mib": round(after.rss_mib - before.rss_mib, 1),
    }


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=layout.SITE_DATA) as name:
        own_by_service(Path(name))
        yield Path(name)


@contextmanager
def _site(load: Load, directory: Path) -> Iterator[Site]:
    ports, counters = [free_port() for _ in range(load.ports)], free_port()
    numbers = [str(number) for number in (counters, *ports, load.meters)]
    words = [thingsboard.python(), OTHERS / "modbus_site.py", *numbers]
    service = Service("The Modbus site", words, directory / "modbus-site.log")
    service.start()
    try:
        service.wait_until(lambda: answers(page_url(counters)), 20, "it listened")
        assert service.process is not None
        yield Site(ports, counters, load, service.process.pid)
    finally:
        service.stop()


def _document(load: Load, ports: list[int]) -> dict[str, Any]:
    """The same meters as a configuration of the connector."""
    register = {"count": 2, "type": "uint32", "scale": "0.01", "word_order": "big", "function": 3}
    keys = ("total", "t1", "t2", "t3")
    model = {
        "protocol": "modbus-tcp",
        "kind": "power",
        "registers": [{"key": key, "address": 2 * n, **register} for n, key in enumerate(keys)],
    }
    period = round(load.period_s)
    schedule = {"energy_s": period, "live_s": period, "switch_s": period, "clock_at": ""}
    return {
        "version": 1,
        "connector": {"id": 1, "code": "bench", "timezone": "Asia/Shanghai"},
        "models": {"four": model},
        "schedules": {"default": schedule},
        "gateways": [_gateway(number, port, load) for number, port in enumerate(ports, 1)],
    }


def _gateway(number: int, port: int, load: Load) -> dict[str, Any]:
    first = (number - 1) * load.meters
    meters = [
        {
            "id": first + unit,
            "serial": f"{number}-{unit}",
            "address": str(unit),
            "model": "four",
            "read_group": "default",
            "circuits": [{"id": first + unit, "number": 1}],
        }
        for unit in range(1, load.meters + 1)
    ]
    link = {"kind": "tcp_client", "host": "127.0.0.1", "port": port}
    bus = {"id": number, "number": 1, "framing": "modbus_tcp", "link": link, "meters": meters}
    return {"id": number, "name": f"G{number}", "buses": [bus]}
