"""Real time, real sockets and terminals, a real process that is really killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from meter_connector.model import SiteConfig
from meter_connector.scheduler import SiteScheduler
from meter_connector.simulator.links import DialLink, ListenLink, PtyLink
from meter_connector.simulator.site import LinkSpec
from wirehelp import MemoryRecorder, SimWire, make_clock, meter_row, really, until

CHILD = Path(__file__).with_name("kill_child.py")
FAST = {"energy_s": 1, "live_s": 1, "switch_s": 1}


@asynccontextmanager
async def running(
    wire: SimWire, link: Mapping[str, Any], schedule: Mapping[str, Any]
) -> AsyncIterator[tuple[SiteScheduler, MemoryRecorder]]:
    """A scheduler in real time on the simulated bus, through the real link `link`."""
    document = wire.document(schedule=schedule)
    document["gateways"][0]["buses"][0]["link"] = dict(link)
    recorder = MemoryRecorder()
    scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
    await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
    try:
        yield scheduler, recorder
    finally:
        await scheduler.stop()


@pytest.mark.parametrize("baudrate", [2400, 9600])
def test_a_serial_bus_is_kept_near_its_own_limit(baudrate: int) -> None:
    """The full figure (0.95) is held in virtual time and by the bench; here a busy machine gets some room."""

    async def main() -> None:
        wire = SimWire(
            [meter_row(n, "dtzy315") for n in range(1, 9)],
            bus={"baudrate": baudrate, "turnround_ms": [20, 20]},
            is_streaming=True,
        )
        line = PtyLink(LinkSpec("serial"), wire.bus)
        await line.start()
        async with running(wire, {"kind": "serial", "device": line.device}, FAST) as (scheduler, recorder):
            await until(lambda: recorder.readings, 10)
            stats = scheduler._runners[1].exchange.stats
            before, began = (stats.answers, stats.wire_s), asyncio.get_running_loop().time()
            await asyncio.sleep(3)
            span = asyncio.get_running_loop().time() - began
            needed = stats.wire_s - before[1] + (stats.answers - before[0]) * 0.020
            assert stats.answers - before[0] > 8
            assert needed / span > 0.85
            assert stats.timeouts + stats.garbled == 0
        await line.stop()
        await wire.close()

    really(main)


def test_a_gateway_that_dials_in_is_read_through_its_heartbeats() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1), meter_row(2)], bus={"baudrate": 9600})
        spec = LinkSpec("tcp_server", registration=b"REG-0001", heartbeat=b"BEAT-0001", heartbeat_s=0.05)
        line = DialLink(spec, wire.bus, random.Random(1))
        await line.start()
        link = {"kind": "tcp_server", "registration": "REG-0001", "heartbeat": "BEAT-0001"}
        async with running(wire, link, FAST) as (scheduler, recorder):
            line.dial("127.0.0.1", scheduler.listener.port)
            await until(lambda: len(recorder.readings) >= 6, 20)
            assert recorder.kinds() == ["gateway_online"]
            assert scheduler.bus_statuses()[0].dropped_bytes == 0
            await line.stop()
        await wire.close()

    really(main)


async def child(port: int, file: Path, mode: str) -> asyncio.subprocess.Process:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), str(port), str(file), mode),
        env={**os.environ, "PYTHONPATH": path},
        stdout=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("moment_s", [0.0, 0.1, 0.25])
def test_killed_between_order_and_read_back_nothing_is_done_twice_and_the_result_comes(
    moment_s: float, tmp_path: Path
) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)], bus={"baudrate": 9600})
        line = ListenLink(LinkSpec("tcp_client", host="127.0.0.1", port=0), wire.bus)
        await line.start()
        first = await child(line.port, tmp_path / "outbox.db", "first")
        await until(lambda: wire.commands("S1"), 20, 0.001)
        await asyncio.sleep(moment_s)
        first.send_signal(signal.SIGKILL)
        await first.communicate()
        again = await child(line.port, tmp_path / "outbox.db", "again")
        async with asyncio.timeout(30):
            out, _ = await again.communicate()
        assert again.returncode == 0
        assert out.decode().strip().endswith("'confirmed'] off")
        assert len(wire.commands("S1")) == 1
        assert wire.moves("S1") == ["off"]
        await line.stop()
        await wire.close()

    really(main)
