"""The whole connector, that ends itself with SIGKILL right after one of its facts is on the disk.

python nb_child.py ODOO_URL FOLDER PORT [FACT]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_odoo import DATABASE, KEY, LOGIN
from meter_connector.app import App, make_buses
from meter_connector.config import load
from meter_connector.nbiot.inbox import Inbox
from meter_connector.outbox import Outbox

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


def main(url: str, folder: Path, port: str, fact: str = "") -> None:
    key = folder / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    file = folder / "connector.toml"
    file.write_text(
        f'[odoo]\nurl = "{url}"\ndatabase = "{DATABASE}"\nlogin = "{LOGIN}"\nkey_file = "key"\n'
        f'[connector]\ndata_dir = "data"\n[nbiot]\nport = {port}\n[health]\nport = 0\n[log]\nform = "text"\n'
    )
    if fact:
        kill_after(*FACTS[fact])
    asyncio.run(App(load(file, {}), make_buses).run())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
