"""Gateways call us: one listening port for all of them.

A caller says who it is by a registration packet, then sends heartbeats among its meters' bytes. Who has not said a known name within
the limits is sent away, and an event says so. A gateway that calls again (4G units do, after every loss of the radio) takes the
place of its older connection, whose end we may never hear of.

What strangers cost is bounded: so many at once, so many bytes, so long; when there are too many, the oldest silent ones of the busiest
address make room, so that a crowd locks nobody out. Nobody is refused for his address: a whole site may call from one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..errors import LinkError
from . import acrel
from .base import BaseLink, Wire
from .heartbeat import HeartbeatFilter
from .limiter import RateLimiter
from .registration import Registrar, Verdict, forms_of
from .tcp_client import StreamWire

_logger = logging.getLogger(__name__)

BACKLOG = 512
"""After a power cut a whole site calls in the same second."""


@dataclass(frozen=True)
class DialInLimits:
    """What an unknown caller may cost us."""

    max_pending: int = 512
    """More than the buses of 61 gateways, which all call in the same second after a power cut."""
    registration_s: float = 15.0
    max_bytes: int = 256
    settle_s: float = 0.2
    """A name that may be the beginning of a longer one waits this long for the rest."""
    banner_s: float = 2.0
    """What begins like no name may be a banner, and the name still follow."""
    logged_a_minute: int = 10
    replaced_a_minute: int = 20
    """Two boxes with one name take each other's place for ever; beyond this the newer one waits."""


@dataclass(frozen=True)
class Refusal:
    """A caller that was sent away."""

    peer: str
    reason: str
    data: bytes


BEATS_TO_KNOW = 3
SILENT_BEATS = 4
LEAST_SILENCE_S = 60.0
"""A unit whose heartbeat has come BEATS_TO_KNOW times and then stays away SILENT_BEATS times as long as ever before is gone: boxes in between
may keep its connection alive for hours."""


class DialInLink(BaseLink):
    """The place of one gateway; its connection comes from the listener."""

    def __init__(self, listener: DialInListener, registration: bytes, heartbeat: bytes = b"") -> None:
        super().__init__(f"dial-in {printable(registration)}", heartbeat)
        self.registration = registration
        self.forms = forms_of(registration)
        self.messages: deque[acrel.AcrelFrame] = deque(maxlen=20)
        """The latest messages of an Acrel meter that are no answers, for a person; `on_strange` of the listener hears of each."""
        self._listener = listener
        self._filter = HeartbeatFilter(heartbeat, *self.forms)
        self._replacements = RateLimiter(listener.limits.replaced_a_minute, 60.0, 1)
        self._beats = 0
        self._beat_at = 0.0
        self._longest_beat_s = 0.0
        self._silence: asyncio.TimerHandle | None = None

    @property
    def is_acrel(self) -> bool:
        """Is it one of Acrel's 4G meters?"""
        return self.registration.startswith(acrel.PREFIX)

    async def open(self) -> None:
        self._listener._add(self)

    async def close(self) -> None:
        self._listener._remove(self)
        await super().close()

    async def write(self, data: bytes) -> None:
        if isinstance(self._filter, acrel.AcrelFilter):
            data = self._filter.wrap(data)
        await super().write(data)

    def may_replace(self, now: float) -> bool:
        """May a newer connection take the place of this one's? Ask once for each."""
        if not self.connected:
            return True
        if not self._replacements.allow("", now):
            return False
        self.replaced += 1
        return True

    @property
    def caller(self) -> _Caller | None:
        """Whose connection it is at present."""
        return self._wire if isinstance(self._wire, _Caller) else None

    def speak_acrel(self, padded: bytes, now: Callable[[], datetime] | None) -> None:
        """The next connection is that of a meter with this serial number, twenty bytes."""
        self._filter = acrel.AcrelFilter(padded, self._reply, now, self._keep)

    def wire_attached(self, wire: Wire) -> None:
        self._beats = 0
        self._longest_beat_s = 0.0
        super().wire_attached(wire)

    def wire_fed(self, wire: Wire, data: bytes) -> None:
        before = self._filter.swallowed
        super().wire_fed(wire, data)
        if wire is self._wire and self._filter.swallowed > before:
            self._beat()

    def _drop(self, reason: str) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        super()._drop(reason)

    def _beat(self) -> None:
        """Learn how often it beats."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._beats:
            self._longest_beat_s = max(self._longest_beat_s, now - self._beat_at)
        self._beats += 1
        self._beat_at = now
        if self._beats >= BEATS_TO_KNOW and self._silence is None:
            self._watch_silence()

    def _watch_silence(self) -> None:
        """Bytes of meters count as well as beats."""
        loop = asyncio.get_running_loop()
        allowed_s = max(LEAST_SILENCE_S, SILENT_BEATS * self._longest_beat_s)
        left_s = self._heard_at + allowed_s - loop.time()
        if left_s <= 0:
            self._silence = None
            self._drop(f"no heartbeat for {allowed_s:.0f} s; taken for half-open")
        else:
            self._silence = loop.call_later(left_s + 0.01, self._watch_silence)

    def _keep(self, frame: acrel.AcrelFrame) -> None:
        self.messages.append(frame)
        if self._listener.on_strange is not None:
            self._listener.on_strange(self, frame.encode())

    def _reply(self, data: bytes) -> None:
        """To a message of the meter itself, not to a request of ours."""
        if self._wire is not None:
            try:
                self._wire.write(data)
            except OSError as error:
                _logger.debug("%s: not answered: %s", self.name, error)


class DialInListener:
    """Accepts callers and leads them to their links. `now`: local time of the site, for meters that ask for it; None = they are not told."""

    def __init__(
        self,
        host: str = "0.0.0.0",  # noqa: S104 - gateways call from outside; the settings file narrows it
        port: int = 0,
        limits: DialInLimits | None = None,
        on_refused: Callable[[Refusal], None] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.limits = limits or DialInLimits()
        self.refused = 0
        self.reasons: Counter[str] = Counter()
        self.now = now
        self.on_strange: Callable[[DialInLink, bytes], None] | None = None
        """Told of messages that answer nothing and that nobody here can read."""
        self.on_replaced: Callable[[DialInLink, str, str], None] | None = None
        """Told of a connection that took the place of one from another host: link, its peer, the former peer."""
        self._on_refused = on_refused
        self._links: dict[bytes, DialInLink] = {}
        self._forms: dict[bytes, DialInLink] = {}
        self._registrar: Registrar | None = None
        self._has_acrel = False
        self._callers: dict[_Caller, None] = {}
        self._loud = RateLimiter(self.limits.logged_a_minute, 60.0)
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
            self._server = await loop.create_server(
                lambda: _Caller(self), self.host, self.port, backlog=BACKLOG
            )
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
        for form in link.forms:
            if self._forms.get(form, link) is not link:
                raise LinkError(f"{link.name}: two gateways have the same registration packet")
        self._links[link.registration] = link
        self._forms.update(dict.fromkeys(link.forms, link))
        self._registrar = None

    def _remove(self, link: DialInLink) -> None:
        if self._links.get(link.registration) is link:
            del self._links[link.registration]
            for form in link.forms:
                self._forms.pop(form, None)
            self._registrar = None

    def _known(self) -> Registrar:
        """Made anew for the first caller after a change."""
        if self._registrar is None:
            names = {form: link.heartbeat for form, link in self._forms.items() if not link.is_acrel}
            self._registrar = Registrar(names)
            self._has_acrel = len(names) < len(self._forms)
        return self._registrar

    def _enter(self, caller: _Caller) -> None:
        """Somebody calls; when too many do, the one who has been silent longest at the busiest address makes room."""
        self._callers[caller] = None
        if len(self._callers) <= self.limits.max_pending:
            return
        hosts = Counter(each.host for each in self._callers)
        busiest = max(hosts.values())
        gone = next(each for each in self._callers if hosts[each.host] == busiest)
        self._refuse(gone, "too many callers at once have not said who they are")

    def _judge(self, caller: _Caller, *, is_final: bool = False) -> None:
        """Look at what the caller has said so far, or the beginning of it: all of it may be far more than a name."""
        said = bytes(caller.said[: self.limits.max_bytes])
        registrar = self._known()
        if said[:1] == acrel.HEAD[:1] and self._judge_acrel(caller):
            return
        if said.startswith(acrel.GATEWAY_HEAD):
            self._refuse(caller, "an Acrel concentrator (1F1F): its messages are not documented")
            return
        verdict, form, rest = registrar.judge(said, is_final=is_final)
        if verdict is Verdict.KNOWN:
            self._welcome(caller, self._forms[form], len(said) - len(rest))
        elif len(caller.said) > self.limits.max_bytes:
            self._refuse(caller, f"no registration packet within {self.limits.max_bytes} bytes")
        elif verdict is Verdict.AMBIGUOUS:
            caller.settle(self.limits.settle_s)
        elif verdict is Verdict.UNKNOWN:
            if is_final:
                self._refuse(caller, "no gateway has this registration packet")
            else:
                caller.settle(self.limits.banner_s)

    def _judge_acrel(self, caller: _Caller) -> bool:
        """Is it (perhaps) one of Acrel's 4G meters? Then it is dealt with here."""
        said = bytes(caller.said[: acrel.MAX_FRAME])
        if not self._has_acrel:
            return False
        frame, size, is_open = acrel.take_frame(said)
        if frame is None:
            return is_open and len(said) < self.limits.max_bytes
        serial = acrel.serial_of(frame)
        link = self._forms.get(acrel.PREFIX + serial)
        if not serial or link is None:
            self._refuse(caller, f"no gateway is acrel:{printable(serial)}")
            return True
        link.speak_acrel(frame.payload[: acrel.SERIAL_SIZE], self.now)
        self._welcome(caller, link, size, acrel.REGISTERED)
        return True

    def _welcome(self, caller: _Caller, link: DialInLink, consumed: int, greeting: bytes = b"") -> None:
        if not link.may_replace(asyncio.get_running_loop().time()):
            self._refuse(caller, "the same gateway calls again and again; two may have the same name")
            return
        former = link.caller
        if former is not None and former.host != caller.host and self.on_replaced is not None:
            self.on_replaced(link, caller.peer, former.peer)
        self._callers.pop(caller, None)
        rest = bytes(caller.said[consumed:])
        caller.said.clear()
        caller.become(link)
        if greeting:
            link._reply(greeting)
        if rest:
            link.wire_fed(caller, rest)

    def _refuse(self, caller: _Caller, reason: str) -> None:
        """Every one is counted; so many a minute and address are logged and told."""
        self.refused += 1
        self.reasons[reason.split(":")[0][:60]] += 1
        refusal = Refusal(caller.peer, reason, bytes(caller.said[: self.limits.max_bytes]))
        caller.drop()
        now = asyncio.get_running_loop().time()
        if not self._loud.allow(caller.host, now):
            return
        left_out = self._loud.take_left_out(caller.host)
        more = f" ({left_out} more of this address since)" if left_out else ""
        said = refusal.data[:64].hex(" ").upper()
        _logger.warning("caller %s refused: %s (said %s)%s", refusal.peer, reason, said, more)
        if self._on_refused is not None:
            self._on_refused(refusal)


class _Caller(StreamWire):
    """A connection that came in; first nobody's, then the wire of a link."""

    def __init__(self, listener: DialInListener) -> None:
        super().__init__()
        self.said = bytearray()
        self.peer = self.host = "?"
        self._listener = listener
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if name := transport.get_extra_info("peername"):
            self.host = str(name[0])
            self.peer = f"{name[0]}:{name[1]}"
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._listener.limits.registration_s, self._too_late)
        self._listener._enter(self)

    def data_received(self, data: bytes) -> None:
        if self.link is not None:
            super().data_received(data)
        elif self._timer is not None:
            self.said += data
            self._stop_settling()
            self._listener._judge(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._listener._callers.pop(self, None)
        super().connection_lost(exc)

    def become(self, link: DialInLink) -> None:
        """From now on this is the gateway's connection."""
        self._stop_timers()
        self.link = link
        link.wire_attached(self)

    def drop(self) -> None:
        """Send away."""
        self._stop_timers()
        self._listener._callers.pop(self, None)
        self.abort()

    def settle(self, seconds: float) -> None:
        """What was said is judged finally unless more comes."""
        loop = asyncio.get_running_loop()
        self._stop_settling()
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
