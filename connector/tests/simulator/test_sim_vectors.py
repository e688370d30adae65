"""Meters answer as the real ones of vectors.json did, byte for byte."""

from __future__ import annotations

from datetime import datetime

import pytest
import yaml
from meter_connector.simulator import bits
from meter_connector.simulator.meters.playback import CAPTURES, captures
from simhelp import SHANGHAI, VECTORS, Bench, frame188, frame645, parse, single, three, vector, water


def energies(*values: str) -> dict[str, str]:
    return dict(zip(("total", "t1", "t2", "t3", "t4"), values, strict=False))


# meter row, request (vector id or bytes), vector id of the answer (None = silence)
ANSWERS_2007 = {
    "energy block of five": (
        three(
            "000000193600", start=energies("36.30", "2.56", "0.19", "0.38", "33.17"), simulate={"preamble": 0}
        ),
        "e07-blk-01",
        "e07-blk-02",
    ),
    "energy block with empty rates": (
        three("005223440001", start=energies("3.89", "0", "0", "3.89", "0"), simulate={"preamble": 0}),
        frame645("005223440001", 0x11, bits.reversed_hex("0001FF00")),
        "e07-blk-05",
    ),
    "total energy": (
        single("000000000161", start="0.26", simulate={"preamble": 0}),
        frame645("000000000161", 0x11, bits.reversed_hex("00010000")),
        "e07-ref-01",
    ),
    "total energy behind two FE": (
        single("201709320072", start="1.86", simulate={"preamble": 2}),
        frame645("201709320072", 0x11, bits.reversed_hex("00010000")),
        "e07-go-00",
    ),
    "total energy of the relay meter": (
        single("151230011061", start="6.78", simulate={"preamble": 0}),
        "e07-relay-00",
        "e07-relay-01",
    ),
    "read address": (
        single("000000193600", simulate={"preamble": 0}),
        frame645("AAAAAAAAAAAA", 0x13),
        "e07-addr-01",
    ),
    "error 04": (
        single("910004920760", simulate={"preamble": 4}, faults={"error": "04"}),
        frame645("910004920760", 0x11, bits.reversed_hex("00000000")),
        "e07-go-04",
    ),
    "relay refused by password": (
        single("000000123456", password="999999", simulate={"preamble": 0}),
        "x-keep-on",
        "x-err-ctl",
    ),
    "broadcast freeze is not answered": (single("000000123456"), "x-freeze", None),
    "wrong checksum is not answered": (single("114712000003"), "e07-ref-pwr-b", None),
    "another meter's request": (single("000000193601"), "e07-blk-01", None),
}


@pytest.mark.parametrize("name", ANSWERS_2007)
def test_a_2007_meter_answers_as_captured(name: str) -> None:
    row, request, answer = ANSWERS_2007[name]
    bench = Bench(row)
    raw = vector(request) if isinstance(request, str) else request
    assert bench.ask(raw) == (None if answer is None else vector(answer))


def test_the_captured_trip_command_trips_and_status_word_3_says_so() -> None:
    bench = Bench(single("151230011061", password="020637", simulate={"preamble": 0, "relay_lag_ms": 0}))
    assert bench.ask(vector("e07-relay-03")) == bytes.fromhex("68 61 10 01 30 12 15 68 9C 00 35 16")
    # the answer embedded in the captured 376.1 tunnel frame
    tunnel = vector("e07-tunnel-376")
    inner = tunnel[tunnel.index(bytes.fromhex("686110")) :][:18]
    assert bench.ask(vector("e07-relay-05")) == inner


def test_the_captured_close_permit_waits_for_the_button() -> None:
    row = single(
        "151230011061", password="020637", simulate={"preamble": 0, "relay_lag_ms": 0, "relay": "off"}
    )
    bench = Bench(row)
    assert bench.ask(vector("e07-relay-02")) == bytes.fromhex("68 61 10 01 30 12 15 68 9C 00 35 16")
    assert bench.meter.relay is not None
    assert bench.meter.relay.word == "pending"


def old(address: str, start: str, preamble: int = 0) -> dict:
    return {
        "serial": address,
        "address": address,
        "model": "dd862-97",
        "start": start,
        "simulate": {"preamble": preamble},
    }


ANSWERS_1997 = {
    "9010 by 99..99": (old("000000063295", "0.15"), "e97-kts-00", "e97-kts-01"),
    "9010 later": (old("000000063295", "0.27"), "e97-kts-00", "e97-kts-04"),
    "9020": (old("000000063295", "0.15"), "e97-kts-06", "e97-kts-07"),
    "9110": (old("000000063295", "0.15"), "e97-kts-08", "e97-kts-09"),
    "a 2007 DI is refused": (old("000000063295", "0.15"), "e97-kts-13", "e97-kts-14"),
    "a 2007 read-address is not answered": (old("000000063295", "0.15"), "e97-kts-39", None),
    "a wrong checksum is not answered": (old("000000063295", "0.15"), "e97-bad-0", None),
    "a vendor's control code is not answered": (old("000000063295", "0.15"), "e97-kts-40", None),
    "0.01 kWh": (
        old("138000130754", "0.01"),
        frame645("138000130754", 0x01, bits.reversed_hex("9010")),
        "e97-kal-1",
    ),
    "C032 meter number": (
        old("201708176934", "0", 4),
        frame645("201708176934", 0x01, bits.reversed_hex("C032")),
        "e97-kts-27",
    ),
}


@pytest.mark.parametrize("name", ANSWERS_1997)
def test_a_1997_meter_answers_as_captured(name: str) -> None:
    row, request, answer = ANSWERS_1997[name]
    bench = Bench(row)
    raw = vector(request) if isinstance(request, str) else request
    assert bench.ask(raw) == (None if answer is None else vector(answer))


def test_a_1997_meter_tells_the_date_as_captured() -> None:
    saturday = datetime(2019, 7, 6, 10, 0, tzinfo=SHANGHAI).timestamp()
    bench = Bench(old("201708176934", "0", 4), epoch=saturday)
    assert bench.ask(vector("e97-kts-28")) == vector("e97-kts-29")


def test_a_water_meter_answers_as_captured() -> None:
    epoch = datetime(2017, 1, 9, 17, 20, 6, tzinfo=SHANGHAI).timestamp()
    row = water("00201510270588", start="0", simulate={"preamble": 0})
    answer = Bench(row, epoch=epoch).ask(frame188("00201510270588", 0x01, bytes.fromhex("901F01")))
    assert answer == vector("w-misc-07")


def test_a_water_meter_answers_its_address_to_any() -> None:
    row = water("00000000000012", simulate={"preamble": 3})
    request = frame188("AAAAAAAAAAAAAA", 0x03, bytes.fromhex("810A00"))
    assert Bench(row).ask(request) == vector("w-misc-18")


def valve(address: str, **simulate: object) -> dict:
    return water(address, model="lxsy315-dn15", simulate={"preamble": 0, "relay_lag_ms": 0, **simulate})


def test_a_valve_meter_obeys_the_captured_close_and_open() -> None:
    bench = Bench(valve("78331505900569"))
    answer = bench.ask(vector("w-valve-close"))
    assert answer is not None
    assert answer[9:16].hex() == "8405a017010100"  # 84, L=05, DI, SER 01, ST valve closed
    assert not bench.meter.is_supplied
    assert bench.ask(vector("w-valve-open")) is not None
    assert bench.meter.is_supplied


def test_a_vendor_valve_control_answers_as_captured() -> None:
    row = valve(
        "00000805000001", valve_control="2A", status_2=255, preamble=3, relay="off", relay_lag_ms=60_000
    )
    assert Bench(row).ask(vector("w-fox-6")) == vector("w-fox-5")  # still closed when it answers


def modbus(**more: object) -> dict:
    return {"serial": "M1", "address": "1", "model": "ddsy1352", "load": "none", **more}


def test_a_modbus_meter_acknowledges_and_refuses_as_constructed() -> None:
    bench = Bench(modbus())
    body = bytes.fromhex("01 10 00 57 00 02 04 00 01 00 01")
    assert bench.ask(body + bits.crc16(body)) == vector("m-acr-ack")
    body = bytes.fromhex("01 10 70 00 00 01 02 00 00")
    answer = bench.ask(body + bits.crc16(body))
    assert answer == vector("m-acr-exc")


def test_every_capture_played_back_is_a_capture_and_unchanged() -> None:
    played = 0
    for recording in captures().values():
        for exchange in recording["exchanges"]:
            for answer in exchange["answers"]:
                row = VECTORS[answer["id"]]
                assert row["kind"] == "capture"
                assert row["protocol"] == recording["protocol"]
                assert bytes.fromhex(answer["hex"]) == bytes.fromhex(row["hex"])
                played += 1
    assert played >= 20
    assert yaml.safe_load(CAPTURES.read_text()) == captures()


def test_a_playback_meter_replays_in_turn_and_stays_at_the_last() -> None:
    row = old("000000063295", "0") | {"simulate": {"playback": "meter-63295"}}
    bench = Bench(row)
    answers = [bench.ask(vector("e97-kts-00")) for _ in range(5)]
    ids = ("e97-kts-01", "e97-kts-02", "e97-kts-03", "e97-kts-04", "e97-kts-04")
    assert answers == [vector(name) for name in ids]


def test_a_playback_meter_keeps_silent_about_what_was_not_recorded() -> None:
    row = single("000000000161", model="playback-161", simulate={"playback": "meter-161"})
    bench = Bench(row)
    assert bench.ask(vector("e07-ref-02")) == vector("e07-ref-03")
    assert bench.ask(vector("e07-ref-06")) == vector("e07-ref-07")
    assert bench.ask(frame645("000000000161", 0x11, bits.reversed_hex("04000503"))) is None


def test_all_master_frames_of_the_vectors_pass_the_slaves_ears() -> None:
    """A request a real meter understood is heard, with and without noise before it."""
    families = {"dlt645-2007": "645", "dlt645-1997": "645", "cjt188": "188"}
    heard = 0
    for row in VECTORS.values():
        decoded = row.get("decoded") or {}
        if decoded.get("direction") != "master" or not row["checksum_ok"] or row["expect"] != "ok":
            continue
        raw = bytes.fromhex(row["hex"])
        for noise in (b"", b"\x00\x68\x55"):
            frames = parse(noise + raw, families[row["protocol"]], "transparent")
            assert [f"{frame.control:02X}" for frame in frames] == [decoded["control"]], row["id"]
        heard += 1
    assert heard >= 25
