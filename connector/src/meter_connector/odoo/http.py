"""One HTTP connection that is kept, with a time limit for the whole exchange, a size limit, verified TLS, and a way to break it off.

Plain `http.client`: what XML-RPC and JSON-2 need of HTTP is one POST, and every limit above must hold for both.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from .. import __version__
from ..errors import OdooAnswerError, OdooTlsError, OdooUnreachableError

CHUNK = 65536
CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A configuration of 100,000 meters is about 40 MB; more is not our Odoo."""


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    body: bytes
    retry_after: str = ""


class HttpConnection:
    """Used by one thread at a time; `abort` may come from another."""

    def __init__(self, url: str, ca_file: str = "") -> None:
        self.base = url
        self._url = urllib.parse.urlsplit(url)
        self._ca_file = ca_file
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def post(self, path: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Answer:
        """`deadline` is time.monotonic(). Raises OdooUnreachableError, OdooTlsError, OdooAnswerError."""
        is_reused = self._connection is not None and self._connection.sock is not None
        try:
            return self._exchange(path, body, headers, deadline)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            if not is_reused or self._is_aborted:
                raise self._unreachable(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(error) from error
        # The server closed a connection that was idle, as it may; a fresh one tells the truth.
        self._drop()
        try:
            return self._exchange(path, body, headers, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(error) from error

    def abort(self) -> None:
        """Break off whatever is under way, for good."""
        self._is_aborted = True
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._drop()

    def _exchange(self, path: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Answer:
        connection = self._connected(deadline)
        agent = {"User-Agent": f"meter-connector/{__version__}"}
        connection.request("POST", self._url.path.rstrip("/") + path, body, {**agent, **headers})
        response = connection.getresponse()
        answer = self._body(response, deadline)
        return Answer(response.status, answer, response.headers.get("Retry-After", ""))

    def _connected(self, deadline: float) -> http.client.HTTPConnection:
        remaining = _remaining(deadline)
        if self._is_aborted:
            raise ConnectionAbortedError("broken off")
        if self._connection is None:
            self._connection = self._new_connection()
        connection = self._connection
        if connection.sock is None:
            connection.timeout = min(CONNECT_TIMEOUT_S, remaining)
            connection.connect()  # sets TCP_NODELAY itself
            self._socket = connection.sock
            if self._is_aborted:  # meanwhile, when there was no socket yet that `abort` could have shut
                raise ConnectionAbortedError("broken off")
        if self._socket is not None:
            self._socket.settimeout(_remaining(deadline))
        return connection

    def _new_connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, context=tls_context(self._ca_file))
        return http.client.HTTPConnection(host, self._url.port)

    def _body(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := response.read1(CHUNK):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                self._drop()
                raise OdooAnswerError(f"{self.base}: an answer of more than {MAX_ANSWER_BYTES} bytes")
            if self._socket is not None and self._socket.fileno() >= 0:
                self._socket.settimeout(_remaining(deadline))
        if response.length:
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        response.close()  # read1 leaves it open, and the connection would not take another request
        return b"".join(parts)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._socket = None

    def _unreachable(self, error: Exception) -> OdooUnreachableError:
        self._drop()
        if isinstance(error, ssl.SSLCertVerificationError):
            return OdooTlsError(
                f"{self.base}: certificate refused: {error.verify_message}; install its authority's certificate or name the file"
                " in odoo.ca_file"
            )
        return OdooUnreachableError(f"{self.base}: {error or type(error).__name__}")


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Certificates are verified, always; a private authority is named by file, never switched off."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("timed out")
    return remaining
