"""Relays and valves: password, expiry, lag, keep power, button, stuck contacts; who did what is on record."""

from __future__ import annotations

from typing import Any

import pytest
from meter_connector.errors import SettingsError
from meter_connector.simulator import bits
from simhelp import FAR, Bench, frame188, single, water

ACCEPTED = b"\x9c"
TRIP, PERMIT, CLOSE, KEEP_ON, KEEP_OFF = 0x1A, 0x1B, 0x1C, 0x3A, 0x3B
OPEN, COMMANDED_OPEN, ALARM, KEEPING = 0x10, 0x40, 0x80, 0x1000


def status(bench: Bench) -> int:
    word = bench.read("04000503")
    assert word is not None
    return int.from_bytes(word, "little")


def meter(lag_ms: int = 0, **more: Any) -> dict[str, Any]:
    return single(simulate={"relay_lag_ms": lag_ms, **more.pop("simulate", {})}, **more)


def journal(bench: Bench, kind: str) -> list[dict[str, Any]]:
    return bench.journal.since(kind=kind)


def test_trip_and_close() -> None:
    bench = Bench(meter())
    assert status(bench) == 0
    assert bench.relay(TRIP) == ACCEPTED
    assert status(bench) == OPEN | COMMANDED_OPEN
    assert bench.relay(CLOSE) == ACCEPTED
    assert status(bench) == 0
    assert [entry["state"] for entry in journal(bench, "relay")] == ["off", "on"]


def test_accepted_is_not_switched_until_the_lag_is_over() -> None:
    bench = Bench(meter(lag_ms=2000))
    assert bench.relay(TRIP) == ACCEPTED
    assert status(bench) == COMMANDED_OPEN | ALARM  # b4 != b6: pending
    assert bench.meter.state()["relay"] == "pending"
    bench.elapsed = 1.999
    assert status(bench) & OPEN == 0
    bench.elapsed = 2.0
    assert status(bench) == OPEN | COMMANDED_OPEN
    assert journal(bench, "relay")[0]["at"] == pytest.approx(bench.time.wall_ms() / 1000)


def test_energy_stops_at_the_moment_the_contact_opens() -> None:
    bench = Bench(meter(lag_ms=1_800_000, load="kilowatt"), speed=1)
    bench.relay(TRIP)
    bench.elapsed = 1800
    expected = bench.meter.energy.load_at(bench.meter.energy.at_ms)
    bench.elapsed = 7200  # settled late: the same energy
    bench.meter.settle()
    assert bench.meter.energy.units("total") == expected * 1_800_000
    assert bench.meter.state()["power_kw"] == "0"


def test_a_wrong_password_is_refused_with_bit_2_and_noted() -> None:
    bench = Bench(meter())
    assert bench.relay(TRIP, password="654321") == b"\xdc\x04"
    assert status(bench) == 0
    assert journal(bench, "command")[0] | {"n": 0, "at": 0} == {
        "n": 0,
        "at": 0,
        "kind": "command",
        "meter": "202601000101",
        "command": "trip",
        "operator": "00000000",
        "result": "refused",
        "error": "04",
    }


def test_esam_levels_and_esam_meters_refuse_plain_commands() -> None:
    assert Bench(meter()).relay(TRIP, level=0x98) == b"\xdc\x04"
    assert Bench(meter(simulate={"esam": True})).relay(TRIP) == b"\xdc\x04"


EXPIRIES = {
    "a minute ahead": ("261121120100", 0, ACCEPTED),
    "a minute ago": ("261121115900", 0, b"\xdc\x01"),
    "this second": ("261121120000", 0, b"\xdc\x01"),
    "ahead, but not by the meter's fast clock": ("261121120100", 61, b"\xdc\x01"),
    "ago, but not by the meter's slow clock": ("261121115900", -61, ACCEPTED),
    "no such day": ("260231120000", 0, b"\xdc\x01"),
    "no digits": ("26112A120000", 0, b"\xdc\x01"),
    "all zero": ("000000000000", 0, ACCEPTED),
    "far": ("991230000000", 0, ACCEPTED),
}


@pytest.mark.parametrize("name", EXPIRIES)
def test_expiry_is_judged_by_the_meters_clock(name: str) -> None:
    printed, ahead_s, answer = EXPIRIES[name]
    bench = Bench(meter(faults={"clock_offset_s": ahead_s}))
    assert bench.relay(TRIP, expiry=bits.reversed_hex(printed)) == answer
    assert bench.meter.is_supplied == (answer != ACCEPTED)


def test_a_meter_may_refuse_an_empty_expiry() -> None:
    assert Bench(meter(simulate={"zero_expiry": False})).relay(TRIP, expiry=bytes(6)) == b"\xdc\x01"


def test_keep_power_refuses_trips_until_taken_back() -> None:
    bench = Bench(meter())
    assert bench.relay(KEEP_ON) == ACCEPTED
    assert status(bench) == KEEPING
    assert bench.relay(TRIP) == b"\xdc\x01"
    assert bench.meter.is_supplied
    assert bench.relay(KEEP_OFF) == ACCEPTED
    assert bench.relay(TRIP) == ACCEPTED
    assert not bench.meter.is_supplied


def test_a_close_permit_waits_for_the_button() -> None:
    bench = Bench(meter())
    bench.relay(TRIP)
    assert bench.relay(PERMIT) == ACCEPTED
    assert status(bench) == OPEN  # commanded closed, not followed
    bench.elapsed = 3600
    assert not bench.meter.is_supplied
    bench.meter.apply({"press_button": True})
    assert status(bench) == 0
    assert journal(bench, "relay")[-1]["by"] == "button"


def test_the_button_does_nothing_without_a_permit() -> None:
    bench = Bench(meter())
    bench.relay(TRIP)
    with pytest.raises(SettingsError, match="not permitted"):
        bench.meter.apply({"press_button": True})
    assert not bench.meter.is_supplied


def test_a_stuck_relay_says_yes_and_does_not_move() -> None:
    bench = Bench(meter(faults={"relay_stuck": True}))
    assert bench.relay(TRIP) == ACCEPTED
    bench.elapsed = 60
    assert status(bench) == COMMANDED_OPEN
    assert journal(bench, "relay") == []
    bench.meter.apply({"faults": {"relay_stuck": False}})
    bench.elapsed = 120
    assert status(bench) == COMMANDED_OPEN  # it missed the pulse
    assert bench.relay(TRIP) == ACCEPTED
    assert status(bench) == OPEN | COMMANDED_OPEN


def test_a_trip_delay_parameter_delays_the_trip() -> None:
    bench = Bench(meter())
    bench.meter.parameters.values["04001401"] = bits.bcd(5, 2)  # type: ignore[attr-defined]
    bench.relay(TRIP)
    bench.elapsed = 299
    assert status(bench) == COMMANDED_OPEN | ALARM
    bench.elapsed = 300
    assert status(bench) == OPEN | COMMANDED_OPEN


def test_a_close_overtakes_a_trip_that_has_not_happened() -> None:
    bench = Bench(meter(lag_ms=5000))
    bench.relay(TRIP)
    bench.elapsed = 1
    bench.relay(CLOSE)
    bench.elapsed = 60
    assert status(bench) == 0
    assert journal(bench, "relay") == []


@pytest.mark.parametrize("n1", [0x00, 0x1D, 0xFF])
def test_unknown_commands_are_illegal(n1: int) -> None:
    assert Bench(meter()).relay(n1) == b"\xdc\x01"


def test_a_meter_without_relay_refuses() -> None:
    row = single(model="dtzy315-sum")
    assert Bench(row).relay(TRIP) == b"\xdc\x01"


def test_trips_are_counted_and_recorded_in_the_meter() -> None:
    bench = Bench(meter())
    bench.relay(TRIP)
    bench.relay(CLOSE)
    bench.relay(TRIP)
    assert bench.read("1D000001") == bits.bcd(2, 3)
    assert bench.read("1E000001") == bits.bcd(1, 3)
    record = bench.read("1D000101")
    assert record is not None
    assert (len(record), record[:6]) == (34, bytes.fromhex("000012211126"))


def valve(**simulate: Any) -> dict[str, Any]:
    return water(model="lxsy315-dn15", simulate={"preamble": 0, "relay_lag_ms": 3000, **simulate})


STATUS_BYTES = {
    "a": (b"\x00\x00", b"\x01\x00"),
    "b": (b"\x00\x00", b"\x40\x00"),
    "c": (b"\x00\x00", b"\x00\x01"),
}


@pytest.mark.parametrize("bits_at", STATUS_BYTES)
def test_a_valve_closes_after_its_time_and_says_so_in_its_makers_way(bits_at: str) -> None:
    bench = Bench(valve(valve_bits=bits_at))
    ask = frame188("78330010000101", 0x01, bytes.fromhex("1F9005"))
    is_open, is_closed = STATUS_BYTES[bits_at]
    answer = bench.ask(frame188("78330010000101", 0x04, bytes.fromhex("17A00499")))
    assert answer is not None
    assert answer[9:14].hex() == "840517a004"
    assert answer[14:16] == is_open
    bench.elapsed = 2.9
    assert (bench.ask(ask) or b"")[-4:-2] == is_open
    bench.elapsed = 3
    assert (bench.ask(ask) or b"")[-4:-2] == is_closed


def test_a_valve_meter_with_another_control_code_refuses_the_standard_one() -> None:
    bench = Bench(valve(valve_control="2A"))
    answer = bench.ask(frame188("78330010000101", 0x04, bytes.fromhex("17A00499")))
    assert answer is not None
    assert answer[9] == 0xC4
    assert bench.meter.is_supplied


def test_a_water_meter_without_valve_refuses_and_notes_it() -> None:
    bench = Bench(water(simulate={"preamble": 0}))
    answer = bench.ask(frame188("78330010000101", 0x04, bytes.fromhex("A0170499")))
    assert answer is not None
    assert answer[9] == 0xC4
    assert journal(bench, "command")[0]["result"] == "refused"


def write_registers(unit: int, start: int, words: list[int]) -> bytes:
    body = bytes((unit, 0x10)) + start.to_bytes(2, "big") + len(words).to_bytes(2, "big")
    body += bytes((2 * len(words),)) + b"".join(word.to_bytes(2, "big") for word in words)
    return body + bits.crc16(body)


def modbus(model: str) -> dict[str, Any]:
    return {
        "serial": "M1",
        "address": "1",
        "model": model,
        "load": "kilowatt",
        "simulate": {"relay_lag_ms": 0, "map": model},
    }


MODBUS_SWITCHES = {"ddsy1352": (0x57, [1, 1], [1, 0]), "dds238": (0x1A, [0], [1])}


@pytest.mark.parametrize("model", MODBUS_SWITCHES)
def test_modbus_relays(model: str) -> None:
    start, off, on = MODBUS_SWITCHES[model]
    bench = Bench(modbus(model))
    answer = bench.ask(write_registers(1, start, off))
    assert answer is not None
    assert answer[:2] == b"\x01\x10"
    assert not bench.meter.is_supplied
    bench.ask(write_registers(1, start, on))
    assert bench.meter.is_supplied
    assert [entry["command"] for entry in journal(bench, "command")] == ["trip", "close"]


def test_leaving_forced_mode_moves_nothing() -> None:
    bench = Bench(modbus("ddsy1352"))
    bench.ask(write_registers(1, 0x57, [0, 1]))
    assert bench.meter.is_supplied


def test_the_far_expiry_is_far() -> None:
    assert bits.printed(FAR) == "991230000000"
