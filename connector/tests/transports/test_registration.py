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
        (b"GW10", False, Verdict.KNOWN, b"GW10", b""),
        (b"GW1\r\n", False, Verdict.KNOWN, b"GW1", b""),
        (b"\r\nGW1x", False, Verdict.KNOWN, b"GW1", b"x"),
        (b"HBGW1!", False, Verdict.KNOWN, b"GW1", b"!"),
        (b"HBHBGW10", False, Verdict.KNOWN, b"GW10", b""),
        (b"H", False, Verdict.NEED_DATA, b"", b""),
        (b"\x7b\x7b\x84\x01", False, Verdict.KNOWN, b"\x7b\x7b\x84", b"\x01"),
        (b"GET / HTTP/1.1", False, Verdict.UNKNOWN, b"", b""),
        (b"GW2", False, Verdict.UNKNOWN, b"", b""),
        (b"HB" * 20, False, Verdict.NEED_DATA, b"", b""),
    ],
)
def test_judgement(said: bytes, is_final: bool, verdict: Verdict, packet: bytes, rest: bytes) -> None:
    assert Registrar(KNOWN).judge(said, is_final=is_final) == (verdict, packet, rest)
