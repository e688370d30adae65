"""One small interface to Odoo, two ways behind it: XML-RPC (default) and JSON-2, chosen by a setting.

Each call is one method of `meter.connector` with one dict and answers one dict. Every call may be repeated: Odoo knows a batch, an
order and a reading when it sees it again. So a connection that broke within an answer is simply an OdooUnreachableError.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import OdooAnswerError, OdooError, OdooUnreachableError

MODEL = "meter.connector"
CALL_TIMEOUT_S = 30.0
CONCURRENT_CALLS = 5
"""hello, configuration, ingest, events with results, orders: a slow one of them holds up no other."""


@dataclass(frozen=True)
class OdooSettings:
    """Where Odoo is and who we are there."""

    url: str
    database: str
    login: str
    key: str = field(repr=False)
    rpc: str = "xmlrpc"
    ca_file: str = ""
    timeout_s: float = CALL_TIMEOUT_S


class OdooClient(Protocol):
    """What the rest of the connector sees."""

    async def call(
        self, method: str, payload: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Call `meter.connector.<method>(payload)`; raises OdooError."""

    async def close(self) -> None:
        """Break off what is under way and let go of the connections."""


class Channel(Protocol):
    """One connection, used by one thread at a time. Blocking."""

    def call(self, method: str, payload: Mapping[str, Any], deadline: float) -> Any:
        """`deadline` is time.monotonic(); raises OdooError."""

    def abort(self) -> None:
        """Called from another thread: make a blocked call end now."""


class ThreadedClient:
    """Runs blocking channels in threads; the event loop never waits for a socket."""

    def __init__(self, settings: OdooSettings) -> None:
        self.settings = settings
        self._pool = ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="odoo")
        self._idle: list[Channel] = []
        self._busy: set[Channel] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def open_channel(self) -> Channel:
        """A new connection of the subclass's kind."""
        raise NotImplementedError

    async def call(
        self, method: str, payload: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """See OdooClient."""
        timeout_s = timeout_s or self.settings.timeout_s
        with self._channel() as channel:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._pool, self._blocking, channel, method, payload, timeout_s)
            try:
                # The channel keeps its own time-outs; this one is for a server that drips.
                # (asyncio.timeout, not wait_for: the latter swallows a cancellation that meets the answer.)
                async with asyncio.timeout(timeout_s + 1):
                    answer = await asyncio.shield(running)
            except TimeoutError:
                channel.abort()
                raise OdooUnreachableError(
                    f"{method}: no answer from {self.settings.url} within {timeout_s:g} s"
                ) from None
            except asyncio.CancelledError:
                channel.abort()
                raise
            finally:
                if not running.done():
                    # Its thread ends soon after the abort; nobody wants its answer any more.
                    running.add_done_callback(_forget)
        if not isinstance(answer, dict):
            raise OdooAnswerError(f"{method}: expected an object, got {type(answer).__name__}")
        return answer

    async def close(self) -> None:
        """See OdooClient."""
        self._is_closed = True
        with self._lock:
            channels = [*self._idle, *self._busy]
            self._idle.clear()
        for channel in channels:
            channel.abort()
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _blocking(self, channel: Channel, method: str, payload: Mapping[str, Any], timeout_s: float) -> Any:
        return channel.call(method, payload, time.monotonic() + timeout_s)

    @contextlib.contextmanager
    def _channel(self) -> Iterator[Channel]:
        """An idle connection or a new one; it goes back only after a good answer or an error Odoo itself gave."""
        if self._is_closed:
            raise OdooUnreachableError("the client is closed")
        with self._lock:
            channel = self._idle.pop() if self._idle else self.open_channel()
            self._busy.add(channel)
        is_sound = False
        try:
            yield channel
            is_sound = True
        except OdooError as error:
            is_sound = not isinstance(error, OdooUnreachableError | OdooAnswerError)
            raise
        finally:
            with self._lock:
                self._busy.discard(channel)
                is_kept = is_sound and not self._is_closed and len(self._idle) < CONCURRENT_CALLS
                if is_kept:
                    self._idle.append(channel)
            if not is_kept:
                channel.abort()


def make_client(settings: OdooSettings) -> OdooClient:
    """The client the setting asks for."""
    if settings.rpc == "json2":
        from .json2 import Json2Client

        return Json2Client(settings)
    from .xmlrpc import XmlRpcClient

    return XmlRpcClient(settings)


def _forget(running: asyncio.Future[Any]) -> None:
    if not running.cancelled():
        running.exception()
