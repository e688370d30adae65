"""Everything that goes on between us and Odoo, as loops that never end: hello, configuration, readings, events, orders, results.

Each loop meets its own errors and waits by its own back-off, so that one that hangs holds up no other. None of them touches a bus.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..errors import OdooError, OutboxError
from ..model import Order
from ..outbox import Outbox, StoredEvent, StoredReading, StoredResult
from ..steps import step
from ..transports.backoff import Backoff
from .catch_up import FreshFirst
from .contact import Contact
from .face import OdooFace
from .sender import Queue, Sender

_logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
"""Orders wait no longer than this after Odoo is back: who has paid waits for them."""
LONGEST_PAUSE_SLOW_S = 60.0
OUTBOX_PAUSE_S = 5.0
EXPIRE_EVERY_S = 5.0
MAX_KNOWN = 500
INGEST_LINGER_S = 0.1


@dataclass(frozen=True)
class Hooks:
    """What the uplink asks of the rest. `take_config` returns the version it took or refused."""

    status: Callable[[], Awaitable[Mapping[str, Any]]]
    take_config: Callable[[Mapping[str, Any]], Awaitable[int]]
    take_orders: Callable[[Sequence[Order]], None]
    held_version: Callable[[], int]


class Uplink:
    """`loops()` names the coroutines to run for ever; `flush()` sends what waits once, before the end."""

    def __init__(self, face: OdooFace, outbox: Outbox, clock: Clock, hooks: Hooks, started_at: float) -> None:
        self.face = face
        self.outbox = outbox
        self.clock = clock
        self.hooks = hooks
        self.started_at = started_at
        self.contact = Contact(clock)
        self.first_contact = asyncio.Event()
        self.time_known = asyncio.Event()
        """Set when the time is known and all stamps are right: nothing that has one is sent before."""
        if clock.is_known:
            self.time_known.set()
        self.seen_version: int | None = None
        """The newest version fetched, taken or not: a refused one is not fetched again every second."""
        self._config_wanted = asyncio.Event()
        self._hello_wanted = asyncio.Event()
        self._hello_s = 15.0
        self._orders_poll_s = 1.0
        self._expired_at = 0.0
        self.catch_up = FreshFirst(outbox, clock)
        ingest = readings_queue(face, self.catch_up)
        self.readings = Sender(ingest, outbox, clock, lambda: self.contact.ok("ingest"))
        self.events = Sender(events_queue(face, outbox), outbox, clock, lambda: self.contact.ok("events"))
        self.results = Sender(results_queue(face, outbox), outbox, clock, lambda: self.contact.ok("report"))

    def loops(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Name -> coroutine function, each to be run for ever."""
        return {
            "hello": lambda: self._forever("hello", self._hello, LONGEST_PAUSE_SLOW_S / 4),
            "config": lambda: self._forever("config", self._config, LONGEST_PAUSE_SLOW_S / 2),
            "ingest": lambda: self._forever(
                "ingest", lambda: self._when_timed(self.readings), LONGEST_PAUSE_SLOW_S
            ),
            "events": lambda: self._forever(
                "events", lambda: self._when_timed(self.events), LONGEST_PAUSE_SLOW_S
            ),
            "orders": lambda: self._forever("orders", self._orders, LONGEST_PAUSE_S),
            "report": lambda: self._forever(
                "report", lambda: self._when_timed(self.results), LONGEST_PAUSE_S
            ),
        }

    def senders(self) -> dict[str, Sender[Any]]:
        """By queue."""
        return {"readings": self.readings, "events": self.events, "results": self.results}

    @property
    def is_config_pending(self) -> bool:
        """Has Odoo a configuration that we have not fetched yet?"""
        return self._config_wanted.is_set()

    def say_hello_soon(self) -> None:
        """Something in the status is worth telling now."""
        self._hello_wanted.set()

    async def flush(self) -> None:
        """Results first: somebody waits for them. Raises OdooError."""
        await self.keep_time()
        if not self.clock.is_known:
            return
        for sender in (self.results, self.events, self.readings):
            await sender.flush()

    async def keep_time(self) -> None:
        """Now and then: look whether the time is known, and keep it for a restart."""
        self.clock.take_wall()
        await self.outbox.keep_time()
        if self.clock.is_known:
            self.time_known.set()

    async def _when_timed(self, sender: Sender[Any]) -> None:
        await self.time_known.wait()
        await sender.step()

    async def _forever(self, name: str, work: Callable[[], Awaitable[None]], longest_s: float) -> None:
        backoff = Backoff(FIRST_PAUSE_S, longest_s)
        while True:
            try:
                await work()
                backoff.reset()
            except OdooError as error:
                self.contact.failed(name, error)
                await self.contact.pause(backoff.next_s(), error)
            except OutboxError as error:
                _logger.error(
                    "outbox_failed", extra={"loop": name, "error": str(error), "retry": error.retry.value}
                )
                await asyncio.sleep(OUTBOX_PAUSE_S)

    async def _hello(self) -> None:
        self._hello_wanted.clear()
        answer = await self.face.hello(self.clock.true(self.started_at), await self.hooks.status())
        self.contact.ok("hello")
        await self.keep_time()
        self._hello_s, self._orders_poll_s = answer.hello_s, answer.orders_poll_s
        self._notice_version(answer.config_version)
        self.first_contact.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hello_s):
                await self._hello_wanted.wait()

    async def _config(self) -> None:
        await self._config_wanted.wait()
        held = self.hooks.held_version()
        document = await self.face.config(held)
        self.contact.ok("config")
        self._config_wanted.clear()
        self.seen_version = held if document is None else await self.hooks.take_config(document)

    def _notice_version(self, version: int) -> None:
        if self.seen_version is None:
            self.seen_version = self.hooks.held_version()
        if version != self.seen_version:
            self._config_wanted.set()

    async def _orders(self) -> None:
        started = self.clock.monotonic()
        open_rows = await self.outbox.open_orders()
        given = [row.order for row in open_rows if not row.order.is_own]
        known = [(order.id, order.generation) for order in given[-MAX_KNOWN:]]
        answer = await self.face.orders(known)
        self.contact.ok("orders")
        if not self.time_known.is_set():
            await self.keep_time()
        self._notice_version(answer.config_version)
        if answer.orders:
            step("orders.fetched")
            # On the disk first: from here on the order is carried out even if we are killed on the next line.
            wanted = await self.outbox.receive_orders(answer.orders)
            step("orders.received")
            _logger.info(
                "orders_received", extra={"orders": [order.id for order in wanted], "of": len(answer.orders)}
            )
            self.hooks.take_orders(wanted)
        await self._expire(started)
        await asyncio.sleep(max(0.0, started + self._orders_poll_s - self.clock.monotonic()))

    async def _expire(self, now: float) -> None:
        if now - self._expired_at >= EXPIRE_EVERY_S:
            self._expired_at = now
            for order in await self.outbox.expire_orders():
                _logger.warning("order_expired", extra={"order": order.id, "generation": order.generation})


def readings_queue(face: OdooFace, catch_up: FreshFirst) -> Queue[StoredReading]:
    """Held back by circuit, so that a circuit's readings arrive in order."""
    return Queue(
        "readings",
        catch_up.fetch,
        lambda items: face.ingest([item.reading for item in items], catch_up.waiting_from),
        lambda item: item.row,
        lambda item: item.reading.circuit_id,
        limit=1000,
        linger_s=INGEST_LINGER_S,
    )


def events_queue(face: OdooFace, outbox: Outbox) -> Queue[StoredEvent]:
    """Held back one by one."""
    return Queue(
        "events",
        outbox.events,
        lambda items: face.events([item.event for item in items]),
        lambda item: item.row,
        lambda item: item.row,
        limit=500,
    )


def results_queue(face: OdooFace, outbox: Outbox) -> Queue[StoredResult]:
    """Held back by order, so that accepted never comes after confirmed."""
    return Queue(
        "results",
        outbox.results,
        lambda items: face.report([item.result for item in items]),
        lambda item: item.row,
        lambda item: item.result.order_id,
        limit=500,
    )
