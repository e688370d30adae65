"""The demo's front door: /websocket to the evented port, everything else to the workers, a clear answer when Odoo is away."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from stack import front
from stack.services import free_port

HOST = "127.0.0.1"
PATIENCE_S = 20


class Server(BaseHTTPRequestHandler):
    """Says who it is and what came, and closes, as Odoo's workers do; an upgraded connection stays and speaks."""

    name = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.name} {self.path} {len(body)}".encode())

    def do_GET(self) -> None:
        self.send_response(101)
        self.end_headers()
        while piece := self.connection.recv(100):
            self.wfile.write(piece.upper())

    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def server(name: str) -> Iterator[int]:
    """A server that calls itself `name`, on a port of its own."""
    with ThreadingHTTPServer((HOST, 0), type(name, (Server,), {"name": name})) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found.server_port
        found.shutdown()
        thread.join()


@contextlib.contextmanager
def front_door(http_port: int, evented_port: int) -> Iterator[int]:
    port = free_port()
    words = [sys.executable, front.__file__, *map(str, (port, http_port, evented_port))]
    with subprocess.Popen(words) as process:
        try:
            yield port
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def door() -> Iterator[int]:
    with server("workers") as workers, server("evented") as evented, front_door(workers, evented) as port:
        yield port


def connect(port: int) -> socket.socket:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection((HOST, port), PATIENCE_S)
        except ConnectionRefusedError:  # the door is not open yet
            assert time.monotonic() < deadline
            time.sleep(0.02)


def ask(port: int, path: str, body: bytes = b"") -> str:
    with connect(port) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        with connection.makefile("rb") as answer:
            return answer.read().decode()


def test_each_path_goes_where_odoo_serves_it(door: int) -> None:
    assert ask(door, "/web/login").endswith("workers /web/login 0")
    assert ask(door, "/xmlrpc/2/object", b"x" * 300_000).endswith("workers /xmlrpc/2/object 300000")
    assert ask(door, "/websocket?version=1").endswith("evented /websocket?version=1 0")


def test_a_websocket_stays_open_for_both_sides(door: int) -> None:
    with connect(door) as connection, connection.makefile("rb") as answer:
        connection.sendall(b"GET /websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        assert b"101" in answer.readline()
        while answer.readline().strip():
            pass
        for word in (b"one", b"two"):
            connection.sendall(word)
            assert answer.read(3) == word.upper()


def test_while_odoo_is_away_the_door_says_so() -> None:
    with front_door(free_port(), free_port()) as port:
        assert ask(port, "/web").startswith("HTTP/1.1 502")
