"""Who is calling?"""

from __future__ import annotations

import pytest
from meter_connector.transports import Registrar, Verdict

KNOWN = {b"GW1": b"HB", b"GW10": b"", b"\x7b\x7b\x84": b"\x00"}


@pytest.mark.parametrize(
    ("said", "is_final", "verdict", "packet", "rest"),
    [
        (b"", False, Verdict.NEED_DATA, b"", b""),
        (b"G", False, Verdict.NEED_DATA, b"", b""),
        (b"GW1", False, Verdict.AMBIGUOUS, b"", b""),
        (b"GW1", True, Verdict.KNOWN, b"GW1", b""),
        (b"GW10", False, Verdict.AMBIGUOUS, b"", b""),
        (b"GW10", True, Verdict.KNOWN, b"GW10", b""),
        (b"GW1\r\n", False, Verdict.KNOWN, b"GW1", b""),
        (b"\r\nGW1\xfex", False, Verdict.KNOWN, b"GW1", b"\xfex"),
        (b"HBGW1!", False, Verdict.KNOWN, b"GW1", b"!"),
        (b"HBHBGW10", True, Verdict.KNOWN, b"GW10", b""),
        (b"GW1HB", False, Verdict.KNOWN, b"GW1", b"HB"),
        (b"GW1H", False, Verdict.AMBIGUOUS, b"", b""),
        (b"H", False, Verdict.NEED_DATA, b"", b""),
        (b"\x7b\x7b\x84\x01", False, Verdict.KNOWN, b"\x7b\x7b\x84", b"\x01"),
        (b"GET / HTTP/1.1", False, Verdict.UNKNOWN, b"", b""),
        (b"GW2", False, Verdict.UNKNOWN, b"", b""),
        (b"HB" * 20, False, Verdict.NEED_DATA, b"", b""),
    ],
)
def test_judgement(said: bytes, is_final: bool, verdict: Verdict, packet: bytes, rest: bytes) -> None:
    assert Registrar(KNOWN).judge(said, is_final=is_final) == (verdict, packet, rest)


ESTATE = {
    b"GW-1": b"00",
    b"shop1": b"PING",
    b"861428041234567": b"",
    bytes.fromhex("0861428041234567"): b"",
    "楼1".encode(): b"",
    b"*7#": b"",
}


@pytest.mark.parametrize(
    "said",
    [
        b"GW-10",
        b"GW-100",  # digits behind digits are no heartbeat
        b"GW-1-B",
        b"GW-1/2",
        b"GW-1H",
        b"\r\nGW-10\r\n",
        b"workshop1",
        b"workshop12\r\n",
        b"CONNECT OK\r\nshop12",
        b"shop1PIN",
        b"my-shop1PING",
        b"8614280412345678",
        b"IMEI:8614280412345670",
        b"SN1861428041234567",
        "楼12".encode(),
        "楼1层".encode(),
        b"\x55\xaa" + bytes.fromhex("0861428041234567"),
        b"ab\x01" + bytes.fromhex("0861428041234567"),
        bytes(range(200)) + bytes.fromhex("0861428041234567"),
    ],
)
def test_a_box_that_is_not_configured_is_never_taken_for_another(said: bytes) -> None:
    registrar = Registrar(ESTATE)
    for end in range(len(said) + 1):  # however the network cuts it
        assert registrar.judge(said[:end])[0] is not Verdict.KNOWN, said[:end]
    assert registrar.judge(said, is_final=True)[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("said", "packet"),
    [
        (b"GW-1", b"GW-1"),
        (b"GW-1\0\0", b"GW-1"),
        (b"GW-1,CSQ=23", b"GW-1"),
        (b"shop1PINGPING", b"shop1"),
        (b"PINGshop1PING", b"shop1"),
        (b"USR-G780 V1.0.2\r\nCONNECT OK\r\nGW-1\r\n", b"GW-1"),
        (b"workshop1 is open\r\nshop1", b"shop1"),
        (bytes.fromhex("0861428041234567FEFE68"), bytes.fromhex("0861428041234567")),
        (b"CONNECT OK\r\n" + bytes.fromhex("0861428041234567"), bytes.fromhex("0861428041234567")),
        (b"*7#\r\n", b"*7#"),
    ],
)
def test_a_whole_name_is_known_behind_banners_and_before_heartbeats(said: bytes, packet: bytes) -> None:
    verdict, known, _rest = Registrar(ESTATE).judge(said, is_final=True)
    assert (verdict, known) == (Verdict.KNOWN, packet)
