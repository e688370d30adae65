"""Clients that others wrote, each in its own environment, find nothing wrong with the stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest
from stack import independents

from .process import FakeProcess

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", ["wechatpay", "alipay"])
def test_an_independent_client_finds_nothing_wrong(name, tmp_path):
    python = independents.ensure(f"judge-{name}", FOLDER / f"requirements-{name}.txt")
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
