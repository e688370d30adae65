"""Every item of the tables with whatever digits: it never raises, and what it tells goes back to the same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_connector.codecs import item_names, parameters
from meter_connector.codecs.cjt188 import data as data_188
from meter_connector.codecs.dlt645_1997 import data as data_1997
from meter_connector.codecs.dlt645_2007 import Decoder, describe, requests
from meter_connector.codecs.dlt645_2007 import data as data_2007

CODECS: dict[str, Any] = {"dlt645-2007": data_2007, "dlt645-1997": data_1997}
DIGIT_BYTE = st.integers(0, 99).map(lambda number: int(f"{number:02}", 16))
CASES = sorted(
    {(protocol, di) for protocol in CODECS for di in item_names.names(protocol).values()}
    | {(each.protocol, each.di) for each in parameters.table() if each.protocol in CODECS}
)


def size_of(protocol: str, di: str) -> int | None:
    """Bytes of one element; None = open."""
    found = CODECS[protocol].ITEMS.find(di)
    return None if found is None else found.element_size


@settings(max_examples=300)
@given(st.sampled_from(CASES), st.data())
def test_what_an_item_tells_goes_back_to_the_same_bytes(case: tuple[str, str], data: st.DataObject) -> None:
    protocol, di = case
    codec, size = CODECS[protocol], size_of(*case)
    if size is None:
        return
    payload = bytes(data.draw(st.lists(DIGIT_BYTE, min_size=size, max_size=size)))
    reading = codec.decode_item(di, payload)
    assert reading.problem is None
    numbers = [value.value for value in reading.values]
    if None in numbers or any(isinstance(number, str) for number in numbers):
        return  # an impossible date; weekdays and texts are told by rows in tables
    back = codec.encode_item(di, numbers)
    assert [value.value for value in codec.decode_item(di, back).values] == numbers
    if 0 not in numbers:  # minus nothing is nothing
        assert back == payload


@given(st.sampled_from(CASES), st.binary(max_size=60))
def test_no_payload_raises_and_a_wrong_size_gives_no_number(case: tuple[str, str], payload: bytes) -> None:
    protocol, di = case
    reading = CODECS[protocol].decode_item(di, payload)
    size = size_of(protocol, di)
    if size is not None and (not payload or len(payload) % size):
        assert all(value.value is None for value in reading.values)


@given(st.sampled_from(CASES))
def test_filler_is_never_a_number(case: tuple[str, str]) -> None:
    protocol, di = case
    size = size_of(protocol, di)
    if size is None or size < 2:
        return
    for value in CODECS[protocol].decode_item(di, b"\xff" * size).values:
        assert value.value is None, (di, value)


@given(
    st.sampled_from(sorted(parameters.names("cjt188")) + sorted(item_names.names("cjt188"))),
    st.sampled_from([0x10, 0x11, 0x20, 0x22, 0x30, 0xAA]),
    st.sampled_from(["a", "b", "c"]),
    st.binary(max_size=64),
)
def test_no_188_payload_raises(name: str, meter_type: int, layout: str, payload: bytes) -> None:
    di = item_names.identifier("cjt188", name) or "901F"
    data_188.decode_item(di, payload, meter_type=meter_type, status_layout=layout)


@pytest.mark.parametrize("di", [f"A10{n}" for n in range(1, 8)])
def test_what_2018_adds_is_shown_as_bytes(di: str) -> None:
    reading = data_188.decode_item(di, bytes.fromhex("0102"), meter_type=0x22)
    assert reading.name == "CJ/T 188-2018 extension"
    assert [value.text for value in reading.values] == ["0102"]


@given(st.sampled_from([0x03, 0x08, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x19, 0x1A, 0x1B, 0x1C, 0x83, 0x91, 0x94, 0xB1, 0xC3, 0xD1, 0xDC]), st.binary(max_size=80))  # fmt: skip
def test_every_frame_can_be_described(control: int, payload: bytes) -> None:
    raw = requests.Frame("202601000101", control, payload).encode()
    (frame,) = Decoder().feed(raw)
    found = describe(frame)
    assert found["control"] == f"{control:02X}"
    assert all({"name", "value", "unit"} <= value.keys() for value in found["values"])  # type: ignore[attr-defined]
