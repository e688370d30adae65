"""What the meters remember when the simulator is not running: registers, relays, clocks, parameters, and the ports it had.

Saved after every command and every few seconds. After an orderly stop the meters go on where they were, as if no time had passed.
After a crash the last saved moment is lived through again: load curves depend on nothing but seed and time, so no register falls
behind what it has already shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError

if TYPE_CHECKING:
    from .runner import Simulator

VERSION = 1
SAVE_EVERY_S = 5.0
RELIVED_MS = 10_000


class StateFile:
    """One JSON file. Meters whose row in the site file has another start or address begin anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved_ms = 0
        self._saved_entries = -1

    def read(self) -> Mapping[str, Any]:
        """The content, empty when there is none; SettingsError when it cannot be used."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise SettingsError(f"{self.path}: cannot be read, remove it to begin anew: {error}") from None
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise SettingsError(f"{self.path}: not a state file of this version, remove it to begin anew")
        return content

    def restore(self, simulator: Simulator) -> None:
        """Put meters and ports where they were."""
        content = self.read()
        meters, passed_ms = content.get("meters", {}), 0
        if content and not content["is_clean"]:
            passed_ms = min(max(simulator.time.wall_ms() - content["at_ms"], 0), RELIVED_MS)
        sums_last = sorted(simulator.meters.items(), key=lambda item: bool(item[1].children))
        for serial, meter in sums_last:
            if meters.get(serial, {}).get("row") == row_of(meter.spec):
                meter.remember(meters[serial], round(passed_ms * content["speed"]))
        for key, link in simulator.links.items():
            link.remember(content.get("links", {}).get("/".join(map(str, key)), {}), self.path.parent)

    def tick(self, simulator: Simulator) -> None:
        """Save when something happened or time is up."""
        now, entries = simulator.time.wall_ms(), simulator.journal.count
        if entries != self._saved_entries or now - self._saved_ms >= SAVE_EVERY_S * 1000:
            self.save(simulator)

    def save(self, simulator: Simulator, *, is_clean: bool = False) -> None:
        """All at once, by renaming."""
        simulator.settle()
        now = simulator.time.wall_ms()
        content = {
            "version": VERSION,
            "is_clean": is_clean,
            "at_ms": now,
            "speed": simulator.time.speed,
            "meters": {
                serial: {"row": row_of(meter.spec), **meter.memory()}
                for serial, meter in simulator.meters.items()
            },
            "links": {f"{gateway}/{bus}": link.where() for (gateway, bus), link in simulator.links.items()},
        }
        part = self.path.with_name(self.path.name + ".part")
        part.write_text(json.dumps(content), encoding="utf-8")
        os.replace(part, self.path)
        self._saved_ms, self._saved_entries = now, simulator.journal.count


def row_of(spec: Any) -> str:
    """What makes a meter this meter."""
    start = ",".join(f"{name}={value}" for name, value in sorted(spec.start.items()))
    return f"{spec.model.code}/{spec.address}/{start}"
