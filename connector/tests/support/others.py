"""Programs of other people that tests talk to. Without them a test is skipped, but not where `bin/test` runs: that has brought them."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

IS_REQUIRED = os.environ.get("METER_PEERS") == "required"


def needs(is_there: bool, missing: str) -> pytest.MarkDecorator:
    """Of a test, or of all in a file. `missing`: what to say and do when it is not there."""
    if IS_REQUIRED and not is_there:
        pytest.fail(f"{missing}; METER_PEERS=required wants it", pytrace=False)
    return pytest.mark.skipif(not is_there, reason=missing)


def needed_module(name: str) -> Any:
    """A module of theirs."""
    return importlib.import_module(name) if IS_REQUIRED else pytest.importorskip(name, reason=f"no {name}")
