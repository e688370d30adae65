"""A long-running process of the stack: started as the service user, watched, ended by its pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from . import layout
from .console import StackError
from .system import demoted, is_root, service_env


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def own_by_service(path: Path) -> None:
    """Hand a file or directory made by root to the service user."""
    if is_root():
        shutil.chown(path, layout.SERVICE_USER, layout.SERVICE_USER)


class Service:
    """One process with its log file.

    It runs in a session of its own, so that Ctrl-C reaches the caller first, and gets SIGTERM when the
    caller dies without saying goodbye.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, env: dict[str, str] | None = None
    ):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = log
        self.env = env or {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [*guard, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=service_env(**self.env),
                cwd=layout.VAR,
                start_new_session=True,
                **demoted(),
            )

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for `ready()`; a process that ended meanwhile is told with the last lines of its log."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.is_running:
                raise StackError(f"{self.name} ended before {what}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name}: {what} did not happen within {timeout_s:.0f} s.\n{self.tail()}"
                )
            time.sleep(0.1)

    def stop(self, timeout_s: float = 25) -> None:
        """SIGTERM, then SIGKILL to the whole session when it does not end in time."""
        if not self.process:
            return
        if self.is_running:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and all it started: what a power failure does."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return (
            "\n".join(f"    | {line}" for line in text.strip().splitlines()[-lines:]) + f"\n    ({self.log})"
        )


def answers(url: str) -> bool:
    """Whether an HTTP server at `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
