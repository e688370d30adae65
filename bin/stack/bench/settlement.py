"""Settling service points: seconds per point at 1,000 and at 10,000, in one run; the cost of a point must not grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import layout
from ..odoo_server import OdooServer
from ..services import own_by_service

SIZES = (1_000, 10_000)


def measure(server: OdooServer, progress: Callable[[str], None]) -> dict[str, Any]:
    """{size: {...}, "ratio": cost per point at the larger size over that at the smaller one}."""
    directory = layout.SITE_DATA / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    own_by_service(directory)
    circuits_file = directory / "circuits.json"
    progress(f"an estate of {max(SIZES)} tenancies (some minutes)")
    server.script(
        Path(__file__).with_name("estate.py"),
        points=str(max(SIZES)),
        billing="1",
        key_file=str(directory / "key"),
        circuits_file=str(circuits_file),
    )
    found: dict[str, Any] = {}
    for hour, size in enumerate(SIZES, 1):
        progress(f"settling one reading of each of {size} points")
        output = server.script(
            Path(__file__).with_name("settle.py"),
            circuits_file=str(circuits_file),
            size=str(size),
            hour=str(hour),
        )
        seconds = float(next(line for line in output.splitlines() if line.startswith("SECONDS ")).split()[1])
        found[str(size)] = {"seconds": round(seconds, 2), "ms_per_point": round(seconds / size * 1000, 3)}
    small, large = (found[str(size)]["ms_per_point"] for size in SIZES)
    return found | {"ratio": round(large / small, 2), "target": "at most about 1"}
