"""Orders with data: items, settings, purchases, keep-power, alarm, clock; on the real disk, at simulated meters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import meter_connector
import pytest
import yaml
from schedhelp import HOUR, Stand, pass_time
from wirehelp import SimWire, meter_row, until, virtually

IDLE = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
PURCHASE = {"layout": "security-30", "constants": {"mac1": "00000000", "mac2": "00000000"}}
MONEY = {"balance": "20.00", "price": "0", "count": 6}
PURCHASE_ON_WIRE = bytes.fromhex("3235343A")
"""070102FF, low byte first, each byte plus 33H."""
PREPAID = {
    "ddsy315": {
        "quirks": {"preamble": 4, "purchase": PURCHASE},
        "simulate": {
            "relay_lag_ms": 300,
            "purchase": PURCHASE,
            "prepaid": {"balance": "20.00", "price": "0", "count": 6},
        },
    }
}


def stand_with(tmp_path: Path, *meters: int, **how: Any) -> Stand:
    rows = [meter_row(n) for n in meters or (1,)]
    return Stand(SimWire(rows, models=PREPAID, **how), disk=tmp_path / "outbox.sqlite3")


def data_of(result: Any) -> dict[str, Any]:
    found = json.loads(result.data)
    assert isinstance(found, dict)
    return found


def wallet(stand: Stand, serial: str = "S1") -> Any:
    return stand.wire.meters[serial].wallet  # type: ignore[attr-defined]


async def placed(stand: Stand, kind: str, data: dict[str, Any] | None = None, number: int = 1) -> Any:
    """Order, and wait for its end."""
    stand.odoo_orders(stand.make_order(number, kind, **({"data": data} if data else {})))
    return await stand.told(number)


def test_items_are_read_by_name_and_what_the_meter_has_not_is_null_or_told(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        result = await placed(stand, "read_items", {"items": ["total", "voltage_a", "no_such_thing"]})
        assert result.state == "confirmed"
        found = data_of(result)
        assert found["values"]["total"].startswith("100.")
        assert found["values"]["no_such_thing"] is None
        assert "no_such_thing" in found["refused"]
        assert found["parts"]["voltage_a"] == [["voltage A", found["values"]["voltage_a"], "V"]]
        await stand.close()

    virtually(main)


def test_a_load_profile_is_a_table(tmp_path: Path) -> None:
    async def main() -> None:
        models = {"ddsy315": {"simulate": {"load_profile": 48, "relay_lag_ms": 300}}}
        stand = Stand(SimWire([meter_row(1)], models=models), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        begin = stand.clock.now()
        sim = stand.wire.meters["S1"]
        sim.energy.advance(stand.wire.time.physics_ms() + 3 * 3600 * 1000, True)
        result = await placed(stand, "read_profile", {"from": begin + 1800, "count": 3})
        assert result.state == "confirmed"
        found = data_of(result)
        assert [row[0] for row in found["rows"]] == [f"2026-11-21 {at}" for at in ("12:30", "13:00", "13:30")]
        assert found["columns"][0] == ["voltage A", "V"]
        assert found["rows"][0][1 + found["columns"].index(["voltage B", "V"])] is None
        assert all(len(row) == 1 + len(found["columns"]) for row in found["rows"])
        await stand.close()

    virtually(main)


def test_a_meter_that_keeps_no_profile_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1, "lxsy315-dn15")]), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        result = await placed(stand, "read_profile", {"from": stand.clock.now(), "count": 3})
        assert result.state == "failed"
        assert "load profile" in result.detail
        await stand.close()

    virtually(main)


def test_settings_are_confirmed_only_as_read_back(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        values = {"alarm_amount_1": "15.00", "alarm_amount_2": "5.00"}
        result = await placed(stand, "write_parameters", {"values": values})
        assert (result.state, data_of(result)["parameters"]) == ("confirmed", values)
        shown = await placed(stand, "read_parameters", {"names": list(values)}, 2)
        assert data_of(shown)["parameters"] == values
        wrong = await placed(stand, "write_parameters", {"values": {"alarm_amount_1": "a lot"}}, 3)
        assert wrong.state == "failed"
        assert "alarm_amount_1" in data_of(wrong)["refused"]
        assert [each.state for each in stand.disk.results(1)] == ["received", "confirmed"]  # type: ignore[union-attr]
        await stand.close()

    virtually(main)


def test_an_order_whose_data_cannot_be_meant_fails_with_the_reason(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        wrong: list[tuple[str, dict[str, Any] | None]] = [
            ("read_items", None),
            ("read_items", {"items": "total"}),
            ("read_profile", {"from": 1.0, "count": 97}),
            ("read_profile", {"from": "noon", "count": 1}),
            ("write_parameters", {"values": []}),
            ("purchase", {"amount": "12.345", "count": 7}),
            ("purchase", {"amount": "-1", "count": 7}),
            ("purchase", {"amount": "1", "count": "7"}),
            ("purchase", {"count": 7}),
        ]
        for number, (kind, data) in enumerate(wrong, start=1):
            result = await placed(stand, kind, data, number)
            assert result.state == "failed"
            assert result.detail.startswith("data of the order:")
        assert wallet(stand).count == 6
        await stand.close()

    virtually(main)


def test_a_purchase_moves_the_count_by_one_and_tells_what_remains(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        before = data_of(await placed(stand, "read_prepayment"))
        assert before["count"] == 6
        result = await placed(stand, "purchase", {"amount": "12.34", "count": 7, "number": "1"}, 2)
        assert result.state == "confirmed"
        found = data_of(result)
        assert (found["count_before"], found["count_after"]) == (6, 7)
        assert found["remaining"] == "32.34"
        assert [each.amount for each in wallet(stand).bought] == [1234]
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("count", [6, 8, 5])
def test_a_purchase_whose_count_does_not_follow_is_refused_and_nothing_is_sent(
    tmp_path: Path, count: int
) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        result = await placed(stand, "purchase", {"amount": "12.34", "count": count})
        assert (result.state, result.detail) == ("failed", "count mismatch")
        assert data_of(result)["count_before"] == 6
        assert wallet(stand).bought == []
        assert [each.state for each in stand.disk.results(1)] == ["received", "failed"]  # type: ignore[union-attr]
        await stand.close()

    virtually(main)


def test_when_the_answer_to_a_purchase_is_lost_the_count_decides(tmp_path: Path) -> None:
    async def main(is_taken: bool) -> None:
        stand = stand_with(tmp_path / str(is_taken))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        if is_taken:
            stand.wire.meter_faults("S1", mute_writes=True)
        else:
            stand.wire.meters["S1"].wallet.buy = lambda *_args: None  # type: ignore[attr-defined]
            stand.wire.meter_faults("S1", missing="070102FF")
        result = await placed(stand, "purchase", {"amount": "12.34", "count": 7})
        assert result.state == ("confirmed" if is_taken else "failed")
        assert data_of(result)["count_after"] == (7 if is_taken else 6)
        assert len(wallet(stand).bought) == is_taken
        await stand.close()

    for is_taken in (True, False):
        (tmp_path / str(is_taken)).mkdir()
        virtually(lambda is_taken=is_taken: main(is_taken))  # type: ignore[misc]


def test_a_purchase_is_never_sent_twice_wherever_the_link_breaks_or_the_connector_ends(
    tmp_path: Path,
) -> None:
    """At each 20 ms of its life the link goes or the scheduler ends without a word; then all goes on."""

    async def main(moment: int, is_restart: bool) -> str:
        folder = tmp_path / f"{moment}-{is_restart}"
        folder.mkdir()
        stand = stand_with(folder)
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.odoo_orders(stand.make_order(1, "purchase", data={"amount": "10.00", "count": 7}))
        await pass_time(moment * 0.04)
        if is_restart:
            await stand.restart(schedule=IDLE)
        else:
            stand.link.unplug()
            await pass_time(15)
            stand.link.plug()
        result = await stand.told(1)
        bought = [each.amount for each in wallet(stand).bought]
        sent = [data for link in stand.links for data in link.sent if PURCHASE_ON_WIRE in data]
        await stand.close()
        assert len(bought) <= 1
        assert len(sent) <= 1
        assert (result.state == "confirmed") == (len(bought) == 1)
        assert data_of(result)["count_after"] == 6 + len(bought)
        return str(result.state)

    ends = {
        virtually(lambda m=moment, r=is_restart: main(m, r))  # type: ignore[misc]
        for moment in range(60)
        for is_restart in (False, True)
    }
    assert "confirmed" in ends


def test_an_expired_purchase_is_never_sent(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        stand.wire.meter_faults("S1", silent=True)
        await stand.start(schedule=IDLE)
        order = stand.make_order(1, "purchase", data={"amount": "10.00", "count": 7}, lives_s=60)
        stand.odoo_orders(order)
        await pass_time(61)
        stand.wire.meter_faults("S1", silent=False)
        assert (await stand.told(1)).state == "expired"
        await pass_time(600)
        assert wallet(stand).bought == []
        await stand.close()

    virtually(main)


def test_a_purchase_waits_for_a_meter_that_is_away_and_goes_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        stand.wire.meter_faults("S1", silent=True)
        await stand.start(schedule={**IDLE, "energy_s": 60})
        await pass_time(300)
        stand.odoo_orders(stand.make_order(1, "purchase", data={"amount": "10.00", "count": 7}))
        await pass_time(600)
        stand.wire.meter_faults("S1", silent=False)
        assert (await stand.told(1)).state == "confirmed"
        await stand.close()

    virtually(main)


def test_changes_of_one_meter_keep_their_order(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        stand.wire.meter_faults("S1", silent=True)
        await stand.start(schedule={**IDLE, "energy_s": 60})
        await pass_time(300)
        for number in (1, 2, 3):
            data = {"amount": f"{number}.00", "count": 6 + number}
            stand.odoo_orders(stand.make_order(number, "purchase", data=data))
        stand.odoo_orders(
            stand.make_order(4, "write_parameters", data={"values": {"alarm_amount_1": "9.00"}})
        )
        await pass_time(120)
        stand.wire.meter_faults("S1", silent=False)
        assert {(await stand.told(number)).state for number in (1, 2, 3, 4)} == {"confirmed"}
        assert [each.amount for each in reversed(wallet(stand).bought)] == [100, 200, 300]
        await stand.close()

    virtually(main)


def test_keep_power_is_read_back_and_keeps_its_place_among_switch_orders(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        await stand.start(schedule=IDLE)
        result = await placed(stand, "keep_power_on")
        assert (result.state, result.reported, data_of(result)) == ("confirmed", "on", {"keep_power": "on"})
        # a trip overtaking the end of keep-power would be refused by the meter
        stand.odoo_orders(stand.make_order(2, "keep_power_off"))
        stand.odoo_orders(stand.make_order(3, "switch_off", generation=2))
        ended = await stand.told(3)
        assert (ended.state, ended.reported) == ("confirmed", "off")
        assert data_of(await stand.told(2)) == {"keep_power": "off"}
        await stand.close()

    virtually(main)


def test_alarm_and_clock(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path)
        stand.wire.meter_faults("S1", clock_offset_s=-250)
        await stand.start(schedule=IDLE)
        assert (await placed(stand, "alarm_on")).state == "confirmed"
        assert (await placed(stand, "alarm_off", number=2)).state == "confirmed"
        clock = await placed(stand, "sync_clock", number=3)
        assert clock.state == "confirmed"
        assert abs(data_of(clock)["drift_s"]) <= 2
        await stand.close()

    virtually(main)


def test_a_switch_order_goes_before_a_long_list_of_settings(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, 1, 2)
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.odoo_orders(stand.make_order(1, "read_parameters", data={"names": []}))
        await pass_time(0.5)
        stand.odoo_orders(stand.make_order(2, "switch_off", meter=2))
        await until(lambda: stand.disk is not None and len(stand.disk.results(2)) == 3, 5)
        assert len(stand.disk.results(1)) == 1  # type: ignore[union-attr]
        assert (await stand.told(1)).state == "confirmed"
        await stand.close()

    virtually(main)


def test_the_demonstration_site_has_a_meter_that_takes_purchases_and_refuses_a_wrong_count(
    tmp_path: Path,
) -> None:
    path = Path(meter_connector.__file__).parent / "simulator" / "sites" / "demo.yaml"
    model = yaml.safe_load(path.read_text())["models"]["ddsy315-prepaid"]
    models = {"ddsy315": {"quirks": model["quirks"], "simulate": model["simulate"]}}

    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)], models=models), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        shown = await placed(stand, "read_prepayment", None, 1)
        assert data_of(shown)["count"] == 6
        refused = await placed(stand, "purchase", {"amount": "50.00", "count": 1, "number": "1"}, 2)
        assert (refused.state, refused.detail.split(":")[0]) == ("failed", "count mismatch")
        bought = await placed(stand, "purchase", {"amount": "50.00", "count": 7, "number": "2"}, 3)
        assert bought.state == "confirmed"
        assert data_of(bought)["count_after"] == 7
        assert 136 < float(data_of(bought)["remaining"]) <= 136.40  # less what was used meanwhile
        await stand.close()

    virtually(main)


@pytest.mark.parametrize(
    ("model", "last", "quirks"),
    [("lxsy315-dn15", 99, {}), ("ddsy315", 9999, {"preamble": 4, "purchase": PURCHASE})],
)
def test_the_purchase_after_the_last_count_is_number_0(
    tmp_path: Path, model: str, last: int, quirks: dict[str, Any]
) -> None:
    async def main() -> None:
        row = meter_row(1, model, simulate={"prepaid": {**MONEY, "count": last}})
        models = {model: {"quirks": quirks}} if quirks else {}
        stand = Stand(SimWire([row], models=models), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        beyond = await placed(stand, "purchase", {"amount": "5.00", "count": last + 1})
        assert beyond.detail.startswith("data of the order: count")
        result = await placed(stand, "purchase", {"amount": "5.00", "count": 0}, 2)
        assert result.state == "confirmed"
        assert (data_of(result)["count_before"], data_of(result)["count_after"]) == (last, 0)
        await stand.close()

    virtually(main)


def test_a_purchase_that_the_model_cannot_take_ends_at_once_and_says_that_nothing_was_sent(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        row = meter_row(1, simulate={"prepaid": MONEY})
        stand = Stand(SimWire([row]), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        await pass_time(60)
        asked = stand.wire.meters["S1"].requests
        result = await placed(stand, "purchase", {"amount": "5.00", "count": 7})
        assert result.state == "failed"
        assert result.detail.startswith("nothing was sent")
        assert (data_of(result)["count_before"], data_of(result)["count_after"]) == (6, 6)
        await pass_time(600)
        assert stand.wire.meters["S1"].requests - asked < 20
        await stand.close()

    virtually(main)


def test_reading_all_settings_of_a_meter_lets_its_neighbours_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, *range(1, 17))
        await stand.start(schedule={"energy_s": 5, "live_s": 0, "switch_s": 0})
        await pass_time(60)
        disk = stand.disk
        assert disk is not None
        before = {reading.circuit_id: reading.at for reading in disk.readings()}
        stand.odoo_orders(stand.make_order(1, "read_parameters", lives_s=6 * HOUR))
        while disk.results(1)[-1].state != "confirmed":
            await pass_time(20)
            after = {reading.circuit_id: reading.at for reading in disk.readings()}
            assert all(after[circuit] > before[circuit] for circuit in after), "a neighbour is not read"
            before = after
        result = disk.results(1)[-1]
        shown = data_of(result)["parameters"]
        assert len(shown) > 40
        assert not [name for name in shown if name.startswith("holiday_") and name != "holiday_count"]
        await stand.close()

    virtually(main)
