"""Items by name, settings with read-back, purchases by count, keep power and alarm: drivers against the simulated meters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from meter_connector.drivers import Driver, Purchase, make_driver
from meter_connector.drivers.dlt645_2007 import Dlt645v2007Driver
from meter_connector.errors import MeterRefusedError, NoAnswerError
from meter_connector.simulator import bits
from wirehelp import DEMO, Desk, SimWire, meter_row, virtually

PREPAID = {"balance": "20.00", "price": "0.80", "count": 6}
CONSTANTS = {"mac1": "00000000", "mac2": "00000000"}
SECURITY = {"layout": "security-30", "constants": CONSTANTS}
AMOUNT_AND_COUNT = [
    {"value": "amount", "format": "bcd", "size": 4, "decimals": 2},
    {"value": "count", "format": "bcd", "size": 2},
]
WALLET = {
    "count": {"address": "0x3002"},
    "remaining": {"address": "0x3000", "type": "uint32", "scale": "0.01"},
    "amount": {"address": "0x3004", "type": "uint32", "scale": "0.01"},
    "count_after": {"address": "0x3006"},
}
Test = Callable[[Desk, Driver], Awaitable[None]]


def changed(model: str, quirks: dict[str, Any] | None = None, **change: Any) -> dict[str, dict[str, Any]]:
    """A model of the demonstration with further quirks and other keys."""
    base = DEMO["models"][model]
    return {model: {**change, "quirks": {**base.get("quirks", {}), **(quirks or {})}}}


def at_desk(test: Test, model: str = "ddsy315", *, models: Any = None, **row: Any) -> None:
    """Run a test with one simulated meter."""

    async def main() -> None:
        wire = SimWire([meter_row(1, model, **row)], models=models)
        desk = Desk(wire)
        await test(desk, make_driver(desk.meter.model.protocol, desk.bus))
        await wire.close()

    virtually(main)


# ---- items -------------------------------------------------------------------------------------------------------------------------
def test_items_are_read_by_register_by_name_and_by_identifier() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        names = ["voltage_v", "voltage_b", "voltages", "status_3", "switch", "0001FF00", "temperature"]
        found = await driver.read_items(desk.line, desk.meter, names)
        assert found.refused == {}
        values = found.values
        assert Decimal(200) < Decimal(values["voltage_v"] or "0") < Decimal(250)
        assert values["voltage_b"] is None
        assert (values["voltages"] or "").endswith("; -; -")
        assert (values["status_3"], values["switch"]) == ("0000", "on")
        assert len((values["0001FF00"] or "").split("; ")) == 5
        assert values["temperature"] == "28.5"

    at_desk(test)


def test_items_say_their_parts_by_name_with_units_and_bits() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        names = ["status_3", "status_words", "voltages", "voltage_v"]
        parts = (await driver.read_items(desk.line, desk.meter, names)).parts
        word = {part.name: part.text for part in parts["status_3"]}
        assert (word["status word 3"], word["relay_cmd_open"], word["day_slot_set"]) == (
            "0050",
            "1",
            "first",
        )
        words = {part.name: part.text for part in parts["status_words"]}
        assert (words["word 3 relay_open"], words["word 4 overload"]) == ("1", "0")
        assert [(part.name, part.text is None, part.unit) for part in parts["voltages"]] == [
            ("voltage A", False, "V"),
            ("voltage B", True, "V"),
            ("voltage C", True, "V"),
        ]
        assert [(part.name, part.unit) for part in parts["voltage_v"]] == [("voltage_v", "V")]

    at_desk(test, simulate={"relay_lag_ms": 0})


def test_what_a_meter_has_not_and_what_nobody_knows_is_told_by_name() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        found = await driver.read_items(desk.line, desk.meter, ["remaining_amount", "nonsense", "frequency"])
        assert set(found.refused) == {"remaining_amount", "nonsense"}
        assert "no_such_data" in found.refused["remaining_amount"]
        assert list(found.values) == ["frequency"]

    at_desk(test)


def test_a_silent_meter_is_no_empty_answer() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", silent=True)
        with pytest.raises(NoAnswerError):
            await driver.read_items(desk.line, desk.meter, ["frequency", "temperature"])
        with pytest.raises(NoAnswerError):
            await driver.write_parameters(desk.line, desk.meter, {"trip_delay": "5"})

    at_desk(test)


def test_items_of_the_other_protocols() -> None:
    async def old(desk: Desk, driver: Driver) -> None:
        found = await driver.read_items(
            desk.line, desk.meter, ["t3", "voltage_a", "90FF", "last_month_total"]
        )
        assert set(found.values) == {"t3", "voltage_a", "last_month_total"}
        assert "no_such_data" in found.refused["90FF"]

    async def water(desk: Desk, driver: Driver) -> None:
        found = await driver.read_items(
            desk.line, desk.meter, ["total", "settle", "month_total_1", "switch", "8105"]
        )
        assert found.values["total"] == "100.00"
        assert found.values["month_total_1"] == "0.00"
        assert set(found.refused) == {"8105"}

    async def modbus(desk: Desk, driver: Driver) -> None:
        found = await driver.read_items(desk.line, desk.meter, ["total", "1/voltage_v", "2/total"])
        assert Decimal(found.values["total"] or "0") >= 100
        assert set(found.refused) == {"2/total"}

    at_desk(old, "dd862-97")
    at_desk(water, "lxsy315-dn15")
    at_desk(modbus, "dds238")


def test_a_load_profile_is_read_from_a_moment_on() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        assert isinstance(driver, Dlt645v2007Driver)
        sim = desk.wire.meters["S1"]
        sim.energy.advance(desk.wire.time.physics_ms() + 3 * 3600 * 1000, True)
        records = await driver.read_load_profile(desk.line, desk.meter, datetime(2026, 11, 21, 12, 30), 4)
        assert [record.at for record in records] == [
            f"2026-11-21 {at}" for at in ("12:30", "13:00", "13:30", "14:00")
        ]
        names = {value.name: value.value for value in records[0].values}
        assert names["voltage B"] is None
        assert isinstance(names["forward active total energy"], Decimal)

    at_desk(test, simulate={"load_profile": 48, "answer_limit": 60})


# ---- settings ----------------------------------------------------------------------------------------------------------------------
def test_settings_are_written_once_and_read_back() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        wanted = {
            "day_tables_switch_time": "2026-12-01 00:00",
            "day_table_2_1": "00:00 4, 07:00 3",
            "trip_delay": "0",
            "overload_power": "5.5",
        }
        found = await driver.write_parameters(desk.line, desk.meter, wanted)
        assert (found.refused, found.different, found.is_applied) == ({}, [], True)
        assert found.parameters == {
            "day_tables_switch_time": "2026-12-01 00:00",
            "day_table_2_1": "00:00 04, 07:00 03",
            "trip_delay": "0",
            "overload_power": "5.5000",
        }
        written = [
            each["di"] for each in desk.wire.journal.since(kind="command") if each["command"] == "write"
        ]
        # the delay stood at 0 already; the switch comes last
        assert written == ["04020001", "04090B01", "04000107"]
        records = await driver.read_items(
            desk.line, desk.meter, ["programming_count", "programming_record_1"]
        )
        assert records.values["programming_count"] == "1"
        assert (records.values["programming_record_1"] or "").endswith("04000107 04090B01 04020001")

    at_desk(test)


def test_nothing_is_written_when_one_value_is_wrong() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = {"trip_delay": "5", "overload_power": "plenty", "meter_number": "1", "nonsense": "1"}
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert set(found.refused) == {"overload_power", "meter_number", "nonsense"}
        assert not found.is_applied
        assert desk.wire.commands("S1") == []

    at_desk(test)


def test_after_a_refused_password_no_second_write_is_tried() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = {"trip_delay": "5", "overload_power": "5", "overdraft_limit": "10"}
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert len(found.refused) == 1
        assert "password" in next(iter(found.refused.values()))
        assert set(found.different) == set(values)
        assert desk.wire.commands("S1") == ["write"]

    async def main() -> None:
        wire = SimWire([meter_row(1)])
        sim = wire.meters["S1"]
        sim.spec = replace(sim.spec, password="654321")
        desk = Desk(wire)
        await test(desk, make_driver("dlt645-2007", desk.bus))
        await wire.close()

    virtually(main)


def test_a_lost_answer_to_a_write_is_settled_by_reading() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", mute_writes=True)
        found = await driver.write_parameters(desk.line, desk.meter, {"trip_delay": "5"})
        assert found.is_applied
        assert desk.wire.commands("S1") == ["write"]

    at_desk(test)


def test_silence_about_one_setting_is_no_refusal_of_it() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        sim = desk.wire.meters["S1"]
        answer = sim.answer

        def is_silent(frame: Any) -> bytes | None:
            return None if bits.printed(frame.data[:4]) == "04001401" else answer(frame)

        sim.answer = is_silent  # type: ignore[method-assign]
        found = await driver.read_parameters(
            desk.line, desk.meter, ["alarm_amount_1", "trip_delay", "overload_power"]
        )
        assert (set(found.unanswered), found.refused) == ({"trip_delay"}, {})
        assert set(found.parameters) == {"alarm_amount_1", "overload_power"}
        found = await driver.write_parameters(
            desk.line, desk.meter, {"alarm_amount_1": "9.00", "trip_delay": "5"}
        )
        assert (set(found.unanswered), found.refused, found.different) == ({"trip_delay"}, {}, [])
        assert not found.is_applied

    at_desk(test)


def test_what_the_meter_does_not_take_over_is_different() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", missing="04001401")
        found = await driver.write_parameters(
            desk.line, desk.meter, {"trip_delay": "5", "overload_power": "5"}
        )
        assert set(found.refused) == {"trip_delay"}
        assert found.different == ["trip_delay"]
        assert found.parameters == {"overload_power": "5.0000"}

    at_desk(test)


def test_fourteen_slots_need_a_meter_that_takes_long_writes() -> None:
    table = ", ".join(f"{hour:02}:00 {hour % 4 + 1}" for hour in range(14))

    async def short(desk: Desk, driver: Driver) -> None:
        found = await driver.write_parameters(desk.line, desk.meter, {"day_table_2_1": table})
        assert "at most 50" in found.refused["day_table_2_1"]

    async def long(desk: Desk, driver: Driver) -> None:
        assert (await driver.write_parameters(desk.line, desk.meter, {"day_table_2_1": table})).is_applied

    at_desk(short)
    at_desk(long, models=changed("ddsy315", {"max_write": 54}))


def written(desk: Desk) -> list[str]:
    """Identifiers that 14H carried to the meter."""
    return [each["di"] for each in desk.wire.journal.since(kind="command") if each["command"] == "write"]


def test_nothing_is_sent_when_one_value_is_too_long_for_a_write() -> None:
    table = ", ".join(f"{hour:02}:00 {hour % 4 + 1}" for hour in range(13))

    async def test(desk: Desk, driver: Driver) -> None:
        values = {"day_table_2_1": table, "day_tables_switch_time": "2026-12-01 00:00", "trip_delay": "5"}
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert list(found.refused) == ["day_table_2_1"]
        assert written(desk) == []

    at_desk(test)


@pytest.mark.parametrize("trouble", [{"missing": "04020001"}, {"missing": "04050202"}])
def test_a_switch_moment_is_not_sent_when_something_before_it_was_not_taken(trouble: dict[str, Any]) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", **trouble)
        values = {
            "day_table_2_1": "00:00 4, 07:00 3",
            "tariff_price_2_2": "1.5",
            "day_tables_switch_time": "2026-12-01 00:00",
            "tariff_prices_switch_time": "2026-12-01 00:00",
        }
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert {"04000107", "04000108"} & set(written(desk)) == set()
        for name in ("day_tables_switch_time", "tariff_prices_switch_time"):
            assert "not sent" in found.refused[name]
            assert name in found.different

    at_desk(test)


def test_the_set_in_use_is_not_written() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        async def refused(values: dict[str, str]) -> dict[str, str]:
            return (await driver.write_parameters(desk.line, desk.meter, values)).refused

        for word, used, free in (("days", 1, 2), ("days", 2, 1), ("prices", 1, 2), ("prices", 2, 1)):
            desk.wire.meters["S1"].parameters.active[word] = used
            name = {"days": "day_table_{}_3", "prices": "tariff_price_{}_3"}[word]
            value = {"days": f"00:00 {used}", "prices": f"{used}.5"}[word]
            before = written(desk)
            found = await refused({name.format(used): value, "trip_delay": "9"})
            assert "in use" in found[name.format(used)]
            assert written(desk) == before
            assert await refused({name.format(free): value}) == {}

    at_desk(test, "dtzy315")


def test_a_meter_that_does_not_tell_its_set_is_left_alone() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", missing="04000503")
        with pytest.raises(MeterRefusedError):
            await driver.write_parameters(desk.line, desk.meter, {"day_table_2_3": "00:00 1"})
        assert written(desk) == []

    at_desk(test)


def test_the_whole_profile_is_read() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        found = await driver.read_parameters(desk.line, desk.meter)
        assert found.parameters["trip_delay"] == "0"
        assert found.parameters["year_zones_1"] == "01-01 01"
        assert len(found.parameters) > 40
        assert all("no_such_data" in reason for reason in found.refused.values())

    at_desk(test)


def test_a_second_set_comes_into_use_at_its_switch_time() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = {"day_table_2_1": "00:00 2", "day_tables_switch_time": "2026-11-21 12:00"}
        assert (await driver.write_parameters(desk.line, desk.meter, values)).is_applied
        found = await driver.read_items(desk.line, desk.meter, ["status_3"])
        assert found.values["status_3"] == "0001"
        assert desk.wire.meters["S1"].energy.day_table == ((0, 0, 2),)

    at_desk(test, "dtzy315")


def test_settings_of_water_and_modbus_meters() -> None:
    async def water(desk: Desk, driver: Driver) -> None:
        values = {"settlement_day": "5", "price_table": "2.50, 10, 3.00, 20, 4.00, 1"}
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert found.is_applied, found
        assert found.parameters == {"settlement_day": "5", "price_table": "2.50, 10, 3.00, 20, 4.00"}

    async def modbus(desk: Desk, driver: Driver) -> None:
        values = {"ct_ratio": "40", "day_table_1": "00:00 4, 08:30 2"}
        found = await driver.write_parameters(desk.line, desk.meter, values)
        assert found.is_applied, found
        assert found.parameters == {"ct_ratio": "40", "day_table_1": "00:00 04, 08:30 02"}

    at_desk(water, "lxsy315-dn15")
    at_desk(
        modbus, "dds238", models=changed("dds238", {"map": "acrel_ddsy1352"}, simulate={"map": "ddsy1352"})
    )


# ---- purchases ---------------------------------------------------------------------------------------------------------------------
PURCHASES: dict[str, tuple[str, Any, Any]] = {
    "645, security frame": ("ddsy315", {"purchase": SECURITY}, PREPAID),
    "645, own fields by 14H": (
        "ddsy315",
        {"purchase": {"function": "14", "di": "04A0B001", "fields": AMOUNT_AND_COUNT}},
        PREPAID,
    ),
    "188": ("lxsy315-dn15", {}, PREPAID),
    "modbus": ("dds238", {"purchase": WALLET}, PREPAID),
}


@pytest.mark.parametrize("kind", PURCHASES)
@pytest.mark.parametrize("is_answer_lost", [False, True])
def test_a_purchase_arrives_once_and_the_count_proves_it(kind: str, is_answer_lost: bool) -> None:
    model, quirks, prepaid = PURCHASES[kind]

    async def test(desk: Desk, driver: Driver) -> None:
        before = await driver.read_prepayment(desk.line, desk.meter)
        assert before.count == 6
        assert before.remaining is not None
        desk.wire.meter_faults("S1", mute_writes=is_answer_lost)
        result = await driver.purchase(desk.line, desk.meter, Purchase(Decimal("12.34"), 7, "20261121001"))
        assert (result.state, result.count_before, result.count_after) == ("done", 6, 7)
        assert result.remaining is not None
        assert Decimal("12.30") <= result.remaining - before.remaining <= Decimal("12.34")
        assert bool(result.detail) == is_answer_lost
        again = await driver.purchase(desk.line, desk.meter, Purchase(Decimal("12.34"), 7, "20261121001"))
        assert (again.state, again.count_before) == ("mismatch", 7)
        assert "count mismatch" in again.detail

    at_desk(test, model, models=changed(model, quirks), simulate={"prepaid": prepaid}, load="shop_small")


@pytest.mark.parametrize(
    ("model", "last", "quirks"), [("lxsy315-dn15", 99, {}), ("ddsy315", 9999, {"purchase": SECURITY})]
)
@pytest.mark.parametrize("is_counted_on", [False, True])
def test_counts_roll_over_where_the_meter_has_no_more_digits(
    model: str, last: int, quirks: dict[str, Any], is_counted_on: bool
) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        count = last + 1 if is_counted_on else 0
        result = await driver.purchase(desk.line, desk.meter, Purchase(Decimal(5), count))
        assert (result.state, result.count_before, result.count_after) == ("done", last, 0)

    simulate = {"prepaid": {**PREPAID, "count": last}}
    at_desk(test, model, models=changed(model, quirks), simulate=simulate)


def test_a_purchase_that_the_meter_refuses_is_not_taken() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        result = await driver.purchase(desk.line, desk.meter, Purchase(Decimal("50.00"), 7))
        assert (result.state, result.count_after) == ("not_taken", 6)
        assert "purchase_over_stock_limit" in result.detail

    at_desk(
        test,
        models=changed("ddsy315", {"purchase": SECURITY}),
        simulate={"prepaid": {**PREPAID, "limit": "30.00"}},
    )


def test_a_purchase_without_constants_is_never_sent() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        result = await driver.purchase(desk.line, desk.meter, Purchase(Decimal("50.00"), 7))
        assert result.state == "not_taken"
        assert "mac1" in result.detail
        assert desk.wire.commands("S1") == []

    at_desk(
        test,
        models=changed("ddsy315", {"purchase": {"layout": "security-30"}}),
        simulate={"prepaid": PREPAID},
    )


def test_a_meter_that_goes_silent_leaves_the_purchase_unknown() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        sim = desk.wire.meters["S1"]
        answer = sim.answer

        def fall_silent(frame: Any) -> bytes | None:
            found = answer(frame)
            if frame.control == 0x03:
                desk.wire.meter_faults("S1", silent=True)
            return found

        sim.answer = fall_silent  # type: ignore[method-assign]
        desk.wire.meter_faults("S1", mute_writes=True)
        result = await driver.purchase(desk.line, desk.meter, Purchase(Decimal("5.00"), 7))
        assert (result.state, result.count_before, result.count_after) == ("unknown", 6, None)
        desk.wire.meter_faults("S1", silent=False)
        assert (await driver.read_prepayment(desk.line, desk.meter)).count == 7

    at_desk(test, models=changed("ddsy315", {"purchase": SECURITY}), simulate={"prepaid": PREPAID})


def test_a_meter_without_money_says_so() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        with pytest.raises(MeterRefusedError):
            await driver.read_prepayment(desk.line, desk.meter)
        with pytest.raises(MeterRefusedError):
            await driver.purchase(desk.line, desk.meter, Purchase(Decimal(1), 1))

    at_desk(test)
    at_desk(test, "dd862-97")
    at_desk(test, "dds238")


# ---- keep power, alarm, expiry -----------------------------------------------------------------------------------------------------
def test_power_is_kept_shown_and_released() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        line, meter, circuit = desk.line, desk.meter, desk.circuit
        assert await driver.read_keep_power(line, meter, circuit) is False
        await driver.keep_power(line, meter, circuit, True)
        assert await driver.read_keep_power(line, meter, circuit) is True
        with pytest.raises(MeterRefusedError):
            await driver.switch(line, meter, circuit, "off")
        await driver.keep_power(line, meter, circuit, False)
        await driver.switch(line, meter, circuit, "off")
        await driver.alarm(line, meter, True)
        assert desk.wire.commands("S1") == ["keep_on", "trip", "keep_off", "trip", "alarm_on"]

    at_desk(test)


def test_a_reserved_bit_is_no_answer() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        assert await driver.read_keep_power(desk.line, desk.meter, desk.circuit) is None

    at_desk(test, models=changed("ddsy315", {"keep_power_bit": False}))


@pytest.mark.parametrize("model", ["lxsy315-dn15", "dds238", "dd862-97"])
def test_meters_without_keep_power_say_so(model: str) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        with pytest.raises(MeterRefusedError):
            await driver.keep_power(desk.line, desk.meter, desk.circuit, True)
        with pytest.raises(MeterRefusedError):
            await driver.alarm(desk.line, desk.meter, True)
        assert await driver.read_keep_power(desk.line, desk.meter, desk.circuit) is None

    at_desk(test, model)


def test_an_expiry_in_minutes_follows_the_meters_own_clock() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", clock_offset_s=-86_400)
        sent = len(desk.link.sent)
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        frames = desk.link.sent[sent:]
        assert len(frames) == 3, "date, time, order"
        body = bytes((byte - 0x33) % 256 for byte in frames[-1][-18:-2])
        assert body[-5:].hex() == "1512201126", "a quarter past twelve of the day that the meter shows"

    switch = {**DEMO["models"]["ddsy315"]["switch"], "expiry": 15}
    at_desk(test, models={"ddsy315": {"switch": switch}})


def test_a_shunt_release_is_closed_by_hand_only() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        with pytest.raises(MeterRefusedError, match="only a hand"):
            await driver.switch(desk.line, desk.meter, desk.circuit, "on")
        assert desk.wire.commands("S1") == ["trip"]

    at_desk(test, models={"ddsy315": {"switch": {"kind": "dlt645", "off": "1A", "close": "by_hand"}}})


def test_a_clock_is_written_to_one_meter() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        desk.wire.meter_faults("S1", clock_offset_s=400)
        await driver.set_clock(desk.line, desk.meter, datetime(2026, 11, 21, 12, 0, 0))
        shown = await driver.read_clock(desk.line, desk.meter)
        assert shown is not None
        assert abs(shown - datetime(2026, 11, 21, 12, 0, 0)) < timedelta(seconds=10)

    at_desk(test, models=changed("ddsy315", {"clock": "write"}))
    at_desk(test, "dd862-97", models=changed("dd862-97", {"clock": "write"}), password="00000000")
