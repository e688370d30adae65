"""Modbus: framings, function 6 and echoes, exceptions, late answers that look alike, switches as data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from meter_connector.codecs.modbus.frame import crc16
from meter_connector.codecs.modbus.registers import named_map
from meter_connector.drivers import Exchange, Line, WireTiming
from meter_connector.drivers.modbus import ModbusDriver, make_adu, switch_spec, switch_word
from meter_connector.errors import GarbledError, MeterBusyError, MeterRefusedError, NoAnswerError
from meter_connector.model import Bus, Circuit, Link, Meter, MeterModel, Register, SwitchSpec
from wirehelp import Desk, FakeLink, SimWire, make_clock, meter_row, virtually

TOTAL = {"key": "total", "address": 0, "type": "uint32", "scale": "0.01"}


def a_meter(
    *registers: Mapping[str, Any], switch: Mapping[str, Any] | None = None, circuits: int = 1
) -> Meter:
    found = tuple(Register(each["key"], None, int(each.get("circuit", 1)), each) for each in registers)
    spec = SwitchSpec("modbus", switch) if switch else None
    model = MeterModel("m", "modbus-rtu", found, spec)
    return Meter(1, "S1", "5", model, tuple(Circuit(10 + n, n, True) for n in range(1, circuits + 1)))


class Bench:
    """A driver whose slave answers what the test says: request PDU -> answer PDU."""

    def __init__(
        self, answer: Callable[[bytes], bytes | None], framing: str = "transparent", *, echo: bool = False
    ) -> None:
        bus = Bus(1, 1, Link("tcp_client", "h", 1), (), 9600, framing=framing)  # type: ignore[arg-type]
        self.asked: list[bytes] = []
        self._answer = answer
        self._echo = echo
        self.is_tcp = framing == "modbus_tcp"
        self.link = FakeLink(self._respond)
        self.exchange = Exchange(self.link, WireTiming.of(bus))
        self.line = Line(self.exchange, make_clock().now)
        self.driver = ModbusDriver(make_adu(bus, "modbus-rtu"))
        self.link.plug()

    def _respond(self, sent: bytes, reply: Callable[[bytes], None]) -> None:
        head, pdu = (sent[:7], sent[7:]) if self.is_tcp else (sent[:1], sent[1:-2])
        self.asked.append(pdu)
        answer = self._answer(pdu)
        if self._echo:
            reply(sent)
        if answer is None:
            return
        if self.is_tcp:
            raw = head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:] + answer
        else:
            raw = head + answer + crc16(head + answer)
        asyncio.get_running_loop().call_later(0.02, reply, raw)


def words(*values: int) -> bytes:
    return bytes((3, 2 * len(values))) + b"".join(value.to_bytes(2, "big") for value in values)


@pytest.mark.parametrize("framing", ["transparent", "rtu_over_tcp", "modbus_tcp"])
def test_registers_are_read_in_every_framing(framing: str) -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: words(0, 12345), framing)
        values = await bench.driver.read(bench.line, a_meter(TOTAL), {"total"})
        assert values.of(1) == {"total": Decimal("123.45")}
        assert bench.asked == [bytes.fromhex("03 0000 0002")]

    virtually(main)


SERIAL_MOODS: list[dict[str, Any]] = [{}, {"echo": True}, {"split": 4}, {"drop": 0.3}, {"garble": 0.3}]
TCP_MOODS: list[dict[str, Any]] = [{}, {"split": 4}, {"drop": 0.3}]
"""Modbus TCP has no checksum of its own and no half duplex line: TCP neither damages nor echoes."""


@pytest.mark.parametrize(
    ("framing", "mood"),
    [("transparent", mood) for mood in SERIAL_MOODS]
    + [("rtu_over_tcp", mood) for mood in SERIAL_MOODS]
    + [("modbus_tcp", mood) for mood in TCP_MOODS],
)
def test_a_simulated_meter_is_read_in_every_mood(framing: str, mood: dict[str, Any]) -> None:
    async def main() -> None:
        model = "ddsy1352" if framing == "modbus_tcp" else "dds238"
        wire = SimWire([meter_row(1, model)], bus={"framing": framing})
        wire.faults(**mood)
        desk = Desk(wire)
        desk.line.attempts = 8
        driver = ModbusDriver(make_adu(desk.bus, desk.meter.model.protocol))
        values = (await driver.read(desk.line, desk.meter, {"total", "voltage_v", "switch"})).of(1)
        assert Decimal(100) <= values["total"] < Decimal(101)  # type: ignore[operator]
        assert values["switch"] == "on"
        await wire.close()

    virtually(main)


def test_adjacent_registers_share_a_request_and_holes_are_not_read() -> None:
    async def main() -> None:
        def answer(pdu: bytes) -> bytes:
            return words(*range(int.from_bytes(pdu[3:5], "big")))

        bench = Bench(answer)
        more = [{"key": "t1", "address": 2, "type": "uint32"}, {"key": "voltage_v", "address": 11}]
        await bench.driver.read(bench.line, a_meter(TOTAL, *more), {"total", "t1", "voltage_v"})
        assert bench.asked == [bytes.fromhex("03 0000 0004"), bytes.fromhex("03 000B 0001")]

    virtually(main)


def test_circuits_of_one_meter_have_their_own_registers() -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: words(7, 8))
        rows = [{"key": "total", "address": n, "circuit": n + 1} for n in range(2)]
        values = await bench.driver.read(bench.line, a_meter(*rows, circuits=2), {"total"})
        assert (values.of(1), values.of(2)) == ({"total": Decimal(7)}, {"total": Decimal(8)})

    virtually(main)


@pytest.mark.parametrize(
    ("switch", "sent"),
    [
        ({"address": 87, "function": 16, "on": [1, 0], "off": [1, 1]}, "10 0057 0002 04 0001 0001"),
        ({"write": {"address": 26, "function": 6, "on": [1], "off": [0]}}, "06 001A 0000"),
        ({"address": 3, "function": 5, "on": [1], "off": [0]}, "05 0003 0000"),
        ({"address": 3, "function": 15, "on": [1], "off": [0]}, "0F 0003 0001 01 00"),
    ],
)
def test_the_switch_is_written_as_the_model_says(switch: dict[str, Any], sent: str) -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: pdu[:5])
        meter = a_meter(TOTAL, switch=switch)
        await bench.driver.switch(bench.line, meter, meter.circuits[0], "off")
        assert bench.asked == [bytes.fromhex(sent)]

    virtually(main)


def test_the_echo_of_function_6_is_no_acknowledgement_once_the_adapter_is_known_to_echo() -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: words(0, 1) if pdu[0] == 3 else None, echo=True)
        meter = a_meter(TOTAL, switch={"address": 26, "function": 6, "on": [1], "off": [0]})
        await bench.driver.read(bench.line, meter, {"total"})
        assert bench.exchange.is_echoing
        with pytest.raises(NoAnswerError):
            await bench.driver.switch(bench.line, meter, meter.circuits[0], "off")
        assert len(bench.asked) == 2

    virtually(main)


@pytest.mark.parametrize(
    ("code", "error"),
    [(2, MeterRefusedError), (6, MeterBusyError), (0x0B, NoAnswerError), (4, MeterRefusedError)],
)
def test_exceptions_become_typed_errors(code: int, error: type[Exception]) -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: bytes((pdu[0] | 0x80, code)))
        meter = a_meter(TOTAL, switch={"address": 1, "function": 16, "on": [1], "off": [0]})
        with pytest.raises(error):
            await bench.driver.switch(bench.line, meter, meter.circuits[0], "off")

    virtually(main)


def test_a_late_rtu_answer_of_equal_length_is_not_taken_for_another_address() -> None:
    async def main() -> None:
        delays = [1.2, 0.02]
        bench = Bench(lambda pdu: None)

        def respond(sent: bytes, reply: Callable[[bytes], None]) -> None:
            body = sent[:1] + words(0, int.from_bytes(sent[2:4], "big"))
            asyncio.get_running_loop().call_later(delays.pop(0), reply, body + crc16(body))

        bench.link.respond = respond
        bench.line.attempts = 1
        meter = a_meter(TOTAL, {"key": "t1", "address": 40, "type": "uint32"})
        with pytest.raises((NoAnswerError, GarbledError)):
            await bench.driver.read(bench.line, meter, {"total"})
        values = await bench.driver.read(bench.line, meter, {"t1"})
        assert values.of(1) == {"t1": Decimal(40)}

    virtually(main)


def test_frames_are_three_and_a_half_characters_apart() -> None:
    async def main() -> None:
        times = []
        bench = Bench(lambda pdu: words(0, 1))
        plain = bench.link.respond

        def respond(sent: bytes, reply: Callable[[bytes], None]) -> None:
            times.append(asyncio.get_running_loop().time())
            plain(sent, reply)

        bench.link.respond = respond
        for _ in range(3):
            await bench.driver.read(bench.line, a_meter(TOTAL), {"total"})
        gaps = [round(b - a - 0.02, 6) for a, b in zip(times, times[1:], strict=False)]
        assert gaps == [pytest.approx(3.5 * 11 / 9600, abs=1e-5)] * 2

    virtually(main)


def test_switch_data_by_circuit_and_what_words_mean() -> None:
    switch = {"address": 10, "on": [1], "off": [0], "stride": 4, "circuits": {"3": {"address": 99}}}
    meter = a_meter(TOTAL, switch=switch, circuits=3)
    assert [switch_spec(meter, circuit)["address"] for circuit in meter.circuits] == [10, 14, 99]
    assert switch_word({"on": 1, "off": 0}, [1]) == "on"
    assert switch_word({"on": [1, 0], "off": [1, 1]}, [1, 1]) == "off"
    assert switch_word({"on": 4, "off": 0, "mask": 4}, [0xFF]) == "on"
    assert switch_word({"on": 1, "off": 0}, [7]) == "unknown"


@pytest.mark.parametrize(
    ("shown", "state"),
    [([1, 0], "on"), ([1, 1], "off"), ([0, 0], "unknown"), ([0, 1], "unknown"), ([2, 0], "unknown")],
)
def test_a_ddsy1352_that_is_not_forced_says_nothing_about_its_relay(shown: list[int], state: str) -> None:
    """In automatic mode it may have tripped by itself: the words of the last command prove nothing."""

    async def main() -> None:
        table = named_map("acrel_ddsy1352")
        bench = Bench(lambda pdu: words(*shown) if pdu[1:3] == b"\0\x57" else words(0, 12345))
        rows = [row for row in table["registers"] if row["key"] in ("total", "switch")]
        meter = a_meter(*rows, switch=table["switch"])
        assert await bench.driver.read_switch(bench.line, meter, meter.circuits[0]) == state
        assert bench.asked == [bytes.fromhex("03 0057 0002")], "both words in one request"
        values = await bench.driver.read(bench.line, meter, {"total", "switch"})
        assert values.of(1)["switch"] == state

    virtually(main)


def test_a_wrong_register_of_the_model_is_named() -> None:
    async def main() -> None:
        bench = Bench(lambda pdu: words(0, 1))
        with pytest.raises(MeterRefusedError, match="uint99"):
            await bench.driver.read(
                bench.line, a_meter({"key": "total", "address": 0, "type": "uint99"}), {"total"}
            )

    virtually(main)
