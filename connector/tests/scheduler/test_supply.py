"""Timed supply and recovery after trips, kept by the connector: with Odoo away, over restarts, never against Odoo's newest wish."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from meter_connector.model import SiteConfig, SupplyPeriod, SupplyPlan
from meter_connector.scheduler.plan import is_supplied, phase_at
from schedhelp import HOUR, Stand, pass_time
from wirehelp import SimWire, meter_row, until, virtually

RPC = (Path(__file__).resolve().parents[3] / "docs" / "rpc.md").read_text()
OVERRIDE = json.loads(re.findall(r"`switch_off` \| `([^`]+)` of a person", RPC)[0])
"""What Odoo writes into a person's order; Odoo's tests read the same place."""
IDLE = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
WATCHED = {"energy_s": 3600, "live_s": 0, "switch_s": 10}
SLOW = {"energy_s": 3600, "live_s": 0, "switch_s": 60}
ALL_DAYS = frozenset(range(1, 8))
SHOP = {
    "periods": [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "08:00", "to": "22:00"}],
    "kept_by": "connector",
}


def plan(*periods: tuple[int, int], days: frozenset[int] = ALL_DAYS) -> SupplyPlan:
    return SupplyPlan(tuple(SupplyPeriod(days, begin, end) for begin, end in periods))


class Kept(Stand):
    """A stand whose meters have further keys in the configuration."""

    keys: dict[str, Any]

    def site(self, **how: Any) -> SiteConfig:
        document = self.wire.document(**how)
        for meter in document["gateways"][0]["buses"][0]["meters"]:
            meter |= self.keys
        return SiteConfig.from_document(document, is_strict=True)

    @property
    def relay(self) -> Any:
        return self.wire.meters["S1"].relay

    @property
    def hour(self) -> float:
        local = datetime.fromtimestamp(self.clock.now(), ZoneInfo(self.wire.zone))
        return local.hour + local.minute / 60

    async def until_hour(self, hour: float) -> None:
        """Let the site run until its wall clock shows it."""
        await pass_time(((hour - self.hour) % 24) * HOUR)

    def trip(self) -> None:
        """The meter opens by itself."""
        self.relay.is_closed = self.relay.is_commanded_closed = False


def kept(tmp_path: Path, **keys: Any) -> Kept:
    stand = Kept(SimWire([meter_row(1)]), disk=tmp_path / "outbox.sqlite3")
    stand.keys = keys
    return stand


# ---- arithmetic --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("moment", "is_on"),
    [
        ("2026-11-20 07:59", False),  # a Friday
        ("2026-11-20 08:00", True),
        ("2026-11-20 21:59", True),
        ("2026-11-20 22:00", False),
        ("2026-11-21 12:00", False),
        ("2026-11-21 23:30", True),  # Saturday night into Sunday
        ("2026-11-22 01:59", True),
        ("2026-11-22 02:00", False),
        ("2026-11-23 01:00", False),
    ],
)
def test_periods_by_weekday_and_past_midnight(moment: str, is_on: bool) -> None:
    weekdays = SupplyPeriod(frozenset({1, 2, 3, 4, 5}), 480, 1320)
    night = SupplyPeriod(frozenset({6}), 1380, 120)
    assert is_supplied(SupplyPlan((weekdays, night)), datetime.fromisoformat(moment)) is is_on


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("Asia/Shanghai", "2026-10-25")],
)
def test_a_period_begins_and_ends_by_the_wall_clock_on_the_days_the_clocks_change(
    zone: str, day: str
) -> None:
    where = ZoneInfo(zone)
    for begin, end in ((480, 1320), (150, 170)):
        noon = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=where).timestamp()
        for minute in range(0, 26 * 60, 10):
            now = noon + minute * 60
            local = datetime.fromtimestamp(now, where)
            phase = phase_at(plan((begin, end)), now, where)
            assert phase.holds(now)
            assert phase.is_on is (begin <= local.hour * 60 + local.minute < end)


def test_a_plan_that_never_changes_has_no_edges() -> None:
    for given in (plan(), plan((0, 1440))):
        assert phase_at(given, 1.8e9, ZoneInfo("Asia/Shanghai")) == type(phase_at(given, 0, ZoneInfo("UTC")))(
            True, 0.0, 0.0
        )


# ---- the plan at work --------------------------------------------------------------------------------------------------------------
def test_supply_follows_the_plan_day_after_day_and_tells_it(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        for _day in range(2):
            await stand.until_hour(22.05)
            assert stand.relay.word == "off"
            await stand.until_hour(7.95)
            assert stand.relay.word == "off"
            await stand.until_hour(8.05)
            assert stand.relay.word == "on"
        assert stand.wire.moves("S1") == ["off", "on"] * 2
        assert len(stand.wire.commands("S1")) == 4
        told = stand.disk.events("plan_switched")  # type: ignore[union-attr]
        assert [event.data["reported"] for event in told] == ["off", "on"] * 2
        assert [(event.data["wanted"], event.data["result"]) for event in told[:2]] == [
            ("off", "confirmed"),
            ("on", "confirmed"),
        ]
        assert 9.9 * HOUR < told[0].data["until"] - told[0].at <= 10 * HOUR  # Odoo leaves it alone until then
        assert len({event.key for event in told}) == 4
        await stand.close()

    virtually(main)


def test_while_nobody_knows_the_time_the_plan_rests(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        stand.clock.guess(stand.clock.now())
        await stand.start(schedule=IDLE)
        await stand.until_hour(22.5)  # by the guess; in truth it is morning
        assert stand.relay.word == "on"
        now = stand.clock.now()
        stand.clock.learn(now, stand.clock.monotonic(), stand.clock.monotonic())
        await pass_time(70)
        assert stand.relay.word == "off"
        await stand.close()

    virtually(main)


def test_a_restart_at_any_time_neither_repeats_nor_forgets(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        await stand.until_hour(21.99)
        for _ in range(12):  # through the edge, a restart every 10 s
            await pass_time(10)
            await stand.restart(schedule=IDLE)
        await pass_time(60)
        assert stand.relay.word == "off"
        assert len(stand.wire.commands("S1")) == 1
        await stand.scheduler.stop()  # down over the morning's edge
        await stand.until_hour(9)
        await stand.restart(schedule=IDLE)
        await until(lambda: stand.relay.word == "on", 30)
        await stand.close()

    virtually(main)


def test_what_odoos_newest_wish_has_off_stays_off_when_a_period_begins(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        await stand.until_hour(22.1)
        stand.odoo_orders(stand.make_order(1, "switch_off", generation=1))
        await stand.told(1)
        await stand.until_hour(12)
        assert stand.relay.word == "off"
        stand.odoo_orders(stand.make_order(2, "switch_on", generation=2))
        assert (await stand.told(2)).state == "confirmed"
        await stand.close()

    virtually(main)


def test_an_order_that_was_off_before_the_edge_and_paid_in_the_night_comes_on_in_the_morning(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        stand.odoo_orders(stand.make_order(1, "switch_off", generation=1))
        await stand.told(1)
        await stand.until_hour(23)
        stand.odoo_orders(stand.make_order(2, "switch_on", generation=2))
        result = await stand.told(2)
        assert (result.state, result.reported) == ("failed", "off")
        assert "supply plan" in result.detail
        assert stand.relay.word == "off"
        await stand.until_hour(8.05)
        assert stand.relay.word == "on"
        await stand.close()

    virtually(main)


def test_odoos_repetitions_do_not_undo_the_plan_but_an_override_does(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        stand.odoo_orders(stand.make_order(1, "switch_on", generation=1))
        await stand.told(1)
        await stand.until_hour(22.1)
        for number in range(2, 6):
            stand.odoo_orders(stand.make_order(number, "switch_on", generation=number))
            assert (await stand.told(number)).state == "failed"
        assert stand.relay.word == "off"
        stand.odoo_orders(stand.make_order(9, "switch_on", generation=9, data=OVERRIDE))
        assert (await stand.told(9)).state == "confirmed"
        await stand.until_hour(7)
        assert stand.relay.word == "on"
        await stand.until_hour(22.1)
        assert stand.relay.word == "off"
        await stand.close()

    virtually(main)


def test_a_meter_that_is_away_at_the_edge_is_switched_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule={**IDLE, "energy_s": 60})
        await stand.until_hour(21.5)
        stand.wire.meter_faults("S1", silent=True)
        await stand.until_hour(23)
        assert stand.relay.word == "on"
        stand.wire.meter_faults("S1", silent=False)
        await until(lambda: stand.relay.word == "off", 700)
        await stand.close()

    virtually(main)


def test_a_plan_that_is_taken_away_leaves_nobody_in_the_dark(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=IDLE)
        await stand.until_hour(23)
        assert stand.relay.word == "off"
        stand.keys = {}
        await stand.scheduler.apply(stand.site(schedule=IDLE))
        await until(lambda: stand.relay.word == "on", 120)
        await stand.close()

    virtually(main)


# ---- recovery ----------------------------------------------------------------------------------------------------------------------
RECOVERY = {"tries": 3, "delay_s": 60, "stable_s": 600}


def test_after_three_trips_in_a_row_only_a_person_switches_on(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, auto_recovery=RECOVERY)
        await stand.start(schedule=WATCHED)
        stand.odoo_orders(stand.make_order(1, "switch_on", generation=1))
        await stand.told(1)
        await pass_time(60)
        for number in range(1, 4):
            stand.trip()
            await pass_time(40)
            assert stand.relay.word == "off"
            stand.odoo_orders(stand.make_order(10 + number, "switch_on", generation=1 + number))
            assert (await stand.told(10 + number)).state == "failed"
            await until(lambda: stand.relay.word == "on", 60)
            await pass_time(60)
        stand.trip()
        await pass_time(0.4 * HOUR)
        assert stand.relay.word == "off"
        disk = stand.disk
        assert disk is not None
        assert [event.data["trips"] for event in disk.events("meter_tripped")] == [1, 2, 3]
        assert len(disk.events("recovery_locked")) == 1
        assert [event.data["reported"] for event in disk.events("auto_recovered")] == ["on"] * 3
        await stand.restart(schedule=WATCHED)
        stand.odoo_orders(stand.make_order(20, "switch_on", generation=20))
        assert (await stand.told(20)).detail.startswith("the meter has tripped too often")
        stand.odoo_orders(stand.make_order(21, "switch_on", generation=21, data=OVERRIDE))
        assert (await stand.told(21)).state == "confirmed"
        await pass_time(60)
        stand.trip()
        await until(lambda: stand.relay.word == "on", 120)
        await stand.close()

    virtually(main)


def test_trips_that_lie_far_apart_are_not_in_a_row(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, auto_recovery=RECOVERY)
        await stand.start(schedule=WATCHED)
        await pass_time(60)
        for _ in range(6):
            stand.trip()
            await until(lambda: stand.relay.word == "on", 120)
            await pass_time(HOUR / 4)
        assert stand.disk is not None
        assert stand.disk.events("recovery_locked") == []
        await stand.close()

    virtually(main)


def test_an_ordered_trip_is_no_trip_of_the_meter(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, auto_recovery=RECOVERY)
        await stand.start(schedule=WATCHED)
        await pass_time(60)
        stand.odoo_orders(stand.make_order(1, "switch_off", generation=1))
        await stand.told(1)
        await pass_time(0.4 * HOUR)
        assert stand.relay.word == "off"
        assert stand.disk is not None
        assert stand.disk.events("meter_tripped") == []
        await stand.close()

    virtually(main)


def trips(stand: Kept) -> list[Any]:
    """Data of the trips that were told."""
    assert stand.disk is not None
    return [event.data for event in stand.disk.events("meter_tripped")]


def test_a_trip_without_a_recovery_of_ours_is_told_and_left_to_odoo(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path)
        await stand.start(schedule=SLOW)
        await pass_time(60)
        for number in (1, 2):
            stand.trip()
            await pass_time(HOUR / 2)
            assert stand.relay.word == "off"
            assert trips(stand) == [{}] * number, "no `tries`: Odoo counts and closes"
            stand.odoo_orders(stand.make_order(number, "switch_on", generation=number))
            assert (await stand.told(number)).state == "confirmed"
        await stand.close()

    virtually(main)


def test_no_plan_closes_what_waits_for_odoo_after_a_trip(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=SLOW)
        await stand.until_hour(21.9)
        stand.trip()
        await stand.until_hour(9)
        assert (stand.relay.word, len(trips(stand))) == ("off", 1)
        stand.odoo_orders(stand.make_order(1, "switch_on"))
        assert (await stand.told(1)).state == "confirmed"
        await stand.until_hour(22.1)
        assert stand.relay.word == "off"
        await stand.until_hour(8.1)
        assert stand.relay.word == "on"
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_trip_while_the_connector_was_down_is_told_and_rests(tmp_path: Path, is_restarted: bool) -> None:
    async def main() -> None:
        stand = kept(tmp_path, auto_recovery={**RECOVERY, "delay_s": 120})
        await stand.start(schedule=SLOW)
        await pass_time(60)
        if is_restarted:
            await stand.scheduler.stop()
        stand.trip()
        if is_restarted:
            await pass_time(HOUR)
            await stand.restart(schedule=SLOW)
        await pass_time(70)
        assert (stand.relay.word, [data["trips"] for data in trips(stand)]) == ("off", [1])
        await until(lambda: stand.relay.word == "on", 200, 5)
        await stand.restart(schedule=SLOW)
        await pass_time(HOUR)
        assert len(trips(stand)) == 1
        await stand.close()

    virtually(main)


def test_what_odoo_ordered_off_before_a_restart_is_no_trip_after_it(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path)
        await stand.start(schedule=SLOW)
        await pass_time(60)
        stand.odoo_orders(stand.make_order(1, "switch_off", generation=1))
        await stand.told(1)
        await stand.restart(schedule=SLOW)
        stand.odoo_orders(stand.make_order(2, "switch_on", generation=2))
        assert (await stand.told(2)).state == "confirmed"
        await pass_time(HOUR)
        assert trips(stand) == []
        await stand.close()

    virtually(main)


def test_a_lock_outlives_the_plans_hours(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP, auto_recovery={**RECOVERY, "tries": 1})
        await stand.start(schedule=SLOW)
        await stand.until_hour(21)
        stand.trip()
        await until(lambda: stand.relay.word == "on", 300, 5)
        await pass_time(120)
        stand.trip()
        disk = stand.disk
        assert disk is not None
        await until(lambda: disk.events("recovery_locked"), 300, 5)
        for hour in (22.1, 9, 22.1, 9):
            await stand.until_hour(hour)
            assert stand.relay.word == "off", "nobody has looked"
        for number, kind in enumerate(("switch_off", "switch_on"), start=1):  # not paid, then paid
            stand.odoo_orders(stand.make_order(number, kind, generation=number))
            await stand.told(number)
        assert stand.disk.results(2)[-1].detail.startswith("the meter has tripped too often")  # type: ignore[union-attr]
        stand.odoo_orders(stand.make_order(3, "switch_on", generation=3, data=OVERRIDE))
        assert (await stand.told(3)).state == "confirmed"
        await stand.until_hour(22.1)
        assert stand.relay.word == "off"
        await stand.until_hour(8.1)
        assert stand.relay.word == "on"
        await stand.close()

    virtually(main)


def test_a_recovery_waits_for_the_plans_next_period(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP, auto_recovery={**RECOVERY, "delay_s": 1800})
        await stand.start(schedule=SLOW)
        await stand.until_hour(21.75)
        stand.trip()
        for hour in (22.1, 23, 7.9):
            await stand.until_hour(hour)
            assert stand.relay.word == "off"
        await stand.until_hour(8.1)
        assert stand.relay.word == "on"
        assert stand.disk is not None
        assert [event.data["reported"] for event in stand.disk.events("auto_recovered")] == ["on"]
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("how", ["plan", "recovery"])
def test_what_was_refused_once_is_closed_soon_after(tmp_path: Path, how: str) -> None:
    async def main() -> None:
        keys = {"supply_plan": SHOP} if how == "plan" else {"auto_recovery": RECOVERY}
        stand = kept(tmp_path, **keys)
        await stand.start(schedule=SLOW)
        await stand.until_hour(22.1 if how == "plan" else 7.9)
        if how == "recovery":
            stand.trip()
        else:
            await stand.until_hour(7.9)
        assert stand.relay.word == "off"
        stand.wire.meter_faults("S1", relay_stuck=True)
        kind = "plan_switched" if how == "plan" else "auto_recovered"
        disk = stand.disk
        assert disk is not None
        await until(lambda: [each for each in disk.events(kind) if each.data["result"] == "failed"], HOUR, 5)
        await stand.restart(schedule=SLOW)
        stand.wire.meter_faults("S1", relay_stuck=False)
        await until(lambda: stand.relay.word == "on", 10 * 60, 5)
        count = len(disk.events(kind))
        await pass_time(2 * HOUR)
        assert len(disk.events(kind)) == count, "confirmed is the end of it"
        await stand.close()

    virtually(main)


def test_own_orders_that_fail_again_and_again_come_more_and_more_rarely(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=SLOW)
        await stand.until_hour(7.9)
        stand.wire.meter_faults("S1", relay_stuck=True)
        await stand.until_hour(21.5)
        disk = stand.disk
        assert disk is not None
        failed = [event for event in disk.events("plan_switched") if event.data["result"] == "failed"]
        assert 15 <= len(failed) <= 25
        gaps = [later.at - earlier.at for earlier, later in zip(failed, failed[1:], strict=False)]
        assert gaps[0] < 130
        assert gaps[-1] > 0.9 * HOUR
        await stand.close()

    virtually(main)


def test_what_was_closed_by_hand_in_the_plans_hours_without_supply_is_opened_again(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan=SHOP)
        await stand.start(schedule=SLOW)
        await stand.until_hour(23)
        assert stand.relay.word == "off"
        stand.relay.is_closed = stand.relay.is_commanded_closed = True
        await until(lambda: stand.relay.word == "off", 300, 5)
        await stand.until_hour(8.1)
        assert stand.relay.word == "on"
        assert trips(stand) == []
        await stand.close()

    virtually(main)


def test_a_meter_that_keeps_its_hours_itself_does_not_trip_by_them(tmp_path: Path) -> None:
    async def main() -> None:
        stand = kept(tmp_path, supply_plan={**SHOP, "kept_by": "meter"}, auto_recovery=RECOVERY)
        await stand.start(schedule=SLOW)
        await stand.until_hour(21.98)  # its clock is a minute ahead
        stand.trip()
        await stand.until_hour(7.9)
        assert (stand.relay.word, trips(stand)) == ("off", [])
        await stand.until_hour(8.1)
        stand.relay.is_closed = stand.relay.is_commanded_closed = True
        await stand.until_hour(12)
        stand.trip()
        await pass_time(120)
        assert len(trips(stand)) == 1
        await stand.close()

    virtually(main)
