"""Register maps: words <-> exact decimals, few reads."""

from decimal import Decimal
from typing import Any

import pytest
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.modbus import registers as r


def load(**item: Any) -> r.Register:
    return r.load_register({"key": "x", "address": 0, **item})


CASES: list[tuple[dict[str, Any], list[int], str | None]] = [
    ({"scale": "0.1"}, [2201], "220.1"),
    ({"type": "int16", "scale": "0.001"}, [0xFB2E], "-1.234"),
    ({"type": "uint32", "scale": "0.01"}, [0, 0x7F], "1.27"),
    ({"type": "uint32", "scale": "0.01"}, [1, 0], "655.36"),
    ({"type": "uint32", "word_order": "low"}, [1, 0], "1"),
    ({"type": "int32"}, [0xFFFF, 0xFFFE], "-2"),
    ({"type": "uint64"}, [0, 0, 1, 0], "65536"),
    ({"type": "int64"}, [0xFFFF] * 4, "-1"),
    ({"type": "float32"}, [0x435C, 0x199A], "220.1"),
    ({"type": "float32", "word_order": "low"}, [0x199A, 0x435C], "220.1"),
    ({"type": "float32"}, [0x7FC0, 0x0000], None),
    ({"type": "float32"}, [0x7F80, 0x0000], None),
    ({"type": "bcd16"}, [0x1234], "1234"),
    ({"type": "bcd32", "scale": "0.01"}, [0x0012, 0x3456], "1234.56"),
    ({"type": "bcd16"}, [0x12FA], None),
    ({"none": 0xFFFF}, [0xFFFF], None),
    ({"mask": 0x00F0, "shift": 4}, [0x1234], "3"),
    ({"offset": "-40"}, [65], "25"),
]


@pytest.mark.parametrize(("item", "words", "text"), CASES)
def test_words_become_exact_decimals(item: dict[str, Any], words: list[int], text: str | None) -> None:
    value = r.decode(load(**item), words)
    assert value == (None if text is None else Decimal(text))
    assert value is None or "E" not in str(value)


@pytest.mark.parametrize(
    ("item", "words", "text"), [case for case in CASES if case[2] is not None and "mask" not in case[0]]
)
def test_encode_is_the_reverse(item: dict[str, Any], words: list[int], text: str) -> None:
    assert r.encode(load(**item), Decimal(text)) == words


@pytest.mark.parametrize(
    "item",
    [
        {"type": "uint8"},
        {"address": -1},
        {"address": 65536},
        {"address": None},
        {"address": "twelve"},
        {"address": True},
        {"scale": "0"},
        {"scale": "a bit"},
        {"scale": "NaN"},
        {"function": 5},
        {"word_order": "middle"},
        {"count": 3},
        {"type": "uint32", "count": 1},
    ],
)
def test_a_wrong_entry_is_named(item: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="register x"):
        load(**item)


@pytest.mark.parametrize(
    ("item", "value"), [({}, "65536"), ({}, "-1"), ({"scale": "0.1"}, "0.05"), ({"type": "bcd16"}, "12345")]
)
def test_a_value_that_does_not_fit_is_refused(item: dict[str, Any], value: str) -> None:
    with pytest.raises(CodecError):
        r.encode(load(**item), Decimal(value))


def test_addresses_may_be_hexadecimal_text() -> None:
    assert load(address="0x000B").address == 11


def test_neighbours_are_read_together() -> None:
    found = r.plan(r.load_map(r.named_map("acrel_ddsy1352")["registers"]))
    assert [(block.start, block.count, len(block.registers)) for block in found] == [
        (0, 17, 10),
        (0x38, 1, 1),
        (0x57, 2, 1),
        (0x5030, 2, 1),
    ]


def test_gaps_and_functions_split_reads() -> None:
    items = [
        {"key": "a", "address": 0},
        {"key": "b", "address": 2},
        {"key": "c", "address": 3, "function": 4},
        {"key": "d", "address": 200},
    ]
    assert len(r.plan(r.load_map(items))) == 3
    assert len(r.plan(r.load_map(items), max_gap=0)) == 4
    assert len(r.plan(r.load_map(items[:2]), max_count=2)) == 2


def test_a_read_gives_its_values_by_key() -> None:
    (block, *_) = r.plan(r.load_map(r.named_map("hiking_dds238")["registers"]), max_gap=30)
    words = [0] * block.count
    words[1], words[0x0C], words[0x0E], words[0x1A] = 12345, 2203, 0xFFFF, 1
    values = r.decode_block(block, words)
    assert values["total"] == Decimal("123.45")
    assert values["voltage_v"] == Decimal("220.3")
    assert values["power_kw"] == Decimal("-0.001")
    assert values["switch"] == 1


def test_an_answer_of_another_length_is_refused() -> None:
    (block,) = r.plan([load()])
    with pytest.raises(CodecError):
        r.decode_block(block, [1, 2])


@pytest.mark.parametrize("name", r.MAPS)
def test_the_maps_that_come_along_are_good(name: str) -> None:
    table = r.named_map(name)
    assert r.load_map(table["registers"])
    if name in ("acrel_ddsy1352", "hiking_dds238"):
        assert {"address", "function", "on", "off"} <= table["switch"].keys()
    else:  # no relay, or no source that tells its words
        assert "switch" not in table


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(CodecError):
        r.named_map("../secret")


SWAPPED: list[tuple[dict[str, Any], list[int], str]] = [
    ({"byte_order": "low"}, [0x9908], "2201"),
    ({"type": "uint32", "byte_order": "low"}, [0x0100, 0x0000], "65536"),
    ({"type": "uint32", "byte_order": "low", "word_order": "low"}, [0x0100, 0x0000], "1"),
    ({"type": "float32", "byte_order": "low"}, [0x5C43, 0x9A19], "220.1"),
]


@pytest.mark.parametrize(("item", "words", "text"), SWAPPED)
def test_bytes_within_a_word_may_be_swapped(item: dict[str, Any], words: list[int], text: str) -> None:
    register = load(**item)
    assert r.decode(register, words) == Decimal(text)
    assert r.encode(register, Decimal(text)) == words


@pytest.mark.parametrize("name", r.MAPS)
def test_every_map_that_comes_along_can_be_used(name: str) -> None:
    found = r.named_map(name)
    registers = r.load_map(found["registers"])
    assert {"total"} <= {each.key for each in registers}
    assert r.plan(registers, max_gap=0)
    assert not {each.key for each in registers} & set(found.get("unknown", ())), (
        "what no source tells has no register"
    )
