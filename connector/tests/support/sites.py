"""A simulated site that runs, and the home of a connector that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meter_connector.simulator import DEMO_SITE, load_site
from meter_connector.simulator.config_document import config_document
from processes import get_json

SCHEDULE = {"energy_s": 5, "live_s": 5, "switch_s": 5}


@dataclass
class Site:
    """A running simulated site."""

    ready: dict[str, Any]
    dial_in_port: int

    @property
    def control(self) -> str:
        return f"http://{self.ready['control']['host']}:{self.ready['control']['port']}"

    def document(self) -> dict[str, Any]:
        return config_document(load_site(DEMO_SITE), self.ready, SCHEDULE)

    def meters(self) -> Iterator[dict[str, Any]]:
        for gateway in self.document()["gateways"]:
            for bus in gateway["buses"]:
                for meter in bus["meters"]:
                    yield {**meter, "bus": bus}

    def one(self, protocol: str = "dlt645-2007", kind: str = "tcp_client") -> dict[str, Any]:
        """A switched meter of a protocol on a kind of link."""
        models = self.document()["models"]
        return next(
            meter
            for meter in self.meters()
            if models[meter["model"]]["protocol"] == protocol
            and models[meter["model"]].get("switch")
            and meter["bus"]["link"]["kind"] == kind
        )

    def relay(self, serial: str) -> str:
        """The relay as the simulated meter truly has it: on or off."""
        return str(get_json(f"{self.control}/meters/{serial}")["relay"])

    def moves(self, serial: str) -> list[str]:
        """Every move of a meter's relay so far."""
        log = get_json(f"{self.control}/log?meter={serial}&kind=relay")
        return [str(entry["state"]) for entry in (log["log"] if isinstance(log, dict) else log)]


@dataclass
class Home:
    """A settings file and where it points to."""

    folder: Path
    config: Path
    health_port: int

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self.health_port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"
