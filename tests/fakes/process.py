"""Start a stand-in and talk to its control channel: for tests and for the demonstration."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 60, 10


class ControlError(Exception):
    """The control channel said no."""


class FakeProcess:
    """`with FakeProcess("alipay", directory) as fake: fake.control("pay", out_trade_no=...)`."""

    def __init__(self, name: str, directory: Path, *options: str):
        self._command = [sys.executable, "-m", f"tests.fakes.{name}", "--state", str(directory), *options]
        self.directory = Path(directory)
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> FakeProcess:
        (self.directory / "ready.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(self._command, cwd=ROOT)
        ends = time.monotonic() + START_S
        while not (self.directory / "ready.json").exists():
            if self.process.poll() is not None or time.monotonic() > ends:
                self.__exit__()
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def config(self) -> dict:
        return json.loads((self.directory / "config.json").read_text(encoding="utf-8"))

    def control(self, action: str, **values) -> dict:
        config = self.config
        request = urllib.request.Request(
            f"{config['base_url']}/_control",
            json.dumps({"action": action} | values).encode(),
            {"X-Control-Token": config["control_token"], "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(json.load(error)["error"]) from None
