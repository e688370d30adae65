"""What every way to the meters has in common: bytes out, bytes in, is somebody there.

A link lives as long as its bus is configured; connections come and go below it. Whoever asked something when the connection went
gets a LinkError and nothing else: bytes of an old connection are never handed to a request of a new one.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..errors import LinkError
from .backoff import Backoff
from .heartbeat import HeartbeatFilter

_logger = logging.getLogger(__name__)

StateListener = Callable[[bool], None]

MAX_BUFFERED = 65536
"""Bytes kept for a reader. Nobody reads between requests, and a babbling line must not fill the memory."""

SILENT_TIMEOUTS = 12
SILENT_S = 60.0
"""So many unanswered requests in a row, and so long without a single byte, and a connection is taken for half-open. The kernel notices
most dead peers earlier (tcp_client.py); this is for boxes in between that acknowledge whatever is sent."""


FLOOD_BYTES_S = 128 * 1024
FLOOD_BURST = 1024 * 1024
"""No six buses bring more: a connection that does for longer than a burst is noise, and is made anew after a pause."""


class StreamFilter(Protocol):
    """What stands between the connection and the meters' bytes; see heartbeat.py and acrel.py."""

    hold_s: float
    swallowed: int

    @property
    def is_holding(self) -> bool:
        """Is something held back?"""

    def feed(self, data: bytes) -> bytes:
        """The bytes that belong to the meters."""

    def flush(self) -> bytes:
        """Give up waiting for the rest of what is held back."""

    def clear(self) -> None:
        """A new connection begins."""


class Wire(Protocol):
    """One live connection below a link."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the operating system; raises OSError when that is impossible."""

    def abort(self) -> None:
        """Drop it now; nothing is called back afterwards."""


class Link(Protocol):
    """A way to the meters of a bus."""

    name: str
    lock: asyncio.Lock
    """Held for one request and its answer: several buses may share one gateway connection."""

    @property
    def connected(self) -> bool:
        """Is there a connection at present?"""

    async def open(self) -> None:
        """Begin; connections come by themselves from now on."""

    async def close(self) -> None:
        """End; a waiting reader gets LinkError."""

    async def write(self, data: bytes) -> None:
        """Send; LinkError without a connection."""

    async def read(self, timeout_s: float) -> bytes:
        """What has come, waiting for at least one byte; empty = nothing in time; LinkError when the connection goes."""

    def discard(self) -> bytes:
        """Take what has come without waiting: nobody asked for it."""

    can_set_baudrate: bool
    """May the speed of the wire be set from here? A gateway at the other end of a network keeps its own."""

    def set_baudrate(self, baudrate: int) -> None:
        """The speed from now on; LinkError where it cannot be set."""

    def note_timeout(self) -> None:
        """A request was not answered; after many in a row without a single byte the connection is made anew."""

    def subscribe(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener` at every coming (True) and going (False); returns how to stop that."""

    async def wait_connected(self) -> None:
        """Return once there is a connection."""


class BaseLink:
    """Buffer, state and listeners; the subclasses bring the connections."""

    can_set_baudrate = False

    def __init__(self, name: str, heartbeat: bytes = b"") -> None:
        self.name = name
        self.heartbeat = heartbeat
        self.lock = asyncio.Lock()
        self.bytes_in = 0
        self.bytes_out = 0
        self.connections = 0
        self.replaced = 0  # connections that a newer one of the same box took the place of
        self._filter: StreamFilter = HeartbeatFilter(heartbeat)
        self._flush_handle: asyncio.TimerHandle | None = None
        self._wire: Wire | None = None
        self._up = asyncio.Event()
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._listeners: list[StateListener] = []
        self._timeouts = 0
        self._timeouts_allowed = SILENT_TIMEOUTS
        self._heard_at = 0.0
        self._flood_room = float(FLOOD_BURST)
        self.silent_s = SILENT_S

    @property
    def connected(self) -> bool:
        return self._wire is not None

    def set_baudrate(self, baudrate: int) -> None:
        """See Link."""
        raise LinkError(f"{self.name}: its speed is set at the gateway, not from here")

    async def open(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        self._drop("closed")

    async def wait_connected(self) -> None:
        await self._up.wait()

    def subscribe(self, listener: StateListener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def write(self, data: bytes) -> None:
        if self._wire is None:
            raise LinkError(f"{self.name}: not connected")
        try:
            self._wire.write(data)
        except OSError as error:
            self._drop(str(error))
            raise LinkError(f"{self.name}: {error}") from error
        self.bytes_out += len(data)

    async def read(self, timeout_s: float) -> bytes:
        if not self._buffer:
            if self._wire is None:
                raise LinkError(f"{self.name}: not connected")
            await self._wait(timeout_s)
        return self.discard()

    def discard(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def note_timeout(self) -> None:
        self._timeouts += 1
        silent_s = asyncio.get_running_loop().time() - self._heard_at
        is_patient = self._timeouts < self._timeouts_allowed or silent_s < self.silent_s
        if is_patient or self._wire is None:
            return
        self._timeouts = 0
        self._timeouts_allowed = min(self._timeouts_allowed * 2, SILENT_TIMEOUTS * 32)
        self._drop("no byte came for many requests; taken for half-open")

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_later(max(0.0, timeout_s), _wake, waiter)
        self._waiter = waiter
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def wire_attached(self, wire: Wire) -> None:
        """A new connection is there; an older one is dropped without a word to the state listeners."""
        old, self._wire = self._wire, wire
        self.connections += 1
        if old is not None:
            old.abort()
            self._fail_reader("the connection was replaced by a newer one")
        self._clear()
        self._heard_at = asyncio.get_running_loop().time()
        self._flood_room = float(FLOOD_BURST)
        self._up.set()
        if old is None:
            _logger.info("%s: connected", self.name)
            self._tell(True)

    def wire_fed(self, wire: Wire, data: bytes) -> None:
        """Bytes came on `wire`; those of a connection that is no longer ours are dropped."""
        if wire is not self._wire:
            return
        self.bytes_in += len(data)
        self._timeouts = 0
        self._timeouts_allowed = SILENT_TIMEOUTS
        if self._is_flooded(len(data)):
            self._drop(f"more than {FLOOD_BYTES_S} bytes a second came")
            return
        self._deliver(self._filter.feed(data))
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        if self._filter.is_holding:
            loop = asyncio.get_running_loop()
            self._flush_handle = loop.call_later(self._filter.hold_s, self._flush)

    def _is_flooded(self, count: int) -> bool:
        """Notes when we were spoken to, too."""
        now = asyncio.get_running_loop().time()
        room = self._flood_room + (now - self._heard_at) * FLOOD_BYTES_S
        self._flood_room = min(room, float(FLOOD_BURST)) - count
        self._heard_at = now
        return self._flood_room < 0

    def _flush(self) -> None:
        self._flush_handle = None
        self._deliver(self._filter.flush())

    def _deliver(self, data: bytes) -> None:
        if not data:
            return
        self._buffer += data
        if len(self._buffer) > MAX_BUFFERED:
            del self._buffer[: len(self._buffer) - MAX_BUFFERED]
        _wake(self._waiter)

    def wire_lost(self, wire: Wire, reason: str) -> None:
        """`wire` says that its connection is gone."""
        if wire is self._wire:
            self._drop(reason)

    def _drop(self, reason: str) -> None:
        """Forget the connection, if there is one, and tell everybody."""
        wire, self._wire = self._wire, None
        self._up.clear()
        self._clear()
        self._fail_reader(reason)
        if wire is not None:
            wire.abort()
            _logger.info("%s: connection lost: %s", self.name, reason)
            self._tell(False)

    def _clear(self) -> None:
        self._buffer.clear()
        self._filter.clear()
        self._timeouts = 0
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None

    def _fail_reader(self, reason: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(LinkError(f"{self.name}: {reason}"))

    def _tell(self, is_up: bool) -> None:
        for listener in list(self._listeners):
            listener(is_up)


class ReconnectingLink(BaseLink, abc.ABC):
    """A link that makes its connections itself, again and again, with back-off."""

    def __init__(self, name: str, heartbeat: bytes = b"", backoff: Backoff | None = None) -> None:
        super().__init__(name, heartbeat)
        self.last_error = ""
        self._backoff = backoff or Backoff()
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def _connect(self) -> None:
        """One try, ending in `wire_attached`; raises OSError (or a subclass) when it fails."""

    async def open(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected(), name=f"link {self.name}")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await super().close()

    async def _keep_connected(self) -> None:
        while True:
            self._gone.clear()
            try:
                await self._connect()
            except OSError as error:
                await self._pause(error)
                continue
            self.last_error = ""
            connected_at = asyncio.get_running_loop().time()
            await self._gone.wait()
            if asyncio.get_running_loop().time() - connected_at > self._backoff.limit_s:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())

    async def _pause(self, error: OSError) -> None:
        text = str(error) or type(error).__name__
        log = _logger.debug if text == self.last_error else _logger.warning
        log("%s: cannot connect: %s", self.name, text)
        self.last_error = text
        await asyncio.sleep(self._backoff.next_s())

    def wire_fed(self, wire: Wire, data: bytes) -> None:
        if wire is self._wire:
            self._backoff.reset()
        super().wire_fed(wire, data)

    def _drop(self, reason: str) -> None:
        super()._drop(reason)
        self._gone.set()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
