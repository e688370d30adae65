"""We call the gateway: serial servers and gateways with an address of their own."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from .backoff import Backoff
from .base import BaseLink, ReconnectingLink

CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_IDLE_S = 20
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3
USER_TIMEOUT_MS = 20_000
"""Sent bytes that the other side's kernel has not acknowledged after this time end the connection (half-open peers)."""

MAX_UNSENT = 16_384
"""A peer that takes no bytes any more is gone; requests are a few dozen bytes each."""


def tune_socket(transport: asyncio.BaseTransport) -> None:
    """No waiting for more bytes before sending, and a dead peer is noticed by the kernel."""
    sock = cast("socket.socket | None", transport.get_extra_info("socket"))
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class StreamWire(asyncio.Protocol):
    """A TCP connection as a link's wire. Without a link yet (a caller not known so far) the bytes wait in `pending`."""

    def __init__(self, link: BaseLink | None = None) -> None:
        self.link = link
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        tune_socket(transport)
        if self.link is not None:
            self.link.wire_attached(self)

    def data_received(self, data: bytes) -> None:
        if self.link is not None:
            self.link.wire_fed(self, data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.link is not None:
            self.link.wire_lost(self, str(exc) if exc else "closed by the other side")

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("connection is closed")
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            raise BrokenPipeError("the other side takes no bytes")
        self._transport.write(data)

    def abort(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()


class TcpClientLink(ReconnectingLink):
    """Connects to `host`:`port` for as long as it is open."""

    def __init__(
        self,
        host: str,
        port: int,
        heartbeat: bytes = b"",
        backoff: Backoff | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        super().__init__(f"tcp {host}:{port}", heartbeat, backoff)
        self.host = host
        self.port = port
        self._connect_timeout_s = connect_timeout_s

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await loop.create_connection(lambda: StreamWire(self), self.host, self.port)
        except TimeoutError as error:
            raise TimeoutError(f"no connection within {self._connect_timeout_s:g} s") from error
        except UnicodeError as error:
            raise OSError(f"{self.host!r} is no host name: {error}") from error
