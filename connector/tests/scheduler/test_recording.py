"""Readings share commits, and nothing that somebody waits for waits with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meter_connector.model import Event, OrderResult, Reading
from meter_connector.scheduler.recording import MAX_BATCH, Recording
from wirehelp import NOON, MemoryRecorder, virtually

RATE = 60
"""Readings a second, of a large site."""


class Disk(MemoryRecorder):
    """Notes when each commit of readings came, and each end of an order; virtual seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[float] = []
        self.ends: list[float] = []

    async def put_readings(self, readings: list[Reading]) -> None:
        await super().put_readings(readings)
        self.commits.append(asyncio.get_running_loop().time())

    async def finish_order(self, result: OrderResult) -> None:
        await super().finish_order(result)
        self.ends.append(asyncio.get_running_loop().time())


@asynccontextmanager
async def recording(max_readings: int = 2000) -> AsyncIterator[tuple[Recording, Disk]]:
    disk = Disk()
    found = Recording(disk, max_readings, linger_s=1.0)
    task = asyncio.create_task(found.run())
    yield found, disk
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def reading(number: int) -> Reading:
    return Reading(number, NOON + number, {"total": "1"})


def test_at_a_steady_load_there_is_a_commit_a_second_and_no_reading_waits_longer() -> None:
    async def main() -> None:
        async with recording() as (found, disk):
            began = asyncio.get_running_loop().time()
            for number in range(60 * RATE):
                found.readings([reading(number)])
                assert len(disk.readings) >= number - RATE
                await asyncio.sleep(1 / RATE)
            await found.flush()
            assert asyncio.get_running_loop().time() - began < 60.1
            assert len(disk.readings) == 60 * RATE
            assert 55 <= len(disk.commits) <= 61

    virtually(main)


def test_an_orders_step_waits_for_nobody_and_takes_along_what_was_read_before() -> None:
    async def main() -> None:
        async with recording() as (found, disk):
            for _ in range(5):
                found.readings([reading(1)])
                await asyncio.sleep(0.2)
                now = asyncio.get_running_loop().time()
                found.finished(OrderResult(1, 1, "confirmed", "on", NOON))
                await asyncio.sleep(0.3)
                assert disk.commits[-1] == disk.ends[-1] == now
            found.readings([reading(1)])
            found.event(Event("k", "meter_back", NOON))
            await asyncio.sleep(0.01)
            assert (len(disk.readings), len(disk.events)) == (6, 1)

    virtually(main)


def test_a_full_batch_and_a_full_memory_wait_no_longer() -> None:
    async def main(max_readings: int, enough: int) -> None:
        async with recording(max_readings) as (found, disk):
            for number in range(enough - 1):
                found.readings([reading(number)])
            await asyncio.sleep(0.01)
            assert not disk.readings
            found.readings([reading(enough)])
            await asyncio.sleep(0.01)
            assert len(disk.readings) == enough
            await asyncio.wait_for(found.room(), 0.01)

    virtually(lambda: main(2000, MAX_BATCH))
    virtually(lambda: main(50, 50))
