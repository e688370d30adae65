"""The outbox as the event loop sees it: every method returns after its fact is on the disk."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from ..clock import Anchor, Clock
from ..errors import OutboxFullError
from ..model import Event, Order, OrderResult, Reading, SwitchState
from ..steps import step
from . import orders, queues, room, times, upkeep
from .database import SCHEMA_DIR, ProcessLock, open_database
from .writer import Writer

_logger = logging.getLogger(__name__)
T = TypeVar("T")
WriterFactory = Callable[[Path, sqlite3.Connection], Writer]
CONFIG_KEY = "site_config"
PROBLEM_KEY = "config_problem"
STATE_KEY = "meter_state:{}"
ANCHOR_KEY = "server_clock"
ORDERS_KEPT_S = 30 * 86400.0


class Outbox:
    """Implements ports.Recorder. `ready` has an event a queue that is set when something may wait."""

    def __init__(self, writer: Writer, clock: Clock, lock: ProcessLock) -> None:
        self._writer = writer
        self._clock = clock
        self._lock = lock
        self._guess: Anchor | None = None
        self.path = writer.path
        self.max_bytes = 0
        self.pressure = 0
        """See room.py; the bus layer reads less when it grows."""
        self.ready = {table: asyncio.Event() for table in queues.TABLES}
        for event in self.ready.values():
            event.set()  # there may be some from before

    @classmethod
    async def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        max_bytes: int = 0,
        schema_dir: Path = SCHEMA_DIR,
        writer: WriterFactory = Writer,
    ) -> Outbox:
        """Raises OutboxLockedError, OutboxTooNewError, OutboxCorruptError, OutboxFullError, OutboxDiskError."""
        lock = ProcessLock(path)
        await asyncio.to_thread(lock.acquire)
        try:
            connection = await asyncio.to_thread(
                open_database, path, max_bytes=max_bytes, schema_dir=schema_dir
            )
        except BaseException:
            lock.release()
            raise
        outbox = cls(writer(path, connection), clock, lock)
        outbox.max_bytes = max_bytes
        return outbox

    async def close(self) -> None:
        """Finish what waits for the disk, then let go of the file."""
        await self._writer.close()
        self._lock.release()

    @property
    def commits(self) -> int:
        """How many commits so far: fewer than readings, when the load is high."""
        return self._writer.commits

    async def put_reading(self, reading: Reading) -> None:
        """See ports.Recorder."""
        await self.put_readings([reading])

    async def put_readings(self, readings: Sequence[Reading]) -> None:
        """See ports.Recorder."""
        fresh = [
            reading
            if reading.source == "freeze"
            else replace(reading, at=self._clock.not_from_the_future(reading.at))
            for reading in readings
        ]
        await self._change(lambda db: queues.put_readings(db, fresh), "readings")

    async def put_event(self, event: Event) -> None:
        """See ports.Recorder."""
        await self._change(lambda db: queues.put_event(db, event), "events")

    async def start_order(self, order: Order) -> bool:
        """See ports.Recorder."""
        if not self._can_judge(order):
            return False
        return await self._change(lambda db: orders.start(db, order, self._clock.now()), "results")

    async def accept_order(self, order: Order, reported: SwitchState = "pending", detail: str = "") -> None:
        """See ports.Recorder."""
        await self._change(
            lambda db: orders.accept(db, order, reported, detail, self._clock.now()), "results"
        )

    async def progress_order(self, order: Order, data: str) -> None:
        """See ports.Recorder."""
        await self._change(lambda db: orders.progress(db, order, data, self._clock.now()), "results")

    async def own_order(self, order: Order, keep: upkeep.Upkeep | None = None) -> Order | None:
        """See ports.Recorder."""

        made = await self._change(lambda db: orders.make_own(db, order, keep, self._clock.now()), "events")
        step("plan.ordered")
        return made

    async def keep_upkeep(self, keep: upkeep.Upkeep) -> None:
        """See ports.Recorder."""
        await self._writer.run(lambda db: upkeep.put(db, keep))
        if keep.hold:
            step("plan.kept")
        else:
            step("switch.kept")

    async def upkeeps(self) -> dict[int, upkeep.Upkeep]:
        """See ports.Recorder."""
        return {each.circuit_id: each for each in await self._writer.run(upkeep.everything)}

    async def wish(self, circuit_id: int) -> str:
        """See ports.Recorder."""
        return (await self._writer.run(lambda db: orders.wish(db, circuit_id)))[1]

    async def contacts(self) -> dict[int, float]:
        """See ports.Recorder."""
        return await self._writer.run(queues.contacts)

    async def kept_state(self, meter_id: int) -> str:
        """See ports.Recorder."""
        return await self._writer.run(lambda db: queues.kept(db, STATE_KEY.format(meter_id))) or ""

    async def keep_state(self, meter_id: int, text: str) -> None:
        """See ports.Recorder."""
        now = self._clock.now()
        await self._writer.run(lambda db: queues.keep(db, STATE_KEY.format(meter_id), text, now))
        step("state.kept")

    async def finish_order(self, result: OrderResult) -> None:
        """See ports.Recorder."""
        try:
            await self._change(lambda db: orders.finish(db, result), "results")
        finally:
            if result.order_id < 0:
                self.ready["events"].set()

    async def receive_orders(self, received: Sequence[Order]) -> list[Order]:
        """Keep orders of Odoo; returns those to carry out."""
        return await self._change(lambda db: orders.receive(db, received, self._clock.now()), "results")

    async def expire_orders(self) -> list[Order]:
        """End what is over, forget what was long ago."""
        now = self._clock.now()

        def job(db: sqlite3.Connection) -> list[Order]:
            orders.forget(db, now - ORDERS_KEPT_S)
            return orders.expire(db, now)

        try:
            ended = await self._change(job, "results")
        finally:
            self.ready["events"].set()  # of our own orders
        step("orders.expired")
        return ended

    async def open_orders(self) -> list[orders.OrderRow]:
        """What is not done, oldest first."""
        return await self._writer.run(orders.open_orders)

    async def readings(
        self, limit: int, held: Sequence[int] = (), after: int = 0, before: int = 2**62
    ) -> list[queues.StoredReading]:
        """The oldest that wait, of rows after < row <= before, without the circuits in `held`."""

        def job(db: sqlite3.Connection) -> list[queues.StoredReading]:
            fixes, rows = times.corrections(db), queues.fetch_readings(db, limit, held, after, before)
            return [replace(row, reading=times.true(fixes, row.reading)) for row in rows] if fixes else rows

        return await self._writer.run(job)

    async def newest_before(self, at: float) -> int:
        """The last row of readings from before a time, 0 when there is none."""
        return await self._writer.run(lambda db: queues.newest_before(db, at))

    async def oldest_reading_at(self, before: int, without: Sequence[int]) -> float:
        """Time of the first reading of rows <= before that is not among the rows `without`; 0 = there is none."""
        return await self._writer.run(lambda db: queues.oldest_reading_at(db, before, without))

    async def events(self, limit: int, held: Sequence[int] = ()) -> list[queues.StoredEvent]:
        """The oldest that wait."""

        def job(db: sqlite3.Connection) -> list[queues.StoredEvent]:
            fixes, rows = times.corrections(db), queues.fetch_events(db, limit, held)
            return [replace(row, event=times.true(fixes, row.event)) for row in rows]

        return await self._writer.run(job)

    async def results(self, limit: int, held: Sequence[int] = ()) -> list[queues.StoredResult]:
        """The oldest that wait."""

        def job(db: sqlite3.Connection) -> list[queues.StoredResult]:
            fixes, rows = times.corrections(db), queues.fetch_results(db, limit, held)
            return [replace(row, result=times.true(fixes, row.result)) for row in rows]

        return await self._writer.run(job)

    async def settle(self, table: str, rows: Sequence[int]) -> None:
        """Odoo has acknowledged these rows: they leave."""
        if rows:
            await self._writer.run(lambda db: queues.settle(db, table, rows))

    async def stats(self) -> queues.QueueStats:
        """Count what waits."""
        return await self._writer.run(queues.stats)

    async def measure_room(self, readings_a_day: int) -> room.Room:
        """How much room there is; when its level changes, an event tells it and the bus layer heeds `pressure`."""

        def job(db: sqlite3.Connection) -> tuple[tuple[int, int, int], int]:
            return queues.fill(db), queues.stats(db).readings

        pages, readings = await self._writer.run(job)
        found = room.measure(self.path, pages, readings, readings_a_day, self.max_bytes, self.pressure)
        before, self.pressure = self.pressure, found.level
        if found.level != before and (found.level == 0 or found.level > before):
            kind = "outbox_filling" if found.level else "outbox_ok"
            now = self._clock.now()
            data = {**found.as_data(), "level": found.level}
            await self.put_event(Event(f"{kind}:{found.level}:{now:.3f}", kind, now, data=data))
        return found

    def size_bytes(self) -> int:
        """The file and its write-ahead log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def keep_config(self, document: Mapping[str, Any]) -> None:
        """Keep Odoo's configuration for a start without Odoo."""
        text = json.dumps(document, ensure_ascii=False)
        await self._writer.run(lambda db: queues.keep(db, CONFIG_KEY, text, self._clock.now()))
        step("config.kept")

    async def kept_config(self) -> Mapping[str, Any] | None:
        """The last good configuration."""
        text = await self._writer.run(lambda db: queues.kept(db, CONFIG_KEY))
        return cast(Mapping[str, Any], json.loads(text)) if text else None

    async def keep_problem(self, text: str) -> bool:
        """What is wrong with the configuration, "" = nothing; True when that is news, also over restarts."""

        def job(db: sqlite3.Connection) -> bool:
            if (queues.kept(db, PROBLEM_KEY) or "") == text:
                return False
            queues.keep(db, PROBLEM_KEY, text, self._clock.now())
            return True

        is_news = await self._writer.run(job)
        step("problem.kept")
        return is_news

    async def begin_time(self) -> None:
        """At the start, before anything is stamped: go on by what was kept, see clock.py."""
        anchor = await self._kept_anchor(ANCHOR_KEY)
        if anchor is not None and self._clock.resume(anchor):
            return
        before = await self._kept_anchor(times.GUESS_KEY)
        self._guess = self._clock.guess(await self._writer.run(times.newest), before)
        self._clock.take_wall()
        try:
            await self._keep_guess()
            await self.keep_time()
        except OutboxFullError as error:
            _logger.error("%s", error)  # kept with the first thing that finds room, see _change

    async def _keep_guess(self) -> None:
        """What is stamped by a guess can only be set right when the guess itself is on the disk: it comes first."""
        if (guess := self._guess) is not None:
            text = json.dumps(asdict(guess))
            await self._writer.run(lambda db: queues.keep(db, times.GUESS_KEY, text, guess.server_s))
            self._guess = None

    async def keep_time(self) -> None:
        """Keep the time for a restart; once it is known, what was stamped by a guess is set right."""
        now, anchor, fix = self._clock.now(), self._clock.anchor(), self._clock.correction

        def job(db: sqlite3.Connection) -> None:
            queues.keep(db, times.TIME_KEY, repr(now), now)
            if anchor is None:
                return
            times.end_guess(db, fix, now)
            queues.keep(db, ANCHOR_KEY, json.dumps(asdict(anchor)), now)

        await self._writer.run(job)
        step("time.kept")

    async def _kept_anchor(self, key: str) -> Anchor | None:
        text = await self._writer.run(lambda db: queues.kept(db, key))
        return Anchor(**json.loads(text)) if text else None

    def _can_judge(self, order: Order) -> bool:
        """Nothing is sent of which nobody knows whether it has expired; what the connector itself ordered by the same guess is known."""
        since = self._clock.guessed_since
        return since is None or not order.expires_at or (order.is_own and order.created_at >= since)

    async def _change(self, job: Callable[[sqlite3.Connection], T], table: str) -> T:
        """Run, and wake who sends that queue. Set even when the waiter is cancelled: the job is committed all the same."""
        await self._keep_guess()
        try:
            return await self._writer.run(job)
        finally:
            self.ready[table].set()
