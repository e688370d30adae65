"""How bytes reach a bus: a listening port, a gateway that dials in, a pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import random
import tty
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from .bus import Bus
from .site import LinkSpec

CHUNK = 4096
RECONNECT_S = (0.5, 3.0)


class Link(ABC):
    """`up` can be switched; when down nothing gets through and connections are broken."""

    def __init__(self, spec: LinkSpec, bus: Bus) -> None:
        self.spec = spec
        self.bus = bus
        self.is_up = True
        self.name = "bus"

    @abstractmethod
    async def start(self) -> None:
        """Begin to serve."""

    @abstractmethod
    async def stop(self) -> None:
        """Close everything."""

    @abstractmethod
    def where(self) -> dict[str, Any]:
        """Host and port, or device: for the ready file."""

    @abstractmethod
    def remember(self, where: Mapping[str, Any], directory: Path) -> None:
        """Be found at the same place as last time; a device gets a lasting name in `directory`."""

    @property
    def is_connected(self) -> bool:
        """Is a master on the other end?"""
        return self.is_up

    async def set_up(self, is_up: bool) -> None:
        """Break or heal."""
        if is_up != self.is_up:
            await (self.start() if is_up else self.stop())
            self.is_up = is_up


class Connection:
    """One TCP connection; bytes to the bus, answers back."""

    def __init__(self, bus: Bus, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.bus = bus
        self.reader = reader
        self.writer = writer

    async def serve(self) -> None:
        """Until the other side closes."""
        with suppress(ConnectionError, TimeoutError):
            while data := await self.reader.read(CHUNK):
                self.bus.receive(data, self.write)

    def write(self, data: bytes) -> None:
        """Answers to a closed connection are lost, as in life."""
        if not self.writer.is_closing():
            self.writer.write(data)

    async def close(self) -> None:
        """At once."""
        self.writer.transport.abort()
        with suppress(ConnectionError, TimeoutError):
            await self.writer.wait_closed()


class ListenLink(Link):
    """A serial server: one port a bus. Several masters may connect; each gets the answers to what it asked."""

    def __init__(self, spec: LinkSpec, bus: Bus) -> None:
        super().__init__(spec, bus)
        self.port = spec.port
        self._last_port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    def remember(self, where: Mapping[str, Any], directory: Path) -> None:
        self._last_port = 0 if self.spec.port else int(where.get("port", 0))

    async def start(self) -> None:
        self._server = await self._listen()
        self.port = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        if self._last_port and not self.port:
            with suppress(OSError):
                return await asyncio.start_server(self._serve, self.spec.host, self._last_port)
        return await asyncio.start_server(self._serve, self.spec.host, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.bus, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            await connection.close()

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            await connection.close()
        await self._server.wait_closed()
        self._server = None

    @property
    def is_connected(self) -> bool:
        return bool(self._connections)

    def where(self) -> dict[str, Any]:
        return {"host": self.spec.host, "port": self.port}


class DialLink(Link):
    """A 4G gateway: dials the connector, says who it is, sends heartbeats, dials again. Waits until told an address."""

    def __init__(self, spec: LinkSpec, bus: Bus, rng: random.Random) -> None:
        super().__init__(spec, bus)
        self.rng = rng
        self._target: tuple[str, int] | None = None
        self._known = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self.connects = 0

    def dial(self, host: str, port: int) -> None:
        """The connector's listening address."""
        self._target = (host, port)
        self._known.set()

    def remember(self, where: Mapping[str, Any], directory: Path) -> None:
        """It is told anew where to call."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        await self._known.wait()
        while True:
            with suppress(OSError):
                await self._call()
            await asyncio.sleep(self.rng.uniform(*RECONNECT_S))

    async def _call(self) -> None:
        assert self._target is not None
        reader, writer = await asyncio.open_connection(*self._target)
        connection = self._connection = Connection(self.bus, reader, writer)
        self.connects += 1
        connection.write(self.spec.registration)
        beat = asyncio.create_task(self._beat(connection))
        try:
            await connection.serve()
        finally:
            beat.cancel()
            self._connection = None
            await connection.close()

    async def _beat(self, connection: Connection) -> None:
        while self.spec.heartbeat:
            await asyncio.sleep(self.spec.heartbeat_s)
            connection.write(self.spec.heartbeat)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def where(self) -> dict[str, Any]:
        host, port = self._target or ("", 0)
        return {
            "registration": self.spec.registration.decode("latin-1"),
            "dials": {"host": host, "port": port},
        }


class PtyLink(Link):
    """A serial line: the device to open is a pseudo-terminal; `device` in the site file makes a link of that name to it."""

    def __init__(self, spec: LinkSpec, bus: Bus) -> None:
        super().__init__(spec, bus)
        self._master = self._slave = -1
        self.device = ""
        self._name = spec.device

    async def start(self) -> None:
        if self._master < 0:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self.device = os.ttyname(self._slave)
            if self._name:
                self._make_link(Path(self._name))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def remember(self, where: Mapping[str, Any], directory: Path) -> None:
        if not self._name:
            self._name = str(directory.absolute() / f"{self.name}.tty")

    def _make_link(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(self.device)
        self.device = str(path)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._master, CHUNK)
            if self.is_up:
                self.bus.receive(data, partial(self._write))

    def _write(self, data: bytes) -> None:
        """A full buffer means that nobody reads; a wire does not care."""
        if self.is_up and self._master >= 0:
            with suppress(BlockingIOError):
                os.write(self._master, data)

    async def set_up(self, is_up: bool) -> None:
        """The device stays; the cable is cut."""
        self.is_up = is_up

    async def stop(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        if self._name:
            Path(self._name).unlink(missing_ok=True)

    def where(self) -> dict[str, Any]:
        return {"device": self.device}


def make_link(spec: LinkSpec, bus: Bus, rng: random.Random) -> Link:
    """By the site file's kind, which is told from the connector's side."""
    if spec.kind == "tcp_server":
        return DialLink(spec, bus, rng)
    return PtyLink(spec, bus) if spec.kind == "serial" else ListenLink(spec, bus)
