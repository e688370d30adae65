"""The receiver rules: one byte on after any failure, nothing kept without bound, nothing waits for ever."""

from typing import Any

import pytest
from codec_vectors import GOOD, frames_of, wire
from meter_connector.codecs import cjt188, dlt645_2007, modbus
from meter_connector.codecs.base import MAX_ISSUES
from meter_connector.codecs.dlt645_2007 import Frame, answers, requests
from meter_connector.decode import CODECS, decode_stream

ANSWER = answers.read("123456789012", "00010000", bytes.fromhex("78563412"))
RAW = ANSWER.encode()
FALSE_HEADER = bytes.fromhex("68 01 02 FE FE FE FE")


def test_a_false_header_hides_a_frame_until_it_expires() -> None:
    decoder = dlt645_2007.Decoder()
    assert decoder.feed(FALSE_HEADER + RAW) == []
    assert decoder.incomplete
    assert decoder.expire() == [ANSWER]
    assert not decoder.incomplete
    assert [issue.kind for issue in decoder.errors] == ["expired"]
    assert decoder.dropped_bytes == 3


def test_bytes_that_come_later_also_free_the_hidden_frame() -> None:
    decoder = dlt645_2007.Decoder()
    assert decoder.feed(FALSE_HEADER + RAW) == []
    assert decoder.feed(b"\x00" * 212) == [ANSWER]


def test_decode_finds_a_frame_behind_a_false_header() -> None:
    result: Any = decode_stream("dlt645-2007", FALSE_HEADER + RAW)
    assert [frame["value"] for frame in result["frames"]] == ["123456.78"]
    assert (result["incomplete"], result["dropped_bytes"]) == (False, 3)


def test_a_frame_that_stays_incomplete_is_dropped_when_it_expires() -> None:
    decoder = dlt645_2007.Decoder()
    decoder.feed(RAW[:-1])
    assert decoder.expire() == []
    assert decoder.feed(RAW) == [ANSWER]
    assert decoder.dropped_bytes == len(RAW) - 1


def test_expire_once_gives_up_one_byte() -> None:
    decoder = dlt645_2007.Decoder()
    decoder.feed(b"\x68" * 5)
    decoder.expire_once()
    assert decoder.buffered == b"\x68" * 4


def test_a_length_above_200_is_noise() -> None:
    data = bytearray(Frame("000000000001", 0x91, bytes(200)).encode())
    assert frames_of({"protocol": "dlt645-2007"}, bytes(data))[0].data == bytes(200)
    data[9] = 201
    decoder = dlt645_2007.Decoder()
    decoder.feed(bytes(data[:10]))
    assert [issue.kind for issue in decoder.errors] == ["bad_length"]


def test_a_valid_sum_does_not_help_a_length_above_200() -> None:
    body = bytes.fromhex("68 01 00 00 00 00 00 68 91 C9") + b"\x33" * 201
    raw = body + bytes((sum(body) & 0xFF, 0x16))
    assert frames_of({"protocol": "dlt645-2007"}, raw) == []
    assert frames_of({"protocol": "dlt645-2007"}, raw + RAW) == [ANSWER]


@pytest.mark.parametrize("preamble", range(0, 12))
def test_any_number_of_wake_up_bytes_is_taken_and_not_counted_as_lost(preamble: int) -> None:
    result: Any = decode_stream("dlt645-2007", ANSWER.encode(preamble))
    assert (len(result["frames"]), result["dropped_bytes"]) == (1, 0)


def test_bytes_68_16_and_FE_are_legal_inside() -> None:
    for data in (b"\x35" * 6, b"\xe3" * 6, b"\xcb" * 6, bytes.fromhex("35E3CB35E3CB35E3CB")):
        for address in ("686868686868", "161616161616", "681668166816"):
            frame = Frame(address, 0x91, bytes.fromhex("00000100") + data)
            raw = frame.encode(2)
            assert frames_of({"protocol": "dlt645-2007"}, raw) == [frame]
            assert frames_of({"protocol": "dlt645-2007"}, raw * 3) == [frame] * 3


def test_a_spliced_candidate_with_a_whole_frame_inside_gives_the_inner_one() -> None:
    inner = requests.read("999999999999", "00010000").encode()
    spoilt = bytearray(inner)
    spoilt[9] += len(inner)
    splice = bytes(spoilt) + inner
    for filler in range(256):
        data = splice[: len(inner) - 3] + bytes((filler, 0x00, 0x16)) + inner
        assert frames_of({"protocol": "dlt645-2007"}, data)[-1].encode() == inner


@pytest.mark.parametrize("protocol", sorted(CODECS))
def test_the_buffer_stays_small_whatever_comes(protocol: str) -> None:
    for pattern in (b"\x68", b"\x68\x10", b"\x00", b"\xfe", b"\x01\x03\x00", FALSE_HEADER):
        decoder = CODECS[protocol].decoder()
        for _ in range(20):
            decoder.feed(pattern * 1000)
            assert len(decoder.buffered) < decoder.longest
        assert len(decoder.errors) <= MAX_ISSUES


def test_a_large_chunk_at_once_gives_all_its_frames() -> None:
    assert len(dlt645_2007.Decoder().feed((b"\x00\x68" + RAW) * 2000)) == 2000


def test_issues_say_where_and_what() -> None:
    decoder = dlt645_2007.Decoder()
    spoilt = RAW[:-2] + b"\x00\x16"
    decoder.feed(RAW + b"\xfe" + spoilt)
    (issue,) = decoder.errors
    assert (issue.offset, issue.kind, issue.hex) == (len(RAW) + 1, "bad_checksum", spoilt.hex().upper())


def test_reset_forgets_half_a_frame_of_the_old_connection() -> None:
    decoder = dlt645_2007.Decoder()
    decoder.feed(RAW[:10])
    decoder.reset()
    assert not decoder.incomplete
    assert decoder.feed(RAW[10:]) == []


def test_an_echo_and_its_answer_are_two_frames_and_only_one_matches() -> None:
    row = next(row for row in GOOD if row["id"] == "e07-gold-13")
    echo, answer = frames_of(row)
    request = requests.read("123456789012", "00010000")
    assert echo == request
    assert not dlt645_2007.matches(request, echo)
    assert dlt645_2007.matches(request, answer)


def test_a_wrapper_starting_with_68_does_not_hide_the_frame_within() -> None:
    row = next(row for row in GOOD if row["id"] == "e07-tunnel-376")
    result: Any = decode_stream("dlt645-2007", wire(row))
    assert result["frames"][0]["switch"] == "off"
    assert result["dropped_bytes"] == 31


@pytest.mark.parametrize("kind", [0x10, 0x11, 0x19, 0x20, 0x30, 0x40, 0x49, 0xAA])
def test_meter_types_of_the_standard_are_taken(kind: int) -> None:
    frame = cjt188.Frame("00000000000001", 0x81, bytes.fromhex("901F00"), kind)
    assert cjt188.Decoder().feed(frame.encode(4)) == [frame]


@pytest.mark.parametrize("kind", [0x00, 0x0F, 0x4A, 0x68, 0xFE, 0xFF])
def test_other_meter_types_are_noise(kind: int) -> None:
    frame = cjt188.Frame("00000000000001", 0x81, bytes.fromhex("901F00"), kind)
    assert cjt188.Decoder().feed(frame.encode(4)) == []


def test_modbus_tells_requests_from_answers() -> None:
    stream = bytes.fromhex("11030900 0006 C4C4") + bytes.fromhex(
        "11 03 0C 00 00 00 7F 00 00 00 64 00 00 00 1B 96 8D"
    )
    assert [frame.is_answer for frame in modbus.Decoder().feed(stream)] == [False, True]


def test_a_spoilt_modbus_frame_is_one_finding() -> None:
    decoder = modbus.Decoder()
    decoder.feed(bytes.fromhex("11 03 09 00 00 06 C4 C5"))
    decoder.expire()
    assert [issue.kind for issue in decoder.errors][:1] == ["bad_checksum"]
