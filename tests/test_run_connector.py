"""`bin/test connector` talks to the programs of others, or fails: nothing of it is skipped for want of them."""

from pathlib import Path

import pytest
from stack import test_run


def test_the_connectors_run_requires_its_peers(monkeypatch: pytest.MonkeyPatch):
    seen = {}
    monkeypatch.setattr(test_run.odoo_source, "ensure", lambda: None)
    monkeypatch.setattr(test_run.independents, "ensure", lambda name, requirements: Path("/peer") / name)

    def run(part, paths, **settings):
        seen.update(settings, part=part)
        return True, part

    monkeypatch.setattr(test_run, "_pytest", run)
    assert test_run.run_parts(["connector"]) == 0
    assert seen == {"part": "connector", "METER_PEER_DLT645": "/peer/dlt645", "METER_PEERS": "required"}
