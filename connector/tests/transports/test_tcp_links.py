"""Links over real sockets on the loopback."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from meter_connector.errors import LinkError
from meter_connector.transports import (
    Backoff,
    BaseLink,
    DialInLimits,
    DialInLink,
    DialInListener,
    Refusal,
    TcpClientLink,
)
from meter_connector.transports.base import SILENT_TIMEOUTS
from wirehelp import really, until

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def quick() -> Backoff:
    return Backoff(0.01, 0.05, random.Random(1))


class Gateway:
    """A serial server: accepts, keeps the connections."""

    def __init__(self) -> None:
        self.streams: list[Streams] = []
        self.came = asyncio.Event()
        self.server: asyncio.Server | None = None
        self.port = 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append((reader, writer))
        self.came.set()

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
        for _, writer in self.streams:
            writer.close()
        self.streams.clear()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def gateway_and_link() -> AsyncIterator[tuple[Gateway, TcpClientLink]]:
    gateway = Gateway()
    await gateway.open()
    link = TcpClientLink("127.0.0.1", gateway.port, backoff=quick())
    await link.open()
    async with asyncio.timeout(5):
        await link.wait_connected()
        await gateway.came.wait()
    try:
        yield gateway, link
    finally:
        await link.close()
        await gateway.close()


def test_bytes_go_both_ways_and_reading_waits_no_longer_than_told() -> None:
    async def main() -> None:
        async with gateway_and_link() as (gateway, link):
            reader, writer = gateway.streams[0]
            await link.write(b"ask")
            assert await reader.readexactly(3) == b"ask"
            writer.write(b"answer")
            assert await link.read(5) == b"answer"
            assert await link.read(0.01) == b""
            assert (link.bytes_in, link.bytes_out) == (6, 3)

    really(main)


def test_small_requests_leave_at_once_and_dead_peers_are_looked_for() -> None:
    async def main() -> None:
        async with gateway_and_link() as (_, link):
            sock = link._wire._transport.get_extra_info("socket")  # type: ignore[union-attr]
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000

    really(main)


def test_it_comes_back_after_the_gateway_restarted_and_says_so() -> None:
    async def main() -> None:
        async with gateway_and_link() as (gateway, link):
            seen: list[bool] = []
            link.subscribe(seen.append)
            reading = asyncio.create_task(link.read(5))
            await asyncio.sleep(0)
            await gateway.close()
            with pytest.raises(LinkError):
                await reading
            with pytest.raises(LinkError):
                await link.write(b"x")
            await gateway.open()
            await until(lambda: link.connected, 5)
            assert seen == [False, True]
            assert link.connections == 2

    really(main)


def test_a_gateway_that_is_not_there_is_tried_again_and_again() -> None:
    async def main() -> None:
        gateway = Gateway()
        await gateway.open()
        port = gateway.port
        await gateway.close()
        link = TcpClientLink("127.0.0.1", port, backoff=quick())
        await link.open()
        await until(lambda: link.last_error, 5)
        assert not link.connected
        gateway.port = port
        await gateway.open()
        await until(lambda: link.connected, 5)
        await link.close()
        await gateway.close()

    really(main)


def test_a_host_that_is_no_name_is_an_error_that_is_tried_again() -> None:
    async def main() -> None:
        link = TcpClientLink("a..b", 1, backoff=quick())
        await link.open()
        await until(lambda: link._backoff.failures > 2, 5)
        assert "a..b" in link.last_error
        await link.close()

    really(main)


def test_bytes_of_the_old_connection_are_not_read_on_the_new_one() -> None:
    async def main() -> None:
        async with gateway_and_link() as (gateway, link):
            gateway.streams[0][1].write(b"old half")
            await until(lambda: link.bytes_in, 5)
            gateway.streams[0][1].close()
            await until(lambda: link.connections == 2, 5)
            assert await link.read(0.01) == b""

    really(main)


def test_a_half_open_connection_is_noticed_by_unanswered_requests() -> None:
    async def main() -> None:
        async with gateway_and_link() as (gateway, link):
            for _ in range(SILENT_TIMEOUTS - 1):
                link.note_timeout()
            gateway.streams[0][1].write(b"!")
            await until(lambda: link.bytes_in, 5)
            for _ in range(SILENT_TIMEOUTS - 1):
                link.note_timeout()
            assert link.connected
            link.note_timeout()
            assert link.connected, "a short silence is dead meters"
            link.silent_s = 0.0
            link.note_timeout()
            assert not link.connected
            await until(lambda: link.connections == 2, 5)

    really(main)


def test_back_off_doubles_to_its_limit_and_begins_anew_after_success() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(1))
    steps = [backoff.next_s() for _ in range(6)]
    for step, full in zip(steps, [1, 2, 4, 8, 8, 8], strict=True):
        assert full / 2 <= step <= full
    backoff.reset()
    assert backoff.next_s() <= 1.0


# ---- dial-in -----------------------------------------------------------------------------------------------------------------------
@asynccontextmanager
async def listening(
    *names: bytes, limits: DialInLimits | None = None, heartbeat: bytes = b""
) -> AsyncIterator[tuple[DialInListener, list[DialInLink], list[Refusal]]]:
    refused: list[Refusal] = []
    listener = DialInListener("127.0.0.1", 0, limits, refused.append)
    await listener.open()
    links = [DialInLink(listener, name, heartbeat) for name in names]
    for link in links:
        await link.open()
    try:
        yield listener, links, refused
    finally:
        for link in links:
            await link.close()
        await listener.close()
        await asyncio.sleep(0.01)


async def call(listener: DialInListener, *said: bytes) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for segment in said:
        writer.write(segment)
        await writer.drain()
        await asyncio.sleep(0.01)
    return reader, writer


async def is_sent_away(streams: Streams) -> bool:
    async with asyncio.timeout(5):
        try:
            return await streams[0].read(1) == b""
        except ConnectionResetError:
            return True


def hang_up(*callers: Streams) -> None:
    for _, writer in callers:
        writer.close()


async def exchanged(link: BaseLink, streams: Streams) -> None:
    await link.write(b"ask")
    assert await streams[0].readexactly(3) == b"ask"
    streams[1].write(b"answer")
    assert await link.read(5) == b"answer"


def test_each_gateway_finds_its_link_whole_or_in_pieces() -> None:
    async def main() -> None:
        async with listening(b"GW-A", b"\xaa\xbb\xcc") as (listener, (a, b), _):
            first = await call(listener, b"GW", b"-A\r\n")
            second = await call(listener, b"\xaa\xbb\xcc")
            await until(lambda: a.connected and b.connected, 5)
            await exchanged(a, first)
            await exchanged(b, second)
            assert listener.pending == 0
            hang_up(first, second)

    really(main)


def test_what_follows_the_registration_in_the_same_segment_is_not_lost() -> None:
    async def main() -> None:
        async with listening(b"GW-A", heartbeat=b"BEAT") as (listener, (link,), _):
            caller = await call(listener, b"GW-ABEATmeter bytes")
            await until(lambda: link.connected, 5)
            assert await link.read(5) == b"meter bytes"
            hang_up(caller)

    really(main)


def test_heartbeats_are_swallowed_also_between_halves_of_an_answer() -> None:
    async def main() -> None:
        async with listening(b"GW-A", heartbeat=b"BEAT") as (listener, (link,), _):
            caller = await call(listener, b"GW-A", b"BEAT", b"BE", b"AT", b"half BEAThalf BE")
            await until(lambda: link.connected, 5)
            got = b""
            async with asyncio.timeout(5):
                while len(got) < 12:
                    got += await link.read(1)
            assert got == b"half half BE"
            hang_up(caller)

    really(main)


def test_a_new_connection_of_the_same_gateway_takes_the_place_of_the_old_one() -> None:
    async def main() -> None:
        async with listening(b"GW-A") as (listener, (link,), _):
            seen: list[bool] = []
            link.subscribe(seen.append)
            old = await call(listener, b"GW-A")
            await until(lambda: link.connected, 5)
            reading = asyncio.create_task(link.read(5))
            await asyncio.sleep(0.01)
            new = await call(listener, b"GW-A")
            with pytest.raises(LinkError, match="replaced"):
                await reading
            assert await is_sent_away(old)
            await exchanged(link, new)
            assert seen == [True], "for the buses it was there all the time"
            hang_up(old, new)

    really(main)


def test_an_unknown_caller_is_sent_away_with_what_it_said() -> None:
    async def main() -> None:
        async with listening(b"GW-A") as (listener, _, refused):
            caller = await call(listener, b"GET / HTTP/1.0\r\n")
            assert await is_sent_away(caller)
            assert [each.data for each in refused] == [b"GET / HTTP/1.0\r\n"]
            assert "127.0.0.1" in refused[0].peer
            assert listener.pending == 0
            hang_up(caller)

    really(main)


def test_who_says_nothing_or_too_much_or_comes_in_crowds_is_sent_away() -> None:
    async def main() -> None:
        limits = DialInLimits(max_pending=2, registration_s=0.3, max_bytes=64)
        async with listening(b"GW-A", heartbeat=b"BEAT", limits=limits) as (listener, (link,), refused):
            silent = [await call(listener) for _ in range(2)]
            third = await call(listener)
            assert await is_sent_away(third)
            assert "too many" in refused[0].reason
            assert [await is_sent_away(each) for each in silent] == [True, True]
            chatty = await call(listener, b"BEAT" * 20)
            assert await is_sent_away(chatty)
            assert [each.reason for each in refused[1:]] == ["no registration packet within 0.3 s"] * 2 + [
                "no registration packet within 64 bytes"
            ]
            good = await call(listener, b"GW-A")
            await until(lambda: link.connected, 5)
            hang_up(third, chatty, good, *silent)

    really(main)


def test_a_name_that_begins_another_waits_a_moment_for_the_rest() -> None:
    async def main() -> None:
        async with listening(b"GW1", b"GW10", limits=DialInLimits(settle_s=0.05)) as (
            listener,
            (short, long),
            _,
        ):
            first = await call(listener, b"GW1")
            assert not short.connected
            await until(lambda: short.connected, 5)
            second = await call(listener, b"GW1", b"0")
            await until(lambda: long.connected, 5)
            assert short.connections == 1
            hang_up(first, second)

    really(main)


def test_two_links_with_one_name_and_a_taken_port_are_errors() -> None:
    async def main() -> None:
        async with listening(b"GW-A") as (listener, _, _):
            with pytest.raises(LinkError, match="GW-A"):
                await DialInLink(listener, b"GW-A").open()
            with pytest.raises(LinkError, match=str(listener.port)):
                await DialInListener("127.0.0.1", listener.port).open()

    really(main)
