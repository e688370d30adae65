"""Gaps over midnights are filled with what the meters froze themselves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from meter_connector.drivers import ItemValues
from meter_connector.scheduler.freeze import energies, frozen_at, midnights
from schedhelp import HOUR, Stand, pass_time
from wirehelp import SimWire, meter_row, until, virtually

HOURLY = {"energy_s": 600, "live_s": 0, "switch_s": 0}
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def epoch(text: str, zone: ZoneInfo) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def test_midnights_are_the_sites_own_also_when_the_clocks_change() -> None:
    for zone in (SHANGHAI, BERLIN):
        found = midnights(epoch("2026-10-24 12:00", zone), epoch("2026-10-27 00:00", zone), zone)
        assert found == [epoch(f"2026-10-{day} 00:00", zone) for day in (25, 26, 27)]
    assert midnights(epoch("2026-10-24 00:00", SHANGHAI), epoch("2026-10-24 23:59", SHANGHAI), SHANGHAI) == []


def test_what_is_no_freeze_is_not_taken() -> None:
    assert frozen_at("2026-11-20 00:00", SHANGHAI) == epoch("2026-11-20 00:00", SHANGHAI)
    assert [frozen_at(text, SHANGHAI) for text in (None, "", "2026-13-01 00:00")] == [None] * 3
    assert energies("12.34; 1.00; -; 2.00") == {
        "total": Decimal("12.34"),
        "t1": Decimal("1.00"),
        "t3": Decimal("2.00"),
    }
    assert energies("-; 1.00") == energies(None) == {}


def frozen(stand: Stand) -> None:
    """The meter keeps the last three midnights. (Its driver is told so; the frames are the codecs' business.)"""
    runner = stand.scheduler._runners[1]
    driver = runner.driver_of(runner.bus.meters[0])

    real = driver.read_items

    async def read_items(line: Any, meter: Any, names: Any) -> ItemValues:
        if not names[0].startswith("day_time"):
            return await real(line, meter, names)
        number = int(names[0].rpartition("_")[2])
        now = datetime.fromtimestamp(stand.clock.now(), SHANGHAI)
        day = midnights(stand.clock.now() - 5 * 86400, stand.clock.now(), SHANGHAI)
        moment = datetime.fromtimestamp(day[-number], SHANGHAI) if number <= 3 else now
        text = moment.strftime("%Y-%m-%d %H:%M") if number <= 3 else None
        return ItemValues({names[0]: text, names[1]: f"{1000 - number}.00; 1.00"})

    driver.read_items = read_items  # type: ignore[method-assign]


def test_a_meter_that_was_away_over_two_midnights_tells_both(tmp_path: Path) -> None:
    async def main(is_restart: bool) -> None:
        folder = tmp_path / str(is_restart)
        folder.mkdir()
        stand = Stand(SimWire([meter_row(1)]), disk=folder / "outbox.sqlite3")
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule=HOURLY)
        frozen(stand)
        await pass_time(2 * HOUR)
        gone_at = stand.clock.now()
        if is_restart:
            await stand.scheduler.stop()
            await pass_time(40 * HOUR)
            stand.scheduler = stand._scheduler(disk)
            await stand.start(is_plugged=False, schedule=HOURLY)
            frozen(stand)
            stand.links[-1].plug()
        else:
            stand.wire.meter_faults("S1", silent=True)
            await pass_time(40 * HOUR)
            stand.wire.meter_faults("S1", silent=False)
        await until(lambda: [each for each in disk.readings() if each.source == "freeze"], 2 * HOUR)
        await pass_time(600)
        found = [each for each in disk.readings() if each.source == "freeze"]
        assert [each.at for each in found] == midnights(gone_at, stand.clock.now(), SHANGHAI)[::-1]
        assert [str(each.values["total"]) for each in found] == ["999.00", "998.00"]
        await pass_time(26 * HOUR)  # a midnight without a gap asks nothing
        assert len([each for each in disk.readings() if each.source == "freeze"]) == 2
        await stand.close()

    for is_restart in (False, True):
        virtually(lambda is_restart=is_restart: main(is_restart))  # type: ignore[misc]


def test_the_gap_of_a_power_cut_is_filled_when_the_time_is_known(tmp_path: Path) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]), disk=tmp_path / "outbox.sqlite3")
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule=HOURLY)
        frozen(stand)
        await pass_time(11 * HOUR)
        gone_at = stand.clock.now()  # 23:00
        stand.clock.guess(gone_at)  # as after a start of the machine at 01:00
        await pass_time(6 * HOUR)
        stand.clock.learn(gone_at + 8 * HOUR, stand.clock.monotonic(), stand.clock.monotonic())
        await pass_time(2 * HOUR)
        days = [reading.at for reading in disk.readings() if reading.source == "freeze"]
        assert sorted(days) == midnights(gone_at, gone_at + 8 * HOUR, SHANGHAI)
        await stand.close()

    virtually(main)
