"""Faults by seed: something breaks every now and then, and heals again. The same seed breaks the same things in the same order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runner import Simulator

# What can break, how often compared with the others, and the change that breaks it. Everything is healed by {"faults": null} or up.
METER_TROUBLES: tuple[tuple[int, dict[str, Any]], ...] = (
    (3, {"silent": True}),
    (3, {"garble": 0.5}),
    (2, {"drop": 0.5}),
    (2, {"lag_ms": 400}),
    (1, {"relay_stuck": True}),
    (1, {"error": "02"}),
    (1, {"clock_ppm": 2000.0}),
)
BUS_TROUBLES: tuple[tuple[int, dict[str, Any]], ...] = (
    (3, {"drop": 0.3}),
    (3, {"garble": 0.3}),
    (2, {"noise": 0.5}),
    (2, {"duplicate": 0.5}),
    (2, {"echo": True}),
    (3, {"stale": 0.5}),
    (2, {"late": 0.3, "late_ms": 1500}),
    (2, {"split": 5}),
    (2, {"merge": 0.3}),
    (1, {"silent": True}),
)
LINK_DOWN_SHARE = 0.15
METER_SHARE = 0.5


@dataclass(frozen=True)
class Trouble:
    """`after_s` since the trouble before, something breaks for `for_s`. `bus` or `meter`; no faults = the link is down."""

    after_s: float
    for_s: float
    faults: dict[str, Any]
    bus: tuple[str, int] | None = None
    meter: str | None = None


def troubles(
    seed: int, buses: list[tuple[str, int]], meters: list[str], every_s: float, for_s: float
) -> Iterator[Trouble]:
    """Without end; decided by nothing but the arguments."""
    rng = random.Random(f"chaos/{seed}")
    while True:
        after = rng.expovariate(1 / every_s)
        lasts = rng.uniform(0.2, 1.8) * for_s
        kind = rng.random()
        if kind < METER_SHARE:
            yield Trouble(after, lasts, _pick(rng, METER_TROUBLES), meter=rng.choice(meters))
        elif kind < 1 - LINK_DOWN_SHARE:
            yield Trouble(after, lasts, _pick(rng, BUS_TROUBLES), bus=rng.choice(buses))
        else:
            yield Trouble(after, lasts, {}, bus=rng.choice(buses))


def _pick(rng: random.Random, table: tuple[tuple[int, dict[str, Any]], ...]) -> dict[str, Any]:
    return rng.choices([faults for _, faults in table], [weight for weight, _ in table])[0]


class Chaos:
    """Breaks a running simulator until stopped; stopping heals everything it broke."""

    def __init__(self, simulator: Simulator, seed: int, every_s: float, for_s: float) -> None:
        self.simulator = simulator
        self.plan = troubles(seed, list(simulator.links), list(simulator.meters), every_s, for_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._main = asyncio.create_task(self._run(), name="chaos")

    async def _run(self) -> None:
        for trouble in self.plan:
            await asyncio.sleep(trouble.after_s)
            task = asyncio.create_task(self._suffer(trouble))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _suffer(self, trouble: Trouble) -> None:
        """A second trouble of the same thing replaces the first; the first one's end then heals both."""
        try:
            await self._change(trouble, True)
            await asyncio.sleep(trouble.for_s)
        finally:
            await self._change(trouble, False)

    async def _change(self, trouble: Trouble, is_broken: bool) -> None:
        faults = trouble.faults if is_broken else None
        if trouble.meter is not None:
            self.simulator.meter(trouble.meter).apply({"faults": faults})
        elif trouble.bus is not None:
            change = {"faults": faults} if trouble.faults else {"up": not is_broken}
            await self.simulator.change_link(*trouble.bus, change)

    async def stop(self) -> None:
        """End and heal."""
        tasks = [self._main, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
