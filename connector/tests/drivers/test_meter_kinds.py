"""The whole way for every kind of meter: model data, driver, wire, simulated meter that answers like a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from meter_connector.drivers import Driver, make_driver
from meter_connector.model import Circuit
from wirehelp import DEMO, Desk, SimWire, meter_row, virtually

Test = Callable[[Desk, Driver], Awaitable[None]]
WATER = DEMO["models"]["lxsy315-dn15"]
STATUS_LAYOUTS = ["a", "b", "c"]


def at_desk(test: Test, model: str, change: dict[str, Any], **row: Any) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model, **row)], models={model: change})
        desk = Desk(wire)
        await test(desk, make_driver(desk.meter.model.protocol, desk.bus))
        await wire.close()

    virtually(main)


# ---- CJ/T 188 ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", ["901F", "1F90"])
@pytest.mark.parametrize("layout", STATUS_LAYOUTS)
@pytest.mark.parametrize("control", ["04", "2A"])
def test_valves_of_all_makers_close_and_show_it(order: str, layout: str, control: str) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        line, meter, circuit = desk.line, desk.meter, desk.circuit
        assert await driver.read_switch(line, meter, circuit) == "on"
        await driver.switch(line, meter, circuit, "off")
        assert await driver.read_switch(line, meter, circuit) == "off"
        await driver.switch(line, meter, circuit, "on")
        assert await driver.read_switch(line, meter, circuit) == "on"
        assert desk.wire.commands("S1") == ["trip", "close"]

    quirks = {"di_order": order, "valve_control": control, "valve_bits": layout, "meter_type": "10"}
    simulate = {"relay_lag_ms": 0, "strict_di": True, "status_2": 0 if layout == "c" else 132}
    at_desk(test, "lxsy315-dn15", {"quirks": quirks, "simulate": simulate})


@pytest.mark.parametrize(
    ("kind", "byte"), [("water", "10"), ("hot_water", "11"), ("heat", "20"), ("gas", "30")]
)
def test_the_type_byte_follows_from_the_kind_of_utility(kind: str, byte: str) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = (await driver.read(desk.line, desk.meter, {"total"})).of(1)
        assert values["total"] == Decimal("100.00")
        assert "meter_clock" in values

    change = {
        "kind": kind,
        "quirks": {"di_order": "901F"},
        "simulate": {"meter_type": byte, "strict_di": True},
    }
    at_desk(test, "lxsy315-dn15", change, load="water_dorm")


def test_a_heat_meter_brings_all_it_measures() -> None:
    registers = [
        {"key": "total", "di": "901F"},
        {"key": "power_kw", "di": "901F", "value": "power"},
        {"key": "flow_m3h", "di": "901F", "value": "flow"},
        {"key": "supply_c", "di": "901F"},
        {"key": "return_c", "di": "901F"},
        {"key": "settle_total", "di": "901F"},
    ]

    async def test(desk: Desk, driver: Driver) -> None:
        sent = len(desk.link.sent)
        values = (await driver.read(desk.line, desk.meter, {row["key"] for row in registers})).of(1)
        assert len(desk.link.sent) == sent + 1, "one request for all"
        assert (values["supply_c"], values["return_c"]) == (Decimal("55.20"), Decimal("41.30"))
        assert values["settle_total"] == Decimal("0.00")
        assert values["flow_m3h"] is not None

    change = {"kind": "heat", "registers": registers, "quirks": {"meter_type": "20"}, "simulate": {}}
    at_desk(test, "lxsy315-dn15", change)


def test_the_first_request_after_a_sleep_is_lost_and_the_second_wakes_the_meter() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = (await driver.read(desk.line, desk.meter, {"total"})).of(1)
        assert values["total"] == Decimal("100.00")
        assert [data[:20] == b"\xfe" * 20 for data in desk.link.sent] == [False, True]
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        assert desk.wire.commands("S1") == ["trip"]

    quirks = {**WATER["quirks"], "first_request_lost": True}
    at_desk(test, "lxsy315-dn15", {"quirks": quirks, "simulate": {**WATER["simulate"], "sleep_s": 3}})


def test_a_meter_without_clock_or_reading_has_none() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = (await driver.read(desk.line, desk.meter, {"total", "switch"})).of(1)
        assert "meter_clock" not in values
        assert await driver.read_clock(desk.line, desk.meter) is None

    at_desk(test, "lxsy315-dn15", {"simulate": {**WATER["simulate"], "has_clock": False}})


@pytest.mark.parametrize(
    ("kind", "byte", "unit", "total"),
    [
        ("heat", "20", "05", "100.00"),
        ("heat", "20", "0E", "27.7778"),
        ("heat", "20", "0F", "277.7778"),
        ("heat", "20", "11", "27777.7778"),
        ("heat", "20", "0B", "0.0278"),
        ("heat", "20", "08", "100000.00"),
        ("", "20", "11", "27777.7778"),
        ("water", "10", "2C", "100.00"),
        ("water", "10", "2D", "1000.00"),
        ("water", "10", "29", "0.10000"),
        ("gas", "30", "2C", "100.00"),
    ],
)
def test_a_register_is_told_in_the_unit_that_is_billed(kind: str, byte: str, unit: str, total: str) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = await driver.read(desk.line, desk.meter, {"total"})
        assert values.of(1)["total"] == Decimal(total)
        assert desk.unknown == []

    change = {"kind": kind, "quirks": {"meter_type": byte}, "simulate": {"unit": unit}}
    at_desk(test, "lxsy315-dn15", change, load="water_dorm")


@pytest.mark.parametrize(
    ("kind", "byte", "unit"),
    [
        *(("water", "10", unit) for unit in ("00", "FF", "2F", "05", "32", "11")),
        *(("heat", "20", unit) for unit in ("00", "2C", "17", "46")),
        ("gas", "30", "05"),
        ("", "10", "05"),
    ],
)
def test_a_unit_that_cannot_be_gives_no_value_and_a_frame_to_look_at(kind: str, byte: str, unit: str) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        for _ in range(3):
            values = await driver.read(desk.line, desk.meter, {"total", "switch"})
            assert (values.of(1)["total"], values.of(1)["switch"]) == (None, "on")
            assert "total" in values.refused
        [unknown] = desk.unknown
        assert (unknown.kind, unknown.hex[:4]) == ("unit", f"68{byte}")
        items = await driver.read_items(desk.line, desk.meter, ["total"])
        assert (items.values, list(items.refused)) == ({}, ["total"])

    change = {"kind": kind, "quirks": {"meter_type": byte}, "simulate": {"unit": unit}}
    at_desk(test, "lxsy315-dn15", change, load="water_dorm")


def test_a_model_says_what_a_code_of_its_own_means() -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        values = await driver.read(desk.line, desk.meter, {"total"})
        assert values.of(1)["total"] == Decimal("100.00")

    quirks = {"meter_type": "10", "units": {"00": "2C"}}
    at_desk(test, "lxsy315-dn15", {"quirks": quirks, "simulate": {"unit": "00"}}, load="water_dorm")


# ---- Modbus ------------------------------------------------------------------------------------------------------------------------
STRIDE = 32


def outlet(number: int) -> list[dict[str, Any]]:
    """Registers of one circuit."""
    at = STRIDE * (number - 1)
    return [
        {"key": "total", "address": at, "type": "uint32", "scale": "0.01", "circuit": number},
        {"key": "power_kw", "address": at + 14, "type": "int16", "scale": "0.001", "circuit": number},
        {"key": "switch", "address": at + 26, "circuit": number, "on": 1, "off": 0},
    ]


@pytest.mark.parametrize("function", [5, 6, 15, 16])
def test_circuits_are_read_and_switched_one_by_one(function: int) -> None:
    async def test(desk: Desk, driver: Driver) -> None:
        circuits = tuple(Circuit(n, n, True) for n in (1, 2, 3))
        meter = replace(desk.meter, circuits=circuits)
        await driver.switch(desk.line, meter, circuits[1], "off")
        shown = [await driver.read_switch(desk.line, meter, circuit) for circuit in circuits]
        assert shown == ["on", "off", "on"]
        values = await driver.read(desk.line, meter, {"total", "power_kw", "switch"})
        assert [values.of(n)["switch"] for n in (1, 2, 3)] == ["on", "off", "on"]
        assert values.of(2)["power_kw"] == 0
        assert values.of(3)["power_kw"] != 0
        items = await driver.read_items(desk.line, meter, ["3/total", "2/switch"])
        assert items.values["2/switch"] == "off"
        assert Decimal(items.values["3/total"] or "0") >= 100

    change = {
        "registers": [row for number in (1, 2, 3) for row in outlet(number)],
        "switch": {
            "kind": "modbus",
            "address": 26,
            "function": function,
            "on": [1],
            "off": [0],
            "stride": STRIDE,
        },
        "simulate": {"map": "circuits", "circuits": 3, "stride": STRIDE, "relay_lag_ms": 0},
    }
    at_desk(test, "dds238", change, load="shop_small")


def test_a_three_phase_map_that_comes_along_reads_a_meter() -> None:
    from meter_connector.codecs.modbus.registers import named_map

    async def test(desk: Desk, driver: Driver) -> None:
        keys = {row["key"] for row in named_map("acrel_dtsd1352")["registers"]}
        values = (await driver.read(desk.line, desk.meter, keys)).of(1)
        assert Decimal(100) <= values["total"] < Decimal(101)  # type: ignore[operator]
        assert Decimal(200) < values["voltage_c_v"] < Decimal(250)  # type: ignore[operator]

    change = {
        "registers": named_map("acrel_dtsd1352")["registers"],
        "phases": 3,
        "simulate": {"map": "dtsd1352"},
    }
    at_desk(test, "dds238", change)


# ---- DL/T 645-2007 -----------------------------------------------------------------------------------------------------------------
def test_bits_of_status_words_come_along_with_the_switch() -> None:
    registers = [
        {"key": "total", "di": "00010000"},
        {"key": "switch", "di": "04000503"},
        {"key": "keep_power", "di": "04000503", "bit": 12},
        {"key": "voltage_lost", "di": "040005FF", "index": 3, "bit": 0},
        {"key": "overload", "di": "040005FF", "index": 3, "bit": 5},
    ]

    async def test(desk: Desk, driver: Driver) -> None:
        await driver.keep_power(desk.line, desk.meter, desk.circuit, True)
        sent = len(desk.link.sent)
        values = (await driver.read(desk.line, desk.meter, {row["key"] for row in registers})).of(1)
        assert (values["switch"], values["keep_power"]) == ("on", "1")
        assert (values["voltage_lost"], values["overload"]) == ("1", "0")
        assert len(desk.link.sent) == sent + 3, "one request an identifier"

    at_desk(test, "ddsy315", {"registers": registers, "simulate": {"status": {"4": 1}}})


# ---- DL/T 645-1997 -----------------------------------------------------------------------------------------------------------------
def test_a_1997_meter_that_refuses_its_block_is_read_rate_by_rate() -> None:
    registers = [{"key": key, "di": f"901{n}"} for n, key in enumerate(("total", "t1", "t2", "t3", "t4"))]

    async def test(desk: Desk, driver: Driver) -> None:
        keys = {row["key"] for row in registers}
        for _ in range(4):
            values = await driver.read(desk.line, desk.meter, keys)
        assert set(values.of(1)) == keys, "after three refusals the block is left alone"
        assert values.of(1)["total"] == Decimal("100.00")

    change = {
        "registers": registers,
        "block": {"di": "901F", "keys": [row["key"] for row in registers]},
        "simulate": {"no_block": True},
    }
    at_desk(test, "dd862-97", change, load="water_dorm")
