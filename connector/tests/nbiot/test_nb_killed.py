"""The connector killed with SIGKILL after each fact of a report, in a real process: the report counts, and counts once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp
import nb_child
import nbhelp as nb
import pytest
from fake_odoo import FakeOdoo
from meter_connector import steps

CHILD = Path(nb_child.__file__)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def start(odoo: FakeOdoo, folder: Path, port: int, *fact: str) -> asyncio.subprocess.Process:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), odoo.url, str(folder), str(port), *fact),
        env={**os.environ, "PYTHONPATH": path},
        stderr=asyncio.subprocess.DEVNULL,
    )


async def push(port: int, body: bytes) -> int:
    """As a platform does: again and again until there is an answer; 0 when the connection went away in the middle."""
    url = f"http://127.0.0.1:{port}/nbiot/{nb.TOKEN}/ctwing"
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(url, data=body) as answer:
                    return answer.status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
            except (aiohttp.ClientError, ConnectionError):
                return 0


@pytest.mark.parametrize("fact", nb_child.FACTS)
async def test_a_report_killed_after_a_fact_counts_once(tmp_path: Path, fact: str) -> None:
    at = int(time.time()) - 30.0
    body = nb.ctwing(nb.water_frame("123.45"), at=at)
    port = free_port()
    with FakeOdoo(document=nb.document()) as odoo:
        first = await start(odoo, tmp_path, port, fact)
        status = await push(port, body)
        async with asyncio.timeout(30):
            assert await first.wait() == -signal.SIGKILL
        again = await start(odoo, tmp_path, port)
        if status != 200:  # the platform did not hear of it: it pushes again
            assert await push(port, body) == 200
        await odoo.until(lambda: odoo.readings, 30)
        assert await push(port, nb.ctwing(nb.water_frame("123.46"), at=at + 10)) == 200
        await odoo.until(lambda: len(odoo.readings) == 2, 30)
        assert {key: row["total"] for key, row in odoo.readings.items()} == {
            (11, at): "123.45",
            (11, at + 10): "123.46",
        }
        again.send_signal(signal.SIGKILL)
        await again.wait()


async def be_the_meter(port: int, commands: Path) -> None:
    """Report again and again: open until the platform was given the command, which is acknowledged, and closed from then on."""
    while True:
        at = time.time() + 1
        is_sent = await asyncio.to_thread(commands.exists)
        if is_sent:
            await push(port, nb.ctwing(nb.valve_answer(), at=at))
        await push(port, nb.ctwing(nb.water_frame(valve=int(is_sent)), at=at))
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("label", [label for label in steps.STEPS if label.startswith("nb.")])
async def test_an_order_killed_at_a_step_is_given_to_the_platform_once_and_its_end_is_told(
    tmp_path: Path, label: str
) -> None:
    port, commands = free_port(), tmp_path / nb_child.COMMANDS
    with FakeOdoo(document=nb.document()) as odoo:
        odoo.order(1, "switch_off", meter_id=1, circuit_id=11)
        first = await start(odoo, tmp_path, port, label)
        meter = asyncio.create_task(be_the_meter(port, commands))
        async with asyncio.timeout(40):
            assert await first.wait() == -signal.SIGKILL
        assert not {"confirmed", "failed"} & set(odoo.states(1))
        again = await start(odoo, tmp_path, port)
        await odoo.until(lambda: "confirmed" in odoo.states(1), 40)
        meter.cancel()
        await asyncio.gather(meter, return_exceptions=True)
        assert len(commands.read_text().splitlines()) == 1
        again.send_signal(signal.SIGKILL)
        await again.wait()
