"""After days without Odoo: fresh values first, the backlog in its order, everything once."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from pathlib import Path

import pytest
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from meter_connector.clock import Clock
from meter_connector.model import Reading
from meter_connector.odoo.catch_up import FreshFirst
from meter_connector.odoo.client import OdooSettings, make_client
from meter_connector.odoo.face import OdooFace
from meter_connector.odoo.sender import Sender
from meter_connector.odoo.uplink import readings_queue
from meter_connector.outbox import Outbox

pytestmark = pytest.mark.usefixtures("nothing_left_behind")
CIRCUITS = 50


def rows(begin: float, count: int) -> list[Reading]:
    return [Reading(1 + n % CIRCUITS, begin + n, {"total": f"{n}.00"}) for n in range(count)]


async def test_what_meters_show_now_is_at_odoo_after_one_batch_of_the_backlog(tmp_path: Path) -> None:
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    now = clock.now()
    backlog = rows(now - 20_000, 12_000)
    for begin in range(0, len(backlog), 1000):
        await outbox.put_readings(backlog[begin : begin + 1000])
    with FakeOdoo() as odoo:
        client = make_client(OdooSettings(odoo.url, DATABASE, LOGIN, KEY, "xmlrpc"))
        catch_up = FreshFirst(outbox, clock)
        sender = Sender(readings_queue(OdooFace(client, clock), catch_up), outbox, clock, lambda: None)
        number = 0
        while (await outbox.stats()).readings:
            fresh = Reading(1 + number % CIRCUITS, clock.now(), {"total": f"{number}.50"})
            await outbox.put_readings([fresh])
            number += 1
            for _ in range(2):
                await sender.step() if (await outbox.stats()).readings else None
            assert (fresh.circuit_id, fresh.at) in odoo.readings
        assert await catch_up.fetch(10) == []
        assert not catch_up.is_catching_up
        assert odoo.readings_counted_once()
        assert len(odoo.readings) == len(backlog) + number
        in_order = defaultdict(list)
        for circuit, at in odoo.arrivals:
            if at < now - 60:
                in_order[circuit].append(at)
        assert all(times == sorted(times) for times in in_order.values())
        await client.close()
    await outbox.close()


async def test_without_a_backlog_nothing_changes(tmp_path: Path) -> None:
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    await outbox.put_readings(rows(clock.now() - 5000, 900))
    catch_up = FreshFirst(outbox, clock)
    assert [row.row for row in await catch_up.fetch(1000)] == list(range(1, 901))
    assert not catch_up.is_catching_up
    await outbox.close()


async def test_circuits_held_back_keep_the_backlog_open(tmp_path: Path) -> None:
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    await outbox.put_readings(rows(clock.now() - 5000, 300))
    catch_up = FreshFirst(outbox, clock)
    held = [1, 2]
    while batch := await catch_up.fetch(100, held):
        assert not {row.reading.circuit_id for row in batch} & set(held)
        await outbox.settle("readings", [row.row for row in batch])
    left = await catch_up.fetch(100)
    assert {row.reading.circuit_id for row in left} == set(held)
    await outbox.close()


async def test_days_of_outage_cost_disk_and_no_memory(tmp_path: Path) -> None:
    """A hundred thousand rows leave nothing behind in the process."""
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    begin = clock.now() - 1_000_000
    await outbox.put_readings(rows(begin, 5000))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for part in range(1, 20):
        await outbox.put_readings(rows(begin + 5000 * part, 5000))
    catch_up = FreshFirst(outbox, clock)
    assert len(await catch_up.fetch(1000)) == 1000
    stats = await outbox.stats()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert stats.readings == 100_000
    assert grown < 3_000_000
    await outbox.close()


async def test_each_batch_says_since_when_older_readings_wait(tmp_path: Path) -> None:
    """Whoever bills must know with the first fresh reading, and learn when the last of the backlog is in."""
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    backlog = rows(clock.now() - 5000, 250)
    await outbox.put_readings(backlog)
    await outbox.put_readings([Reading(7, clock.now(), {"total": "1.00"})])
    catch_up = FreshFirst(outbox, clock)
    told = []
    while batch := await catch_up.fetch(100):
        told.append((len(batch), catch_up.waiting_from))
        await outbox.settle("readings", [row.row for row in batch])
    assert told == [(1, backlog[0].at), (100, backlog[100].at), (100, backlog[200].at), (50, 0.0)]
    await outbox.close()


async def test_the_batch_at_odoo_carries_it(tmp_path: Path) -> None:
    clock = Clock()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    backlog = rows(clock.now() - 5000, 1500)
    await outbox.put_readings(backlog)
    await outbox.put_readings([Reading(7, clock.now(), {"total": "1.00"})])
    with FakeOdoo() as odoo:
        client = make_client(OdooSettings(odoo.url, DATABASE, LOGIN, KEY, "xmlrpc"))
        catch_up = FreshFirst(outbox, clock)
        sender = Sender(readings_queue(OdooFace(client, clock), catch_up), outbox, clock, lambda: None)
        await sender.flush()
        told = [payload.get("waiting_from") for method, payload in odoo.calls if method == "api_ingest"]
        assert told == [backlog[0].at, backlog[1000].at, None]
        await client.close()
    await outbox.close()
