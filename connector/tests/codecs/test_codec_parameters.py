"""Settings by name: one spelling a value, limits, byte-true both ways, and identifiers that the data tables know."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.codecs import item_names, parameters
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.cjt188 import data as data_188
from meter_connector.codecs.dlt645_1997 import data as data_1997
from meter_connector.codecs.dlt645_2007 import data as data_2007

P07, P188, ACREL = "dlt645-2007", "cjt188", "acrel_ddsy1352"

GOOD = [
    (P07, "", "trip_delay", "5", "5", "0500"),
    (P07, "", "trip_current_threshold", "60", "60.000", "000006"),
    (P07, "", "overload_power", "5.5", "5.5000", "005005"),
    (P07, "", "overdraft_limit", "20", "20.00", "00200000"),
    (P07, "", "tariff_price_2_3", "0.6512", "0.6512", "12650000"),
    (P07, "", "day_table_2_1", "00:00 4; 7:00 3", "00:00 04, 07:00 03", "040000030007"),
    (P07, "", "year_zones_2", "01-01 1, 05-01 2", "01-01 01, 05-01 02", "010101020105"),
    (P07, "", "holiday_12", "26-10-01 2", "26-10-01 02", "02011026"),
    (P07, "", "day_tables_switch_time", "2026-12-01 00:00", "2026-12-01 00:00", "0000011226"),
    (P07, "", "settlement_day_1", "01 00", "01 00", "0001"),
    (P07, "", "weekend_mask", "7f", "7F", "7F"),
    (P188, "", "settlement_day", "25", "25", "25"),
    (P188, "", "price_table", "2.5, 10, 3, 20, 4, 1", "2.50, 10, 3.00, 20, 4.00, 1", "500200100000000300200000000400" "01"),
    ("modbus-rtu", ACREL, "ct_ratio", "40", "40", "0028"),
    ("modbus-rtu", ACREL, "day_table_1", "00:00 4, 8:30 2", "00:00 04, 08:30 02", "040000021e08" + "00" * 36),
]  # fmt: skip

BAD = [
    (P07, "", "trip_delay", "10000"),
    (P07, "", "trip_delay", "-1"),
    (P07, "", "trip_delay", "soon"),
    (P07, "", "trip_delay", "1.5"),
    (P07, "", "day_slot_count", "15"),
    (P07, "", "day_table_1_1", "08:00 1, 07:00 2"),
    (P07, "", "day_table_1_1", "08:00 1, 08:00 2, 09:00 3"),
    (P07, "", "day_table_1_1", "24:00 1"),
    (P07, "", "day_table_1_1", "08:00"),
    (P07, "", "day_table_1_1", ", ".join(f"{hour:02}:00 1" for hour in range(15))),
    (P07, "", "year_zones_1", "13-01 1"),
    (P07, "", "day_tables_switch_time", "2026-13-01 00:00"),
    (P188, "", "settlement_day", "32"),
    (P188, "", "price_table", "2.50, 10"),
    ("modbus-rtu", ACREL, "ct_ratio", "0"),
    ("modbus-rtu", ACREL, "ct_ratio", "1.5"),
    ("modbus-rtu", ACREL, "day_table_1", "24:00 1"),
]


def found(protocol: str, map_name: str, name: str) -> parameters.Parameter:
    parameter = parameters.find(protocol, name, map_name=map_name)
    assert parameter is not None, name
    return parameter


@pytest.mark.parametrize(("protocol", "map_name", "name", "text", "normal", "wire"), GOOD)
def test_a_value_has_one_spelling_and_one_form_on_the_wire(
    protocol: str, map_name: str, name: str, text: str, normal: str, wire: str
) -> None:
    parameter = found(protocol, map_name, name)
    assert parameter.normal(text) == normal
    assert parameter.encode(text) == bytes.fromhex(wire)
    assert parameter.decode(bytes.fromhex(wire)) == normal
    assert parameter.is_equal(text, normal)
    assert not parameter.is_equal(text, None)


@pytest.mark.parametrize(("protocol", "map_name", "name", "text"), BAD)
def test_a_wrong_value_is_refused_by_name(protocol: str, map_name: str, name: str, text: str) -> None:
    with pytest.raises(CodecError, match=name):
        found(protocol, map_name, name).encode(text)


def test_a_table_that_the_meter_filled_up_is_what_was_sent() -> None:
    table = found(P07, "", "day_table_1_1")
    filled = "00:00 04, 07:00 03, 07:00 03, 07:00 03"
    assert table.is_equal("00:00 4, 07:00 3", filled)
    assert not table.is_equal("00:00 4, 07:00 3", "00:00 04, 08:00 03")


def test_a_price_table_is_compared_without_its_start_day() -> None:
    assert found(P188, "", "price_table").is_equal("2.50, 10, 3.00, 20, 4.00, 1", "2.50, 10, 3.00, 20, 4.00")


def test_filler_is_not_available() -> None:
    assert found(P07, "", "trip_delay").decode(b"\xff\xff") is None
    assert found(P07, "", "trip_delay").decode(b"\x05") is None
    assert found(P07, "", "day_tables_switch_time").decode(bytes(5)) is None


def test_switch_times_are_written_after_what_they_switch_to() -> None:
    names = ["day_tables_switch_time", "day_table_2_1", "day_slot_count"]
    ordered = parameters.in_order(found(P07, "", name) for name in names)
    assert [each.name for each in ordered] == list(reversed(names))


def test_every_identifier_of_the_table_is_in_the_protocol_tables() -> None:
    for each in parameters.table():
        if each.protocol == "dlt645-2007":
            assert data_2007.ITEMS.name(each.di), each
        elif each.protocol == "dlt645-1997":
            assert data_1997.ITEMS.name(each.di), each
        elif each.protocol == "cjt188":
            assert data_188.item_name(each.di), each
            assert data_188.item_name(each.write_di), each


def test_a_name_is_unique_in_its_protocol() -> None:
    keys = [(each.protocol, each.map, each.name) for each in parameters.table()]
    assert len(keys) == len(set(keys))


def test_a_model_brings_its_own() -> None:
    own = {
        "malignant_load": {"di": "04A20200", "format": "XXXX", "unit": "W", "maximum": "9999"},
        "relay_mode": {"register": {"address": "0x0057", "type": "uint16"}, "maximum": 1},
    }
    malignant = parameters.find(P07, "malignant_load", own=own)
    assert malignant is not None
    assert malignant.encode("2000") == bytes.fromhex("0020")
    assert malignant.where == "04A20200"
    mode = parameters.find("modbus-rtu", "relay_mode", own=own)
    assert mode is not None
    assert (mode.encode("1"), mode.where) == (b"\x00\x01", "register 0057")
    with pytest.raises(CodecError, match="above 1"):
        mode.normal("2")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"di": "04001401", "register": {"address": 1}},
        {"di": "04001401", "format": "no such"},
        {"di": "04001401", "format": "XX", "kind": "magic"},
        {"di": "04001401", "format": "XX", "minimum": "few"},
    ],
)
def test_an_own_parameter_that_cannot_be_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        parameters.read_own(P07, "mine", row)


@given(st.decimals(0, Decimal("999999.99"), places=2))
def test_money_goes_both_ways(amount: Decimal) -> None:
    parameter = found(P07, "", "stock_limit")
    assert Decimal(parameter.decode(parameter.encode(str(amount))) or "") == amount


SLOTS = st.lists(
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(1, 63)), min_size=1, max_size=14, unique_by=lambda s: s[:2]
)  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "map_name", "name"), [(P07, "", "day_table_1_1"), ("modbus-rtu", ACREL, "day_table_1")]
)
@given(slots=SLOTS)
def test_day_tables_go_both_ways(
    protocol: str, map_name: str, name: str, slots: list[tuple[int, int, int]]
) -> None:
    text = ", ".join(f"{hour:02}:{minute:02} {tariff:02}" for hour, minute, tariff in sorted(slots))
    parameter = found(protocol, map_name, name)
    assert parameter.is_equal(text, parameter.decode(parameter.encode(text)))


def test_every_short_name_is_an_identifier_of_the_tables() -> None:
    for name, di in item_names.names(P07).items():
        assert data_2007.ITEMS.name(di), name
    for name, di in item_names.names("dlt645-1997").items():
        assert data_1997.ITEMS.name(di), name
    for name, di in item_names.names(P188).items():
        assert data_188.item_name(di), name


def test_names_and_identifiers_are_found() -> None:
    assert item_names.identifier(P07, "month_total_10") == "0001000A"
    assert item_names.identifier(P07, "0201ff00") == "0201FF00"
    assert item_names.identifier("dlt645-1997", "9010") == "9010"
    assert item_names.identifier(P07, "9010") is None
    assert item_names.identifier(P07, "no such thing") is None
    assert item_names.identifier("modbus-rtu", "total") is None
