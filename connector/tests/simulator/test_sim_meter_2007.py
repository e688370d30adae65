"""645-2007 meters: data items, writing, clock, freezes, follow-up, errors."""

from __future__ import annotations

from datetime import datetime

import pytest
from meter_connector.simulator import bits
from simhelp import NOON, SHANGHAI, Bench, frame645, open645, single, three

FILL2, FILL3 = b"\xff\xff", b"\xff\xff\xff"


def bcd(data: bytes | None) -> int:
    assert data is not None
    value = bits.unbcd(data)
    assert value is not None
    return value


def test_a_single_phase_meter_fills_the_missing_phases() -> None:
    bench = Bench(single(load="kilowatt"))
    volts, amps, power = bench.read("0201FF00"), bench.read("0202FF00"), bench.read("0203FF00")
    assert volts is not None
    assert amps is not None
    assert power is not None
    assert volts[2:] == FILL2 * 2
    assert amps[3:] == FILL3 * 2
    assert power[6:] == FILL3 * 2
    assert bench.read("02010200") == FILL2
    assert 2100 < bcd(volts[:2]) < 2400


def test_a_three_phase_meter_has_all_phases_and_they_add_up() -> None:
    bench = Bench(three(load="kilowatt"))
    power = bench.read("0203FF00")
    assert power is not None
    total, *phases = (bcd(power[i : i + 3]) for i in range(0, 12, 3))
    assert total == sum(phases)
    assert 8_000 <= total <= 11_500  # 1 kW within its noise, in 0.1 W
    volts = bench.read("0201FF00")
    assert volts is not None
    assert all(2100 < bcd(volts[i : i + 2]) < 2400 for i in (0, 2, 4))


def test_current_power_and_factor_agree() -> None:
    bench = Bench(single(load="kilowatt"))
    volt, ampere = bcd(bench.read("02010100")) / 10, bcd(bench.read("02020100")) / 1000
    watt, factor = bcd(bench.read("02030000")) / 10, bcd(bench.read("02060000")) / 1000
    assert volt * ampere * factor == pytest.approx(watt, rel=0.01)


def test_frequency_is_near_fifty() -> None:
    assert 4990 <= bcd(Bench(single()).read("02800002")) <= 5010


@pytest.mark.parametrize(
    "di", ["02FFFFFF", "02010000", "0001FF0D", "09000000", "04009999", "06000001", "00050000"]
)
def test_unknown_data_is_refused_with_bit_1(di: str) -> None:
    answer = Bench(single()).ask(frame645("202601000101", 0x11, bits.reversed_hex(di)))
    assert answer is not None
    assert open645(answer) == (0xD1, b"\x02")


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_read_without_a_whole_di_is_illegal(size: int) -> None:
    answer = Bench(single()).ask(frame645("202601000101", 0x11, bytes(size)))
    assert answer is not None
    assert open645(answer) == (0xD1, b"\x01")


def test_an_unknown_function_is_refused() -> None:
    answer = Bench(single()).ask(frame645("202601000101", 0x0A, b""))
    assert answer is not None
    assert open645(answer) == (0xCA, b"\x01")


def test_the_clock_reads_in_three_ways() -> None:
    bench = Bench(single())  # Saturday 2026-11-21 12:00:00
    assert bench.read("04000101") == bytes.fromhex("06211126")
    assert bench.read("04000102") == bytes.fromhex("000012")
    assert bench.read("0400010C") == bytes.fromhex("00001206211126")
    bench.elapsed = 12 * 3600 + 61
    assert bench.read("0400010C") == bytes.fromhex("01010000221126")


def test_broadcast_time_sets_the_clock_and_is_not_answered() -> None:
    bench = Bench(single(faults={"clock_offset_s": -500}))
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == -500_000
    assert bench.ask(frame645("999999999999", 0x08, bits.reversed_hex("261121120007"))) is None
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == 7_000


def test_a_time_that_is_none_is_ignored() -> None:
    bench = Bench(single())
    for data in ("261399120007", "2611AA120007", "00"):
        bench.ask(frame645("999999999999", 0x08, bits.reversed_hex(data)))
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == 0


def test_a_meter_with_a_limit_ignores_a_far_time() -> None:
    bench = Bench(single(simulate={"time_limit_s": 300}))
    bench.ask(frame645("999999999999", 0x08, bits.reversed_hex("261121120501")))
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == 0
    bench.ask(frame645("999999999999", 0x08, bits.reversed_hex("261121120459")))
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == 299_000


def test_a_drifting_clock_drifts() -> None:
    bench = Bench(single(faults={"clock_ppm": 100.0}))
    bench.elapsed = 100_000
    assert bench.meter.clock_error_ms(bench.time.wall_ms()) == 10_000


def test_broadcast_reads_and_abbreviated_writes_are_not_for_anyone() -> None:
    bench = Bench(single())
    assert bench.ask(frame645("999999999999", 0x11, bits.reversed_hex("00010000"))) is None
    assert bench.ask(frame645("AAAAAAAAAAAA", 0x1C, bytes(16))) is None
    assert bench.ask(frame645("AAAAAAAAAAAA", 0x14, bytes(16))) is None


@pytest.mark.parametrize("address", ["AAAAAAAAAAAA", "AAAAAAAA0101", "AAAA01000101", "202601000101"])
def test_wildcard_and_abbreviated_reads_are_answered_with_the_true_address(address: str) -> None:
    answer = Bench(single(start="12.34")).ask(frame645(address, 0x11, bits.reversed_hex("00010000")))
    assert answer is not None
    assert answer[answer.index(b"\x68") + 1 :][:6] == bits.reversed_hex("202601000101")


def test_an_abbreviated_address_of_another_meter_is_not_answered() -> None:
    assert Bench(single()).ask(frame645("AAAAAAAA0102", 0x11, bits.reversed_hex("00010000"))) is None


def write(bench: Bench, di: str, value: str, password: str = "123456") -> tuple[int, bytes]:
    data = bits.reversed_hex(di) + b"\x02" + bits.reversed_hex(password) + bytes(4) + bits.reversed_hex(value)
    answer = bench.ask(frame645(bench.meter.spec.address, 0x14, data))
    assert answer is not None
    return open645(answer)


WRITES = {
    "alarm amount": ("04001001", "00005000", (0x94, b"")),
    "wrong password": ("04001001", "00005000", (0xD4, b"\x04")),
    "no such parameter": ("04009999", "00", (0xD4, b"\x02")),
    "wrong length": ("04001001", "005000", (0xD4, b"\x01")),
    "no digits": ("04001001", "0000500A", (0xD4, b"\x01")),
    "reading only": ("00010000", "00000000", (0xD4, b"\x02")),
    "day table": ("04010001", "080002000004", (0x94, b"")),
    "half a slot": ("04010001", "0800", (0xD4, b"\x01")),
    "no such day": ("04000101", "26023100", (0xD4, b"\x01")),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing(name: str) -> None:
    di, value, answer = WRITES[name]
    bench = Bench(single())
    before = bench.read(di)
    assert write(bench, di, value, "654321" if name == "wrong password" else "123456") == answer
    if answer[0] == 0x94:
        assert bench.read(di) == bits.reversed_hex(value)
    else:
        assert bench.read(di) == before
    assert bits.unbcd(bench.read("03300000") or b"") == (1 if answer[0] == 0x94 else 0)


def test_an_eight_digit_password_names_its_level() -> None:
    bench = Bench(single(password="04123456"))
    data = bits.reversed_hex("04001001") + b"\x04" + bits.reversed_hex("123456") + bytes(8)
    answer = bench.ask(frame645("202601000101", 0x14, data))
    assert answer is not None
    assert open645(answer) == (0x94, b"")
    assert write(bench, "04001001", "00000000") == (0xD4, b"\x04")  # level 02


def test_writing_the_clock_by_date_and_time() -> None:
    bench = Bench(single())
    assert write(bench, "04000102", "134500") == (0x94, b"")
    assert bench.meter.clock().hour == 13
    assert write(bench, "04000101", "26112200") == (0x94, b"")
    assert bench.meter.clock().day == 22


def test_a_written_day_table_moves_the_tariffs() -> None:
    bench = Bench(three(load="kilowatt"))
    before = bench.meter.energy.cents()
    write(bench, "04010001", "000001")  # sharp all day
    bench.elapsed = 7200
    bench.meter.settle()
    after = bench.meter.energy.cents()
    assert after["t1"] - before["t1"] == after["total"] - before["total"] > 150


def test_a_long_answer_comes_in_parts_by_12h() -> None:
    whole = Bench(three(start={"total": "12345.67", "t1": "1.11", "t2": "2.22", "t3": "3.33", "t4": "4.44"}))
    expected = whole.read("0001FF00")
    bench = Bench(
        three(
            start={"total": "12345.67", "t1": "1.11", "t2": "2.22", "t3": "3.33", "t4": "4.44"},
            simulate={"answer_limit": 13},
        )
    )
    di = bits.reversed_hex("0001FF00")
    control, data = open645(bench.ask(frame645("202601000107", 0x11, di)) or b"")
    assert control == 0xB1
    parts = [data[4:]]
    for sequence, expected_control in ((1, 0xB2), (1, 0xB2), (2, 0x92)):
        control, data = open645(bench.ask(frame645("202601000107", 0x12, di + bytes((sequence,)))) or b"")
        assert control == expected_control
        assert data[:4] == di
        assert data[-1] == sequence
        parts = [*parts[:sequence], data[4:-1]]
    assert b"".join(parts) == expected
    control, data = open645(bench.ask(frame645("202601000107", 0x12, di + b"\x03")) or b"")
    assert (control, data) == (0xD2, b"\x02")


def test_midnight_is_frozen_exactly() -> None:
    evening = datetime(2026, 11, 30, 23, 30, tzinfo=SHANGHAI).timestamp()
    bench = Bench(three(load="kilowatt", start={"total": "100", "t4": "100"}), epoch=evening)
    bench.elapsed = 1800
    bench.meter.settle()
    at_midnight = bench.meter.energy.cents()["total"]
    bench.elapsed = 3600 * 10
    assert bench.read("05060001") == bytes.fromhex("0000011226")
    assert bcd((bench.read("05060101") or b"")[:4]) == at_midnight
    assert bcd(bench.read("00010001")) == at_midnight  # and the month was settled
    assert bench.read("05060002") == bytes(5)


def test_an_instant_freeze_keeps_the_moment() -> None:
    bench = Bench(three(load="kilowatt"))
    assert bench.ask(frame645("999999999999", 0x16, b"\x99" * 4)) is None
    frozen = bench.read("0001FF00")
    bench.elapsed = 3600
    assert bench.read("05000101") == frozen
    assert bench.read("0001FF00") != frozen
    answer = bench.ask(frame645("202601000107", 0x16, b"\x99" * 4))
    assert answer is not None
    assert open645(answer) == (0x96, b"")


def test_the_register_rolls_over_at_a_million() -> None:
    bench = Bench(single(start="999999.99"))
    bench.meter.apply({"consume": "0.03"})
    assert bcd(bench.read("00010000")) == 2


def test_preambles_differ_between_meters_and_follow_the_file() -> None:
    counts = set()
    for n in range(1, 7):
        address = f"20260100010{n}"
        bench = Bench(single(address, model="playback-161", simulate={"playback": None}))
        answer = bench.ask(frame645(address, 0x13))
        assert answer is not None
        counts.add(answer.index(b"\x68"))
    assert counts == {0, 2, 4}
    answer = Bench(single(simulate={"preamble": 7})).ask(frame645("202601000101", 0x13))
    assert answer is not None
    assert answer.index(b"\x68") == 7


def test_clocks_run_true_when_energy_runs_fast() -> None:
    bench = Bench(single(load="kilowatt"), speed=3600)
    bench.elapsed = 1
    assert bcd(bench.read("00010000")) > 80
    assert bench.read("04000102") == bytes.fromhex("010012")
    bench.time.clock_follows = True
    assert bench.read("04000102") == bytes.fromhex("000013")
    assert bench.time.wall_ms() / 1000 - 1 == NOON
