"""A scheduler over simulated buses, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from meter_connector.model import Bus, Order, SiteConfig
from meter_connector.ports import Recorder, Stage
from meter_connector.scheduler import SiteScheduler, Tuning
from meter_connector.transports import BaseLink, DialInListener
from wirehelp import FakeLink, MemoryRecorder, SimWire, link_to, make_clock, until

HOUR = 3600.0


class Stand:
    """One simulated bus with its scheduler. Order ids are free; meter n of the bus is 100+n, its circuit 1000+n."""

    def __init__(self, wire: SimWire, recorder: Recorder | None = None, tuning: Tuning | None = None) -> None:
        self.wire = wire
        self.clock = make_clock()
        self.memory = MemoryRecorder()
        self.links: list[FakeLink] = []
        self.is_plugged = True
        self.scheduler = SiteScheduler(
            self.clock,
            recorder or self.memory,
            listen_host="127.0.0.1",
            tuning=tuning,
            rng=random.Random(3),
            make=self._make,
        )

    def _make(self, bus: Bus, listener: DialInListener) -> BaseLink:
        link = link_to(self.wire)
        link.is_plugged = self.is_plugged
        self.links.append(link)
        return link

    @property
    def link(self) -> FakeLink:
        return self.links[0]

    async def start(self, *, is_plugged: bool = True, schedule: Mapping[str, Any] | None = None) -> None:
        self.is_plugged = is_plugged
        await self.scheduler.apply(self.site(schedule=schedule))

    def site(self, **how: Any) -> SiteConfig:
        return self.wire.site(**how)

    async def close(self) -> None:
        await self.scheduler.stop()
        await self.wire.close()

    def order(
        self,
        order_id: int,
        kind: str,
        meter: int = 1,
        *,
        generation: int = 1,
        lives_s: float = HOUR,
        stage: Stage = Stage.RECEIVED,
    ) -> Order:
        """Submit an order; it expires `lives_s` from now."""
        now = self.clock.now()
        order = Order(
            order_id, generation, kind, 100 + meter, 1000 + meter, now, now + lives_s if lives_s else 0
        )  # type: ignore[arg-type]
        self.scheduler.submit(order, stage)
        return order

    async def ended(self, order_id: int, timeout_s: float = 2 * HOUR) -> tuple[str, str]:
        """(state, reported) of an order once it is over."""
        await until(lambda: self.memory.result(order_id), timeout_s)
        result = self.memory.result(order_id)
        assert result is not None
        return result.state, result.reported

    def readings_of(self, meter: int) -> list[Any]:
        return [reading for reading in self.memory.readings if reading.circuit_id == 1000 + meter]


async def pass_time(seconds: float) -> None:
    """Let the site run."""
    await asyncio.sleep(seconds)
