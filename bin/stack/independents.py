"""Programs that others wrote and our tests talk to: each in an environment of its own, so that none of its packages is ours."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from . import layout
from .console import run, step


def ensure(name: str, requirements: Path) -> Path:
    """The interpreter of the environment `name`: made once, and anew when its pinned list changes.

    `requirements` is complete: what it does not name is not installed.
    """
    directory = layout.INDEPENDENTS / name
    python = directory / "bin" / "python"
    mark = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = directory / "made-of"
    if stamp.exists() and stamp.read_text() == mark and python.exists():
        return python
    step(f"Making an environment for {name} (the tests talk to it)")
    log = layout.LOGS / f"independent-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "venv", "--clear", directory], log=log, advice="Install python3-venv.")
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run(
        [python, *install, "--requirement", requirements],
        log=log,
        advice="Is the Python package index reachable from here?",
        attempts=3,
    )
    stamp.write_text(mark)
    return python
