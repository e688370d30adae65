"""The HTTP endpoint that platforms push to: `POST /nbiot/<token>/ctwing` and `/nbiot/<token>/onenet`, `GET` of the latter to test it.

aiohttp serves it, as it serves the health page: nothing new to install, and its parser bounds lines and headers. What it leaves open is
bounded here: connections, the time of a request (slow senders), the body, and how loudly wrong requests are logged.

    200 on the disk (or known already) · 400 not JSON · 401 signature · 403 wrong token, address not allowed · 404, 405 wrong path or method
    408 body too slow · 411, 413 length · 415 encoding · 422 not a report · 429 too many wrong requests · 503 the disk is full: push again

TLS ends at a proxy in front (docs/protocols/nbiot.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import LinkError, OutboxError
from ..transports.limiter import RateLimiter
from . import ctwing, onenet
from .push import MAX_BODY, Push, PushRefused

_logger = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Take = Callable[[list[Push]], Awaitable[int]]
PREFIX = "nbiot"


@dataclass(frozen=True)
class EndpointLimits:
    """What strangers may cost us. OneNET waits 5 s for its answer: we say something before that."""

    max_connections: int = 64
    header_s: float = 5.0
    """From the connection, or the last answer, to the end of the next request's head (CTWing and OneNET keep connections or not)."""
    body_s: float = 3.0
    store_s: float = 4.0
    idle_s: float = 30.0
    max_body: int = MAX_BODY
    wrong_a_minute: int = 30


@dataclass(frozen=True)
class EndpointSettings:
    """Who may push: `token_sha256` of the path's token as 64 hexadecimal digits, `onenet_token` as typed into OneNET, `allowed` networks
    (empty = all; behind a proxy it is the proxy that must look)."""

    host: str = "127.0.0.1"
    port: int = 0
    token_sha256: str = ""
    onenet_token: str = field(default="", repr=False)
    allowed: tuple[Network, ...] = ()


class Endpoint:
    """Listens from `open` to `close`; hands good reports to `take`, which returns how many were new once they are on the disk."""

    def __init__(self, settings: EndpointSettings, take: Take, limits: EndpointLimits | None = None) -> None:
        self.settings = settings
        self.limits = limits or EndpointLimits()
        self.counts: Counter[str] = Counter()
        self.port = settings.port
        self._take = take
        self._loud = RateLimiter(self.limits.wrong_a_minute, 60.0)
        self._guards: dict[asyncio.BaseTransport, _Guard] = {}
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Is it listening?"""
        return self._server is not None

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._guards)

    async def open(self) -> None:
        """Listen; `port` then holds the real one. LinkError when the address cannot be had."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        quiet = logging.Logger(f"{__name__}.http")
        quiet.parent = _logger
        quiet.addFilter(self._is_worth_a_line)
        self._web = inner = web.Server(
            self.handle,
            access_log=None,
            keepalive_timeout=self.limits.idle_s,
            lingering_time=1.0,
            logger=quiet,
        )
        try:
            self._server = await loop.create_server(
                lambda: _Guard(self, inner()), self.settings.host, self.settings.port
            )
        except OSError as error:
            raise LinkError(
                f"cannot listen on {self.settings.host}:{self.settings.port} for NB-IoT platforms: {error}"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        _logger.info("listening for NB-IoT platforms on %s:%s", self.settings.host, self.port)

    async def close(self) -> None:
        """Stop listening; a report in hand still gets its answer, for a moment."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._web is not None:
            await self._web.shutdown(1.0)
        for guard in list(self._guards.values()):
            guard.abort()

    def _is_worth_a_line(self, record: logging.LogRecord) -> bool:
        """aiohttp logs every stranger that does not speak HTTP with a traceback: they are counted."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        self.counts["refused"] += 1
        self.counts["refused_not_http"] += 1
        return False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, always answered."""
        guard = self._guards.get(request.transport) if request.transport is not None else None
        if guard is not None:
            guard.met()
        try:
            return await self._respond(request)
        finally:
            if guard is not None and request.transport is not None:
                guard.expect(self.limits.idle_s)

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        try:
            text = await self._answer(request)
        except PushRefused as refused:
            return self._refuse(request, refused)
        except OutboxError as error:
            _logger.error("a report could not be kept, the platform will push it again: %s", error)
            self.counts["not_kept"] += 1
            return web.Response(status=503, text="cannot be kept at present\n", headers={"Retry-After": "60"})
        return web.Response(text=text)

    async def _answer(self, request: web.BaseRequest) -> str:
        platform = self._check_path(request)
        if request.method == "GET" and platform == onenet.PLATFORM:
            self.counts["address_checks"] += 1
            return onenet.check_address(request.query, self.settings.onenet_token)
        if request.method != "POST":
            raise PushRefused(405, "method", "POST")
        body = await self._body(request)
        if platform == ctwing.PLATFORM:
            pushes = ctwing.parse(body)
        else:
            pushes = onenet.parse(body, self.settings.onenet_token)
        try:
            async with asyncio.timeout(self.limits.store_s):
                new = await self._take(pushes)
        except TimeoutError:
            raise PushRefused(503, "slow_disk", "the disk is slow; push again") from None
        self.counts[f"{platform}_pushes"] += len(pushes)
        self.counts["repeated"] += len(pushes) - new
        return "ok"

    def _check_path(self, request: web.BaseRequest) -> str:
        """The platform; the token is compared without telling by its time how much of it was right."""
        self._check_peer(request)
        parts = request.path.split("/")
        if len(parts) != 4 or parts[1] != PREFIX:
            raise PushRefused(404, "path", "nothing here")
        given = hashlib.sha256(parts[2].encode("utf-8", "surrogatepass")).hexdigest()
        wanted = self.settings.token_sha256.lower()
        if len(wanted) != 64 or not wanted.isascii() or not hmac.compare_digest(given, wanted):
            raise PushRefused(403, "token", "wrong token in the address")
        if parts[3] not in (ctwing.PLATFORM, onenet.PLATFORM):
            raise PushRefused(404, "path", f"platforms are {ctwing.PLATFORM} and {onenet.PLATFORM}")
        return parts[3]

    def _check_peer(self, request: web.BaseRequest) -> None:
        if not self.settings.allowed:
            return
        try:
            address = ipaddress.ip_address(request.remote or "")
        except ValueError:
            raise PushRefused(403, "peer", "this address may not push") from None
        if not any(address in network for network in self.settings.allowed):
            raise PushRefused(403, "peer", "this address may not push")

    async def _body(self, request: web.BaseRequest) -> bytes:
        """The whole body, bounded in size and time, whether its length is announced or not."""
        limit = self.limits.max_body
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise PushRefused(415, "encoding", "compressed bodies are not taken")
        if (request.content_length or 0) > limit:
            raise PushRefused(413, "too_large", f"at most {limit} bytes")
        if request.content_length is None and not request.body_exists:
            raise PushRefused(411, "no_body", "a body belongs to it")
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limit:
                        raise PushRefused(413, "too_large", f"at most {limit} bytes")
        except TimeoutError:
            raise PushRefused(408, "slow_body", f"the body took over {self.limits.body_s:g} s") from None
        except web.RequestPayloadError:
            raise PushRefused(400, "broken_body", "the body ended early or is damaged") from None
        return bytes(body)

    def _refuse(self, request: web.BaseRequest, refused: PushRefused) -> web.Response:
        """Counted always, logged within reason; who is wrong too often learns no more than that."""
        self.counts["refused"] += 1
        self.counts[f"refused_{refused.reason}"] += 1
        now = asyncio.get_running_loop().time()
        peer = request.remote or "?"
        status, text = refused.status, str(refused)
        if self._loud.allow(peer, now):
            left_out = self._loud.take_left_out(peer)
            more = f" ({left_out} more since)" if left_out else ""
            _logger.warning("NB-IoT push from %s refused: %s %s%s", peer, status, text, more)
        elif refused.reason in ("token", "path", "peer", "bad_signature"):
            status, text = 429, "too many wrong requests"
        headers = {"Allow": "POST"} if status == 405 else {}
        response = web.Response(status=status, text=text + "\n", headers=headers)
        response.force_close()
        return response


class _Guard(asyncio.Protocol):
    """Stands before aiohttp's connection with two bounds that it does not have: how many there are, and how long a request's head may take."""

    def __init__(self, endpoint: Endpoint, inner: asyncio.Protocol) -> None:
        self._endpoint = endpoint
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        endpoint = self._endpoint
        endpoint._guards[transport] = self
        self._inner.connection_made(transport)
        if len(endpoint._guards) > endpoint.limits.max_connections:
            self._end("crowd")
        else:
            self.expect(endpoint.limits.header_s)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.met()
        if self._transport is not None:
            self._endpoint._guards.pop(self._transport, None)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def expect(self, seconds: float) -> None:
        """The head of a request must be here within so long."""
        self.met()
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(seconds, self._end, "slow_head")

    def met(self) -> None:
        """It is here; its body has its own time."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def _end(self, reason: str) -> None:
        self._endpoint.counts["refused"] += 1
        self._endpoint.counts[f"refused_{reason}"] += 1
        self.met()
        self.abort()
