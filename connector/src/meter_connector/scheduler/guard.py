"""The line of an order that changes a meter: what changes it is on the disk before it is on the wire, and never sent too late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ..drivers import Line
from ..drivers.exchange import Encodable, Query
from ..steps import step

F = TypeVar("F", bound=Encodable)


async def _nothing() -> None:
    return


@dataclass
class GuardedLine(Line):
    """`on_write` is awaited right before each frame that changes something, after all that is more urgent; it may refuse by raising."""

    on_write: Callable[[], Awaitable[None]] = _nothing

    async def ask(self, query: Query[F]) -> F:
        """See Line."""
        if query.is_read:
            return await super().ask(query)
        await self.before()
        await self.on_write()
        answer = await self.exchange.ask(query)
        step("order.answered")
        return answer

    async def tell(self, data: bytes, gap_s: float = 0.0) -> None:
        """See Line."""
        await self.before()
        await self.on_write()
        await self.exchange.tell(data, gap_s)
        step("order.answered")

    @classmethod
    def over(cls, line: Line, on_write: Callable[[], Awaitable[None]]) -> GuardedLine:
        """The same line, guarded."""
        return cls(line.exchange, line.now, line.attempts, line.before, line.rng, on_write)
