"""An Odoo that speaks real HTTP: XML-RPC and JSON-2 on the same port, keeps what it gets by the seam's rules, and has moods.

It knows readings by (circuit, time), results and events by their identity, so that a test can ask what counted, and how often.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
import xmlrpc.client
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from meter_connector.simulator.odoo_book import OdooBook

DATABASE, LOGIN, KEY, UID = "estate", "connector", "key-0123456789abcdef", 7


@dataclass(frozen=True)
class Mood:
    """How the next call of a method goes. `body` replaces the answer; `status` other than 200 is a proxy or an Odoo refusing."""

    delay_s: float = 0.0
    status: int = 200
    body: bytes | None = None
    cut_after: int | None = None
    drip_s: float = 0.0
    fault: tuple[int, str] | None = None
    answer: Any = None
    is_lost: bool = False
    """The call is carried out, but its answer never arrives."""


@dataclass
class FakeOdoo(OdooBook):
    """`with FakeOdoo() as odoo:`"""

    server_tls: ssl.SSLContext | None = None
    connections: int = 0
    is_closing_idle: bool = False

    def __post_init__(self) -> None:
        self.moods: dict[str, deque[Mood]] = defaultdict(deque)
        self.changed = threading.Condition()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self._live: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self.server_tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> FakeOdoo:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; on the former port after a stop."""
        handler = type("Handler", (_Handler,), {"odoo": self})
        _Server.allow_reuse_address = True
        self._server = _Server(("127.0.0.1", self.port), handler)
        self._server.odoo = self  # type: ignore[attr-defined]
        if self.server_tls:
            self._server.socket = self.server_tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Go away: the port is closed and live connections are cut."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        for sock in list(self._live):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def mood(self, method: str, *moods: Mood) -> None:
        """Queue moods for the next calls of a method."""
        self.moods[method].extend(moods)

    def order(self, order_id: int, kind: str = "switch_on", generation: int = 1, **more: Any) -> None:
        with self.changed:
            super().order(order_id, kind, generation, **more)

    def wait(self, predicate: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        """Until something is so; woken by every call."""
        with self.changed:
            if not self.changed.wait_for(predicate, timeout_s):
                raise AssertionError(
                    f"did not come true within {timeout_s} s; calls: {[name for name, _ in self.calls][-20:]}"
                )
            return predicate()

    async def until(self, predicate: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        """`wait` for the event loop."""
        return await asyncio.to_thread(self.wait, predicate, timeout_s)

    def serve(self, method: str, payload: dict[str, Any]) -> Any:
        with self.changed:
            try:
                return super().serve(method, payload)
            finally:
                self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        self.odoo.connections += 1  # type: ignore[attr-defined]
        self.odoo._live.add(sock)  # type: ignore[attr-defined]
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self.odoo._live.discard(request)  # type: ignore[attr-defined]
        super().shutdown_request(request)

    def handle_error(self, *_args: Any) -> None:
        """A client that left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    odoo: FakeOdoo

    def log_message(self, *_args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/json/2/"):
            self._json2(body)
        else:
            self._xmlrpc(body)
        if self.odoo.is_closing_idle:
            self.close_connection = True

    def _xmlrpc(self, body: bytes) -> None:
        params, name = xmlrpc.client.loads(body.decode())
        if self.path.endswith("/common"):
            mood = self._mood("authenticate")
            ok = params[:3] == (DATABASE, LOGIN, KEY)
            self._answer(mood, _xml(UID if ok else False))
            return
        assert name == "execute_kw"
        database, uid, key, model, method, args = params
        if (database, uid, key, model) != (DATABASE, UID, KEY, "meter.connector"):
            self._answer(Mood(), _fault(3, "Access Denied"))
            return
        mood = self._mood(method)
        if mood.fault:
            self._answer(mood, _fault(*mood.fault))
            return
        try:
            result = mood.answer if mood.answer is not None else self.odoo.serve(method, args[0])
        except RuntimeError as error:
            self._answer(mood, _fault(1, f"Traceback:\n{error!r}"))
            return
        self._answer(mood, _xml(result))

    def _json2(self, body: bytes) -> None:
        method = self.path.rpartition("/")[2]
        if self.headers["Authorization"] != f"bearer {KEY}" or self.headers["X-Odoo-Database"] != DATABASE:
            error = {
                "name": "werkzeug.exceptions.Unauthorized",
                "message": "Invalid apikey",
                "arguments": [],
                "context": {},
            }
            self._answer(Mood(status=401), json.dumps(error).encode())
            return
        mood = self._mood(method)
        if mood.fault:
            name = {3: "odoo.exceptions.AccessDenied", 4: "odoo.exceptions.AccessError"}.get(
                mood.fault[0], "builtins.ValueError"
            )
            status = {3: 403, 4: 403}.get(mood.fault[0], 500)
            body = json.dumps({"name": name, "message": mood.fault[1], "debug": "Traceback..."}).encode()
            self._answer(Mood(status=status), body)
            return
        result = (
            mood.answer if mood.answer is not None else self.odoo.serve(method, json.loads(body)["payload"])
        )
        self._answer(mood, json.dumps(result).encode())

    def _mood(self, method: str) -> Mood:
        with self.odoo.changed:
            waiting = self.odoo.moods[method]
            mood = waiting.popleft() if waiting else Mood()
        time.sleep(mood.delay_s)
        return replace(mood, cut_after=0) if mood.is_lost else mood

    def _answer(self, mood: Mood, body: bytes) -> None:
        body = mood.body if mood.body is not None else body
        if mood.cut_after == 0:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(mood.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if mood.cut_after is not None:
            self.wfile.write(body[: mood.cut_after])
            self.close_connection = True
        elif mood.drip_s:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(mood.drip_s)
        else:
            self.wfile.write(body)


def _xml(value: Any) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()


def _fault(code: int, text: str) -> bytes:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, text)).encode()
