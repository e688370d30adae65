"""Builders give, byte for byte, what captured masters sent."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from codec_vectors import GOOD, frames_of, wire
from meter_connector.codecs import cjt188, dlt645_1997, dlt645_2007, modbus
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.cjt188 import answers as cj_answers
from meter_connector.codecs.cjt188 import requests as cj
from meter_connector.codecs.dlt645_1997 import answers as old_answers
from meter_connector.codecs.dlt645_1997 import requests as old
from meter_connector.codecs.dlt645_2007 import answers, requests
from meter_connector.codecs.dlt645_2007.requests import Password
from meter_connector.codecs.modbus import answers as mb_answers
from meter_connector.codecs.modbus import requests as mb

FAR = datetime(2099, 12, 30)
METER = "151230011061"

#: Requests (and the answers a simulated meter gives) by row of vectors.json.
BUILT: dict[str, Callable[[], Any]] = {
    "e07-ref-02": lambda: requests.read("161", "02010100"),
    "e07-ref-06": lambda: requests.read("161", "02030000"),
    "e07-sim-11": lambda: requests.read("201000000012", "0201FF00"),
    "e07-sim-13": lambda: requests.read("201000000012", "04000101"),
    "e07-sim-15": lambda: requests.read("201000000012", "04000102"),
    "e07-sim-17": lambda: requests.read("201000000012", "05060001"),
    "e07-blk-01": lambda: requests.read("193600", "0001FF00"),
    "e07-relay-00": lambda: requests.read(METER, "00010000"),
    "e07-relay-02": lambda: requests.relay(METER, "close_permitted", Password("020637"), "00000001", FAR),
    "e07-relay-03": lambda: requests.relay(METER, "trip", Password("020637"), "1", FAR),
    "e07-relay-05": lambda: requests.read(METER, "04000503"),
    "e07-ctl-00": lambda: requests.relay(
        "111111111111", "trip", Password("000000", "00"), "", datetime(2018, 5, 12, 15, 41, 24)
    ),
    "e07-ctl-01": lambda: requests.relay("201905241006", "trip", Password(), expiry=None),
    "e07-ctl-02": lambda: requests.relay("219998", "trip", Password(), "30303030", None),
    "e07-ctl-06": lambda: requests.read("219998", "00010000"),
    "e07-ctl-07": lambda: requests.read("219998", "02010100"),
    "e07-ctl-08": lambda: requests.read("219998", "02020100"),
    "e07-gold-01": lambda: requests.read("AAAAAAAAAAAA", "00010000"),
    "e07-gold-02": lambda: requests.read("123456789012", "00010000"),
    "e07-gold-03": lambda: requests.read_more("123456789012", "03300001", 1),
    "e07-gold-13": lambda: requests.read("123456789012", "00010000"),
    "e07-go-06": lambda: requests.read("100000000001", "02010000"),
    "e07-misc-00": lambda: requests.broadcast_time(datetime(2017, 6, 5, 10, 22, 51)),
    "e07-misc-01": lambda: requests.broadcast_time(datetime(2017, 6, 5, 10, 40, 25), "111111111111"),
    "e07-misc-03": lambda: requests.read("202003000202", "02030000"),
    "e07-misc-04": lambda: requests.read("201500000016", "02030000"),
    "e07-misc-05": lambda: requests.read("201500000016", "01010000"),
    "e07-misc-11": lambda: requests.write(
        "AAAAAAAAAAAA",
        "04A20200",
        bytes.fromhex("01002200220022000025000025000025000000550000005500000055001000100010"),
        Password("565239", "00"),
    ),
    "x-freeze": lambda: dlt645_2007.Frame("9" * 12, 0x16, b"\x99" * 4),
    "x-baud9600": lambda: dlt645_2007.Frame("000000123456", 0x17, b"\x20"),
    "x-keep-on": lambda: requests.relay(
        "123456", "keep_on", Password("123456"), "", datetime(2099, 12, 31, 23, 59, 59)
    ),
    "e97-gold2-2": lambda: old.read("123456789012", "9010"),
    "e97-kts-00": lambda: old.read("999999999999", "9010"),
    "e97-kts-06": lambda: old.read("999999999999", "9020"),
    "e97-kts-08": lambda: old.read("999999999999", "9110"),
    "e97-kts-12": lambda: old.read("098600003642", "9020"),
    "e97-kts-13": lambda: dlt645_1997.Frame("999999999999", 0x01, bytes.fromhex("CDCECDCD")),
    "e97-kts-17": lambda: old.read("999999999999", "B611"),
    "e97-kts-24": lambda: old.read("999999999999", "C030"),
    "e97-kts-28": lambda: old.read("999999999999", "C010"),
    "e97-kts-33": lambda: old.read("999999999999", "C135"),
    "e97-kts-39": lambda: dlt645_1997.Frame("999999999999", 0x13),
    "e97-kts-40": lambda: dlt645_1997.Frame("999999999999", 0x23, bytes.fromhex("2ECD")),
    "e97-hy-0": lambda: old.read("3", "B611"),
    "e97-kal-2": lambda: old.read("3430163", "9010"),
    "w-csdn-0": lambda: cj.read("78330011223344", is_swapped=True),
    "w-valve-open": lambda: cj.valve("78331505900569", "open", ser=1),
    "w-valve-close": lambda: cj.valve("78331505900569", "close", ser=1),
    "w-fox-6": lambda: cj.valve("805000001", "open", control=0x2A),
    "w-misc-00": lambda: cj.read("805000001"),
    "w-misc-02": lambda: cj.read("AA" * 7, ser=0xAA),
    "w-misc-04": lambda: cj.read_address(ser=0xA7, meter_type=0x10, is_swapped=True),
    "w-misc-20": lambda: cj.read("201510270588", ser=1),
    "m-acu-0": lambda: mb.read(17, 0x0900, 6),
    "m-acdc-0": lambda: mb.read(6, 0, 33),
    "m-acdc-1": lambda: mb.read(17, 0, 2, function=1),
    # answers, from the simulated meter's side
    "e07-sim-10": lambda: answers.read_address("201000000012"),
    "x-err-ctl": lambda: answers.refused(requests.relay("123456", "trip", Password()), "123456", error=0x04),
    "x-follow-92": lambda: answers.read_more("123456", "03300001", bytes(range(0x15, 0x1F)), 1),
    "x-follow-b1": lambda: answers.read("123456", "03300001", bytes(range(1, 0x15)), has_more=True),
    "e97-kts-14": lambda: old_answers.refused(old.read("63295", "9010"), "63295", 0x02),
    "w-fox-5": lambda: cj_answers.answer(
        cj.valve("805000001", "close", control=0x2A), "805000001", b"\x01\xff"
    ),
    "x-cj-abn": lambda: cj_answers.refused(cj.read("805000001"), "805000001", b"\x01\x00"),
    "m-acr-ack": lambda: mb_answers.written(mb.write_registers(1, 0x57, [1, 1])),
    "m-acr-exc": lambda: mb_answers.refused(mb.write_registers(1, 0x57, [1, 1]), 2),
    "m-acu-1": lambda: mb_answers.read(mb.read(17, 0x900, 6), [0, 0x7F, 0, 0x64, 0, 0x1B]),
}
ROWS = {row["id"]: row for row in GOOD}


@pytest.mark.parametrize("name", BUILT)
def test_a_builder_gives_the_bytes_of_the_row(name: str) -> None:
    row = ROWS[name]
    frame = BUILT[name]()
    assert frame == frames_of(row)[0]
    start = row.get("frame_offset", 0)
    encoded = frame.encode()
    assert wire(row)[start : start + len(encoded)].hex(" ") == encoded.hex(" ")


def test_every_request_row_has_a_builder() -> None:
    requests_in_rows = {row["id"] for row in GOOD if row["decoded"].get("direction") == "master"}
    modbus_requests = {"m-acu-0", "m-acdc-0", "m-acdc-1"}
    assert (requests_in_rows | modbus_requests) - BUILT.keys() == set()


def test_wake_up_bytes_are_as_many_as_asked_for() -> None:
    assert requests.read("161", "02010100").encode(preamble=4) == wire(ROWS["e07-ref-02"])


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("trip", 0x1A),
        ("close_permitted", 0x1B),
        ("close", 0x1C),
        ("alarm_on", 0x2A),
        ("alarm_off", 0x2B),
        ("keep_on", 0x3A),
        ("keep_off", 0x3B),
    ],
)
def test_each_relay_action_has_its_code_and_is_told_back(action: str, code: int) -> None:
    frame = requests.relay("1", action, Password("123456"), "87654321")
    assert frame.data.hex() == f"0256341221436587{code:02x}00000000301299"
    told = dlt645_2007.describe(frame)
    assert (told["N1"], told["password_P0P1P2_wire"]) == (f"{code:02X}", "563412")
    assert told["action"] != "unknown"


@pytest.mark.parametrize(
    ("text", "wire_hex"),
    [("", "02000000"), ("123456", "02563412"), ("04:123456", "04563412"), ("98654321", "98214365")],
)
def test_passwords_are_written_as_people_write_them(text: str, wire_hex: str) -> None:
    assert Password.parse(text).encode().hex() == wire_hex


def test_a_password_does_not_show_itself() -> None:
    assert "123456" not in repr(Password.parse("123456"))
    with pytest.raises(CodecError) as refused:
        Password.parse("12345")
    assert "12345" not in str(refused.value)


def test_a_load_profile_read_names_count_and_start() -> None:
    frame = requests.read("1", "06010001", count=5, since=datetime(2026, 11, 21, 4, 5))
    assert frame.data.hex() == "01000106050504211126"
    told = dlt645_2007.describe(frame)
    assert (told["block_count"], told["since"]) == ("05", "2026-11-21 04:05:00")


@pytest.mark.parametrize(("pattern", "kind"), [("99999999", "instant"), ("99999930", "hourly"), ("99990000", "daily"), ("99010000", "monthly"), ("06010000", "dated")])  # fmt: skip
def test_freeze_patterns_are_told(pattern: str, kind: str) -> None:
    frame = dlt645_2007.Frame("000000000001", 0x16, bytes.fromhex(pattern)[::-1])
    assert dlt645_2007.describe(frame)["freeze"] == kind


def test_a_valve_clock_is_written_with_its_century() -> None:
    assert cj.write_clock("1", datetime(2026, 11, 21, 4, 5, 6), ser=9).data.hex() == "a0150906050421112620"


@pytest.mark.parametrize(
    "build",
    [
        lambda: requests.read("1234567890123", "00010000"),
        lambda: requests.read("", "00010000"),
        lambda: requests.read("12B4", "00010000"),
        lambda: requests.read("1", "0001"),
        lambda: requests.read("1", "0001000G"),
        lambda: requests.read("1", "00010000", since=FAR),
        lambda: requests.read_more("1", "00010000", 0),
        lambda: requests.relay("1", "explode", Password()),
        lambda: requests.relay("1", "trip", Password("12345x")),
        lambda: requests.relay("1", "trip", Password(), "123456789"),
        lambda: requests.write("1", "04000101", bytes(39), Password()),
        lambda: dlt645_2007.Frame("1", 0x11).encode(),
        lambda: dlt645_2007.Frame("000000000001", 0x11, bytes(201)).encode(),
        lambda: old.read("1", "00010000"),
        lambda: cj.read("123456789012345"),
        lambda: cj.read("1", ser=256),
        lambda: cj.read("1", "901"),
        lambda: cj.valve("1", "ajar"),
        lambda: cjt188.Frame("1", 1).encode(),
        lambda: cjt188.Frame("0" * 14, 1, bytes(101)).encode(),
        lambda: mb.write_registers(1, 0, []),
        lambda: mb.read(256, 0, 1).encode(),
        lambda: modbus.Frame(1, 0x10, bytes(253)).encode(),
    ],
)
def test_what_does_not_fit_a_frame_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(CodecError):
        build()
