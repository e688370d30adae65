"""The virtual environment: made by an interpreter the service user can run, filled from requirements.txt."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from . import layout
from .console import StackError, run, step
from .odoo_source import OdooSource
from .system import demoted

OLDEST, NEWEST = (3, 11), (3, 13)


def _version(interpreter: str) -> tuple[int, int] | None:
    probe = [interpreter, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, **demoted())
    if done.returncode != 0:
        return None
    major, minor = done.stdout.split()
    return int(major), int(minor)


def _interpreter() -> str:
    """A Python 3.11 to 3.13 that the service user may execute (one below /root is not)."""
    names = [sys.executable, "/usr/bin/python3", *(f"/usr/bin/python3.{minor}" for minor in (13, 12, 11))]
    for name in names:
        if Path(name).exists():
            try:
                version = _version(name)
            except PermissionError:
                continue
            if version and OLDEST <= version <= NEWEST:
                return name
    raise StackError("No Python 3.11, 3.12 or 3.13 with the venv module was found. Install python3-venv.")


def _fingerprint(source: OdooSource) -> str:
    content = layout.REQUIREMENTS.read_bytes() + str(source.python_path).encode()
    content += (layout.CONNECTOR / "pyproject.toml").read_bytes()
    return hashlib.sha256(content).hexdigest()


def ensure(source: OdooSource) -> None:
    """Make or refresh the environment; does nothing when requirements.txt is as it was."""
    stamp = layout.VENV / "fingerprint"
    fingerprint = _fingerprint(source)
    if stamp.exists() and stamp.read_text() == fingerprint and layout.PYTHON.exists():
        return
    log = layout.LOGS / "pip.log"
    if not layout.PYTHON.exists():
        interpreter = _interpreter()
        step(f"Making the virtual environment ({interpreter})")
        shutil.rmtree(layout.VENV, ignore_errors=True)
        run([interpreter, "-m", "venv", layout.VENV], log=log, advice="Install python3-venv and try again.")
    site_packages = next(layout.VENV.glob("lib/python3*/site-packages"))
    (site_packages / "odoo-source.pth").write_text(f"{source.python_path}\n")
    step("Installing Python packages (requirements.txt)")
    pip = [layout.PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    advice = "Is the Python package index reachable from here?"
    # The file is a complete list at exact versions: resolving again could only differ from what was tested.
    run([*pip, "--no-deps", "-r", layout.REQUIREMENTS], log=log, advice=advice, attempts=3)
    run(
        [*pip, "--no-deps", "-e", layout.CONNECTOR],
        log=log,
        advice=advice,
        attempts=2,
    )
    stamp.write_text(fingerprint)
