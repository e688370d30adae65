"""Whoever writes a meter model reads docs/protocols/meter-models.md: it names every key that the drivers look at."""

from __future__ import annotations

import re
from pathlib import Path

import meter_connector.drivers
import meter_connector.scheduler

PAGE = Path(__file__).parents[3] / "docs/protocols/meter-models.md"
READ = re.compile(
    r"\b(?:quirks|params|spec|section|write|block|entry|own|moved)(?:\.params)?\.get\(\s*\"(\w+)\""
)


def test_every_key_of_a_model_is_documented() -> None:
    folders = [
        Path(package.__file__ or "").parent
        for package in (meter_connector.drivers, meter_connector.scheduler)
    ]
    text = "".join(file.read_text() for folder in folders for file in folder.glob("*.py"))
    keys = set(READ.findall(text))
    assert len(keys) > 20
    documented = set(re.findall(r"`(\w+)`|\"(\w+)\"", PAGE.read_text()))
    assert keys - {word for pair in documented for word in pair} == set()
