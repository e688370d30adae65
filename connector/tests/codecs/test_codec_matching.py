"""A late answer of another request is never taken for this one's."""

from typing import Any

import pytest
from meter_connector.codecs import cjt188, dlt645_1997, dlt645_2007, modbus
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.cjt188 import answers as cj_answers
from meter_connector.codecs.cjt188 import requests as cj
from meter_connector.codecs.dlt645_1997 import answers as old_answers
from meter_connector.codecs.dlt645_1997 import requests as old
from meter_connector.codecs.dlt645_2007 import FollowUp, Frame, answers, requests
from meter_connector.codecs.dlt645_2007.requests import Password
from meter_connector.codecs.modbus import answers as mb_answers
from meter_connector.codecs.modbus import requests as mb

A = "123456789012"
B = "000000000001"
ENERGY, VOLTAGE = "00010000", "02010100"
READ = requests.read(A, ENERGY)
MORE = requests.read_more(A, ENERGY, 2)
TRIP = requests.relay(A, "trip", Password())
BAUD = Frame(A, 0x17, b"\x20")
FREEZE = Frame("9" * 12, 0x16, b"\x99" * 4)

CASES_2007 = [
    ("the answer", READ, answers.read(A, ENERGY, bytes(4)), True),
    ("the first part of it", READ, answers.read(A, ENERGY, bytes(4), has_more=True), True),
    ("its refusal", READ, answers.refused(READ, A, 2), True),
    ("the echo", READ, READ, False),
    ("another item's", READ, answers.read(A, VOLTAGE, bytes(2)), False),
    ("another meter's", READ, answers.read(B, ENERGY, bytes(4)), False),
    ("another meter's refusal", READ, answers.refused(READ, B, 2), False),
    ("another function's", READ, answers.done(TRIP, A), False),
    ("another function's refusal", READ, answers.refused(TRIP, A, 4), False),
    ("a follow-up part", READ, answers.read_more(A, ENERGY, bytes(4), 1), False),
    ("an answer without identifier", READ, Frame(A, 0x91), False),
    ("the part asked for", MORE, answers.read_more(A, ENERGY, bytes(4), 2), True),
    ("the part before", MORE, answers.read_more(A, ENERGY, bytes(4), 1), False),
    ("the relay's acknowledgement", TRIP, answers.done(TRIP, A), True),
    ("the relay's refusal", TRIP, answers.refused(TRIP, A, 4), True),
    ("a wildcard's answer", requests.read("AAAAAAAAAAAA", ENERGY), answers.read(A, ENERGY, bytes(4)), True),
    (
        "a wildcard's late other item",
        requests.read("AAAAAAAAAAAA", ENERGY),
        answers.read(A, VOLTAGE, b""),
        False,
    ),
    (
        "an abbreviated address's",
        requests.read("AAAAAAAA9012", ENERGY),
        answers.read(A, ENERGY, bytes(4)),
        True,
    ),
    ("another low digits'", requests.read("AAAAAAAA9013", ENERGY), answers.read(A, ENERGY, bytes(4)), False),
    ("the read address's", requests.read_address(), answers.read_address(A), True),
    ("the echo of speed", BAUD, answers.done(BAUD, A, BAUD.data), True),
    ("another speed's", BAUD, answers.done(BAUD, A, b"\x08"), False),
    ("a broadcast's", FREEZE, answers.done(FREEZE, A), False),
]


@pytest.mark.parametrize(
    ("what", "request_", "answer", "expected"), CASES_2007, ids=[case[0] for case in CASES_2007]
)
def test_2007(what: str, request_: Frame, answer: Frame, expected: bool) -> None:
    assert dlt645_2007.matches(request_, answer) is expected


def test_a_stale_answer_and_then_the_good_one_gives_the_good_one() -> None:
    stale = answers.read(A, VOLTAGE, bytes.fromhex("0122"))
    good = answers.read(A, ENERGY, bytes.fromhex("78563412"))
    frames = dlt645_2007.Decoder().feed(stale.encode(2) + READ.encode() + good.encode(4))
    assert [frame for frame in frames if dlt645_2007.matches(READ, frame)] == [good]


def test_1997() -> None:
    request = old.read(A, "9010")
    assert dlt645_1997.matches(request, old_answers.read(A, "9010", bytes(4)))
    assert dlt645_1997.matches(request, old_answers.refused(request, A, 2))
    assert dlt645_1997.matches(old.read("999999999999", "9010"), old_answers.read(A, "9010", bytes(4)))
    assert not dlt645_1997.matches(request, request)
    assert not dlt645_1997.matches(request, old_answers.read(A, "9020", bytes(4)))
    assert not dlt645_1997.matches(request, old_answers.read(B, "9010", bytes(4)))
    assert not dlt645_1997.matches(request, old_answers.read_more(A, "9010", bytes(4)))


def test_cjt188() -> None:
    request = cj.read(A, ser=7)
    good = cj_answers.answer(request, A, bytes(19))
    assert cjt188.matches(request, good)
    assert cjt188.matches(cj.read(A, ser=7, is_swapped=True), good)
    assert cjt188.matches(cj.read("AA" * 7, ser=7, meter_type=0xAA), good)
    assert cjt188.matches(request, cj_answers.refused(request, A))
    assert cjt188.matches(request, cj_answers.answer(request, A, bytes(19), meter_type=0xAA))
    assert not cjt188.matches(request, request)
    assert not cjt188.matches(request, cj_answers.answer(cj.read(A, ser=6), A, bytes(19)))
    assert not cjt188.matches(request, cj_answers.refused(cj.read(A, ser=6), A))
    assert not cjt188.matches(request, cj_answers.answer(cj.read(A, "8103", ser=7), A, bytes(1)))
    assert not cjt188.matches(request, cj_answers.answer(request, B, bytes(19)))
    assert not cjt188.matches(request, cj_answers.answer(request, A, bytes(19), meter_type=0x20))
    assert not cjt188.matches(request, cj_answers.answer(cj.valve(A, "open", ser=7), A, bytes(2)))


def test_modbus() -> None:
    read = mb.read(1, 0, 2)
    write = mb.write_registers(1, 0x57, [1, 1])
    single = mb.write_register(1, 0x57, 5)
    cases: list[tuple[Any, Any, bool]] = [
        (read, mb_answers.read(read, [1, 2]), True),
        (read, mb_answers.refused(read, 2), True),
        (read, mb_answers.read(read, [1]), False),
        (read, mb_answers.read(mb.read(2, 0, 2), [1, 2]), False),
        (read, mb_answers.read(mb.read(1, 0, 2, function=4), [1, 2]), False),
        (read, mb_answers.refused(write, 2), False),
        (read, read, False),
        (write, mb_answers.written(write), True),
        (write, mb_answers.written(mb.write_registers(1, 0x58, [1, 1])), False),
        (single, mb_answers.written(single), True),
        (single, mb_answers.written(mb.write_register(1, 0x57, 6)), False),
        (mb.write_registers(0, 0x57, [1]), mb_answers.written(mb.write_registers(0, 0x57, [1])), False),
    ]
    assert [modbus.matches(request, answer) for request, answer, _ in cases] == [case[2] for case in cases]


def test_an_answer_in_parts_is_joined() -> None:
    reading = FollowUp(READ)
    assert reading.add(answers.read(A, ENERGY, b"\x01\x02", has_more=True)) == requests.read_more(
        A, ENERGY, 1
    )
    assert reading.add(answers.read_more(A, ENERGY, b"\x03", 1, has_more=True)) == requests.read_more(
        A, ENERGY, 2
    )
    assert not reading.is_complete
    assert reading.add(answers.read_more(A, ENERGY, b"\x04", 2)) is None
    assert (reading.is_complete, reading.payload) == (True, b"\x01\x02\x03\x04")


def test_the_vector_of_two_parts_is_joined() -> None:
    reading = FollowUp(requests.read("123456", "03300001"))
    first = answers.read("123456", "03300001", bytes(range(1, 0x15)), has_more=True)
    reading.add(first)
    assert reading.add(answers.read_more("123456", "03300001", bytes(range(0x15, 0x1F)), 1)) is None
    assert reading.payload == bytes(range(1, 0x1F))


def test_a_part_of_another_answer_is_refused() -> None:
    reading = FollowUp(READ)
    reading.add(answers.read(A, ENERGY, b"\x01", has_more=True))
    for wrong in (
        answers.read_more(A, ENERGY, b"\x02", 2),
        answers.read_more(A, VOLTAGE, b"\x02", 1),
        answers.read_more(B, ENERGY, b"\x02", 1),
        answers.refused(requests.read_more(A, ENERGY, 1), A, 2),
        answers.read(A, ENERGY, b"\x01"),
    ):
        with pytest.raises(CodecError):
            reading.add(wrong)
    assert reading.payload == b"\x01"


def test_a_meter_that_never_ends_is_given_up() -> None:
    reading = FollowUp(READ)
    reading.add(answers.read(A, ENERGY, b"\x01", has_more=True))

    def go_on() -> None:
        for seq in range(1, 255):
            reading.add(answers.read_more(A, ENERGY, b"\x01", seq, has_more=True))

    with pytest.raises(CodecError, match="more than"):
        go_on()
