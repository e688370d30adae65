"""Brings one queue of the outbox to Odoo: oldest first, in batches, each item leaving only on its own final answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..clock import Clock
from ..errors import OdooAnswerError, OdooAuthError, OdooError, OdooFaultError, OdooForbiddenError
from ..outbox import Outbox
from ..steps import step
from .face import Answers

_logger = logging.getLogger(__name__)
T = TypeVar("T")

HOLD_S = 10.0
"""So long an item that was answered `retry` stays back, with all later ones of its circuit, so that their order is kept."""
SMALLEST_OUTAGE_BATCH = 50
MAX_HELD = 5_000


@dataclass(frozen=True)
class Queue(Generic[T]):
    """What differs between readings, events and results. `key_of`: what an item is held back by."""

    table: str
    fetch: Callable[[int, Sequence[int]], Awaitable[list[T]]]
    send: Callable[[Sequence[T]], Awaitable[Answers]]
    row_of: Callable[[T], int]
    key_of: Callable[[T], int]
    limit: int = 1000
    linger_s: float = 0.0


class Sender(Generic[T]):
    """`step()` sends one batch, waiting for something to send first."""

    def __init__(self, queue: Queue[T], outbox: Outbox, clock: Clock, on_ok: Callable[[], None]) -> None:
        self.queue = queue
        self._on_ok = on_ok
        self.outbox = outbox
        self.clock = clock
        self.batch = queue.limit
        self.sent = 0
        self.final: dict[str, int] = {}
        self._held: dict[int, float] = {}
        self._busy = asyncio.Lock()

    async def step(self) -> None:
        """Raises OdooError when the batch did not get through; it stays where it is."""
        ready = self.outbox.ready[self.queue.table]
        ready.clear()
        if not await self._send_batch():
            await self._wait(ready)

    async def flush(self) -> None:
        """Send what waits and is not held back. What `step` has under way is finished first."""
        while await self._send_batch():
            pass

    async def _send_batch(self) -> int:
        async with self._busy:
            items = await self.queue.fetch(self.batch, self._held_now())
            if not items:
                return 0
            try:
                answers = await self.queue.send(items)
            except OdooError as error:
                self._shrink(items, error)
                raise
            self._on_ok()
            step("batch.sent")
            await self._settle(items, answers)
            step("batch.settled")
        self.batch = min(self.queue.limit, self.batch * 2)
        return len(items)

    async def _settle(self, items: Sequence[T], answers: Answers) -> None:
        done = []
        for index, item in enumerate(items):
            state, reason = answers.exceptions.get(index, ("accepted", ""))
            if answers.is_final(index):
                done.append(self.queue.row_of(item))
                self.final[state] = self.final.get(state, 0) + 1
            else:
                self._hold(item, HOLD_S)
            if state in ("conflict", "rejected"):
                _logger.warning(
                    f"{self.queue.table}_{state}", extra={"item": str(item)[:300], "reason": reason}
                )
        await self.outbox.settle(self.queue.table, done)
        self.sent += len(done)

    async def _wait(self, ready: asyncio.Event) -> None:
        """Until something new is there, or something held back may go again."""
        timeout = min(self._held.values()) - self.clock.monotonic() if self._held else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await ready.wait()
        if self.queue.linger_s:
            await asyncio.sleep(
                self.queue.linger_s
            )  # values of one poll come within this: one call carries them

    def _shrink(self, items: Sequence[T], error: OdooError) -> None:
        """Smaller batches go through a slow line, and find the one item that Odoo stumbles over."""
        if isinstance(error, OdooAuthError | OdooForbiddenError):
            return
        is_about_items = isinstance(error, OdooFaultError | OdooAnswerError)
        least = 1 if is_about_items else min(SMALLEST_OUTAGE_BATCH, self.queue.limit)
        if is_about_items and len(items) == 1:
            _logger.error(
                f"{self.queue.table}_stumbled", extra={"item": str(items[0])[:300], "error": str(error)}
            )
            self._hold(items[0], HOLD_S)
        self.batch = max(least, min(self.batch, len(items)) // 2)

    def _hold(self, item: T, seconds: float) -> None:
        if len(self._held) < MAX_HELD:
            self._held[self.queue.key_of(item)] = self.clock.monotonic() + seconds

    def _held_now(self) -> list[int]:
        now = self.clock.monotonic()
        self._held = {key: until for key, until in self._held.items() if until > now}
        return list(self._held)
