"""TCP in memory: connections between protocols of one virtual loop, in order, after `latency_s`, with resets and cables that are pulled."""

from __future__ import annotations

import asyncio
import contextvars
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from .process import Process, process_of

if TYPE_CHECKING:
    from .loop import VirtualLoop

FIRST_PORT = 20_001
UNACKNOWLEDGED_S = 20.0
"""Bytes that nobody acknowledges for so long end a connection, as TCP_USER_TIMEOUT of the connector's sockets does."""
SYN_AGAIN_S = 1.0
UNANSWERED_S = 127.0
"""Of a connection that is being made: Linux's six retransmissions."""
EPHEMERAL_PORT = 50_000


class Network:
    """One host, all ports. `cut(port)`: connections to it hang and new ones get no answer; `mend(port)` resets those that hung."""

    def __init__(self, loop: VirtualLoop, latency_s: float = 0.002) -> None:
        self.loop = loop
        self.latency_s = latency_s
        self.connections = 0
        self._servers: dict[int, Server] = {}
        self._open: list[Connection] = []
        self._cut: set[int] = set()
        self._next_port = FIRST_PORT

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """As create_connection: ConnectionRefusedError when nobody listens; as long as the cable is cut it is tried again, as TCP does,
        and given up after UNANSWERED_S with TimeoutError."""
        await asyncio.sleep(self.latency_s)
        gives_up_at = self.loop.time() + UNANSWERED_S
        while port in self._cut:  # noqa: ASYNC110 - the retransmissions of a SYN
            await asyncio.sleep(SYN_AGAIN_S)
            if self.loop.time() >= gives_up_at:
                raise TimeoutError(errno.ETIMEDOUT, f"{host}:{port} does not answer")
        server = self._servers.get(port)
        if server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens on {host}:{port}")
        self.connections += 1
        ours = Connection(self, port, (host, port))
        theirs = Connection(self, port, ("127.0.0.1", EPHEMERAL_PORT + self.connections), server.context)
        ours.peer, theirs.peer = theirs, ours
        self._open += [ours, theirs]
        protocol = ours.start(factory)
        self.loop.call_later(self.latency_s, theirs.start, server.factory, context=theirs.context)
        return ours, protocol

    def listen(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> Server:
        """As create_server; OSError when the port is taken."""
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        if port in self._servers:
            raise OSError(errno.EADDRINUSE, f"port {port} is in use")
        server = self._servers[port] = Server(self, factory, host, port)
        return server

    def cut(self, port: int) -> None:
        """Nothing gets through, and nobody is told."""
        self._cut.add(port)

    def mend(self, port: int) -> None:
        """The way is free again; whoever spoke into the void meanwhile is told that his connection is unknown."""
        self._cut.discard(port)
        for connection in [each for each in self._open if each.port == port and each.is_hung]:
            connection.reset_both()

    def mend_all(self) -> None:
        """All cables are in."""
        for port in sorted(self._cut):
            self.mend(port)

    def is_cut(self, port: int) -> bool:
        """Is the cable out?"""
        return port in self._cut

    def kill(self, process: Process) -> None:
        """What the operating system does with the sockets of a process that is no more."""
        for port in [port for port, server in self._servers.items() if server.process is process]:
            del self._servers[port]
        for connection in [each for each in self._open if each.process is process]:
            connection.vanish()

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)

    def _close(self, server: Server) -> None:
        if self._servers.get(server.port) is server:
            del self._servers[server.port]


class Server:
    """As asyncio.Server: `sockets`, `close`, `wait_closed`."""

    def __init__(
        self, network: Network, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> None:
        self.network = network
        self.factory = factory
        self.host = host
        self.port = port
        self.context = contextvars.copy_context()
        self.process = process_of(self.context)
        self.sockets = (self,)

    def getsockname(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    def close(self) -> None:
        """Listen no more; connections stay."""
        self.network._close(self)

    async def wait_closed(self) -> None:
        """It is."""


class Connection(asyncio.Transport):
    """One end."""

    peer: Connection

    def __init__(
        self,
        network: Network,
        port: int,
        peername: tuple[str, int],
        context: contextvars.Context | None = None,
    ) -> None:
        super().__init__({"peername": peername})
        self.network = network
        self.port = port
        self.context = contextvars.copy_context() if context is None else context.copy()
        self.process = process_of(self.context)
        self.is_hung = False
        self._unsent = 0
        self._protocol: asyncio.Protocol | None = None
        self._is_closed = False

    def start(self, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.BaseProtocol:
        """The connection is made."""
        protocol = factory()
        self._protocol = cast("asyncio.Protocol", protocol)
        if not self._is_closed:
            protocol.connection_made(self)
        return protocol

    # -- asyncio.Transport ---------------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closed or (self.process is not None and self.process.is_dead):
            return
        if self._hangs():
            self._unsent += len(data)
            return
        if self.peer._is_closed:
            self._later(self, self._reset, after_s=2 * self.network.latency_s)  # nobody there knows of it
        else:
            self._later(self.peer, self.peer._fed, bytes(data))

    def close(self) -> None:
        if self._end():
            self._soon(None)
            if not self._hangs():
                self._later(self.peer, self.peer._finished)

    def abort(self) -> None:
        if self._end():
            self._soon(None)
            if not self._hangs():
                self._later(self.peer, self.peer._reset)

    def is_closing(self) -> bool:
        return self._is_closed

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def pause_reading(self) -> None:
        """Buffers are as large as they need to be."""

    def resume_reading(self) -> None:
        """See pause_reading."""

    # -- the network ---------------------------------------------------------------------------------------------------------------

    def vanish(self) -> None:
        """Our process is no more; the other side's kernel hears of it."""
        if self._end() and not self._hangs():
            self._later(self.peer, self.peer._reset)

    def reset_both(self) -> None:
        """This connection is unknown to what lies between."""
        for end in (self, self.peer):
            end._later(end, end._reset)

    def _hangs(self) -> bool:
        """Is the cable out? Then the kernel gives up after a time."""
        if not self.is_hung and self.network.is_cut(self.port):
            self.is_hung = True
            self._later(self, self._reset, after_s=UNACKNOWLEDGED_S)
        return self.is_hung

    def _fed(self, data: bytes) -> None:
        if self.network.is_cut(self.port):
            self.is_hung = self.peer.is_hung = True  # what follows cannot be whole any more
        elif not self._is_closed and self._protocol is not None:
            self._protocol.data_received(data)

    def _finished(self) -> None:
        if not self._is_closed and self._protocol is not None and not self._protocol.eof_received():
            self.close()

    def _reset(self) -> None:
        if self._end():
            self._soon(ConnectionResetError(errno.ECONNRESET, "connection reset by the other side"))

    def _end(self) -> bool:
        if self._is_closed:
            return False
        self._is_closed = True
        self.network._forget(self)
        return True

    def _soon(self, error: Exception | None) -> None:
        self.network.loop.call_soon(self._lost, error, context=self.context)

    def _lost(self, error: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def _later(
        self, end: Connection, what: Callable[..., Any], *args: Any, after_s: float | None = None
    ) -> None:
        delay_s = self.network.latency_s if after_s is None else after_s
        self.network.loop.call_later(delay_s, what, *args, context=end.context)
