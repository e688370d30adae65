"""The simulated payment gateways beside the demo: WeChat Pay and Alipay, each a process of `tests/fakes`."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from . import layout
from .services import Service, own_by_service

READY_TIMEOUT_S = 60
TITLES = {"wechatpay": "The simulated WeChat Pay", "alipay": "The simulated Alipay"}


class PayGateway:
    """One gateway. Its keys are made anew at each start and go with it.

    code: "wechatpay" or "alipay". directory: where it writes how to reach it and the keys of its merchant.
    """

    def __init__(self, code: str, directory: Path, log: Path):
        self.code = code
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        own_by_service(self.directory)
        words: list[str | Path] = [layout.PYTHON, "-m", f"tests.fakes.{code}", "--port", "0"]
        words += ["--state", self.directory, "--early-bills"]
        self.service = Service(TITLES[code], words, log, env={"PYTHONPATH": str(layout.ROOT)})

    def start(self) -> None:
        ready = self.directory / "ready.json"
        ready.unlink(missing_ok=True)
        self.service.start()
        self.service.wait_until(ready.exists, READY_TIMEOUT_S, "it listened")

    @property
    def config(self) -> dict[str, Any]:
        """What a merchant is configured with: addresses, numbers, keys."""
        return json.loads((self.directory / "config.json").read_text())

    def command(self, action: str, **values: Any) -> dict[str, Any]:
        """Tell the gateway what a payer does, or to fail. Raises HTTPError when it refuses."""
        config = self.config
        request = urllib.request.Request(  # noqa: S310 - our own process on loopback
            f"{config['base_url']}/_control",
            json.dumps({"action": action, **values}).encode(),
            {"X-Control-Token": config["control_token"], "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())
