"""Gateways call us: one listening port for all of them.

A caller says who it is by a registration packet, then sends heartbeats among its meters' bytes. Who has not said a known name within
the limits is sent away, and an event says so. A gateway that calls again (4G units do, after every loss of the radio) takes the
place of its older connection, whose end we may never hear of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import LinkError
from .base import BaseLink
from .registration import Registrar, Verdict
from .tcp_client import StreamWire

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DialInLimits:
    """What an unknown caller may cost us."""

    max_pending: int = 64
    registration_s: float = 15.0
    max_bytes: int = 256
    settle_s: float = 0.2
    """A name that is also the beginning of another known name waits this long for the rest."""


@dataclass(frozen=True)
class Refusal:
    """A caller that was sent away."""

    peer: str
    reason: str
    data: bytes


class DialInLink(BaseLink):
    """The place of one gateway; its connection comes from the listener."""

    def __init__(self, listener: DialInListener, registration: bytes, heartbeat: bytes = b"") -> None:
        super().__init__(f"dial-in {printable(registration)}", heartbeat)
        self.registration = registration
        self._listener = listener

    async def open(self) -> None:
        self._listener._add(self)

    async def close(self) -> None:
        self._listener._remove(self)
        await super().close()


class DialInListener:
    """Accepts callers and leads them to their links."""

    def __init__(
        self,
        host: str = "0.0.0.0",  # noqa: S104 - gateways call from outside; the settings file narrows it
        port: int = 0,
        limits: DialInLimits | None = None,
        on_refused: Callable[[Refusal], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.limits = limits or DialInLimits()
        self.refused = 0
        self._on_refused = on_refused
        self._links: dict[bytes, DialInLink] = {}
        self._registrar = Registrar({})
        self._callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Is it listening?"""
        return self._server is not None

    @property
    def pending(self) -> int:
        """Callers that have not yet said who they are."""
        return len(self._callers)

    async def open(self) -> None:
        """Listen; `port` then holds the real one. LinkError when the address cannot be had."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Caller(self), self.host, self.port)
        except OSError as error:
            raise LinkError(
                f"cannot listen on {self.host}:{self.port} for dial-in gateways: {error}"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        _logger.info("listening for dial-in gateways on %s:%s", self.host, self.port)

    async def close(self) -> None:
        """Stop listening and send away who is still pending; the links keep their connections until they close."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for caller in list(self._callers):
            caller.drop()

    def _add(self, link: DialInLink) -> None:
        if link.registration in self._links and self._links[link.registration] is not link:
            raise LinkError(f"{link.name}: two gateways have the same registration packet")
        self._links[link.registration] = link
        self._learn()

    def _remove(self, link: DialInLink) -> None:
        if self._links.get(link.registration) is link:
            del self._links[link.registration]
            self._learn()

    def _learn(self) -> None:
        self._registrar = Registrar({link.registration: link.heartbeat for link in self._links.values()})

    def _enter(self, caller: _Caller) -> bool:
        """May this caller stay to say who it is?"""
        if len(self._callers) >= self.limits.max_pending:
            self._refuse(caller, "too many callers at once have not said who they are")
            return False
        self._callers.add(caller)
        return True

    def _judge(self, caller: _Caller, is_final: bool = False) -> None:
        """Look at what the caller has said so far."""
        verdict, registration, rest = self._registrar.judge(bytes(caller.said), is_final=is_final)
        if verdict is Verdict.KNOWN:
            self._welcome(caller, self._links[registration], rest)
        elif verdict is Verdict.UNKNOWN:
            self._refuse(caller, "no gateway has this registration packet")
        elif len(caller.said) > self.limits.max_bytes:
            self._refuse(caller, f"no registration packet within {self.limits.max_bytes} bytes")
        elif verdict is Verdict.AMBIGUOUS:
            caller.settle(self.limits.settle_s)

    def _welcome(self, caller: _Caller, link: DialInLink, rest: bytes) -> None:
        self._callers.discard(caller)
        caller.become(link)
        if rest:
            link.wire_fed(caller, rest)

    def _refuse(self, caller: _Caller, reason: str) -> None:
        self.refused += 1
        refusal = Refusal(caller.peer, reason, bytes(caller.said[: self.limits.max_bytes]))
        _logger.warning(
            "caller %s refused: %s (said %s)", refusal.peer, reason, refusal.data.hex(" ").upper()
        )
        caller.drop()
        if self._on_refused is not None:
            self._on_refused(refusal)


class _Caller(StreamWire):
    """A connection that came in; first nobody's, then the wire of a link."""

    def __init__(self, listener: DialInListener) -> None:
        super().__init__()
        self.said = bytearray()
        self.peer = "?"
        self._listener = listener
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if name else "?"
        if self._listener._enter(self):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._listener.limits.registration_s, self._too_late)

    def data_received(self, data: bytes) -> None:
        if self.link is not None:
            super().data_received(data)
        elif self._timer is not None:
            self.said += data
            self._stop_settling()
            self._listener._judge(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._listener._callers.discard(self)
        super().connection_lost(exc)

    def become(self, link: DialInLink) -> None:
        """From now on this is the gateway's connection."""
        self._stop_timers()
        self.link = link
        link.wire_attached(self)

    def drop(self) -> None:
        """Send away."""
        self._stop_timers()
        self._listener._callers.discard(self)
        self.abort()

    def settle(self, seconds: float) -> None:
        """What was said is a name already, but may become a longer one."""
        loop = asyncio.get_running_loop()
        self._settling = loop.call_later(seconds, lambda: self._listener._judge(self, is_final=True))

    def _too_late(self) -> None:
        self._listener._refuse(
            self, f"no registration packet within {self._listener.limits.registration_s:g} s"
        )

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _stop_timers(self) -> None:
        self._stop_settling()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def printable(packet: bytes) -> str:
    """A registration packet for people: as text when it is text, else as `hex:…`."""
    if packet and all(0x20 <= byte < 0x7F for byte in packet):
        return packet.decode("ascii")
    return f"hex:{packet.hex().upper()}"
