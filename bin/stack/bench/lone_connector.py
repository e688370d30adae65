"""The connector as it is started, with an Odoo beside it that acknowledges everything: a process of each."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from .. import layout
from ..services import Service, answers, free_port, own_by_service

OTHERS = Path(__file__).with_name("others")
TALLY = OTHERS / "odoo_tally.py"
SOURCES = {"PYTHONPATH": str(layout.CONNECTOR / "src")}


class LoneConnector:
    """`document`: the configuration it gets. `counts()` is what reached the Odoo: readings, calls, events."""

    def __init__(self, directory: Path, document: dict[str, Any]) -> None:
        self.page = free_port()
        self.health = free_port()
        port = free_port()
        configuration = directory / "document.json"
        configuration.write_text(json.dumps(document))
        settings = self._write_settings(directory, port)
        for path in (directory, configuration, settings, settings.with_suffix(".key")):
            own_by_service(path)
        words = [layout.PYTHON, TALLY, str(self.page), str(port), configuration]
        self.odoo = Service("The acknowledging Odoo", words, directory / "odoo.log")
        words = [layout.PYTHON, "-m", "meter_connector", "--config", settings, "run"]
        self.connector = Service("The connector", words, directory / "connector.log", SOURCES)

    def start(self) -> None:
        """Both; the connector asks for its configuration by itself."""
        self.odoo.start()
        self.odoo.wait_until(lambda: answers(page_url(self.page)), 10, "it listened")
        self.connector.start()

    def stop(self) -> None:
        """End both."""
        self.connector.stop()
        self.odoo.stop()

    def counts(self) -> dict[str, float]:
        """What the Odoo has got so far."""
        return page(self.page)

    def _write_settings(self, directory: Path, port: int) -> Path:
        key = directory / "connector.key"
        key.touch(0o600)
        key.write_text("bench\n")
        settings = directory / "connector.toml"
        settings.write_text(
            "\n".join(
                [
                    "[odoo]",
                    f'url = "http://127.0.0.1:{port}"',
                    'database = "bench"',
                    'login = "bench"',
                    'key_file = "connector.key"',
                    "[connector]",
                    f'data_dir = "{directory / "data"}"',
                    "[listen]",
                    'host = "127.0.0.1"',
                    "[nbiot]",
                    "port = 0",
                    "[health]",
                    'host = "127.0.0.1"',
                    f"port = {self.health}",
                    "",
                ]
            )
        )
        return settings


def page_url(port: int) -> str:
    """A page on loopback."""
    return f"http://127.0.0.1:{port}/"


def page(port: int) -> dict[str, Any]:
    """Its JSON."""
    with urllib.request.urlopen(page_url(port), timeout=10) as response:
        return json.load(response)
