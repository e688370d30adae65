"""Wires to programs of other people: their Python, a free port, one request and its answer, a simulated meter behind a socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from meter_connector.codecs.dlt645_2007 import Decoder, Frame
from meter_connector.simulator import DEMO_SITE, read_site
from meter_connector.simulator.journal import Journal
from meter_connector.simulator.meters import Meter, World, make_meter
from meter_connector.simulator.scanners import Scanner645
from meter_connector.simulator.simtime import SimTime
from others import needs

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYTHON = Path(os.environ.get("METER_PEER_DLT645") or ROOT / ".local/independents/dlt645/bin/python")
NEEDS_PEER = needs(
    PYTHON.exists(), f"dlt645 3.2.0 is not installed at {PYTHON}: see tests/peers/requirements.txt"
)
ADDRESS = "202601000107"
NOON = 1795233600.0  # 2026-11-21 12:00 in Shanghai
PATIENCE_S = 10.0


@contextmanager
def peer(script: str, port: int, address: str) -> Iterator[subprocess.Popen[str]]:
    """A script under the peer's own Python; ended by the end of its input."""
    process = subprocess.Popen(
        [str(PYTHON), str(HERE / script), str(port), address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.communicate(timeout=PATIENCE_S)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Wire:
    """Our codec on a connection."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), PATIENCE_S)

    def ask(self, request: Frame | bytes, wait_s: float = PATIENCE_S) -> Frame | None:
        """The first frame that comes back, None when none comes in time."""
        self.connection.sendall(request.encode(4) if isinstance(request, Frame) else request)
        self.connection.settimeout(wait_s)
        decoder = Decoder()
        with suppress(TimeoutError):
            while data := self.connection.recv(4096):
                if found := decoder.feed(data):
                    return found[0]
        return None

    def close(self) -> None:
        self.connection.close()


class MeterSocket:
    """A simulated meter behind a listening socket, in a thread of its own."""

    def __init__(self, **row: Any) -> None:
        demo = yaml.safe_load(DEMO_SITE.read_text(encoding="utf-8"))
        link = {"kind": "tcp_client", "host": "127.0.0.1", "port": 1}
        bus = {"number": 1, "baudrate": 2400, "parity": "E", "link": link, "meters": [row]}
        document = {key: demo[key] for key in ("site", "models", "loads")}
        document |= {"seed": 7, "gateways": [{"code": "G", "name": "G", "link": link, "buses": [bus]}]}
        spec = next(iter(read_site(document).meters()))
        clock = SimTime(time.monotonic, NOON)
        self.meter: Meter = make_meter(spec, World(7, clock, Journal(clock.wall_ms)))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                scanner = Scanner645()
                while data := connection.recv(4096):
                    for frame in scanner.feed(data, time.monotonic()):
                        answer = self.meter.hear(frame)
                        if answer is not None:
                            connection.sendall(answer)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(PATIENCE_S)


def order(process: subprocess.Popen[str], *words: str) -> Any:
    """One line to the peer's master, one line back."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(words) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())
