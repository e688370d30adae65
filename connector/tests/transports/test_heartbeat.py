"""Heartbeats are taken out of the stream wherever they are, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.transports import HeartbeatFilter

PING = b"PING-01\r\n"
FRAME = bytes.fromhex("68 01 01 00 01 26 20 68 91 08 33 33 34 33 59 33 33 33 8A 16")


@pytest.mark.parametrize(
    "segments",
    [
        [PING],
        [PING + FRAME],
        [FRAME + PING],
        [FRAME[:7] + PING + FRAME[7:]],
        [FRAME[:7], PING, FRAME[7:]],
        [FRAME + PING[:4], PING[4:]],
        [FRAME[:9] + PING[:1], PING[1:] + FRAME[9:]],
        [PING + PING + FRAME + PING],
    ],
)
def test_it_is_found_alone_glued_in_the_middle_and_split(segments: list[bytes]) -> None:
    filter_ = HeartbeatFilter(PING)
    out = b"".join(map(filter_.feed, segments)) + filter_.flush()
    assert out in (FRAME, b"")
    assert out == (FRAME if FRAME[:5] in b"".join(segments) else b"")
    assert filter_.swallowed >= 1


def test_half_a_heartbeat_that_stays_half_comes_out_on_flush() -> None:
    filter_ = HeartbeatFilter(PING)
    assert filter_.feed(FRAME + b"PIN") == FRAME
    assert filter_.is_holding
    assert filter_.flush() == b"PIN"
    assert not filter_.is_holding


@pytest.mark.parametrize("pattern", [b"\x00", b"\xfe", b"HB"])
def test_a_short_one_goes_only_when_it_fills_a_segment(pattern: bytes) -> None:
    filter_ = HeartbeatFilter(pattern)
    assert filter_.feed(pattern) == b""
    assert filter_.feed(pattern * 3) == b""
    data = FRAME[:3] + pattern + FRAME[3:]
    assert filter_.feed(data) == data


@given(
    st.lists(st.one_of(st.just(FRAME), st.just(PING)), max_size=8), st.lists(st.integers(1, 40), max_size=30)
)
def test_any_cut_gives_the_same(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    filter_ = HeartbeatFilter(PING)
    out = b""
    at = 0
    for cut in [*cuts, len(stream)]:
        out += filter_.feed(stream[at : at + cut])
        at += cut
    out += filter_.feed(stream[at:]) + filter_.flush()
    assert out == FRAME * parts.count(FRAME)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_without_a_pattern_everything_passes(data: bytes, size: int) -> None:
    filter_ = HeartbeatFilter()
    assert b"".join(filter_.feed(data[at : at + size]) for at in range(0, len(data), size)) == data
