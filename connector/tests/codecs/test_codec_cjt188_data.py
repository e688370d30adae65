"""CJ/T 188 payloads: water, heat, status layouts, clocks that are none."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from codec_vectors import GOOD, frames_of
from meter_connector.codecs import cjt188
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.cjt188 import data

WATER = "00020000 2C 00010000 2C 00301215062620 0000"


def row(name: str) -> Any:
    return frames_of(next(row for row in GOOD if row["id"] == name))[0]


def decode(payload: str, **options: Any) -> Any:
    return data.decode_item("901F", bytes.fromhex(payload), **options)


def test_water() -> None:
    reading = decode(WATER)
    assert [value.text for value in reading.values] == ["2.00", "1.00", "2026-06-15 12:30:00", "0000"]
    assert [value.unit for value in reading.values] == ["m3", "m3", "", ""]
    assert reading.get("current") == Decimal("2.00")
    assert reading.details == {"valve": "open", "switch": "on", "battery_low": False}


def test_the_heat_vector_agrees_with_its_note() -> None:
    frame = row("x-cj-heat")
    reading = data.decode_item(frame.di, frame.payload, meter_type=frame.meter_type)
    assert [(value.key, value.text, value.unit) for value in reading.values] == [
        ("settle", "1234.56", "kWh"),
        ("current", "3456.78", "kWh"),
        ("power", "1.23", "kW"),
        ("flow", "12.3456", "m3/h"),
        ("volume", "3412.00", "m3"),
        ("supply_c", "55.50", "C"),
        ("return_c", "35.25", "C"),
        ("hours", "1234", "h"),
        ("clock", "2026-06-15 12:30:00", ""),
        ("st", "0000", ""),
    ]
    told = cjt188.describe(frame)
    assert (told["current"], told["unit"], told["settle"], told["unit2"]) == (
        "3456.78",
        "kWh",
        "1234.56",
        "kWh",
    )


@pytest.mark.parametrize(
    ("code", "unit", "text"),
    [(0x29, "L", "2.00"), (0x2A, "L", "20.00"), (0x2B, "L", "200.00"), (0x2C, "m3", "2.00"), (0x2D, "m3", "20.00"), (0x05, "kWh", "2.00"), (0x08, "MWh", "2.00"), (0xFF, "", "2.00")],
)  # fmt: skip
def test_unit_codes_carry_their_factor(code: int, unit: str, text: str) -> None:
    value = decode(f"00020000 {code:02X} 00010000 2C 00301215062620 0000").values[0]
    assert (value.text, value.unit) == (text, unit)


@pytest.mark.parametrize(
    "clock",
    [
        "00000000000000",
        "FFFFFFFFFFFFFF",
        "60202000000000",
        "60301215062620",
        "00302515062620",
        "00301231022620",
    ],
)
def test_an_impossible_clock_is_not_available(clock: str) -> None:
    reading = decode(f"00020000 2C 00010000 2C {clock} 0000")
    assert reading.get("clock") is None
    assert reading.get("current") == Decimal("2.00")


def test_filler_in_the_settlement_is_not_available() -> None:
    reading = decode("00020000 2C FFFFFFFF FF FFFFFFFFFFFFFF FFFF")
    assert reading.get("settle") is None
    assert reading.get("current") == Decimal("2.00")


@pytest.mark.parametrize(
    ("status", "layout", "valve", "battery_low"),
    [
        ("0000", "a", "open", False),
        ("0100", "a", "closed", False),
        ("01FF", "a", "closed", False),
        ("0300", "a", "abnormal", False),
        ("0500", "a", "closed", True),
        ("2184", "a", "closed", False),
        ("4000", "b", "closed", False),
        ("6000", "b", "closed", True),
        ("0001", "c", "closed", False),
        ("0004", "c", "open", True),
        ("0100", "c", "open", False),
    ],
)
def test_status_layouts(status: str, layout: str, valve: str, battery_low: bool) -> None:
    told = data.describe_status(bytes.fromhex(status), layout)
    assert (told["valve"], told["battery_low"]) == (valve, battery_low)


def test_a_model_may_bring_its_own_layout() -> None:
    layout = {"byte": 1, "valve_shift": 4, "battery_bit": 7}
    assert data.valve_state(bytes.fromhex("0010"), layout) == "off"
    for wrong in ("d", {"byte": 2}, {"bit": 1}):
        with pytest.raises(CodecError):
            data.valve_state(b"\x00\x00", wrong)


def test_an_abnormal_valve_is_neither_on_nor_off() -> None:
    assert data.valve_state(bytes.fromhex("0300")) == "unknown"
    assert data.valve_state(b"") == "unknown"


@pytest.mark.parametrize(
    ("name", "di", "wire", "is_swapped"),
    [("w-csdn-0", "901F", "1F90", True), ("w-misc-00", "901F", "901F", False), ("w-misc-04", "810A", "0A81", True), ("w-fox-5", "A017", "A017", False)],
)  # fmt: skip
def test_both_orders_of_the_identifier_are_read(name: str, di: str, wire: str, is_swapped: bool) -> None:
    frame = row(name)
    assert (frame.di, frame.di_wire, frame.is_di_swapped) == (di, wire, is_swapped)


def test_the_valve_answer_tells_its_state() -> None:
    told = cjt188.describe(row("x-cj-valveack"))
    assert (told["st"], told["st_valve_lsb"], told["switch"]) == ("0100", "closed", "off")
    assert cjt188.describe(row("x-cj-abn"))["st"] == "0100"


def test_encode_is_the_reverse() -> None:
    status = data.StatusLayout.of("a").pack(1, False).hex()
    values: dict[str, Any] = {
        "current": Decimal("1234.56"),
        "settle": Decimal("1000"),
        "clock": datetime(2026, 11, 21, 4, 5, 6),
        "st": status,
    }
    payload = data.encode_item("901F", values)
    reading = data.decode_item("901F", payload)
    assert [value.text for value in reading.values] == ["1234.56", "1000.00", "2026-11-21 04:05:06", "0100"]
    assert data.encode_item("901F", {}).hex() == "ffffffff2cffffffff2c" + "ff" * 7 + "0000"
    assert data.encode_item("A017", {"valve": "close"}) == b"\x99"
    assert len(data.encode_item("901F", {}, meter_type=0x20)) == 43


@pytest.mark.parametrize(
    ("di", "values"),
    [("901F", {"current": Decimal("0.001")}), ("901F", {"current": "much"}), ("901F", {"clock": "now"}), ("A017", {"valve": "ajar"}), ("0000", {})],
)  # fmt: skip
def test_what_does_not_fit_is_refused(di: str, values: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        data.encode_item(di, values)


def test_a_payload_of_another_length_has_no_values_and_a_reason() -> None:
    reading = decode("00020000 2C")
    assert (reading.values, bool(reading.problem)) == ((), True)


def test_a_meter_that_says_type_AA_is_known_by_its_length() -> None:
    assert decode(WATER, meter_type=0xAA).get("current") == Decimal("2.00")
    assert len(data.decode_item("901F", bytes(43), meter_type=0xAA).values) == 10
