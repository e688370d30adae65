"""A run that was promised the others' programs does not pass without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("test_peer_site.py")


def run_without(wish: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "METER_PEER_DLT645": "/nowhere/python", "METER_PEERS": wish}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FILE)]
    return subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=60)


def test_a_missing_peer_is_skipped() -> None:
    run = run_without("")
    assert (run.returncode, "1 skipped" in run.stdout) == (0, True)


def test_a_missing_peer_fails_the_run_that_requires_it() -> None:
    run = run_without("required")
    assert run.returncode != 0
    assert "dlt645 3.2.0 is not installed" in run.stdout + run.stderr
