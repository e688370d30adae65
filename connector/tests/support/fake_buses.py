"""A bus layer without buses: keeps what it is given, and does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from meter_connector.model import Order, OrderResult, SiteConfig
from meter_connector.ports import BusStatus, GatewayStatus, Recorder, Stage


class FakeBuses:
    """Implements ports.BusLayer. `is_obeying`: orders are carried out at once."""

    def __init__(self, recorder: Recorder, *, is_obeying: bool = True) -> None:
        self.recorder = recorder
        self.is_obeying = is_obeying
        self.sites: list[SiteConfig] = []
        self.submitted: list[tuple[int, int, Stage]] = []
        self.carried_out: list[int] = []
        self.stopped = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stop_takes_s = 0.0
        self._work: set[asyncio.Task[None]] = set()

    async def apply(self, site: SiteConfig) -> None:
        self.sites.append(site)

    def submit(self, order: Order, stage: Stage) -> None:
        self.submitted.append((order.id, order.generation, stage))
        if self.is_obeying:
            task = asyncio.get_running_loop().create_task(self.carry_out(order))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def carry_out(self, order: Order) -> None:
        """As a bus would: ask, send, be acknowledged, read back."""
        if not await self.recorder.start_order(order):
            return
        self.carried_out.append(order.id)
        await self.recorder.accept_order(order)
        state = "on" if order.kind == "switch_on" else "off"
        result = OrderResult(order.id, order.generation, "confirmed", state, order.created_at, "read back")  # type: ignore[arg-type]
        await self.recorder.finish_order(result)

    def gateway_statuses(self) -> list[GatewayStatus]:
        return [GatewayStatus(1, True, 1.0)]

    def bus_statuses(self) -> list[BusStatus]:
        return [BusStatus(2, queue=3, age_s=1.5, reads_ok=10, reads_failed=1, dropped_bytes=4)]

    def silent_meters(self) -> list[int]:
        return [5]

    def details(self) -> Mapping[str, Any]:
        return {"buses": {"2": {"link": "127.0.0.1:1", "connected": True, "wire_share": 0.5}}}

    async def wait_broken(self) -> None:
        await self.broken

    async def stop(self) -> None:
        await asyncio.sleep(self.stop_takes_s)
        self.stopped = True
        self.broken.cancel()
        await asyncio.gather(*self._work)
