"""After an outage: what meters show now goes first, what waited follows in its order.

    rows  1 ................ boundary | boundary+1 ..........
          backlog, oldest first       | fresh, oldest first
          one batch in turn           | one batch in turn

Within each of both a circuit's readings keep their order. The times are in the readings, so that Odoo puts both together; each batch says
from when on older readings still wait, so that whoever bills does not take a gap for the whole story.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import Clock
from ..outbox import Outbox, StoredReading

FRESH_S = 60.0


class FreshFirst:
    """Fetches readings for the sender."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._boundary = 0
        self._is_fresh_turn = False
        self.waiting_from = 0.0
        """Time of the oldest reading of the backlog that is not in the batch fetched last; 0 = none is left behind."""

    @property
    def is_catching_up(self) -> bool:
        """Is there a backlog?"""
        return self._boundary > 0

    async def fetch(self, limit: int, held: Sequence[int] = ()) -> list[StoredReading]:
        """The next batch; `waiting_from` then belongs to it."""
        batch = await self._next(limit, held)
        self.waiting_from = 0.0
        if self._boundary:
            self.waiting_from = await self._outbox.oldest_reading_at(
                self._boundary, [item.row for item in batch]
            )
        return batch

    async def _next(self, limit: int, held: Sequence[int]) -> list[StoredReading]:
        if not self._boundary:
            items = await self._outbox.readings(limit, held)
            since = self._clock.now() - FRESH_S
            if len(items) < limit or items[-1].reading.at >= since:
                return items
            self._boundary = await self._outbox.newest_before(since)
        self._is_fresh_turn = not self._is_fresh_turn
        if self._is_fresh_turn and (fresh := await self._fresh(limit, held)):
            return fresh
        if backlog := await self._outbox.readings(limit, held, before=self._boundary):
            return backlog
        if not held:
            self._boundary = 0
        return await self._fresh(limit, held)

    async def _fresh(self, limit: int, held: Sequence[int]) -> list[StoredReading]:
        return await self._outbox.readings(limit, held, after=self._boundary)
