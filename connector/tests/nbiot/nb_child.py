"""The whole connector, that ends itself with SIGKILL right after one of its facts is on the disk.

python nb_child.py ODOO_URL FOLDER PORT [FACT]    FACT: one of FACTS, or a label of steps.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fake_odoo import DATABASE, KEY, LOGIN
from meter_connector import steps
from meter_connector.app import App
from meter_connector.clock import Clock
from meter_connector.config import Settings, load
from meter_connector.nbiot.inbox import Inbox
from meter_connector.nbiot.service import NbIotBuses
from meter_connector.outbox import Outbox
from meter_connector.ports import BusLayer, Recorder
from meter_connector.scheduler import SiteScheduler

COMMANDS = "commands.txt"
FACTS: dict[str, tuple[type, str]] = {
    "report kept": (Inbox, "put"),
    "readings kept": (Outbox, "put_readings"),
    "report done": (Inbox, "done"),
}


def kill_after(owner: type, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    async def last(*words: Any, **more: Any) -> Any:
        await original(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, last)


def kill_at(label: str) -> None:
    def hook(here: str) -> None:
        if here == label:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.hook = hook


class FileDownlink:
    """A platform that writes down, a line each, what it was given."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def send(self, imei: str, frame: bytes, ttl_s: int) -> None:
        with self.file.open("a") as lines:
            lines.write(f"{imei} {frame.hex()} {ttl_s}\n")


def with_downlink(file: Path, recorder: Recorder, clock: Clock, settings: Settings) -> BusLayer:
    buses = SiteScheduler(clock, recorder, listen_host="127.0.0.1")
    return NbIotBuses(
        buses, recorder, clock, settings.nbiot_file, settings.nbiot, downlink=FileDownlink(file)
    )


def main(url: str, folder: Path, port: str, fact: str = "") -> None:
    key = folder / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    file = folder / "connector.toml"
    file.write_text(
        f'[odoo]\nurl = "{url}"\ndatabase = "{DATABASE}"\nlogin = "{LOGIN}"\nkey_file = "key"\n'
        f'[connector]\ndata_dir = "data"\n[nbiot]\nport = {port}\n[health]\nport = 0\n[log]\nform = "text"\n'
    )
    if fact in FACTS:
        kill_after(*FACTS[fact])
    elif fact:
        kill_at(fact)
    asyncio.run(App(load(file, {}), partial(with_downlink, folder / COMMANDS)).run())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
