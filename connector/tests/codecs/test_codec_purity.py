"""Codecs take bytes and give frames; nothing in them waits, opens or asks the time."""

import ast
import subprocess
import sys
from pathlib import Path

import meter_connector.codecs
import pytest

ROOT = Path(meter_connector.codecs.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FORBIDDEN = {"asyncio", "socket", "serial", "time", "threading", "select", "selectors", "pymodbus", "logging"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


def test_there_are_codecs_to_look_at() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_codec_imports_input_or_output(path: Path) -> None:
    assert not imported(path) & FORBIDDEN


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_codec_asks_for_the_time(path: Path) -> None:
    names = {
        node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)
    }
    assert not names & {"now", "utcnow", "today"}


def test_the_decoder_needs_nothing_of_the_connector_but_codecs() -> None:
    """Odoo imports it: no event loop, no hardware, nothing that has to be installed beside it."""
    script = (
        "import sys, meter_connector.decode as d\n"
        "bad = {'asyncio', 'serial', 'pymodbus', 'aiohttp', 'yaml', 'socket'} & set(sys.modules)\n"
        "print(sorted(bad), sorted(d.CODECS))\n"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(ROOT.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )  # noqa: S603
    assert found.stdout.startswith("[] ["), found.stdout
