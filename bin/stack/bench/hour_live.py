"""The same estate for some real minutes: simulator, connector and an acknowledging Odoo as processes of their own.

Virtual time says nothing of sockets, threads and memory; this does.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from meter_connector.simulator.big_site import big_site
from meter_connector.simulator.config_document import config_document
from meter_connector.simulator.site_reader import read_site

from .. import layout
from ..services import Service, own_by_service
from .lone_connector import SOURCES, LoneConnector
from .process_cost import cost_of

WARM_UP_S, MEASURED_S, LOOK_EVERY_S = 60, 180, 5


def measure(schedule: dict[str, int], baudrate: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """CPU and memory of the connector's process, its readings, and the age of the oldest meter at the Odoo, in seconds."""
    progress(f"real processes, {WARM_UP_S} s and {MEASURED_S} s")
    document = big_site(baudrate=baudrate)
    with tempfile.TemporaryDirectory(dir=layout.SITE_DATA) as name:
        directory = Path(name)
        own_by_service(directory)
        (directory / "site.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
        ready = directory / "ready.json"
        words = [layout.PYTHON, "-m", "meter_connector", "simulate", directory / "site.yaml"]
        simulator = Service(
            "The simulated estate", [*words, "--ready-file", ready], directory / "simulator.log", SOURCES
        )
        simulator.start()
        try:
            simulator.wait_until(ready.exists, 120, "its buses listened")
            where = json.loads(ready.read_text())
            subject = LoneConnector(directory, config_document(read_site(document), where, schedule))
            return _watch(subject, simulator)
        finally:
            simulator.stop()


def _pid(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def _watch(subject: LoneConnector, simulator: Service) -> dict[str, Any]:
    try:
        subject.start()
        time.sleep(WARM_UP_S)
        pids = [_pid(subject.connector), _pid(simulator)]
        before, counts, began = [cost_of(pid) for pid in pids], subject.counts(), time.monotonic()
        oldest_s = 0.0
        while time.monotonic() - began < MEASURED_S:
            time.sleep(LOOK_EVERY_S)
            oldest_s = max(oldest_s, subject.counts()["oldest_s"])
        elapsed, after = time.monotonic() - began, [cost_of(pid) for pid in pids]
        found = subject.counts()
        readings = found["readings"] - counts["readings"]
        cpu_s = after[0].cpu_s - before[0].cpu_s
        return {
            "meters": found["circuits"],
            "readings_per_s": round(readings / elapsed, 1),
            "oldest_s": round(oldest_s, 1),
            "cpu_share": round(cpu_s / elapsed, 3),
            "cpu_s_per_1000": round(1000 * cpu_s / readings, 2),
            "rss_mib": after[0].rss_mib,
            "peak_mib": after[0].peak_mib,
            "cpu_share_of_simulator": round((after[1].cpu_s - before[1].cpu_s) / elapsed, 3),
        }
    finally:
        subject.stop()
