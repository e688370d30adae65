"""An hour of the estate in virtual time: 61 gateways, 641 power and 642 water meters at 2400 bps, the real connector from App to bytes.

How old is what Odoo knows of each meter, looked at every simulated second; how much of its wire each bus used while it had something to do.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from meter_connector.simulator.big_site import big_site
from meter_connector.simulator.virtual import VirtualLoop, VirtualWorld, virtually

from . import hour_live

BAUDRATE = 2400
HOUR_S = 3600
TARGET_AGE_S = 180
SCHEDULE = {"energy_s": 30, "live_s": 30, "switch_s": 30}


@dataclass(frozen=True)
class Story:
    """A site and what is wrong with it: `dead` of the meters never answer, `garbled` of the answers arrive damaged (shares)."""

    name: str
    target: float
    dead: float = 0.0
    garbled: float = 0.0
    gateways: int = 61
    power: int = 641
    water: int = 642
    seconds: int = HOUR_S
    schedule: dict[str, int] = field(default_factory=lambda: dict(SCHEDULE))
    is_never_idle: bool = False


TROUBLE = {"dead": 0.05, "garbled": 0.02}
READ_AT_ONCE = {"schedule": dict.fromkeys(SCHEDULE, 1), "is_never_idle": True}
"""Every meter is due again as soon as it was read."""
NEVER_IDLE = {"gateways": 3, "power": 31, "water": 31, "seconds": 600, **READ_AT_ONCE}
"""A part of it."""

STORIES = (
    Story("healthy", 0.95),
    Story("troubled", 0.80, **TROUBLE),
    Story("healthy_never_idle", 0.95, **NEVER_IDLE),
    Story("troubled_never_idle", 0.80, **TROUBLE, **NEVER_IDLE),
)


class MeteredLoop(VirtualLoop):
    """Knows which part of all callbacks' time is the connector's. By the wall, which a busy machine stretches for all alike."""

    def __init__(self) -> None:
        super().__init__()
        self.spent_s = {False: 0.0, True: 0.0}

    def run(self, handle: Any, process: Any) -> None:
        began = time.perf_counter()
        handle._run()
        self.spent_s[process is not None] += time.perf_counter() - began

    @property
    def share(self) -> float:
        """The connector's, 0..1."""
        return self.spent_s[True] / sum(self.spent_s.values())


def measure(progress: Callable[[str], None]) -> dict[str, Any]:
    """A story a key, and "processes" in real time, see hour_live.py."""
    logging.getLogger("meter_connector").setLevel(logging.ERROR)  # of dead meters it would tell one by one
    found = {story.name: run(story, progress) for story in STORIES}
    return {**found, "processes": hour_live.measure(SCHEDULE, BAUDRATE, progress)}


def run(story: Story, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Ages in seconds, `utilisation` as `_utilisation` says, and the target; CPU in seconds of this machine."""
    progress(f"{story.name}, {story.seconds} s of virtual time")
    return virtually(lambda: _live(story, progress), MeteredLoop)


async def _live(story: Story, progress: Callable[[str], None]) -> dict[str, Any]:
    document, dead = _document(story)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MeteredLoop)
    async with VirtualWorld(document, seed=1, schedule=story.schedule) as world:
        world.machine.start()
        ages = Ages(world, dead)
        began, started = time.process_time(), time.monotonic()
        for second in range(1, story.seconds + 1):
            await asyncio.sleep(1)
            ages.look()
            if second % 300 == 0:
                progress(f"{second} s after {time.monotonic() - started:.0f} s, oldest {ages.oldest_s:.0f} s")
        assert not world.troubles, world.troubles[0]
        cpu_s = time.process_time() - began
        return {
            "meters": len(ages.at) + len(dead),
            "dead": len(dead),
            "readings": len(world.odoo.readings),
            "age_s": {**ages.shown(), "target": TARGET_AGE_S},
            "utilisation": {**_utilisation(world, story), "target": story.target},
            "connector_cpu_s": round(cpu_s * loop.share, 1),
            "connector_cpu_share": round(cpu_s * loop.share / story.seconds, 4),
            "world_cpu_s": round(cpu_s * (1 - loop.share), 1),
        }


def _document(story: Story) -> tuple[dict[str, Any], set[int]]:
    """The site, and the ids of the meters that never answer; meters count from 1 in the order of the file."""
    document = big_site(story.gateways, story.power, story.water, baudrate=BAUDRATE)
    buses = [bus for gateway in document["gateways"] for bus in gateway["buses"]]
    meters = [meter for bus in buses for meter in bus["meters"]]
    rng = random.Random("dead")  # noqa: S311 - the same ones each time
    dead = set(rng.sample(range(1, len(meters) + 1), round(story.dead * len(meters))))
    for number in dead:
        meters[number - 1]["faults"] = {"silent": True}
    for bus in buses:
        bus["faults"] = {"garble": story.garbled}
    return document, dead


class Ages:
    """How old what Odoo knows of each living meter is. A meter without a reading is as old as the start."""

    def __init__(self, world: VirtualWorld, dead: set[int]) -> None:
        self.world = world
        self.oldest_s = 0.0
        self.counts: dict[int, int] = {}
        """How often an age of so many whole seconds was seen."""
        meters = sum(1 for _ in world.simulator.site.meters())
        self.at = {number: world.wall() for number in range(1, meters + 1) if number not in dead}
        self._seen = 0

    def look(self) -> None:
        """Once a second."""
        arrivals = self.world.odoo.arrivals
        for circuit, at in arrivals[self._seen :]:
            if at > self.at.get(circuit, at):
                self.at[circuit] = at
        self._seen = len(arrivals)
        now = self.world.wall()
        for at in self.at.values():
            age = int(now - at)
            self.counts[age] = self.counts.get(age, 0) + 1
        self.oldest_s = max(self.oldest_s, now - min(self.at.values()))

    def shown(self) -> dict[str, float]:
        """Median, 95th percentile and maximum."""
        return {"p50": self._percentile(0.5), "p95": self._percentile(0.95), "max": round(self.oldest_s, 1)}

    def _percentile(self, share: float) -> int:
        left = share * sum(self.counts.values())
        for age in sorted(self.counts):
            left -= self.counts[age]
            if left <= 0:
                break
        return age


def _utilisation(world: VirtualWorld, story: Story) -> dict[str, Any]:
    """The wire's own time (characters there and back, the meters' turn-round) over a time that `of` names, of the worst bus and of all.

    elapsed     of buses that always have something to read: the whole time since the start, so that each pause of the scheduler counts
    worked_s    of buses that wait for the next period: the time in which the connector says that it had something to do
    `goodput`: what of that went into exchanges whose answer arrived whole; requests to the dead and damaged answers are not in it.
    """
    app = world.machine.app
    assert app is not None
    if story.is_never_idle:
        of = dict.fromkeys(range(1, len(world.simulator.links) + 1), float(story.seconds))
    else:
        of = {int(key): found["worked_s"] for key, found in app.buses.details()["buses"].items()}
    shares, wires_s, good_s = [], 0.0, 0.0
    for number, link in enumerate(world.simulator.links.values(), 1):
        stats = link.bus.stats
        wire_s = (stats.bytes_in + stats.bytes_out) * link.bus.spec.char_s + stats.thought_s
        shares.append(wire_s / of[number])
        wires_s += wire_s
        good_s += stats.good_s
    whole_s = sum(of.values())
    return {
        "of": "elapsed" if story.is_never_idle else "worked_s",
        "lowest": round(min(shares), 3),
        "whole": round(wires_s / whole_s, 3),
        "goodput": round(good_s / whole_s, 3),
    }
