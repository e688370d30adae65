"""The product as it is started: real processes, a real simulated site."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "src"
COMMAND = [sys.executable, "-W", "error", "-m", "meter_connector"]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("METER_CONNECTOR")}
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **more}


def command(
    *words: object, stdin: str | None = None, timeout_s: float = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment(**variables),
        check=False,
    )


@contextlib.contextmanager
def process(log: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A process that goes on; ended at the latest here. Its output goes to a file."""
    with open(log, "a", encoding="utf-8") as output:
        child = subprocess.Popen(
            [*COMMAND, *map(str, words)], stdout=output, stderr=output, text=True, env=environment()
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_until(true: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """For what another process does: its files and pages are looked at."""
    deadline = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get_json(url: str, body: Any = None) -> Any:
    """GET, or POST with a body. None while nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return None
