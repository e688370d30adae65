"""Load profile records: both ways, missing classes, several in one answer, and damage that is told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.dlt645_2007 import data, load_profile

NOON = datetime(2026, 11, 21, 12, 0)
PLACES = {1: (1, 1, 1, 3, 3, 3, 2), 2: (4,) * 8, 3: (3,) * 4, 4: (2,) * 4, 5: (2,) * 4, 6: (4, 4)}


@st.composite
def classes(draw: st.DrawFn) -> dict[int, list[Decimal | None]]:
    numbers = draw(st.sets(st.sampled_from(sorted(PLACES))))
    return {
        number: [
            draw(st.none() | st.decimals(0, 7, places=places, allow_nan=False)) for places in PLACES[number]
        ]
        for number in numbers
    }


@given(
    st.lists(
        st.tuples(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), classes()),
        min_size=1,
        max_size=4,
    )
)
def test_records_go_both_ways(rows: list[tuple[datetime, dict[int, list[Decimal | None]]]]) -> None:
    payload = b"".join(load_profile.encode(at, values) for at, values in rows)
    records = load_profile.decode(payload)
    assert [record.at for record in records] == [at.strftime("%Y-%m-%d %H:%M") for at, _ in rows]
    for record, (_, values) in zip(records, rows, strict=True):
        assert [value.value for value in record.values] == [
            value for number in sorted(values) for value in values[number]
        ]


def test_what_is_not_recorded_has_no_values_and_filler_is_not_available() -> None:
    payload = load_profile.encode(NOON, {1: [Decimal("223.1"), None, None, None, None, None, None]})
    reading = data.decode_item("06000002", payload)
    texts = {value.name: value.text for value in reading.values}
    assert texts["record time"] == "2026-11-21 12:00"
    assert texts["record voltage A"] == "223.1"
    assert texts["record voltage B"] is None
    assert not any("power" in name for name in texts)
    assert reading.details == {"records": 1}


@given(st.integers(0, 200), st.integers(1, 255))
def test_damage_is_told_and_gives_no_value(place: int, change: int) -> None:
    good = load_profile.encode(NOON, {1: [Decimal(1)] * 7, 4: [Decimal(2)] * 4})
    bad = bytearray(good)
    bad[place % len(bad)] = (bad[place % len(bad)] + change) % 256
    reading = data.decode_item("06000002", bytes(bad))
    assert reading.problem
    assert reading.values == ()


@given(st.binary(max_size=120))
def test_noise_never_raises(noise: bytes) -> None:
    data.decode_item("06000001", noise)
    with pytest.raises(CodecError):
        load_profile.decode(b"\xa0\xa0" + noise[:3])
