"""The figures of `bin/bench`: each section measures its subject and its yardstick in the same run."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .. import layout, postgres
from ..odoo_server import OdooServer
from ..odoo_source import OdooSource

WITHOUT_ODOO = ("bus", "modbus", "hour")


def run(source: OdooSource, sections: list[str]) -> dict[str, Any]:
    """Measure the named sections one after the other; progress goes to standard error."""
    found: dict[str, Any] = {"machine": _machine()}
    started = set(sections) - set(WITHOUT_ODOO) and postgres.start()
    try:
        for section in sections:
            found[section] = _measure(source, section)
    finally:
        if started:
            postgres.stop()
    return found


def _measure(source: OdooSource, section: str) -> dict[str, Any]:
    def progress(text: str) -> None:
        print(f"{section}: {text}", file=sys.stderr, flush=True)

    if section == "setup":
        return _measure_setup(progress)
    if section in WITHOUT_ODOO:
        return importlib.import_module(f"{__name__}.{section}").measure(progress)
    if section == "reclose":
        from . import reclose

        return reclose.measure(source, progress)
    if section == "callbacks":
        from . import callbacks

        return callbacks.measure(source, progress)
    from . import ingest, settlement

    module, addons = {
        "ingest": (ingest, ["prepaid_billing"]),
        "settlement": (settlement, ["prepaid_billing"]),
    }[section]
    server = OdooServer(source, f"bench_{section}", workers=1)
    server.drop()
    progress("installing a fresh database")
    server.install_company()
    server.install(addons)
    try:
        return module.measure(server, progress)
    finally:
        server.drop()


def _measure_setup(progress: Any) -> dict[str, Any]:
    """Seconds of bin/setup in a fresh clone and again at once; system packages are there already."""
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "clone"
        subprocess.run(["git", "clone", "-q", layout.ROOT, clone], check=True)
        seconds = []
        for what in ("fresh clone", "nothing to do"):
            progress(what)
            began = time.perf_counter()
            subprocess.run([sys.executable, clone / "bin" / "setup"], check=True, stdout=sys.stderr)
            seconds.append(time.perf_counter() - began)
    return {"fresh_clone_s": round(seconds[0], 1), "again_s": round(seconds[1], 2)}


def _machine() -> dict[str, Any]:
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "load_before": os.getloadavg()[0]}
