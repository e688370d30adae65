"""Event counts and status words of meters: told once, with what the record says, also over a restart."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from meter_connector.codecs.values import Part
from meter_connector.model import Event
from meter_connector.scheduler.collecting import COUNTED, record_data
from schedhelp import HOUR, Stand, pass_time
from wirehelp import SimWire, meter_row, virtually

SLOW = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
ROUND = HOUR + 120


def stand_with(tmp_path: Path, **row: Any) -> Stand:
    return Stand(SimWire([meter_row(1, **row)]), disk=tmp_path / "outbox.sqlite3")


def told(stand: Stand) -> list[tuple[str, Event]]:
    """What the collector told, oldest first."""
    assert stand.disk is not None
    rows = [row["event"] for row in COUNTED] + ["cover_closed"]
    kinds = [*rows, "overload", "overload_over", "battery_low", "battery_ok"]
    found = [event for kind in kinds for event in stand.disk.events(kind)]
    return [(event.kind, event) for event in sorted(found, key=lambda event: event.at)]


def kinds(stand: Stand) -> list[str]:
    return [kind for kind, _event in told(stand)]


def test_an_event_is_told_once_with_what_its_record_says(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        sim = stand.wire.meters["S1"]
        sim.apply({"cover": "open"})  # long ago: nobody asked for it
        sim.apply({"cover": "close"})
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        assert kinds(stand) == []
        await pass_time(300)
        begin = sim.clock()
        sim.apply({"cover": "open"})
        await pass_time(60)
        sim.apply({"cover": "close"})
        await pass_time(ROUND)
        [(kind, event)] = told(stand)
        assert (kind, event.meter_id, event.circuit_id) == ("cover_open", 101, 1001)
        assert (event.data["count"], event.data["new"]) == (2, 1)
        assert event.data["begin"] == f"{begin:%Y-%m-%d %H:%M:%S}"
        assert datetime.fromisoformat(event.data["end"]) > datetime.fromisoformat(event.data["begin"])
        assert abs(event.at - begin.timestamp()) < 2, "it happened then, not when it was read"
        await stand.restart(schedule=SLOW)
        await pass_time(3 * ROUND)
        assert kinds(stand) == ["cover_open"]
        await stand.close()

    virtually(main)


def test_what_happened_while_the_connector_was_away_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        await stand.scheduler.stop()
        stand.wire.meters["S1"].apply({"power_loss_s": 600})
        await stand.restart(schedule=SLOW)
        await pass_time(ROUND)
        [(kind, event)] = told(stand)
        assert (kind, event.data["count"]) == ("power_lost", 1)
        ends = [datetime.fromisoformat(event.data[key]) for key in ("begin", "end")]
        assert (ends[1] - ends[0]).total_seconds() == 600
        await stand.close()

    virtually(main)


def test_an_open_cover_is_over_when_its_record_has_an_end(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        sim = stand.wire.meters["S1"]
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        sim.apply({"cover": "open"})
        await pass_time(2 * ROUND)
        assert kinds(stand) == ["cover_open"]
        await stand.restart(schedule=SLOW)
        sim.apply({"cover": "close"})
        await pass_time(2 * ROUND)
        assert kinds(stand) == ["cover_open", "cover_closed"]
        await stand.close()

    virtually(main)


def test_our_own_acts_are_among_the_records(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        stand.odoo_orders(stand.make_order(1, "switch_off"))
        await stand.told(1)
        await pass_time(ROUND)
        [(kind, event)] = told(stand)
        assert (kind, event.data["operator"]) == ("trip_recorded", "00000000")
        assert event.data["values"]["forward active"].endswith(" kWh")
        await stand.close()

    virtually(main)


def test_an_overload_and_a_low_battery_open_and_end(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, simulate={"status": {"4": 0, "1": 0}})
        status = stand.wire.meters["S1"].spec.setting("status")
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        assert kinds(stand) == []
        status.update({"4": 0x20, "1": 0x0C})
        await pass_time(ROUND)
        assert {kind: dict(event.data) for kind, event in told(stand)} == {
            "overload": {"phases": ["A"]},
            "battery_low": {"batteries": ["clock", "reader"]},
        }
        await stand.restart(schedule=SLOW)
        await pass_time(ROUND)
        status.update({"4": 0})
        await pass_time(ROUND)
        assert sorted(kinds(stand)) == ["battery_low", "overload", "overload_over"]
        await stand.close()

    virtually(main)


def test_a_meter_without_a_block_of_words_is_asked_one_by_one(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, simulate={"status": {"5": 0x20}})
        stand.wire.meter_faults("S1", missing="040005FF")
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        [(kind, event)] = told(stand)
        assert (kind, event.data) == ("overload", {"phases": ["B"]})
        await stand.close()

    virtually(main)


def test_what_a_meter_refuses_is_asked_once_a_day(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        stand.wire.meter_faults("S1", missing="0330 0311 1D 1E 040005")
        await stand.start(schedule={"energy_s": 86400, "live_s": 0, "switch_s": 0, "clock_at": ""})
        await pass_time(ROUND)
        sent = len(stand.link.sent)
        await pass_time(20 * HOUR)
        assert len(stand.link.sent) == sent
        await pass_time(6 * HOUR)
        assert len(stand.link.sent) > sent
        await stand.close()

    virtually(main)


def test_a_model_can_leave_them_out(tmp_path: Path) -> None:
    async def main() -> None:
        models = {"ddsy315": {"quirks": {"preamble": 4, "events": False}}}
        stand = Stand(SimWire([meter_row(1)], models=models), disk=tmp_path / "outbox.sqlite3")
        stand.wire.meters["S1"].spec.simulate.update({"status": {"4": 0x20}})  # type: ignore[attr-defined]
        await stand.start(schedule=SLOW)
        await pass_time(ROUND)
        assert kinds(stand) == []
        await stand.close()

    virtually(main)


def test_a_record_gives_what_it_has() -> None:
    parts = (
        Part("trip record 1 time", "2026-11-21 12:00:00"),
        Part("trip record 1 operator", None),
        Part("trip record 1 forward active", "12.00", "kWh"),
        Part("trip record 1 rest", "0000"),
    )
    assert record_data(parts) == {"begin": "2026-11-21 12:00:00", "values": {"forward active": "12.00 kWh"}}
    assert record_data(()) == {}
