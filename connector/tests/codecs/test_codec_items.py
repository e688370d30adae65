"""Data identifiers: payload -> values and back."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.dlt645_1997 import data as old
from meter_connector.codecs.dlt645_2007 import data
from meter_connector.codecs.values import Value

#: identifier, payload as on the wire (without 33H), name of the whole, printed values, unit of the first
ROWS_2007: list[tuple[str, str, str, list[str | None], str]] = [
    ("00010000", "26000000", "forward active total energy", ["0.26"], "kWh"),
    ("00010100", "99999999", "forward active tariff 1 energy", ["999999.99"], "kWh"),
    ("00010400", "00000080", "forward active tariff 4 energy", ["800000.00"], "kWh"),
    ("00010001", "01000000", "forward active total energy, settlement 1", ["0.01"], "kWh"),
    ("0001010C", "01000000", "forward active tariff 1 energy, settlement 12", ["0.01"], "kWh"),
    ("00000000", "01000080", "combined active total energy", ["-0.01"], "kWh"),
    ("0000FF00", "0100008002000000", "combined active energy block total+rates", ["-0.01", "0.02"], "kWh"),
    ("00020000", "01000000", "reverse active total energy", ["0.01"], "kWh"),
    ("00030000", "01000000", "combined reactive 1 total energy", ["0.01"], "kvarh"),
    ("00050000", "01000000", "quadrant 1 reactive total energy", ["0.01"], "kvarh"),
    ("00090000", "01000000", "forward apparent total energy", ["0.01"], "kVAh"),
    ("0001FF00", "01000000FFFFFFFF03000000", "energy block total+rates", ["0.01", None, "0.03"], "kWh"),
    ("0001FF00", "01000000", "energy block total+rates", ["0.01"], "kWh"),
    ("00900100", "56980100", "remaining energy", ["198.56"], "kWh"),
    ("00900200", "56980100", "remaining amount", ["198.56"], "CNY"),
    ("00900201", "56980100", "overdraft amount", ["198.56"], "CNY"),
    ("01010000", "0051001030051126", "forward active total maximum demand", ["0.5100", None], "kW"),
    ("01010000", "0051003010211126", "forward active total maximum demand", ["0.5100", "2026-11-21 10:30"], "kW"),
    ("02010100", "0122", "voltage A", ["220.1"], "V"),
    ("02010300", "FFFF", "voltage C", [None], "V"),
    ("0201FF00", "0122FFFFFFFF", "voltage block", ["220.1", None, None], "V"),
    ("0201FF00", "0122", "voltage block", ["220.1"], "V"),
    ("02020100", "994900", "current A", ["4.999"], "A"),
    ("02020100", "994980", "current A", ["-4.999"], "A"),
    ("0202FF00", "994900FFFFFFFFFFFF", "current block", ["4.999", None, None], "A"),
    ("02030000", "452381", "active power total", ["-1.2345"], "kW"),
    ("0203FF00", "122500122500FFFFFFFFFFFF", "active power block", ["0.2512", "0.2512", None, None], "kW"),
    ("02040000", "314380", "reactive power total", ["-0.4331"], "kvar"),
    ("02050000", "065000", "apparent power total", ["0.5006"], "kVA"),
    ("02060000", "0185", "power factor total", ["-0.501"], ""),
    ("02060000", "0010", "power factor total", ["1.000"], ""),
    ("02800001", "010000", "neutral current", ["0.001"], "A"),
    ("02800002", "0350", "grid frequency", ["50.03"], "Hz"),
    ("02800007", "5302", "temperature", ["25.3"], "C"),
    ("02800007", "5382", "temperature", ["-25.3"], "C"),
    ("0280000B", "12340500", "current step price", ["5.3412"], "CNY/kWh"),
    ("04000101", "01110116", "date+weekday", ["2016-01-11"], ""),
    ("04000101", "01310216", "date+weekday", [None], ""),
    ("04000101", "FFFFFFFF", "date+weekday", [None], ""),
    ("04000102", "512210", "time", ["10:22:51"], ""),
    ("04000102", "602210", "time", [None], ""),
    ("0400010C", "51221001050617", "clock", ["2017-06-05 10:22:51"], ""),
    ("04000106", "0000010127", "switch time of second year zones", ["2027-01-01 00:00"], ""),
    ("04000203", "14", "number of day slots", ["14"], ""),
    ("04000205", "5402", "number of holidays", ["254"], ""),
    ("04000401", "611001301215", "communication address", ["151230011061"], ""),
    ("04000403", "434241" + "00" * 29, "asset code", ["ABC"], ""),
    ("04000403", "00" * 32, "asset code", [None], ""),
    ("04000503", "5000", "status word 3", ["0050"], ""),
    ("04000503", "FFFF", "status word 3", [None], ""),
    ("040005FF", "0000100050000000000000000000", "status words", ["0000", "0010", "0050", "0000", "0000", "0000", "0000"], ""),
    ("04000801", "7F", "weekend mask", ["7F"], ""),
    ("04000B01", "0001", "settlement day 1", ["01 00"], ""),
    ("04001001", "00200000", "alarm amount 1", ["20.00"], "CNY"),
    ("04001401", "0500", "trip delay", ["5"], "min"),
    ("04010000", "010101020107", "year zones, first set", ["01-01 01", "07-01 02"], ""),
    ("04020001", "010007020012", "day table 1, second set", ["07:00 01", "12:00 02"], ""),
    ("04030001", "01011026", "holiday 1", ["26-10-01 01"], ""),
    ("04050101", "12340000", "tariff 1 price, active set", ["0.3412"], "CNY/kWh"),
    ("03300D00", "270000", "cover-open count", ["27"], "count"),
    ("03300001", "0102030405060708090A0B", "programming record 1", ["2006-05-04 03:02:01", None, None], ""),
    ("03300001", "000012211126" "78563412" "01140004", "programming record 1", ["2026-11-21 12:00:00", "12345678", "04001401"], ""),
    ("1D000101", "000012211126" "78563412" "34120000", "trip record 1", ["2026-11-21 12:00:00", "12345678", "12.34", None, None, None, None, None, None], ""),
    ("04090B01", "000005", "overload event threshold", ["5.0000"], "kW"),
    ("03110000", "010000", "power-down count", ["1"], "count"),
    ("03330201", "1200", "money purchase 1 purchase count", ["12"], "count"),
    ("03330301", "00500000", "money purchase 1 bought", ["50.00"], "CNY"),
    ("03320101", "3010211126", "energy purchase 1 time", ["2026-11-21 10:30"], ""),
    ("1D000001", "000000", "trip count", ["0"], "count"),
    ("1E000001", "030000", "close count", ["3"], "count"),
    ("040604FF", "0102", "step table, active set", ["0102"], ""),
    ("05060001", "0000110116", "daily freeze time 1", ["2016-01-11 00:00"], ""),
    ("05060101", "0100000002000000", "daily freeze 1 forward active energy block", ["0.01", "0.02"], "kWh"),
]  # fmt: skip

ROWS_1997: list[tuple[str, str, str, list[str | None], str]] = [
    ("9010", "00000100", "forward active total", ["100.00"], "kWh"),
    ("9013", "00000100", "forward active tariff 3", ["100.00"], "kWh"),
    ("901F", "0100000002000000FFFFFFFF0400000005000000", "energy block total+rates", ["0.01", "0.02", None, "0.04", "0.05"], "kWh"),
    ("9020", "00000000", "reverse active total", ["0.00"], "kWh"),
    ("9110", "00000000", "forward reactive total", ["0.00"], "kvarh"),
    ("9120", "00000000", "reverse reactive total", ["0.00"], "kvarh"),
    ("9410", "01000000", "forward active total, last month", ["0.01"], "kWh"),
    ("9810", "01000000", "forward active total, month before last", ["0.01"], "kWh"),
    ("9000", "38000000", "active total (vendor 9000)", ["0.38"], "kWh"),
    ("A010", "452301", "forward active total maximum demand", ["1.2345"], "kW"),
    ("B010", "30102111", "forward active total maximum demand time", ["11-21 10:30"], ""),
    ("B611", "0001", "voltage A", ["100"], "V"),
    ("B61F", "200219022202", "voltage block", ["220", "219", "222"], "V"),
    ("B621", "0005", "current A", ["5.00"], "A"),
    ("B630", "122500", "active power total", ["0.2512"], "kW"),
    ("B640", "1225", "reactive power total", ["25.12"], "kvar"),
    ("B650", "0105", "power factor total", ["0.501"], ""),
    ("C010", "06060719", "date", ["2019-07-06"], ""),
    ("C011", "512210", "time", ["10:22:51"], ""),
    ("C030", "001600", "active meter constant", ["1600"], "imp/kWh"),
    ("C032", "346917081720", "meter number", ["201708176934"], ""),
    ("C321", "010101", "year zone 1", ["01-01 01"], ""),
    ("C331", "010007", "day table 1 slot 1", ["07:00 01"], ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("di", "payload", "name", "values", "unit"), ROWS_2007, ids=[r[0] for r in ROWS_2007]
)
def test_2007(di: str, payload: str, name: str, values: list[str | None], unit: str) -> None:
    check(data, di, payload, name, values, unit)


@pytest.mark.parametrize(
    ("di", "payload", "name", "values", "unit"), ROWS_1997, ids=[r[0] for r in ROWS_1997]
)
def test_1997(di: str, payload: str, name: str, values: list[str | None], unit: str) -> None:
    check(old, di, payload, name, values, unit)


def check(codec: Any, di: str, payload: str, name: str, values: list[str | None], unit: str) -> None:
    reading = codec.decode_item(di, bytes.fromhex(payload))
    assert (reading.name, [value.text for value in reading.values]) == (name, values)
    assert reading.values[0].unit == unit
    assert reading.problem is None
    if None not in values:
        numbers = [value.value for value in reading.values]
        assert codec.encode_item(di, numbers) == bytes.fromhex(payload)


@pytest.mark.parametrize("di", ["02010000", "02010400", "001D0000", "00014000", "0001000D", "0001FFFF", "04000500", "0330000B", "FFFFFFFF"])  # fmt: skip
def test_an_unknown_identifier_gives_no_values(di: str) -> None:
    reading = data.decode_item(di, b"\x01\x02\x03\x04")
    assert (reading.name, reading.values, reading.problem) == (None, (), None)


@pytest.mark.parametrize(
    ("di", "payload"),
    [("00010000", ""), ("00010000", "010203"), ("00010000", "0102030405"), ("0001FF00", "010203"), ("0001FF00", ""), ("04000101", "01")],
)  # fmt: skip
def test_a_payload_of_the_wrong_length_has_no_value_and_a_reason(di: str, payload: str) -> None:
    reading = data.decode_item(di, bytes.fromhex(payload))
    assert [value.value for value in reading.values if value.value is not None] == []
    assert reading.problem


def test_a_nibble_above_nine_is_not_available() -> None:
    for wire in ("0A000000", "A0000000", "000000FA", "FFFFFFFF"):
        assert data.decode_item("00010000", bytes.fromhex(wire)).value is None


def test_only_signed_items_have_a_sign() -> None:
    assert data.decode_item("00010000", bytes.fromhex("00000080")).value == Decimal("800000.00")
    assert data.decode_item("02010100", bytes.fromhex("0190")).value == Decimal("900.1")


def test_a_negative_zero_is_zero() -> None:
    assert data.decode_item("00000000", bytes.fromhex("00000080")).values[0].text == "0.00"


def test_values_are_exact_decimals() -> None:
    value = data.decode_item("00010000", bytes.fromhex("78563412")).value
    assert isinstance(value, Decimal)
    assert str(value) == "123456.78"


def test_filler_is_written_as_FF() -> None:
    assert data.encode_item("0201FF00", [Decimal("220.1"), None, None]).hex() == "0122ffffffff"


@pytest.mark.parametrize(
    ("di", "value"),
    [
        ("00010000", Decimal("1000000")),
        ("00010000", Decimal("0.001")),
        ("00010000", Decimal("-1")),
        ("00010000", Decimal("NaN")),
        ("00010000", "many"),
        ("00010000", date(2026, 1, 1)),
        ("02030000", Decimal("80")),
        ("04000101", "yesterday"),
        ("04000503", "word"),
        ("04000503", 65536),
        ("04000401", "1234567890123"),
        ("001D0000", 1),
    ],
)
def test_a_value_that_does_not_fit_its_item_is_refused(di: str, value: Any) -> None:
    with pytest.raises(CodecError):
        data.encode_item(di, [value])


def test_a_single_item_takes_one_value() -> None:
    with pytest.raises(CodecError):
        data.encode_item("00010000", [1, 2])


def test_clocks_are_written_from_dates_and_times() -> None:
    moment = datetime(2026, 11, 22, 4, 5, 6)
    assert data.encode_item("0400010C", [moment]).hex() == "06050400221126"
    assert data.encode_item("04000101", [moment.date()]).hex() == "00221126"
    assert data.encode_item("04000102", [time(4, 5, 6)]).hex() == "060504"
    assert data.decode_item("0400010C", bytes.fromhex("06050400221126")).details == {"weekday": 0}


@pytest.mark.parametrize(
    ("word", "state"),
    [(0x0000, "on"), (0x0050, "off"), (0x0010, "pending"), (0x0040, "pending"), (0x1250, "off"), ("0050", "off"), ("0200", "on"), (None, "unknown"), ("", "unknown")],
)  # fmt: skip
def test_the_switch_is_read_from_relay_and_command_bits(word: int | str | None, state: str) -> None:
    assert data.switch_state(word) == state


def test_the_switch_of_a_reading_is_told() -> None:
    reading = data.decode_item("04000503", bytes.fromhex("1000"))
    assert reading.details["switch"] == "pending"
    assert data.switch_state(reading.values[0]) == "pending"
    assert data.switch_state(Value("status word 3", None)) == "unknown"


@pytest.mark.parametrize("number", range(1, 8))
def test_every_status_word_names_its_bits(number: int) -> None:
    none_set = data.decode_status(number, 0)
    all_set = data.decode_status(number, 0xFFFF)
    assert len(none_set) >= 6
    assert all(all_set[name] != none_set[name] for name in none_set)
    for bit in range(16):
        changed = [
            name for name, value in data.decode_status(number, 1 << bit).items() if value != none_set[name]
        ]
        assert len(changed) <= 1


def test_status_word_3_is_told_bit_by_bit() -> None:
    bits = data.decode_status(3, 0b1001_0110_1001_1011)
    assert {name: value for name, value in bits.items() if value is not False} == {
        "day_slot_set": "second",
        "supply": "auxiliary",
        "programming_allowed": True,
        "relay_open": True,
        "zone_set": "first",
        "pre_trip_alarm": True,
        "prepaid": "money",
        "price_set": "second",
        "step_set": "first",
        "keep_power": True,
        "remote_account": True,
    }


def test_the_simulated_status_word_reads_back() -> None:
    word = data.status_word_3(relay_open=True, relay_cmd_open=True, keep_power=True)
    bits = data.decode_status(3, word)
    assert (bits["relay_open"], bits["relay_cmd_open"], bits["keep_power"], bits["prepaid"]) == (
        True,
        True,
        True,
        "money",
    )


def test_error_bits_have_names() -> None:
    assert data.decode_error(0x06) == ["no_such_data", "password_refused"]
    assert data.decode_error(0) == []
    assert len(data.decode_error(0xFF)) == 8
    assert old.decode_error(0x02) == ["no_such_data"]
    assert data.decode_security_error(0x20) == ["recharge_count_wrong"]
