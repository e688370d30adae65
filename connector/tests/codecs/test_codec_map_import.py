"""Register maps from the rows of a workbook: headings as makers write them, wrong rows by number, nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.codecs.modbus import registers
from meter_connector.codecs.modbus.map_import import ADDRESSES, HEADINGS, read_rows

HEAD = ["Name", "Register Address", "Data Type", "Factor", "Unit"]


def test_a_map_comes_as_its_maker_wrote_it() -> None:
    rows = [
        [None, None, None],
        HEAD,
        ["total", "0000H", "U32", 0.01, "kWh"],
        ["voltage_v", 11.0, "u16", "0.1", "V"],
        [],
        ["power_kw", "0x000D", "s16", 0.001, "kW"],
    ]
    found = read_rows(rows)
    assert found.problems == ()
    assert found.registers == (
        {"key": "total", "address": 0, "type": "uint32", "scale": "0.01", "unit": "kWh"},
        {"key": "voltage_v", "address": 11, "type": "uint16", "scale": "0.1", "unit": "V"},
        {"key": "power_kw", "address": 13, "type": "int16", "scale": "0.001", "unit": "kW"},
    )
    assert len(registers.load_map(found.registers)) == 3
    assert found.rows == (3, 4, 6)


def test_chinese_headings_are_read() -> None:
    found = read_rows(
        [
            ["数据项", "寄存器地址", "数据类型", "倍率", "单位", "回路"],
            ["total", "0000H", "uint32", "0.01", "kWh", "2"],
        ]
    )
    assert found.registers[0]["circuit"] == 2


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (["x", "40001", "u16", 1, ""], "row 3, column B: address 40001"),
        (["x", "zz", "u16", 1, ""], "row 3, column B: address 'zz'"),
        (["x", 70000, "u16", 1, ""], "row 3, column B: address 70000"),
        (["x", 1, "u24", 1, ""], "row 3, column C: register x: type 'u24'"),
        (["x", 1, "u16", 0, ""], "row 3, column D: register x: scale"),
        (["", 1, "u16", 1, ""], "row 3, column A: no key"),
        (["x", None, "u16", 1, ""], "row 3, column B: no address"),
        (["total", 8, "u16", 1, ""], "row 3, column A: total is already in row 2"),
    ],
)
def test_a_wrong_row_is_named_and_the_others_are_read(row: list[Any], problem: str) -> None:
    found = read_rows([HEAD, ["total", 0, "u32", "0.01", "kWh"], row])
    assert [each["key"] for each in found.registers] == ["total"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith(problem)


ACREL = [
    ["total", "0000", "u32", "0.01", "kWh"],
    ["voltage_v", "000B", "u16", "0.1", "V"],
    ["power_factor", 10, "s16", "0.001", ""],  # the workbook made a number of 0010
    ["ct_ratio", "0038", "u16", 1, ""],
    ["password", "0x000A", "u16", 1, ""],
]


def test_in_a_column_of_hexadecimal_addresses_none_is_taken_for_decimal() -> None:
    """0010 is 16 there: every address that does not say so itself is refused and named."""
    found = read_rows([HEAD, *ACREL])
    assert [each["key"] for each in found.registers] == ["password"]
    assert [(one.row, one.column, one.rule, one.value) for one in found.found] == [
        (2, "B", "base", "0000"),
        (3, "B", "base", "000B"),
        (4, "B", "base", "10"),
        (5, "B", "base", "0038"),
    ]
    only_zeros = read_rows([HEAD, ACREL[0], ACREL[3]])
    assert [one.rule for one in only_zeros.found] == ["base", "base"], "leading zeros are enough"


def test_who_knows_says_how_addresses_are_written() -> None:
    found = read_rows([HEAD, *ACREL], "hexadecimal")
    assert found.problems == ()
    assert [each["address"] for each in found.registers] == [0, 0x0B, 0x10, 0x38, 0x0A]
    found = read_rows([HEAD, *ACREL], "decimal")
    assert [each["address"] for each in found.registers] == [0, 10, 38, 0x0A]
    assert [(one.row, one.rule) for one in found.found] == [(3, "number")]


def test_plain_numbers_stay_decimal() -> None:
    rows = [["total", 0, "u32", "0.01", "kWh"], ["a", "16", "", "", ""], ["b", "0x10", "", "", ""]]
    found = read_rows([HEAD, *rows])
    assert [row["address"] for row in found.registers] == [0, 16, 16]


def test_without_headings_nothing_is_guessed() -> None:
    assert read_rows([]).problems == ("the table is empty",)
    assert read_rows([["total", 0]]).registers == ()


CELL = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["0x10", "total", "u32"])
)


@given(st.lists(st.lists(CELL, max_size=6), max_size=6), st.sampled_from(ADDRESSES))
def test_whatever_is_in_the_cells_it_never_raises(rows: list[list[object]], addresses: str) -> None:
    head: list[object] = [words[0] for words in HEADINGS.values()]
    for each in read_rows([head, *rows], addresses).registers:
        registers.load_register(each)
