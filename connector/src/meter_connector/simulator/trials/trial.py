"""One trial: a small site, twelve minutes of troubles by seed, healing, and the verdict. The same seed is the same trial, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from ...outbox import Outbox
from ...steps import STEPS
from ..faults import BusFaults, MeterFaults
from ..meters import Meter
from ..virtual import VirtualWorld, Weather, virtually
from ..virtual.machine import LISTEN_PORT
from . import troubles
from .estate import EVERY_S, Estate
from .small_site import PLANNED, PREPAID, small_site
from .verdict import judge
from .violation import Violation
from .witness import Witness, WitnessedOutbox

ACTIVE_S = 720.0
SETTLE_S = 1200.0
QUIET_S = 20.0
TROUBLE_EVERY_S = 20.0
PEOPLE_EVERY_S = 15.0
SCHEDULE = {"energy_s": 60, "live_s": 120, "switch_s": 30}
SPEED = 30.0
"""Energy flows so much faster, so that registers move between two readings."""
CLOCK_OFFSETS_S = (0.0, 0.0, 4.2, -75.0, 5400.0)
"""Odoo's clock against the true time."""


@dataclass
class Outcome:
    """What came of a seed. `faults`: what was thrown; `bites`: how often it did harm, of what does so by chance or by occasion. `digest`: SHA-256
    of the journal. Seconds are virtual."""

    seed: int
    violations: list[Violation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    bites: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    sales: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    commands: int = 0
    seconds: float = 0.0
    settled_s: float = 0.0
    digest: str = ""
    trace: list[dict[str, Any]] = field(default_factory=list, repr=False)


def run_trial(seed: int) -> Outcome:
    """From the first start to the verdict; takes a second or two."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return virtually(lambda: _story(seed))
    finally:
        logging.disable(before)


async def _story(seed: int) -> Outcome:
    world = VirtualWorld(small_site(seed), seed=seed, schedule=SCHEDULE, speed=SPEED, make_odoo=Estate)
    async with world:
        trial = Trial(world, seed)
        await trial.suffer()
        await trial.heal()
        return trial.outcome()


class Trial:
    """What troubles see."""

    def __init__(self, world: VirtualWorld, seed: int) -> None:
        assert isinstance(world.odoo, Estate)
        self.world = world
        self.seed = seed
        self.estate = world.odoo
        self.witness = Witness(world.journal)
        self.faults: Counter[str] = Counter()
        self.settled_s = 0.0
        self.violations: list[Violation] = []
        self._armed = ""
        self._countdown = 0
        self._rng = random.Random(f"{seed}/trial")
        self._tasks: set[asyncio.Task[None]] = set()
        self.estate.clock_offset = self._rng.choice(CLOCK_OFFSETS_S)
        self.witness.era, self.witness.is_calm = self._era, self._is_calm
        for link in world.simulator.links.values():
            link.bus.on_answer, link.bus.on_whole = self.witness.hear, self.witness.hear_whole
        self.estate.keep_hours(PLANNED, self._rng)
        machine = world.machine
        machine.outbox_class = WitnessedOutbox
        machine.on_opened = self._opened
        machine.kill_at = self._is_struck
        restarts = random.Random(f"{seed}/restarts")
        machine.restart_s = lambda: restarts.choice((0.5, 5.0, 5.0, restarts.uniform(5, 60)))

    def any_meter(self, rng: random.Random) -> Meter:
        """One of the site's."""
        return self.world.simulator.meters[rng.choice(list(self.world.simulator.meters))]

    def note(self, kind: str, **data: Any) -> None:
        """A trouble begins."""
        self.faults[kind] += 1
        self.world.journal.add("trouble", what=kind, **data)

    def arm(self, label: str, countdown: int) -> None:
        """Kill at the next (`countdown` 1) or a later passing of a label."""
        self._armed, self._countdown = label, countdown

    def act(self, rng: random.Random) -> None:
        """A shop pays, or does not, somebody looks at its meter, or money is sold into one."""
        shop = rng.choice(list(self.estate.shops.values()))
        luck = rng.random()
        if luck < 0.1:
            self.estate.read(shop)
        elif luck < 0.25:
            self.estate.sell(PREPAID, 6000 if luck < 0.12 else rng.randint(5, 300))
            self.estate.till.send_again()
        elif shop.is_paid and luck < 0.65:
            self.estate.cut(shop)
        else:
            self.estate.pay(shop)

    async def suffer(self) -> None:
        """From the first start on."""
        self.arm(STEPS[self.seed % len(STEPS)], 1)
        self.world.machine.start()
        timer = self._spawn(self._timer())
        await self.world.simulator.set_chaos(12.0, 15.0, self.seed)
        going_on = [timer, self._spawn(self._people()), self._spawn(self._throw())]
        await asyncio.sleep(ACTIVE_S)
        for task in [task for task in self._tasks if task is not timer]:
            task.cancel()
        await asyncio.gather(*going_on[1:], return_exceptions=True)

    async def heal(self) -> None:
        """Everything is well again; wait until all is settled, SETTLE_S at most."""
        world, machine = self.world, self.world.machine
        self.world.journal.add("healed")
        self._armed = ""
        await world.simulator.set_chaos(0.0)
        for meter in world.simulator.meters.values():
            meter.apply({"faults": None})
        for gateway, number in world.simulator.links:
            await world.simulator.change_link(gateway, number, {"up": True, "faults": None})
        world.network.mend_all()
        self.estate.set_weather(Weather())
        machine.is_disk_full = False
        if machine.life is None:
            machine.start()
        await self._settle()
        if machine.app is None or not machine.app.running.is_set():
            self.violations.append(Violation("no connector", "none runs at the end"))
        await machine.stop()  # sends what was read in the last instant

    async def _settle(self) -> None:
        began = quiet_since = self.world.loop.time()
        while self.world.loop.time() - began < SETTLE_S:
            await asyncio.sleep(5.0)
            now = self.world.loop.time()
            if not await self._is_quiet():
                quiet_since = now
            elif now - quiet_since >= QUIET_S:
                break
        self.settled_s = self.world.loop.time() - began
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _is_quiet(self) -> bool:
        app = self.world.machine.app
        if app is None or not app.running.is_set() or not self.estate.is_settled():
            return False
        stats = await app.outbox.stats()
        return not (stats.readings or stats.results or stats.orders_open)

    def outcome(self) -> Outcome:
        """Judge."""
        world = self.world
        world.simulator.settle()
        entries = list(world.journal.entries)
        lines = "\n".join(json.dumps(entry, ensure_ascii=False, sort_keys=True) for entry in entries)
        self._count_faults(entries)
        return Outcome(
            self.seed,
            [*self.violations, *judge(world, self.estate, self.witness)],
            self.faults,
            self._count_bites(),
            world.machine.kills,
            world.machine.labels,
            Counter(order.state for order in self.estate.placed.values()),
            Counter(sale.state for sale in self.estate.till.sales),
            len(self.estate.readings),
            sum(entry["kind"] == "command" for entry in entries),
            world.loop.time(),
            self.settled_s,
            hashlib.sha256(lines.encode()).hexdigest(),
            entries,
        )

    # -- inside --------------------------------------------------------------------------------------------------------------------

    def _era(self) -> tuple[int, int, int]:
        world = self.world
        return len(world.machine.lives), self.estate.document["version"], world.network.connections

    def _is_calm(self, meter: Meter) -> bool:
        links = self.world.simulator.links.values()
        link = next(link for link in links if meter in link.bus.meters)
        port = int(link.where().get("port", LISTEN_PORT))
        harmless = {key: getattr(MeterFaults(), key) for key in ("relay_stuck", "relay_lag_ms", "clock_ppm")}
        is_meter_well = replace(meter.faults, **harmless) == MeterFaults()
        is_bus_well = link.bus.faults == BusFaults()
        return is_meter_well and is_bus_well and link.is_connected and not self.world.network.is_cut(port)

    def _opened(self, outbox: Outbox) -> None:
        assert isinstance(outbox, WitnessedOutbox)
        outbox.witness = self.witness

    def _is_struck(self, label: str) -> bool:
        if label != self._armed:
            return False
        self._countdown -= 1
        if self._countdown > 0:
            return False
        self._armed = ""
        self.world.journal.add("killed", label=label)
        return True

    async def _timer(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if not self.estate.weather.is_down:
                self.estate.tick()

    async def _people(self) -> None:
        """Shops pay, or do not, and somebody looks."""
        rng = random.Random(f"{self.seed}/people")
        await asyncio.sleep(20)
        while True:
            self.act(rng)
            await asyncio.sleep(rng.expovariate(1 / PEOPLE_EVERY_S))

    async def _throw(self) -> None:
        rng = random.Random(f"{self.seed}/troubles")
        while True:
            await asyncio.sleep(rng.expovariate(1 / TROUBLE_EVERY_S))
            trouble = troubles.pick(rng)
            self._spawn(trouble(self, random.Random(rng.getrandbits(64))))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _count_faults(self, entries: list[dict[str, Any]]) -> None:
        """The simulator's own."""
        for entry in entries:
            if entry["kind"] == "faults":
                self.faults.update(f"meter_{key}" for key in entry["change"])
            elif entry["kind"] == "link":
                self.faults.update(f"bus_{key}" for key in entry["change"].get("faults") or {})
                self.faults["link_down"] += entry["change"].get("up") is False

    def _count_bites(self) -> Counter[str]:
        world = self.world
        bites = Counter({"commits_refused": world.machine.refused_commits})
        for link in world.simulator.links.values():
            bites.update({f"bus_{key}": count for key, count in link.bus.stats.by_fault.items()})
        bites.update({f"odoo_{key}": self.estate.counts[key] for key in ("lost", "refused", "unsure")})
        return bites
