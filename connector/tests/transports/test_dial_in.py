"""The dial-in port at full strength: a whole site at once, crowds, floods, banners, boxes that die quietly."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import pytest
from meter_connector.errors import LinkError
from meter_connector.transports import DialInLimits, DialInLink, DialInListener, HeartbeatFilter, Refusal
from meter_connector.transports import dial_in as module
from meter_connector.transports.acrel import AcrelFrame
from meter_connector.transports.base import FLOOD_BURST, MAX_BUFFERED
from meter_connector.transports.limiter import RateLimiter
from meter_connector.transports.registration import forms_of
from wirehelp import really, until, virtually

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
IMEI = b"861428041234567"
METER = b"\xfe\xfehey"
"""What a meter says begins with a preamble, not as a name goes on."""


class Port:
    """A listener with its links."""

    def __init__(self, listener: DialInListener, links: list[DialInLink], refused: list[Refusal]) -> None:
        self.listener = listener
        self.links = links
        self.refused = refused
        self.callers: list[Streams] = []

    async def call(self, *said: bytes, pause_s: float = 0.01) -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", self.listener.port)
        self.callers.append(streams)
        with suppress(ConnectionError):  # sent away in the middle
            for segment in said:
                streams[1].write(segment)
                await streams[1].drain()
                await asyncio.sleep(pause_s)
        return streams


@asynccontextmanager
async def listening(
    *names: bytes,
    limits: DialInLimits | None = None,
    heartbeat: bytes = b"",
    now: datetime | None = None,
) -> AsyncIterator[Port]:
    refused: list[Refusal] = []
    listener = DialInListener("127.0.0.1", 0, limits, refused.append, (lambda: now) if now else None)
    await listener.open()
    port = Port(listener, [DialInLink(listener, name, heartbeat) for name in names], refused)
    for link in port.links:
        await link.open()
    try:
        yield port
    finally:
        for _, writer in port.callers:
            writer.close()
        for link in port.links:
            await link.close()
        await listener.close()
        await asyncio.sleep(0.02)


async def ended(streams: Streams) -> bytes:
    """Everything that is said until the connection ends."""
    async with asyncio.timeout(5):
        try:
            return await streams[0].read()
        except ConnectionResetError:
            return b""


async def read_all(link: DialInLink, size: int) -> bytes:
    got = b""
    async with asyncio.timeout(5):
        while len(got) < size:
            got += await link.read(1)
    return got


# ---- who calls ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "packet",
    [IMEI, b"IMEI:" + IMEI, b"IMEI=" + IMEI + b"\r\n", bytes.fromhex("0861428041234567")],
    ids=["digits", "IMEI:", "IMEI=", "packed"],
)
def test_a_unit_is_known_by_its_imei_however_it_says_it(packet: bytes) -> None:
    async def main() -> None:
        async with listening(b"imei:" + IMEI, b"GW-B") as port:
            await port.call(packet + METER)
            await until(lambda: port.links[0].connected, 5)
            assert await read_all(port.links[0], 5) == METER

    really(main)


def test_only_imei_and_fifteen_digits_mean_more_than_themselves() -> None:
    assert forms_of(b"imei:123") == (b"imei:123",)
    assert forms_of(b"GW") == (b"GW",)
    assert len(forms_of(b"IMEI:" + IMEI)) == 4


@pytest.mark.parametrize(
    "said",
    [
        [b"USR-G780 V1.0.2\r\nCONNECT OK\r\n", b"GW-A", METER],
        [b"+CIPSTART: OK\r\nGW-A" + METER],
        [b"bann", b"er G", b"W", b"-A", METER],
        [b"\r\n\0GW-A\r\n" + METER],
    ],
)
def test_a_banner_before_the_name_is_stepped_over(said: list[bytes]) -> None:
    async def main() -> None:
        async with listening(b"GW-A", b"GW-B") as port:
            await port.call(*said)
            await until(lambda: port.links[0].connected, 5)
            assert await read_all(port.links[0], 5) == METER

    really(main)


def test_a_box_of_a_longer_name_is_refused_and_the_real_one_keeps_its_place() -> None:
    async def main() -> None:
        async with listening(b"GW-1", b"shop1", limits=DialInLimits(banner_s=0.1)) as port:
            await port.call(b"GW-1")
            await until(lambda: port.links[0].connected, 5)
            for said in ([b"GW-10"], [b"GW-1", b"0"], [b"workshop12"], [b"CONNECT OK\r\nworkshop1"]):
                assert await ended(await port.call(*said)) == b""
            assert [each.reason for each in port.refused] == ["no gateway has this registration packet"] * 4
            assert (port.links[0].replaced, port.links[1].connected) == (0, False)

    really(main)


def test_the_name_said_again_among_the_meters_bytes_is_swallowed() -> None:
    async def main() -> None:
        async with listening(b"GW-A", heartbeat=b"PING-1") as port:
            await port.call(b"GW-A\r\n", b"heGW-Al", b"PIN", b"G-1GW", b"-Alo")
            assert await read_all(port.links[0], 5) == b"hello"

    really(main)


@pytest.mark.parametrize("pattern", [b"\0\0\0\0", b"\xfe\xfe\xfe\xfe", b"3333"])
def test_a_heartbeat_of_one_byte_over_and_over_is_not_cut_out_of_meters_data(pattern: bytes) -> None:
    filter_ = HeartbeatFilter(pattern)
    frame = b"\x68\x10" + pattern + b"\x16"
    assert filter_.feed(pattern) == b""
    assert filter_.feed(frame) == frame


def test_two_links_that_could_be_called_by_the_same_packet_are_an_error() -> None:
    async def main() -> None:
        async with listening(b"imei:" + IMEI) as port:
            with pytest.raises(LinkError):
                await DialInLink(port.listener, IMEI).open()

    really(main)


# ---- crowds ------------------------------------------------------------------------------------------------------------------------
def test_a_site_of_61_gateways_with_six_buses_each_calls_in_the_same_second() -> None:
    async def main() -> None:
        names = [f"GW{gateway:02}-BUS{bus}".encode() for gateway in range(61) for bus in range(1, 7)]
        async with listening(*names, heartbeat=b"PING-1") as port:
            await asyncio.gather(*(port.call(name, b"PING-1" + name[::-1]) for name in names))
            await until(lambda: all(link.connected for link in port.links), 20)
            assert not port.refused
            for link in port.links:
                assert await read_all(link, len(link.registration)) == link.registration[::-1]

    really(main)


def test_a_crowd_of_silent_strangers_keeps_no_gateway_out() -> None:
    async def main() -> None:
        limits = DialInLimits(max_pending=20)
        async with listening(b"GW-A", limits=limits) as port:
            for _ in range(60):
                await port.call(pause_s=0)
            await until(lambda: port.listener.refused >= 40, 5)
            assert port.listener.pending <= 20
            await port.call(b"GW-A")
            await until(lambda: port.links[0].connected, 5)
            assert port.listener.pending <= 20

    really(main)


def test_a_name_dripping_in_byte_by_byte_has_its_time_and_no_more() -> None:
    async def main() -> None:
        async with listening(b"GW-A", limits=DialInLimits(registration_s=1.0)) as port:
            slow = await port.call(*[b"\r"] * 6, pause_s=0.2)
            assert await ended(slow) == b""
            await port.call(b"G", b"W", b"-", b"A", pause_s=0.03)
            await until(lambda: port.links[0].connected, 5)

    really(main)


def test_a_huge_first_segment_of_padding_costs_nothing() -> None:
    async def main() -> None:
        async with listening(b"GW-A", heartbeat=b"\0") as port:
            began = asyncio.get_running_loop().time()
            stranger = await port.call(b"\0\r\n" * 80_000)
            await ended(stranger)
            assert asyncio.get_running_loop().time() - began < 2
            assert "256 bytes" in port.refused[0].reason
            assert len(port.refused[0].data) <= 256

    really(main)


def test_refusals_are_all_counted_but_not_all_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        limits = DialInLimits(logged_a_minute=5, banner_s=0.01)
        async with listening(b"GW-A", limits=limits) as port:
            for _ in range(20):
                await port.call(b"GET / HTTP/1.0", pause_s=0)
            await until(lambda: port.listener.refused == 20, 5)
            assert len(port.refused) == 5

    with caplog.at_level(logging.WARNING):
        really(main)
    assert sum("refused" in record.message for record in caplog.records) == 5


def test_a_limiter_forgets_and_stays_small() -> None:
    limiter = RateLimiter(2, 10.0, max_keys=3)
    assert [limiter.allow("a", now) for now in (0, 1, 2, 11, 12, 13)] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert limiter.take_left_out("a") == 2
    for key in range(100):
        limiter.allow(key, 20)
        limiter.allow(key, 20)
        limiter.allow(key, 20)
    assert len(limiter._times) == 3
    assert len(limiter._left_out) <= 3


# ---- living connections ------------------------------------------------------------------------------------------------------------
def test_two_boxes_of_one_name_do_not_take_turns_for_ever() -> None:
    async def main() -> None:
        async with listening(b"GW-A", limits=DialInLimits(replaced_a_minute=3)) as port:
            for _ in range(8):
                await port.call(b"GW-A")
            await until(lambda: port.listener.refused == 4, 5)
            assert port.links[0].replaced == 3
            assert port.links[0].connected
            assert "same name" in port.refused[0].reason

    really(main)


class Pipe:
    """A wire that remembers."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_open = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.is_open = False


def test_a_box_whose_heartbeat_stays_away_is_taken_for_gone() -> None:
    async def main() -> None:
        link = DialInLink(DialInListener(), b"GW-A", b"PING-1")
        pipe = Pipe()
        link.wire_attached(pipe)
        for _ in range(5):
            await asyncio.sleep(60)
            link.wire_fed(pipe, b"PING-1")
        await asyncio.sleep(4 * 60 - 1)
        assert link.connected
        link.wire_fed(pipe, b"bytes of a meter count too")
        await asyncio.sleep(4 * 60 - 1)
        assert link.connected
        await asyncio.sleep(2)
        assert not link.connected
        assert not pipe.is_open

    virtually(main)


def test_a_box_without_a_heartbeat_is_not_blamed_for_silence() -> None:
    async def main() -> None:
        link = DialInLink(DialInListener(), b"GW-A", b"PING-1")
        pipe = Pipe()
        link.wire_attached(pipe)
        link.wire_fed(pipe, b"meter")
        await asyncio.sleep(86400)
        assert link.connected
        await link.close()

    virtually(main)


def test_a_flood_ends_the_connection_and_a_fast_bus_does_not() -> None:
    async def main() -> None:
        link = DialInLink(DialInListener(), b"GW-A")
        pipe = Pipe()
        link.wire_attached(pipe)
        for _ in range(600):
            await asyncio.sleep(1)
            link.wire_fed(pipe, bytes(69_000))  # six buses at 115200
        assert link.connected
        assert len(link._buffer) <= MAX_BUFFERED
        for _ in range(FLOOD_BURST // 65536 + 2):
            link.wire_fed(pipe, bytes(65536))
        assert not link.connected
        assert not link._buffer
        link.wire_attached(Pipe())
        assert link.connected
        await link.close()

    virtually(main)


def test_garbage_from_strangers_never_ends_the_port() -> None:
    async def main() -> None:
        rng = random.Random(5)
        async with listening(b"GW-A", b"acrel:2109", limits=DialInLimits(banner_s=0.01)) as port:
            for _ in range(40):
                await port.call(rng.randbytes(rng.randint(1, 400)), rng.randbytes(9), pause_s=0)
            await port.call(b"GW-A")
            await until(lambda: port.links[0].connected, 5)

    really(main)


# ---- Acrel -------------------------------------------------------------------------------------------------------------------------
SERIAL = b"21091234560001"
PADDED = SERIAL.ljust(20, b"\0")
REGISTRATION = AcrelFrame(0x84, PADDED + b"8" * 30 + b"\x1f" + bytes(6) + b"\x05").encode()
REQUEST = bytes.fromhex("010300000002C40B")
ANSWER = bytes.fromhex("01030400007D7DAA82")  # holds a tail


def test_an_acrel_meter_registers_and_speaks_modbus_in_envelopes() -> None:
    async def main() -> None:
        monday = datetime(2026, 11, 23, 12, 30, 5)
        async with listening(b"acrel:" + SERIAL, b"GW-B", now=monday) as port:
            (link, _) = port.links
            reader, writer = await port.call(REGISTRATION[:30], REGISTRATION[30:])
            assert await reader.readexactly(7) == bytes.fromhex("7B7B84BF237D7D")
            await until(lambda: link.connected, 5)
            writer.write(AcrelFrame(0x93).encode() + AcrelFrame(0x94, b"\x14").encode())
            assert (
                await reader.readexactly(14) == AcrelFrame(0x93, bytes((26, 11, 23, 1, 12, 30, 5))).encode()
            )
            await link.write(REQUEST)
            asked = AcrelFrame(0x90, PADDED + REQUEST).encode()
            assert await reader.readexactly(len(asked)) == asked
            answer = AcrelFrame(0x90, PADDED + ANSWER).encode()
            writer.write(b"noise{" + answer[:9])
            await asyncio.sleep(0.05)
            writer.write(answer[9:] + AcrelFrame(0x90, ANSWER).encode())
            assert await read_all(link, 2 * len(ANSWER)) == ANSWER * 2
            told: list[tuple[DialInLink, bytes]] = []
            port.listener.on_strange = lambda *what: told.append(what)
            upload = AcrelFrame(0x91, b"[[data]]")
            writer.write(upload.encode())
            await until(lambda: link.messages, 5)
            assert list(link.messages) == [upload]
            assert told == [(link, upload.encode())]

    really(main)


def test_on_sundays_and_without_a_known_time_the_meter_is_told_none() -> None:
    async def main() -> None:
        for now in (datetime(2026, 11, 22, 12, 0), None):
            async with listening(b"acrel:" + SERIAL, now=now) as port:
                reader, writer = await port.call(REGISTRATION)
                await reader.readexactly(7)
                writer.write(AcrelFrame(0x93).encode())
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await reader.readexactly(1)

    really(main)


def test_strange_serial_numbers_and_undocumented_concentrators_are_refused() -> None:
    async def main() -> None:
        async with listening(b"acrel:1") as port:
            assert await ended(await port.call(REGISTRATION)) == b""
            assert await ended(await port.call(b"\x1f\x1f\x01\x00\x00\x00\x02xx")) == b""
            assert [SERIAL.decode() in port.refused[0].reason, "1F1F" in port.refused[1].reason] == [
                True,
                True,
            ]

    really(main)


def test_the_fixed_acknowledgement_is_itself_a_right_frame() -> None:
    assert AcrelFrame(0x84).encode() == bytes.fromhex("7B7B84BF237D7D")
    assert module.acrel.take_frame(bytes.fromhex("7B7B84BF237D7D"))[0] == AcrelFrame(0x84)
