"""Readings, events and results wait in order, durable, until their own answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from meter_connector.clock import Clock
from meter_connector.model import Event, Order, OrderResult, Reading
from meter_connector.outbox import Outbox, queues
from meter_connector.outbox.database import open_database
from outboxhelp import NOW, event, reading

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


@pytest_asyncio.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    box = await Outbox.open(tmp_path / "outbox.sqlite3", Clock())
    yield box
    await box.close()


async def test_values_keep_every_digit_and_what_is_no_column_goes_to_the_extras(outbox: Outbox) -> None:
    values = {
        "total": Decimal("123456.70"),
        "t1": Decimal("1E+2"),
        "current_a": Decimal("-0.000"),
        "power_kw": Decimal("NaN"),
        "voltage_v": None,
        "switch": "pending",
        "voltage_b_v": Decimal("220.10"),
        "meter_clock": None,
    }
    await outbox.put_reading(Reading(7, NOW + 0.123456, values, "on_demand", {"note": "höher"}))
    [row] = await outbox.readings(10)
    assert row.reading.at == NOW + 0.123456
    assert row.reading.values == {
        "total": "123456.70",
        "t1": "100",
        "current_a": "-0.000",
        "switch": "pending",
    }
    assert row.reading.extras == {"voltage_b_v": "220.10", "note": "höher"}
    assert row.reading.source == "on_demand"


async def test_when_a_put_returns_another_process_would_see_it(outbox: Outbox) -> None:
    await outbox.put_reading(reading(1))
    db = open_database(outbox.path, is_read_only=True)
    assert queues.stats(db).readings == 1
    db.close()


async def test_many_puts_at_once_share_few_commits(outbox: Outbox) -> None:
    before = outbox.commits
    await asyncio.gather(*(outbox.put_reading(reading(number)) for number in range(1000)))
    assert outbox.commits - before < 100
    assert (await outbox.stats()).readings == 1000


async def test_a_slow_disk_does_not_hold_up_the_event_loop(outbox: Outbox) -> None:
    release, entered = threading.Event(), threading.Event()

    def slow(_db: object) -> None:
        entered.set()
        release.wait(10)

    hanging = asyncio.create_task(outbox._writer.run(slow))
    await asyncio.to_thread(entered.wait)
    waiting = asyncio.create_task(outbox.put_reading(reading(1)))
    started = time.monotonic()
    for _ in range(100):
        await asyncio.sleep(0)
    assert time.monotonic() - started < 0.5
    assert not waiting.done()  # not read before it is on the disk
    release.set()
    await asyncio.gather(hanging, waiting)


async def test_one_bad_job_spoils_no_other_of_its_commit(outbox: Outbox) -> None:
    def bad(db: object) -> None:
        queues.put_readings(db, [reading(1)])  # type: ignore[arg-type]
        raise ValueError("mine")

    results = await asyncio.gather(
        outbox.put_reading(reading(2)),
        outbox._writer.run(bad),
        outbox.put_reading(reading(3)),
        return_exceptions=True,
    )
    assert isinstance(results[1], ValueError)
    assert [row.reading for row in await outbox.readings(10)] == [reading(2), reading(3)]


async def test_a_waiter_that_is_cancelled_leaves_the_reading_stored(outbox: Outbox) -> None:
    put = asyncio.create_task(outbox.put_reading(reading(1)))
    await asyncio.sleep(0)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert (await outbox.stats()).readings == 1
    assert outbox.ready["readings"].is_set()


async def test_readings_leave_one_by_one_and_the_others_keep_their_order(outbox: Outbox) -> None:
    await outbox.put_readings([reading(number, circuit=number % 3) for number in range(9)])
    rows = await outbox.readings(100)
    assert [row.reading.at for row in rows] == [NOW + number for number in range(9)]
    await outbox.settle("readings", [rows[0].row, rows[4].row])
    left = await outbox.readings(100)
    assert [row.reading.at - NOW for row in left] == [1, 2, 3, 5, 6, 7, 8]
    held = await outbox.readings(100, held=[2])
    assert {row.reading.circuit_id for row in held} == {0, 1}
    assert len(await outbox.readings(3)) == 3


async def test_the_same_event_waits_once(outbox: Outbox) -> None:
    await asyncio.gather(*(outbox.put_event(event(1)) for _ in range(5)))
    await outbox.put_event(event(2))
    rows = await outbox.events(10)
    assert [row.event for row in rows] == [event(1), event(2)]


async def test_odd_data_of_an_event_is_kept_as_text(outbox: Outbox) -> None:
    await outbox.put_event(Event("k", "strange", NOW, data={"hex": b"\x68\x00", "n": Decimal("1.50")}))
    [row] = await outbox.events(10)
    assert row.event.data == {"hex": "6800", "n": "1.50"}


async def test_stats_count_and_name_the_oldest(outbox: Outbox) -> None:
    assert (await outbox.stats()).oldest_at == 0
    await outbox.put_reading(reading(5))
    await outbox.put_event(event(3))
    await outbox.finish_order(OrderResult(1, 1, "confirmed", "on", NOW))  # unknown order: nothing to report
    stats = await outbox.stats()
    assert (stats.readings, stats.events, stats.results, stats.oldest_at) == (1, 1, 0, NOW + 3)
    assert outbox.size_bytes() > 0


async def test_the_configuration_is_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    box = await Outbox.open(path, Clock())
    assert await box.kept_config() is None
    await box.keep_config({"version": 3, "名": "海星"})
    await box.keep_config({"version": 4, "名": "海星"})
    await box.close()
    box = await Outbox.open(path, Clock())
    assert await box.kept_config() == {"version": 4, "名": "海星"}
    await box.close()


async def test_results_of_orders_that_are_held_back_stay_back_and_the_others_go(outbox: Outbox) -> None:
    orders = [Order(number, 1, "read", 5, 0, NOW, 0) for number in (1, 2, 3)]
    await outbox.receive_orders(orders)
    assert [row.result.order_id for row in await outbox.results(10, [1, 3])] == [2]
    assert [row.result.order_id for row in await outbox.results(1, [1])] == [2]


async def test_an_unknown_queue_is_a_fault_of_ours(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="no queue"):
        await outbox.settle("orders", [1])
