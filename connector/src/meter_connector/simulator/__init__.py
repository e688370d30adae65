"""A whole site on one machine: meters that answer byte by byte, their buses, links, clocks and faults, all by a seed."""

from __future__ import annotations

from pathlib import Path

SITES = Path(__file__).with_name("sites")
DEMO_SITE = SITES / "demo.yaml"
