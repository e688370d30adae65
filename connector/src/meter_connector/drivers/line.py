"""What a driver talks through: the wire, for one job.

It repeats reads, never anything else, and lets more urgent jobs of the bus go first between two requests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..chance import generator
from ..errors import GarbledError, NoAnswerError
from .exchange import Encodable, Exchange, Query

F = TypeVar("F", bound=Encodable)

READ_ATTEMPTS = 3
FIRST_PAUSE_S = 0.1
"""Before the second repetition, doubled for each further one: lets a burst of noise pass. The first repetition follows at once."""


async def _nothing_urgent() -> None:
    return


@dataclass
class Line:
    """`attempts`: how often a read is sent. `before`: awaited ahead of every request. `now`: server time, epoch seconds."""

    exchange: Exchange
    now: Callable[[], float]
    attempts: int = READ_ATTEMPTS
    before: Callable[[], Awaitable[None]] = _nothing_urgent
    rng: random.Random = field(default_factory=generator, repr=False)

    async def ask(self, query: Query[F]) -> F:
        """The answer. NoAnswerError or GarbledError after the last attempt; LinkError at once."""
        attempts = self.attempts if query.is_read else 1
        for attempt in range(attempts):
            await self.before()
            try:
                return await self.exchange.ask(query, is_retry=attempt > 0)
            except (NoAnswerError, GarbledError):
                if attempt + 1 == attempts:
                    raise
                await self._pause(attempt)
        raise AssertionError("unreachable")

    async def tell(self, data: bytes, gap_s: float = 0.0) -> None:
        """Send a broadcast."""
        await self.before()
        await self.exchange.tell(data, gap_s)

    async def _pause(self, attempt: int) -> None:
        if attempt > 0:
            await asyncio.sleep(FIRST_PAUSE_S * 2.0 ** (attempt - 1) * (0.5 + self.rng.random()))
