"""Clients that others wrote, each in its own environment, find nothing wrong with the stand-ins."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .process import ROOT, FakeProcess

FOLDER = Path(__file__).parent
ENVIRONMENTS = ROOT / ".local" / "judges"


def get_python(name: str) -> Path:
    """The environment of a judge: made once, and anew when its pinned list changes."""
    requirements = FOLDER / f"requirements-{name}.txt"
    mark = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    directory = ENVIRONMENTS / name
    stamp = directory / "made-of"
    if not stamp.exists() or stamp.read_text() != mark:
        directory.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run(
            [str(directory / "bin" / "python"), *install, "--requirement", str(requirements)], check=True
        )
        stamp.write_text(mark)
    return directory / "bin" / "python"


@pytest.mark.parametrize("name", ["wechatpay", "alipay"])
def test_an_independent_client_finds_nothing_wrong(name, tmp_path):
    python = get_python(name)
    with FakeProcess(name, tmp_path, "--early-bills"):
        result = subprocess.run(
            [str(python), "-P", str(FOLDER / f"judge_{name}.py"), str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore"},
        )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[1]) >= 80, result.stdout
