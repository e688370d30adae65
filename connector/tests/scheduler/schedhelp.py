"""A scheduler over simulated buses, in virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from meter_connector.clock import Clock
from meter_connector.model import Bus, Event, Order, OrderResult, Reading, SiteConfig, SwitchState
from meter_connector.outbox import orders, queues, upkeep
from meter_connector.outbox.database import open_database
from meter_connector.ports import Recorder, Stage
from meter_connector.scheduler import SiteScheduler, Tuning
from meter_connector.transports import BaseLink, DialInListener
from wirehelp import FakeLink, MemoryRecorder, SimWire, link_to, make_clock, until

HOUR = 3600.0


class DiskRecorder:
    """The outbox's own SQL on a real file, without its thread: for virtual time."""

    pressure = 0

    def __init__(self, path: Path, clock: Clock) -> None:
        self.db = open_database(path)
        self.clock = clock

    def change(self, job: Callable[..., Any], *args: Any) -> Any:
        """One transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        answer = job(self.db, *args)
        self.db.execute("COMMIT")
        return answer

    async def put_reading(self, reading: Reading) -> None:
        self.change(queues.put_readings, [reading])

    async def put_readings(self, readings: list[Reading]) -> None:
        self.change(queues.put_readings, readings)

    async def put_event(self, event: Event) -> None:
        self.change(queues.put_event, event)

    async def start_order(self, order: Order) -> bool:
        return bool(self.change(orders.start, order, self.clock.now()))

    async def accept_order(self, order: Order, reported: SwitchState = "pending", detail: str = "") -> None:
        self.change(orders.accept, order, reported, detail, self.clock.now())

    async def progress_order(self, order: Order, data: str) -> None:
        self.change(orders.progress, order, data, self.clock.now())

    async def own_order(self, order: Order, keep: upkeep.Upkeep | None = None) -> Order | None:
        made: Order | None = self.change(orders.make_own, order, keep, self.clock.now())
        return made

    async def keep_upkeep(self, keep: upkeep.Upkeep) -> None:
        self.change(upkeep.put, keep)

    async def upkeeps(self) -> dict[int, upkeep.Upkeep]:
        return {each.circuit_id: each for each in upkeep.everything(self.db)}

    async def wish(self, circuit_id: int) -> str:
        return orders.wish(self.db, circuit_id)[1]

    async def kept_state(self, meter_id: int) -> str:
        return queues.kept(self.db, f"meter_state:{meter_id}") or ""

    async def keep_state(self, meter_id: int, text: str) -> None:
        self.change(queues.keep, f"meter_state:{meter_id}", text, self.clock.now())

    async def contacts(self) -> dict[int, float]:
        return queues.contacts(self.db)

    async def finish_order(self, result: OrderResult) -> None:
        self.change(orders.finish, result)

    # -- looking ------------------------------------------------------------------------------------

    def events(self, kind: str) -> list[Event]:
        """Events of a kind, oldest first."""
        found = [stored.event for stored in queues.fetch_events(self.db, 10_000)]
        return [event for event in found if event.kind == kind]

    def readings(self) -> list[Reading]:
        return [stored.reading for stored in queues.fetch_readings(self.db, 1_000_000)]

    def results(self, order_id: int) -> list[OrderResult]:
        found = [stored.result for stored in queues.fetch_results(self.db, 10_000)]
        return [result for result in found if result.order_id == order_id]


class Stand:
    """One simulated bus with its scheduler. Order ids are free; meter n of the bus is 100+n, its circuit 1000+n."""

    def __init__(
        self,
        wire: SimWire,
        recorder: Recorder | None = None,
        tuning: Tuning | None = None,
        disk: Path | None = None,
    ) -> None:
        self.wire = wire
        self.clock = make_clock()
        self.memory = MemoryRecorder()
        self.links: list[FakeLink] = []
        self.is_plugged = True
        self.disk = DiskRecorder(disk, self.clock) if disk is not None else None
        self.tuning = tuning
        self.scheduler = self._scheduler(recorder or self.disk or self.memory)

    def _scheduler(self, recorder: Recorder) -> SiteScheduler:
        return SiteScheduler(
            self.clock,
            recorder,
            listen_host="127.0.0.1",
            tuning=self.tuning,
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

    def odoo_orders(self, *given: Order) -> list[Order]:
        """As the uplink does: on the disk first, then to the buses."""
        assert self.disk is not None
        received: list[Order] = self.disk.change(orders.receive, given, self.clock.now())
        for order in received:
            self.scheduler.submit(order, Stage.RECEIVED)
        return received

    def make_order(self, order_id: int, kind: str, meter: int = 1, **how: Any) -> Order:
        """`data` is an object; `lives_s`, `generation`."""
        now = self.clock.now()
        lives_s, generation = how.get("lives_s", HOUR), how.get("generation", 1)
        text = json.dumps(how["data"]) if "data" in how else ""
        meter_id, circuit_id = (100 + meter, 1000 + meter) if meter else (0, 0)
        fields = (order_id, generation, kind, meter_id, circuit_id, now, now + lives_s, "test")
        return Order(*fields, bus_id=how.get("bus_id", 0), data=text)  # type: ignore[arg-type]

    async def restart(self, *, schedule: Mapping[str, Any] | None = None) -> None:
        """The scheduler is gone without a word; a new one goes on with what the disk knows."""
        assert self.disk is not None
        await self.scheduler.stop()
        self.scheduler = self._scheduler(self.disk)
        await self.start(schedule=schedule)
        for row in orders.open_orders(self.disk.db):
            self.scheduler.submit(row.order, row.stage)

    async def told(self, order_id: int, timeout_s: float = 2 * HOUR) -> OrderResult:
        """The end of an order as the disk has it."""
        assert self.disk is not None
        disk = self.disk
        ends = ("confirmed", "failed", "expired", "superseded")
        await until(lambda: [each for each in disk.results(order_id) if each.state in ends], timeout_s)
        return disk.results(order_id)[-1]

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
