"""How much room there is, and what happens long before there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from meter_connector.clock import Clock
from meter_connector.model import (
    Bus,
    Circuit,
    Gateway,
    Link,
    Meter,
    MeterModel,
    Reading,
    Schedule,
    SiteConfig,
)
from meter_connector.outbox import Outbox, queues
from meter_connector.outbox.database import open_database
from meter_connector.outbox.room import ROW_BYTES, Room, measure, readings_a_day
from outboxhelp import NOW

LIVE = {
    "total": "12345.67",
    "voltage_v": "231.4",
    "current_a": "12.345",
    "power_kw": "2.7654",
    "power_factor": "0.987",
    "switch": "on",
}


def live(number: int) -> Reading:
    return Reading(1000 + number % 1283, NOW + number / 20, LIVE)


def site(meters: int, **schedule: int) -> SiteConfig:
    model = MeterModel("m", "dlt645-2007", ())
    rows = tuple(Meter(n, str(n), "1".zfill(12), model, (Circuit(n),)) for n in range(1, meters + 1))
    bus = Bus(1, 1, Link("tcp_client", host="h", port=1), rows)
    from zoneinfo import ZoneInfo

    return SiteConfig(
        1, ZoneInfo("UTC"), gateways=(Gateway(1, "g", (bus,)),), schedules={"default": Schedule(**schedule)}
    )


def test_rows_a_day_follow_from_the_configuration() -> None:
    assert readings_a_day(None) == 0
    assert readings_a_day(site(100, energy_s=60, live_s=60, switch_s=60)) == 100 * 1440
    assert readings_a_day(site(100, energy_s=900, live_s=60, switch_s=0)) == 100 * (96 + 1440)


def test_the_size_of_a_row_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    """20,000 rows with all live values: what a day of a site takes is known before the first outage."""
    path = tmp_path / "outbox.sqlite3"
    db = open_database(path)
    db.execute("BEGIN")
    queues.put_readings(db, [live(n) for n in range(20_000)])
    db.execute("COMMIT")
    size, count, free = queues.fill(db)
    row = size * (count - free) / 20_000
    assert 0.8 * ROW_BYTES < row < 1.1 * ROW_BYTES
    found = measure(path, (size, count, free), 20_000, 1283 * 1440, 0, 0)
    assert found.per_day == pytest.approx(row * 1283 * 1440, rel=0.01)
    db.close()


@pytest.mark.parametrize(
    ("used", "before", "level"),
    [
        (49, 0, 0),
        (50, 0, 1),
        (80, 1, 2),
        (95, 2, 3),
        (96, 0, 3),
        (45, 1, 1),
        (39, 1, 0),
        (70, 2, 2),
        (59, 2, 1),
        (91, 3, 3),
        (85, 3, 2),
    ],
)
def test_levels_rise_at_once_and_fall_with_slack(tmp_path: Path, used: int, before: int, level: int) -> None:
    found = measure(tmp_path / "outbox", (1000, used, 0), 0, 1000, 100_000, before)
    assert found.level == level


def test_days_left_are_told() -> None:
    assert Room(50, 150, 50, 1).days_left == 2
    assert Room(200, 150, 50, 3).days_left == 0
    assert Room(50, 150, 0, 1).days_left == -1


async def test_each_level_is_told_once_and_that_it_is_over(tmp_path: Path) -> None:
    outbox = await Outbox.open(tmp_path / "outbox.sqlite3", Clock(), max_bytes=1024 * 1024)
    seen = []
    for number in range(200):
        await outbox.put_readings([live(100 * number + n) for n in range(100)])
        found = await outbox.measure_room(10_000)
        if not seen or seen[-1] != found.level:
            seen.append(found.level)
        if found.level == 3:
            break
    assert seen == [0, 1, 2, 3]
    rows = await outbox.readings(1_000_000)
    await outbox.settle("readings", [row.row for row in rows])
    assert (await outbox.measure_room(10_000)).level == 0
    kinds = [(stored.event.kind, stored.event.data["level"]) for stored in await outbox.events(100)]
    assert kinds == [("outbox_filling", 1), ("outbox_filling", 2), ("outbox_filling", 3), ("outbox_ok", 0)]
    await outbox.close()


async def test_counts_hold_over_settling_and_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    outbox = await Outbox.open(path, Clock())
    await outbox.put_readings([live(n) for n in range(500)])
    rows = await outbox.readings(120)
    await outbox.settle("readings", [row.row for row in rows])
    await outbox.settle("readings", [row.row for row in rows])
    assert (await outbox.stats()).readings == 380
    await outbox.close()
    outbox = await Outbox.open(path, Clock())
    assert (await outbox.stats()).readings == 380
    await outbox.close()
