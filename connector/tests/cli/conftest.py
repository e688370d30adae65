"""One simulated demo site for the module, an Odoo that configures it, and a settings file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from processes import free_port, process, wait_until
from sites import Home, Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    ready_file, port = folder / "ready.json", free_port()
    with process(
        folder / "log", "simulate", "demo", "--ready-file", ready_file, "--dial", f"127.0.0.1:{port}"
    ) as child:
        wait_until(lambda: ready_file.exists() or child.poll() is not None, 60, (folder / "log").read_text())
        yield Site(json.loads(ready_file.read_text()), port)


@pytest.fixture
def odoo(site: Site) -> Iterator[FakeOdoo]:
    with FakeOdoo(document=site.document()) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, odoo: FakeOdoo, site: Site) -> Home:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(KEY + "\n")
    health_port = free_port()
    config = tmp_path / "connector.toml"
    config.write_text(
        f"""
[odoo]
url = "{odoo.url}"
database = "{DATABASE}"
login = "{LOGIN}"
key_file = "key"
[connector]
data_dir = "data"
[listen]
host = "127.0.0.1"
port = {site.dial_in_port}
[health]
port = {health_port}
"""
    )
    return Home(tmp_path, config, health_port)
