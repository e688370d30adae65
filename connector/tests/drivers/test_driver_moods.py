"""Drivers against byte-true meters on a line in many moods."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from meter_connector.drivers import make_driver
from meter_connector.errors import GarbledError, MeterRefusedError, NoAnswerError, PasswordRefusedError
from meter_connector.model import Circuit
from wirehelp import DEMO, NOON, Desk, SimWire, meter_row, virtually

ENERGY = {"total"}
LIVE = {"voltage_v", "current_a", "power_kw", "power_factor", "switch"}
MODELS = ("ddsy315", "dtzy315", "dd862-97", "lxsy315-dn20", "lxsy315-dn15", "dds238")
MOODS = {
    "calm": {},
    "in five pieces": {"split": 5},
    "echo": {"echo": True},
    "noise in front": {"noise": 1.0},
    "old answers in front": {"stale": 1.0},
    "answers twice": {"duplicate": 1.0},
    "every third lost": {"drop": 0.33},
    "every third damaged": {"garble": 0.33},
}


def first_total(wire: SimWire) -> Decimal:
    """What the meter's register stood at in the beginning; the load adds little within a test."""
    return Decimal(str(wire.rows[0]["start"]))


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("model", MODELS)
def test_a_meter_is_read_in_every_mood(model: str, mood: str) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model), meter_row(2, model)])
        wire.faults(**MOODS[mood])
        desk = Desk(wire)
        driver = make_driver(desk.meter.model.protocol, desk.bus)
        desk.line.attempts = 8
        for meter in (*desk.meters, *desk.meters):
            values = (await driver.read(desk.line, meter, ENERGY)).of(1)
            total = values["total"]
            assert isinstance(total, Decimal)
            assert first_total(wire) <= total < first_total(wire) + 2
        await wire.close()

    virtually(main)


@pytest.mark.parametrize("model", MODELS)
def test_a_meter_is_read_byte_by_byte(model: str) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model)])
        desk = Desk(wire, is_single=True)
        driver = make_driver(desk.meter.model.protocol, desk.bus)
        values = await driver.read(desk.line, desk.meter, ENERGY | LIVE)
        assert first_total(wire) <= values.of(1)["total"] < first_total(wire) + 1  # type: ignore[operator]
        assert desk.exchange.stats.timeouts == desk.exchange.stats.garbled == 0
        await wire.close()

    virtually(main)


def test_live_values_come_as_decimals_and_the_switch_as_a_word() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)])
        desk = Desk(wire)
        values = (await make_driver("dlt645-2007", desk.bus).read(desk.line, desk.meter, LIVE)).of(1)
        assert {key for key, value in values.items() if isinstance(value, Decimal)} == LIVE - {"switch"}
        assert Decimal(200) < values["voltage_v"] < Decimal(250)  # type: ignore[operator]
        assert values["switch"] == "on"
        await wire.close()

    virtually(main)


def test_a_block_is_read_in_one_request_and_the_moment_is_that_of_the_energy() -> None:
    async def main() -> None:
        wire = SimWire(
            [
                meter_row(
                    1,
                    "dtzy315",
                    start={"total": "10.00", "t1": "1.00", "t2": "2.00", "t3": "3.00", "t4": "4.00"},
                )
            ]
        )
        desk = Desk(wire)
        keys = {"total", "t1", "t2", "t3", "t4", "voltage_v"}
        values = await make_driver("dlt645-2007", desk.bus).read(desk.line, desk.meter, keys)
        assert desk.exchange.stats.requests == 2
        assert values.at is not None
        assert values.at < desk.clock.now()
        assert values.at > NOON
        assert [round(values.of(1)[key]) for key in ("total", "t1", "t2", "t3", "t4")] == [10, 1, 2, 3, 4]  # type: ignore[arg-type]
        await wire.close()

    virtually(main)


def test_a_refused_block_gives_way_to_single_registers_after_a_few_tries() -> None:
    async def main() -> None:
        block = {"di": "0001EE00", "keys": ["total", "t1"]}
        wire = SimWire([meter_row(1, "dtzy315")], models={"dtzy315": {"block": block}})
        desk = Desk(wire)
        driver = make_driver("dlt645-2007", desk.bus)
        for _ in range(3):
            values = await driver.read(desk.line, desk.meter, {"total", "t1", "voltage_v"})
            assert "0001EE00" in values.refused
        values = await driver.read(desk.line, desk.meter, {"total", "t1", "voltage_v"})
        assert values.refused == {}
        assert {"total", "t1", "voltage_v"} <= values.of(1).keys()
        await wire.close()

    virtually(main)


def test_a_register_the_meter_does_not_know_costs_the_others_nothing() -> None:
    async def main() -> None:
        registers = [
            {"key": "total", "di": "00010000"},
            {"key": "odd", "di": "0F0F0F0F"},
            {"key": "voltage_v", "di": "02010100"},
        ]
        wire = SimWire([meter_row(1)], models={"ddsy315": {"registers": registers}})
        desk = Desk(wire)
        driver = make_driver("dlt645-2007", desk.bus)
        for _ in range(5):
            values = await driver.read(desk.line, desk.meter, {"total", "odd", "voltage_v"})
            assert values.of(1).keys() == {"total", "voltage_v"}
        assert desk.exchange.stats.requests == 5 * 2 + 3
        await wire.close()

    virtually(main)


@pytest.mark.parametrize(
    ("model", "wanted"), [("ddsy315", "off"), ("lxsy315-dn15", "off"), ("dds238", "off")]
)
def test_a_switch_is_commanded_once_and_read_back(model: str, wanted: str) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model)])
        desk = Desk(wire)
        driver = make_driver(desk.meter.model.protocol, desk.bus)
        assert await driver.read_switch(desk.line, desk.meter, desk.circuit) == "on"
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        assert desk.exchange.stats.requests == 2
        await asyncio.sleep(10)  # the relay's lag; a valve turns for seconds
        assert await driver.read_switch(desk.line, desk.meter, desk.circuit) == wanted
        await driver.switch(desk.line, desk.meter, desk.circuit, "on")
        await asyncio.sleep(10)  # the relay's lag; a valve turns for seconds
        assert await driver.read_switch(desk.line, desk.meter, desk.circuit) == "on"
        await wire.close()

    virtually(main)


def test_a_command_without_an_answer_is_not_repeated() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)])
        desk = Desk(wire)
        wire.faults(drop=1.0)
        with pytest.raises(NoAnswerError):
            await make_driver("dlt645-2007", desk.bus).switch(desk.line, desk.meter, desk.circuit, "off")
        assert len(desk.link.sent) == 1
        await wire.close()

    virtually(main)


def test_a_damaged_acknowledgement_is_not_taken_and_the_command_not_repeated() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)])
        desk = Desk(wire)
        wire.faults(garble=1.0)
        with pytest.raises((GarbledError, NoAnswerError)):
            await make_driver("dlt645-2007", desk.bus).switch(desk.line, desk.meter, desk.circuit, "off")
        assert len(desk.link.sent) == 1
        assert wire.commands("S1") == ["trip"]
        await wire.close()

    virtually(main)


def test_a_wrong_password_is_named() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)])
        wire.rows[0]["password"] = "654321"
        desk = Desk(wire)
        with pytest.raises(PasswordRefusedError) as raised:
            await make_driver("dlt645-2007", desk.bus).switch(desk.line, desk.meter, desk.circuit, "off")
        assert raised.value.code == 0x04
        assert "654321" not in str(raised.value)
        assert wire.moves("S1") == []
        await wire.close()

    virtually(main)


def test_a_meter_without_a_switch_is_refused_before_anything_is_sent() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, "dd862-97"), meter_row(2, "lxsy315-dn20")])
        desk = Desk(wire)
        for meter in desk.meters:
            driver = make_driver(meter.model.protocol, desk.bus)
            with pytest.raises(MeterRefusedError, match=meter.serial):
                await driver.switch(desk.line, meter, meter.circuits[0], "off")
        assert desk.link.sent == []
        await wire.close()

    virtually(main)


def test_a_broadcast_sets_a_645_clock_and_it_is_read_back() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1)])
        wire.meter_faults("S1", clock_offset_s=200)
        desk = Desk(wire)
        driver = make_driver("dlt645-2007", desk.bus)
        now = datetime(2026, 11, 21, 12, 0, 0)
        shown = await driver.read_clock(desk.line, desk.meter)
        assert shown is not None
        assert timedelta(seconds=200) <= shown - now < timedelta(seconds=205)
        await driver.broadcast_clock(desk.line, now)
        shown = await driver.read_clock(desk.line, desk.meter)
        assert shown is not None
        assert timedelta(0) <= shown - now < timedelta(seconds=5)
        await wire.close()

    virtually(main)


def test_a_188_clock_is_read_and_a_meter_that_cannot_be_set_says_so() -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, "lxsy315-dn20")])
        wire.meter_faults("S1", clock_offset_s=-300)
        desk = Desk(wire)
        driver = make_driver("cjt188", desk.bus)
        shown = await driver.read_clock(desk.line, desk.meter)
        now = datetime(2026, 11, 21, 12, 0, 0)
        assert shown is not None
        assert timedelta(seconds=-300) <= shown - now < timedelta(seconds=-295)
        wire.meter_faults("S1", missing="A015")
        with pytest.raises(MeterRefusedError, match="set clock"):
            await driver.set_clock(desk.line, desk.meter, now)
        await wire.close()

    virtually(main)


@pytest.mark.parametrize(
    ("protocol", "model"),
    [("dlt645-2007", "ddsy315"), ("cjt188", "lxsy315-dn20"), ("dlt645-1997", "dd862-97")],
)
def test_the_only_meter_on_the_line_tells_its_address(protocol: str, model: str) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model)])
        desk = Desk(wire)
        assert await make_driver(protocol, desk.bus).read_address(desk.line) == desk.meter.address
        await wire.close()

    virtually(main)


def test_a_sleeping_water_meter_is_woken_by_the_repetition() -> None:
    async def main() -> None:
        quirks = {**DEMO["models"]["lxsy315-dn15"]["quirks"], "first_request_lost": True}
        changed = {"quirks": quirks, "simulate": {"sleep_s": 20, "relay_lag_ms": 100}}
        wire = SimWire([meter_row(1, "lxsy315-dn15")], models={"lxsy315-dn15": changed})
        desk = Desk(wire)
        driver = make_driver("cjt188", desk.bus)
        desk.line.attempts = 2
        for _ in range(3):
            assert await driver.read_switch(desk.line, desk.meter, desk.circuit) == "on"
            await asyncio.sleep(60)
        await driver.switch(desk.line, desk.meter, desk.circuit, "off")
        assert len(wire.commands("S1")) == 1
        await wire.close()

    virtually(main)


@pytest.mark.parametrize("model", ["ddsy315", "lxsy315-dn15"])
def test_a_second_circuit_never_moves_the_only_switch(model: str) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, model)])
        desk = Desk(wire)
        driver = make_driver(desk.meter.model.protocol, desk.bus)
        with pytest.raises(MeterRefusedError, match="circuit 2"):
            await driver.switch(desk.line, desk.meter, Circuit(1, 2, True), "off")
        assert desk.link.sent == []
        await wire.close()

    virtually(main)
