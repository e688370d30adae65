"""A whole site on one machine: meters that answer byte by byte, their buses, links, clocks and faults, all by a seed.

    site = load_site(DEMO_SITE)
    async with Simulator(site) as simulator, Control(simulator) as control:
        simulator.ready(...)         # where the buses are

From the command line: `command.py`. Over HTTP: `control.py`. File format: `site_reader.py` and `sites/demo.yaml`.
"""

from __future__ import annotations

from .command import SITES, add_arguments, cli_main
from .control import Control
from .runner import Simulator
from .site import SiteSpec
from .site_reader import load_site, read_site

DEMO_SITE = SITES / "demo.yaml"

__all__ = [
    "DEMO_SITE",
    "SITES",
    "Control",
    "Simulator",
    "SiteSpec",
    "add_arguments",
    "cli_main",
    "load_site",
    "read_site",
]
