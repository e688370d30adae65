"""Anything may come over a wire: nothing crashes, nothing grows, the good frame is found."""

from decimal import Decimal
from typing import Any

import pytest
from codec_vectors import GOOD, frames_of, wire
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_connector.codecs import cjt188, dlt645_2007
from meter_connector.codecs.base import ScanDecoder
from meter_connector.codecs.cjt188 import data as cj_data
from meter_connector.codecs.dlt645_2007 import data
from meter_connector.decode import CODECS, decode_stream

protocols = pytest.mark.parametrize("protocol", sorted(CODECS))
#: Bytes that look like parts of frames come more often than others.
noise = st.lists(
    st.one_of(st.integers(0, 255), st.sampled_from([0x68, 0x16, 0xFE, 0x10, 0x91, 0x01, 0x03])), max_size=120
).map(bytes)
address_645 = st.from_regex(r"\A[0-9]{12}\Z")
frames_645 = st.builds(dlt645_2007.Frame, address_645, st.integers(0, 255), st.binary(max_size=200))
frames_188 = st.builds(
    cjt188.Frame,
    st.from_regex(r"\A[0-9]{14}\Z"),
    st.integers(0, 255),
    st.binary(max_size=100),
    st.sampled_from([0x10, 0x20, 0xAA]),
)


@protocols
@settings(max_examples=150, deadline=None)
@given(chunks=st.lists(noise, max_size=6))
def test_noise_neither_crashes_nor_stays(protocol: str, chunks: list[bytes]) -> None:
    decoder = CODECS[protocol].decoder()
    frames = []
    for chunk in chunks:
        frames += decoder.feed(chunk)
        assert len(decoder.buffered) < decoder.longest
    frames += decoder.expire()
    assert not decoder.incomplete
    for frame in frames:
        CODECS[protocol].describe(frame)


@protocols
@settings(max_examples=150, deadline=None)
@given(stream=noise)
def test_decode_accounts_for_every_byte(protocol: str, stream: bytes) -> None:
    result: Any = decode_stream(protocol, stream)
    known = sum(frame["frame_size"] for frame in result["frames"]) + result["dropped_bytes"]
    tail = sum(len(error["hex"]) // 2 for error in result["errors"] if error["kind"] == "truncated")
    wake_up = 0 if protocol == "modbus-rtu" else stream.count(0xFE)
    assert len(stream) - wake_up <= known + tail <= len(stream)


@settings(max_examples=200, deadline=None)
@given(frame=frames_645, before=noise, cuts=st.lists(st.integers(1, 60), max_size=8))
def test_a_good_645_frame_after_noise_is_found(frame: Any, before: bytes, cuts: list[int]) -> None:
    check_found(dlt645_2007.Decoder(), frame, before, cuts)


@settings(max_examples=200, deadline=None)
@given(frame=frames_188, before=noise, cuts=st.lists(st.integers(1, 60), max_size=8))
def test_a_good_188_frame_after_noise_is_found(frame: Any, before: bytes, cuts: list[int]) -> None:
    check_found(cjt188.Decoder(), frame, before, cuts)


def check_found(decoder: ScanDecoder[Any], frame: Any, before: bytes, cuts: list[int]) -> None:
    stream = before + frame.encode(2)
    start = len(stream) - len(frame.encode())
    found = []
    for cut in cuts:
        found += decoder.scan(stream[:cut])
        stream = stream[cut:]
    found += decoder.scan(stream)
    while decoder.incomplete:
        found += decoder.expire_once()
    # Noise may by chance (1 in 256 once header, length and end byte agree) form a frame that reaches into the good one.
    is_taken_by_chance = any(item.offset < start < item.offset + item.size for item in found)
    assert is_taken_by_chance or (start, frame) in [(item.offset, item.frame) for item in found]


@settings(max_examples=300, deadline=None)
@given(frame=frames_645, bit=st.integers(0))
def test_no_flipped_bit_passes(frame: Any, bit: int) -> None:
    raw = bytearray(frame.encode())
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    for found in dlt645_2007.Decoder().feed(bytes(raw)):
        assert len(found.encode()) < len(raw)  # only a frame that was inside the data all along


@settings(max_examples=200, deadline=None)
@given(value=st.decimals(min_value=Decimal("-79.9999"), max_value=Decimal("79.9999"), places=4))
def test_signed_power_survives_the_wire(value: Decimal) -> None:
    assert data.decode_item("02030000", data.encode_item("02030000", [value])).value == value


@settings(max_examples=200, deadline=None)
@given(value=st.decimals(min_value=0, max_value=Decimal("999999.99"), places=2))
def test_energy_survives_the_wire(value: Decimal) -> None:
    assert data.decode_item("00010000", data.encode_item("00010000", [value])).value == value
    payload = cj_data.encode_item("901F", {"current": value})
    assert cj_data.decode_item("901F", payload).get("current") == value


@settings(max_examples=300, deadline=None)
@given(di=st.one_of(st.from_regex(r"\A[0-9A-F]{8}\Z"), st.sampled_from(["0001FF00", "04000503", "03300001", "04010001", "05060101"])), payload=st.binary(max_size=60))  # fmt: skip
def test_no_payload_crashes_an_item(di: str, payload: bytes) -> None:
    reading = data.decode_item(di, payload)
    assert all(value.text is None or isinstance(value.text, str) for value in reading.values)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.sampled_from([row for row in GOOD if row["protocol"] == "dlt645-2007"]), min_size=1, max_size=5
    )
)
def test_any_sequence_of_captures_gives_all_their_frames(rows: list[dict[str, Any]]) -> None:
    expected = [frame for row in rows for frame in frames_of(row)]
    assert frames_of(rows[0], b"".join(wire(row) for row in rows)) == expected
