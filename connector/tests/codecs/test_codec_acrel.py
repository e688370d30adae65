"""Messages of Acrel's 4G meters: found in any stream, and told as far as the sources agree."""

from __future__ import annotations

from typing import Any

import pytest
from meter_connector.codecs.acrel import AcrelFrame, Decoder
from meter_connector.codecs.modbus.frame import crc16
from meter_connector.decode import decode_stream

SERIAL = b"21091234560001"
PADDED = SERIAL.ljust(20, b"\0")
REGISTRATION = AcrelFrame(
    0x84,
    PADDED + b"89860012345678901234".ljust(30, b"\0") + b"\x1f" + bytes.fromhex("010203040506") + b"\x05",
)


def block(size: int = 0x60) -> bytes:
    """Energies 123.45, 1.01 … at the documented places, 7D 7D among them."""
    data = bytearray(size)
    for at, raw in ((42, 12345), (46, 101), (50, 0x7D7D), (54, 303), (58, 404)):
        data[at : at + 4] = raw.to_bytes(4, "big")
    data[80:86] = bytes((26, 11, 21, 12, 30, 5))
    return bytes(data)


def upload(data: bytes, unit: int = 1) -> AcrelFrame:
    answer = bytes((unit, 3, len(data))) + data
    return AcrelFrame(0x91, b"[[1((" + answer + crc16(answer) + b"))]]")


FRAMES = [REGISTRATION, AcrelFrame(0x94, b"\x14"), AcrelFrame(0x93), upload(block()), upload(block(0x90))]
frames = pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{frame.command:02X}")


def told(frame: AcrelFrame) -> dict[str, Any]:
    result: Any = decode_stream("acrel", frame.encode())
    assert (len(result["frames"]), result["errors"], result["dropped_bytes"]) == (1, [], 0)
    return dict(result["frames"][0])


def test_a_registration_tells_serial_card_signal_and_firmware() -> None:
    found = told(REGISTRATION)
    assert found["address"] == SERIAL.decode()
    assert (found["iccid"], found["rssi"], found["report_minutes"]) == ("89860012345678901234", 31, 5)
    assert found["firmware"] == ["0102", "0304", "0506"]
    assert (found["service"], found["direction"]) == ("registration", "slave")


@pytest.mark.parametrize("size", [0x60, 0x90])
def test_an_upload_tells_raw_energies_and_that_nobody_has_verified_them(size: int) -> None:
    found = told(upload(block(size)))
    assert [(value["name"], value["value"], value["unit"]) for value in found["values"]] == [
        ("energy total, raw", "12345", ""),
        ("energy sharp, raw", "101", ""),
        ("energy peak, raw", "32125", ""),
        ("energy flat, raw", "303", ""),
        ("energy valley, raw", "404", ""),
    ]
    assert "not verified" in found["reliability"]
    assert (found["address"], found["modbus_unit"], found["time_bytes"]) == ("1", 1, "1A0B150C1E05")


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (AcrelFrame(0x91, b"[[1((data))]]"), "checksum"),
        (AcrelFrame(0x91, b"data"), "not of the form"),
        (upload(bytes(8)), "8 bytes"),
        (AcrelFrame(0x91, upload(block()).payload.replace(b"\x30\x39", b"\x30\x38")), "checksum"),
    ],
)
def test_an_upload_of_another_form_tells_no_energy(frame: AcrelFrame, problem: str) -> None:
    found = told(frame)
    assert problem in found["problem"]
    assert found["values"] == []


def test_an_envelope_shows_the_modbus_message_in_it() -> None:
    request = bytes.fromhex("010300000002C40B")
    found = told(AcrelFrame(0x90, PADDED + request))
    assert (found["address"], found["modbus"]["start"], found["modbus"]["qty"]) == (
        SERIAL.decode(),
        "0000",
        2,
    )
    assert told(AcrelFrame(0x90, request))["modbus"]["qty"] == 2


@frames
def test_byte_by_byte_and_among_garbage_the_same_message_is_found(frame: AcrelFrame) -> None:
    data = frame.encode()
    decoder = Decoder()
    assert [bool(decoder.feed(bytes((byte,)))) for byte in data] == [False] * (len(data) - 1) + [True]
    for garbage in (b"\0", b"{", b"{{", b"{{\x91", b"}}{{\x84}}", b"+GW1\r\n"):
        decoder = Decoder()
        assert (decoder.feed(garbage + data + b"\0") + decoder.expire()) == [frame]


@frames
def test_cut_anywhere_it_is_incomplete_and_then_goes_on(frame: AcrelFrame) -> None:
    data = frame.encode()
    for cut in range(1, len(data)):
        decoder = Decoder()
        assert decoder.feed(data[:cut]) == []
        assert decode_stream("acrel", data[:cut])["incomplete"] is True
        assert decoder.feed(data[cut:]) == [frame]


@frames
def test_a_flipped_bit_is_never_accepted_and_hides_nothing(frame: AcrelFrame) -> None:
    data = frame.encode()
    for bit in range(8 * len(data)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        decoder = Decoder()
        assert decoder.feed(bytes(spoilt)) + decoder.feed(data) + decoder.expire() == [frame]
