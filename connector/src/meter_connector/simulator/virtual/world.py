"""A whole site in virtual time: simulated meters, the real connector, an Odoo that keeps the rules. See __init__.py for how to use it."""

from __future__ import annotations

import asyncio
import copy
import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import chance
from ..config_document import config_document
from ..journal import Journal
from ..runner import Simulator
from ..site_reader import read_site
from .loop import virtual_loop
from .machine import LISTEN_PORT, Killed, Machine
from .odoo import VirtualOdoo

EPOCH_S = datetime(2026, 11, 21, 4, 0, tzinfo=UTC).timestamp()
"""Noon in Shanghai."""
OdooFactory = Callable[[random.Random, Callable[[], float], Journal], VirtualOdoo]
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - files there cost no fsync; elsewhere they are only slower


class VirtualWorld:
    """`document`: a site document as `read_site` takes it; serial lines are reached by TCP here.

    `schedule`: seconds of `schedules.default`, see docs/rpc.md. Everything that chance decides comes from `seed`.
    The connector is not started: `world.machine.start()`.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        seed: int = 0,
        epoch_s: float = EPOCH_S,
        schedule: Mapping[str, Any] | None = None,
        speed: float = 1.0,
        make_odoo: OdooFactory = lambda rng, wall, _journal: VirtualOdoo({}, rng, wall),
    ) -> None:
        self.seed = seed
        self.loop = virtual_loop()
        self.epoch_s = epoch_s
        self.network = self.loop.network
        self.simulator = Simulator(read_site(reachable(document)), seed=seed, epoch_s=epoch_s, speed=speed)
        self.journal = self.simulator.journal
        self.odoo = make_odoo(random.Random(f"{seed}/odoo"), self.wall, self.journal)
        self.folder = Path(
            tempfile.mkdtemp(prefix="virtual-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)
        )
        self.machine = Machine(self.odoo, self.wall, self.folder)
        self.troubles: list[str] = []
        """Errors that nobody took: each is a fault of the product or of this world."""
        self._schedule = schedule

    def wall(self) -> float:
        """True time, epoch seconds."""
        return self.epoch_s + self.loop.time()

    async def __aenter__(self) -> VirtualWorld:
        chance.source = random.Random(f"{self.seed}/connector")
        self.loop.set_exception_handler(self._note)
        await self.simulator.start()
        document = config_document(self.simulator.site, self.simulator.ready(), self._schedule)
        self.odoo.take_document(document)
        self.simulator.dial("127.0.0.1", LISTEN_PORT)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Whatever happened, everything comes to its end and the disk is given back."""
        try:
            self.odoo.is_over = True
            await self.simulator.stop()
            logging.disable(logging.CRITICAL)  # the dead complain
            await self.machine.bury()
        finally:
            logging.disable(logging.NOTSET)
            chance.source = None
            shutil.rmtree(self.folder, ignore_errors=True)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Killed) and not self.odoo.is_over:
            self.troubles.append(f"{context.get('message')}: {error!r}")


def reachable(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same site without serial lines and fixed ports: those are of a real machine."""
    changed = copy.deepcopy(dict(document))
    for gateway in changed["gateways"]:
        for row in (gateway, *gateway["buses"]):
            link = row.get("link")
            if link is not None and link.get("kind") in ("serial", "tcp_client"):
                row["link"] = {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}
    return changed
