"""The power goes at any moment: what was promised is on the disk, whatever had not been synced by then."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from meter_connector.clock import Clock
from meter_connector.errors import OutboxError
from meter_connector.model import OrderResult
from meter_connector.nbiot.inbox import Inbox
from meter_connector.nbiot.push import Push
from meter_connector.outbox import orders, queues
from meter_connector.outbox.database import check_integrity, open_database
from meter_connector.outbox.outbox import Outbox, WriterFactory
from meter_connector.outbox.writer import Writer
from meter_connector.ports import Stage
from meter_connector.simulator.virtual.world import MEMORY_DISK
from outboxhelp import NOW, order, reading
from power_cut import Disk, listened_to

READINGS, ORDERS, CUTS = 400, 60, 120
FILE = "outbox.sqlite3"


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: the syncs of these tests are counted, not waited for."""
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as name:
        yield Path(name)


def careless_writer(path: Path, connection: sqlite3.Connection) -> Writer:
    """Its commits reach the operating system, not the disk."""
    connection.execute("PRAGMA synchronous = NORMAL")
    return Writer(path, connection)


async def busy_outbox(path: Path, disk: Disk, writer: WriterFactory = Writer) -> None:
    """Readings one by one and in company, orders step by step, acknowledgements; long enough for the log to be carried over."""
    outbox = await Outbox.open(path, Clock(), writer=writer)

    async def read(first: int, step: int) -> None:
        for number in range(first, READINGS, step):
            await outbox.put_reading(reading(number))
            disk.mark("reading", number)

    async def carry_out() -> None:
        for number in range(1, ORDERS + 1):
            one = order(number, circuit=number, expires_at=0)
            await outbox.receive_orders([one])
            disk.mark("order", number, Stage.RECEIVED)
            await outbox.start_order(one)
            disk.mark("order", number, Stage.STARTED)  # from here on the command may be on the wire
            await outbox.finish_order(OrderResult(number, 1, "confirmed", "on", NOW))
            disk.mark("order", number, Stage.DONE)

    async def settle() -> None:
        while len(rows := await outbox.readings(7)) == 7:
            disk.mark("settling", [int(row.reading.at - NOW) for row in rows])
            await outbox.settle("readings", [row.row for row in rows])
            disk.mark("settled", [int(row.reading.at - NOW) for row in rows])

    async with asyncio.TaskGroup() as group:
        for lane in range(3):
            group.create_task(read(lane, 3))
        group.create_task(carry_out())
    await settle()
    for number in range(READINGS, READINGS + 40):
        await outbox.put_reading(reading(number))
        disk.mark("reading", number)
    await outbox.close()


def moments(disk: Disk, rng: random.Random) -> Iterable[int]:
    """Anywhere, and right after promises, where they are most easily broken."""
    marks = [n + 1 for n, op in enumerate(disk.ops) if op.kind == "mark"]
    return [*rng.sample(range(len(disk.ops) + 1), CUTS), *rng.sample(marks, CUTS // 2)]


def broken_promises(path: Path, facts: list[Any]) -> list[str]:
    """What the file at `path` no longer knows, opened as after the power came back."""
    db = open_database(path)
    try:
        check_integrity(db, path)
        rows = [int(row.reading.at - NOW) for row in queues.fetch_readings(db, 10_000)]
        stages = {row.order.id: row.stage for row in orders.recent(db, 1_000)}
    finally:
        db.close()
    stored = {number for kind, *rest in facts if kind == "reading" for number in rest}
    going = {number for kind, *rest in facts if kind == "settling" for number in rest[0]}
    gone = {number for kind, *rest in facts if kind == "settled" for number in rest[0]}
    promised = {rest[0]: rest[1] for kind, *rest in facts if kind == "order"}
    broken = [f"reading {number} is lost" for number in stored - going - set(rows)]
    broken += [f"reading {number} came back" for number in gone & set(rows)]
    broken += [f"reading {number} is there twice" for number in set(rows) if rows.count(number) > 1]
    broken += [
        f"order {number} fell back to {stages.get(number)} from {stage}"
        for number, stage in promised.items()
        if stages.get(number, -1) < stage
    ]
    return broken


def cut_everywhere(disk: Disk, folder: Path, seed: int) -> list[str]:
    """Broken promises of all moments that were tried."""
    rng = random.Random(seed)
    broken: list[str] = []
    for number, moment in enumerate(moments(disk, rng)):
        place = folder / str(number)
        place.mkdir()
        disk.leave(moment, place, rng)
        try:
            found = broken_promises(place / FILE, disk.facts(moment))
        except OutboxError as error:
            found = [str(error)]
        broken += [f"seed {seed}, moment {moment}: {each}" for each in found]
    return broken


@pytest.mark.parametrize("seed", range(2))
async def test_a_power_cut_at_any_moment_breaks_no_promise(folder: Path, seed: int) -> None:
    with listened_to() as disk:
        await busy_outbox(folder / FILE, disk)
    carried_over = sum(op.kind == "sync" and op.name == FILE for op in disk.ops)
    assert carried_over >= 2, "cuts in the middle of a checkpoint belong to it"
    assert cut_everywhere(disk, folder, seed) == []


async def test_the_cuts_find_an_outbox_that_does_not_sync(folder: Path) -> None:
    """The commonest faster setting: what kill -9 never shows."""
    with listened_to() as disk:
        await busy_outbox(folder / FILE, disk, careless_writer)
    broken = cut_everywhere(disk, folder, 0)
    assert any("is lost" in each for each in broken)
    assert any("fell back" in each for each in broken)


async def test_a_report_that_a_platform_got_its_200_for_outlives_the_power(folder: Path) -> None:
    with listened_to() as disk:
        inbox = await Inbox.open(folder / FILE)
        for number in range(60):
            await inbox.put([Push(f"k{number}", "onenet", "1", "1", NOW, "report", {"value": "00"})], NOW)
            disk.mark(f"k{number}")
        await inbox.close()
    rng = random.Random(0)
    for moment in moments(disk, rng):
        place = folder / str(moment)
        place.mkdir(exist_ok=True)
        disk.leave(moment, place, rng)
        left = await Inbox.open(place / FILE)
        kept = {each.push.key for each in await left.waiting(1_000)}
        await left.close()
        assert {fact[0] for fact in disk.facts(moment)} <= kept, f"moment {moment}"
