"""The running site: everything wired together, started, changed and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from ..errors import SettingsError
from .bus import Bus
from .chaos import Chaos
from .faults import BusFaults, changed
from .journal import Journal
from .links import DialLink, Link, make_link
from .meters import Meter, World, make_meter
from .simtime import SimTime
from .site import SiteSpec
from .state import StateFile

TICK_S = 1.0


class Simulator:
    """`async with Simulator(site) as simulator:`; all randomness comes from the seed."""

    def __init__(
        self,
        site: SiteSpec,
        *,
        seed: int | None = None,
        speed: float = 1.0,
        clock_follows: bool = False,
        epoch_s: float | None = None,
        log: TextIO | None = None,
        state: StateFile | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.site = site
        self.seed = site.seed if seed is None else seed
        self.time = SimTime(
            loop.time, time.time() if epoch_s is None else epoch_s, site.timezone, speed, clock_follows
        )
        self.journal = Journal(self.time.wall_ms, log)
        world = World(self.seed, self.time, self.journal)
        self.meters: dict[str, Meter] = {}
        self.links: dict[tuple[str, int], Link] = {}
        for gateway, bus_spec in site.buses():
            meters = [make_meter(spec, world) for spec in bus_spec.meters]
            self.meters.update({meter.spec.serial: meter for meter in meters})
            rng = random.Random(f"{self.seed}/{gateway.code}/{bus_spec.number}")
            bus = Bus(bus_spec, meters, rng, is_streaming=bus_spec.link.kind == "serial")
            link_rng = random.Random(f"{self.seed}/{gateway.code}/{bus_spec.number}/link")
            link = self.links[gateway.code, bus_spec.number] = make_link(bus_spec.link, bus, link_rng)
            link.name = f"{gateway.code}-{bus_spec.number}"
        self._add_children()
        self._tasks: list[asyncio.Task[None]] = []
        self._chaos: Chaos | None = None
        self._state = state
        if state is not None:
            state.restore(self)

    def _add_children(self) -> None:
        """Sum meters see the power meters of their building."""
        for meter in self.meters.values():
            if meter.spec.sum_of:
                meter.children = [
                    child
                    for child in self.meters.values()
                    if child.spec.building == meter.spec.sum_of
                    and child.spec.model.kind == "power"
                    and not child.spec.sum_of
                ]
                meter.energy.children = [child.energy for child in meter.children]

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the links and let the buses listen."""
        for key, link in self.links.items():
            self._tasks.append(asyncio.create_task(link.bus.run(), name=f"bus {key[0]}/{key[1]}"))
            await link.start()
        if self._state is not None:
            self._state.save(self)
        self._tasks.append(asyncio.create_task(self._tick(), name="tick"))

    async def stop(self) -> None:
        """Close everything."""
        await self.set_chaos(0.0)
        if self._state is not None:
            self._state.save(self, is_clean=True)
        for link in self.links.values():
            await link.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _tick(self) -> None:
        """Contacts move in time even when nobody asks the meter."""
        while True:
            await asyncio.sleep(TICK_S)
            for meter in self.meters.values():
                if meter.relay is not None and meter.relay.is_moving:
                    meter.settle()
            if self._state is not None:
                self._state.tick(self)

    def settle(self) -> None:
        """Bring all meters up to now."""
        for meter in self.meters.values():
            meter.settle()

    def meter(self, serial: str) -> Meter:
        """A meter by serial; KeyError when there is none."""
        return self.meters[serial]

    def set_speed(self, speed: float, clock_follows: bool | None = None) -> None:
        """Energy runs so many times faster from now on."""
        if not 0 <= speed <= 1_000_000:
            raise SettingsError(f"speed: {speed} is not between 0 and 1000000")
        self.settle()
        self.time.set_speed(speed)
        if clock_follows is not None:
            self.time.clock_follows = clock_follows
        self.journal.add("speed", speed=speed)

    def dial(self, host: str, port: int) -> None:
        """Where dial-in gateways find the connector."""
        for link in self.links.values():
            if isinstance(link, DialLink):
                link.dial(host, port)

    async def change_link(self, gateway: str, number: int, change: Mapping[str, Any]) -> None:
        """`up` true/false and `faults` {…} (null = healed); KeyError when there is no such bus."""
        link = self.links[gateway, number]
        unknown = set(change) - {"up", "faults"}
        if unknown:
            raise SettingsError(f"{gateway}/{number}: {', '.join(sorted(unknown))}: not something to change")
        if "faults" in change:
            faults = change["faults"]
            where = f"{gateway}/{number}: faults"
            link.bus.faults = BusFaults() if faults is None else changed(link.bus.faults, faults, where)
        if "up" in change:
            await link.set_up(change["up"] is True)
        self.journal.add("link", gateway=gateway, bus=number, change=dict(change))

    async def set_chaos(self, every_s: float, for_s: float = 10.0, seed: int | None = None) -> None:
        """From now on something breaks every so many seconds on average; 0 ends it and heals everything."""
        if self._chaos is not None:
            await self._chaos.stop()
            self._chaos = None
        if every_s > 0:
            seed = self.seed if seed is None else seed
            self.journal.add("chaos", seed=seed, every_s=every_s, for_s=for_s)
            self._chaos = Chaos(self, seed, every_s, for_s)

    def link_states(self) -> list[dict[str, Any]]:
        """Every bus: link, counters, faults."""
        return [
            {
                "gateway": gateway,
                "bus": number,
                "up": link.is_up,
                "connected": link.is_connected,
                **link.where(),
                **link.bus.state(),
            }
            for (gateway, number), link in self.links.items()
        ]

    def ready(self, control: tuple[str, int] | None = None) -> dict[str, Any]:
        """The ready file's content."""
        gateways: dict[str, Any] = {}
        for (gateway, number), link in self.links.items():
            gateways.setdefault(gateway, {"buses": {}})["buses"][str(number)] = link.where()
        content: dict[str, Any] = {"seed": self.seed, "gateways": gateways}
        if control is not None:
            content["control"] = {"host": control[0], "port": control[1]}
        return content


def write_ready(path: Path, content: Mapping[str, Any]) -> None:
    """All at once, so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
