"""Every row of vectors.json, in every way a line may bring it."""

from collections import Counter
from typing import Any

import pytest
from codec_vectors import BAD, GOOD, ROWS, frame_spans, frames_of, name_of, new_decoder, wire
from meter_connector.decode import CODECS, decode_stream

Row = dict[str, Any]
good_rows = pytest.mark.parametrize("row", GOOD, ids=name_of)
#: Cuts at which half a frame and the start of the next one together have a right length, end byte and eight-bit sum. No receiver can
#: tell such a splice from a frame; the driver's time-outs, identifiers and plausibility checks stand behind.
CHANCE_SUMS = {"w-misc-07": [24]}
GARBAGE = bytes.fromhex("00 FF 55 16 68 01 02 FE FE 41 54 2B")


def test_the_vectors_file_has_all_its_rows() -> None:
    assert len(ROWS) == 129
    assert Counter(row["expect"] for row in ROWS) == {
        "ok": 120,
        "bad_checksum": 5,
        "bad_end": 1,
        "truncated": 1,
        "no_frame": 1,
        "unparsable": 1,
    }


@good_rows
def test_a_good_row_decodes_to_every_key_it_names(row: Row) -> None:
    result: Any = decode_stream(row["protocol"], wire(row))
    assert len(result["frames"]) == row.get("frames_in_stream", 1)
    frame = result["frames"][0]
    found = {key: frame.get(key, "no such key") for key in row["decoded"]}
    if "values" in found:
        found["values"] = [value["value"] for value in found["values"]]
    assert found == row["decoded"]
    assert frame["frame_offset"] == row.get("frame_offset", 0)
    assert (result["errors"], result["incomplete"]) == ([], False)


@good_rows
def test_a_single_value_is_also_in_the_list_of_values(row: Row) -> None:
    frame: Any = decode_stream(row["protocol"], wire(row))["frames"][0]  # type: ignore[index]
    decoded = row["decoded"]
    if "value" in decoded and "name" in decoded:
        expected = {"name": decoded["name"], "value": decoded["value"], "unit": decoded.get("unit", "")}
        assert frame["values"] == [expected]


@pytest.mark.parametrize("row", BAD, ids=name_of)
def test_a_bad_row_gives_no_frame_and_says_why(row: Row) -> None:
    result: Any = decode_stream(row["protocol"], wire(row))
    kind = {"unparsable": "bad_length"}.get(row["expect"], row["expect"])
    assert result["frames"] == []
    assert [error["kind"] for error in result["errors"]] == [kind]
    assert result["incomplete"] is (kind == "truncated")


@good_rows
def test_a_frame_encodes_to_the_bytes_it_came_from(row: Row) -> None:
    data = wire(row)
    for frame, (start, end) in zip(frames_of(row), frame_spans(row), strict=True):
        assert frame.encode() == data[start:end]


@good_rows
def test_byte_by_byte_gives_the_same_frames_at_the_last_byte(row: Row) -> None:
    decoder = new_decoder(row)
    ends = [end for _, end in frame_spans(row)]
    for position, byte in enumerate(wire(row), 1):
        assert len(decoder.feed(bytes((byte,)))) == ends.count(position)


@good_rows
def test_trailing_bytes_change_nothing(row: Row) -> None:
    for trailing in (b"\x00", b"\xfe\xfe", GARBAGE, b"\x68"):
        assert frames_of(row, wire(row) + trailing) == frames_of(row)


@good_rows
def test_garbage_in_front_changes_nothing(row: Row) -> None:
    for garbage in (b"\x00", GARBAGE, b"\xfe" * 7, b"+GW0001,heartbeat\r\n"):
        assert frames_of(row, garbage + wire(row)) == frames_of(row)


@good_rows
def test_cut_at_each_byte_it_waits_and_then_goes_on(row: Row) -> None:
    data = wire(row)
    first_start, first_end = frame_spans(row)[0]
    for cut in range(first_end):
        decoder = new_decoder(row)
        assert decoder.feed(data[:cut]) == []
        assert cut <= first_start or decoder.incomplete
        assert decoder.feed(data[cut:]) == frames_of(row)


@good_rows
def test_cut_at_each_byte_decode_says_incomplete(row: Row) -> None:
    data = wire(row)
    start, end = frame_spans(row)[0]
    for cut in range(start + 1, end):
        result: Any = decode_stream(row["protocol"], data[start:cut])
        assert result["frames"] == []
        assert result["incomplete"] is True
        assert result["dropped_bytes"] == 0


@good_rows
def test_half_a_frame_and_then_a_whole_one_gives_the_whole_one(row: Row) -> None:
    data = wire(row)
    start, end = frame_spans(row)[0]
    whole = data[start:end]
    expected = frames_of(row, whole)
    lost = [cut for cut in range(1, len(whole)) if expected[0] not in frames_of(row, whole[:cut] + whole)]
    assert lost == CHANCE_SUMS.get(row["id"], [])


@good_rows
def test_two_frames_merged_give_both(row: Row) -> None:
    assert frames_of(row, wire(row) * 2) == frames_of(row) * 2


@good_rows
def test_one_flipped_bit_is_never_accepted(row: Row) -> None:
    data = wire(row)
    start, end = frame_spans(row)[0]
    whole = data[start:end]
    for bit in range(8 * len(whole)):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert frames_of(row, bytes(spoilt)) == []


@good_rows
def test_a_flipped_bit_does_not_hide_the_next_good_frame(row: Row) -> None:
    data = wire(row)
    start, end = frame_spans(row)[0]
    whole = data[start:end]
    expected = frames_of(row, whole)
    for position in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[position] ^= 0x10
        assert frames_of(row, bytes(spoilt) + b"\xfe\xfe" + whole)[-1:] == expected


@good_rows
def test_decode_tells_a_spoilt_frame(row: Row) -> None:
    data = bytearray(wire(row))
    start, end = frame_spans(row)[0]
    data[end - 2] ^= 0x01
    result: Any = decode_stream(row["protocol"], bytes(data[start:end]))
    assert (result["frames"], result["incomplete"]) == ([], False)
    assert result["errors"][0]["kind"] == "bad_checksum"


def test_every_protocol_has_rows() -> None:
    others = {"modbus-tcp", "acrel"}  # the messages of RTU without a checksum; test_codec_acrel.py
    assert {row["protocol"] for row in GOOD} == set(CODECS) - others
