"""The whole connector, with its real outbox, buses and Odoo client, that ends itself with SIGKILL at a label.

python step_child.py ODOO_URL FOLDER [LABEL]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from fake_odoo import DATABASE, KEY, LOGIN
from meter_connector import steps
from meter_connector.app import App, make_buses
from meter_connector.config import load


def kill_at(label: str) -> None:
    def hook(here: str) -> None:
        if here == label:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.hook = hook


def main(url: str, folder: Path, label: str = "") -> None:
    key = folder / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    file = folder / "connector.toml"
    file.write_text(
        f'[odoo]\nurl = "{url}"\ndatabase = "{DATABASE}"\nlogin = "{LOGIN}"\nkey_file = "key"\n'
        '[connector]\ndata_dir = "data"\n[health]\nport = 0\n[log]\nform = "text"\n'
    )
    if label:
        assert label in steps.STEPS
        kill_at(label)
    asyncio.run(App(load(file, {}), make_buses).run())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
