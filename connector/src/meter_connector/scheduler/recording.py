"""Between the buses and the disk: a bus does not wait for an fsync, and what it found keeps its order.

Readings wait here up to a second, so that those of many buses share a commit: each commit writes whole pages, and an SD card bears only so
many. What somebody waits for (an order's step, an event) takes them along at once. When they do not get to the disk (it is full), they are
tried again and, past a limit, the buses pause. A reading that was lost here with the process never counted as read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..errors import OutboxError, Retry
from ..model import Event, Order, OrderResult, Reading, SwitchState
from ..ports import Recorder
from ..steps import step
from ..transports import Backoff

_logger = logging.getLogger(__name__)

Step = list[Reading] | Callable[[], Awaitable[None]]
MAX_BATCH = 500


class Recording:
    """One for all buses. `run` is its task."""

    def __init__(
        self, recorder: Recorder, max_readings: int, max_events: int = 2000, linger_s: float = 0.0
    ) -> None:
        self.recorder = recorder
        self.problem = ""
        self._steps: deque[Step] = deque()
        self._waiting = 0
        self._max = max_readings
        self._events = 0
        self._max_events = max_events
        self.events_dropped = 0
        self._linger_s = linger_s
        self._more = asyncio.Event()
        self._hurry = asyncio.Event()
        """There is more than readings, or enough of them."""
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Readings not yet on the disk."""
        return self._waiting

    def readings(self, readings: list[Reading]) -> None:
        """Take the readings of one sweep."""
        if not readings:
            return
        step("readings.read")
        self._waiting += len(readings)
        if self._waiting >= self._max:
            self._room.clear()
        if self._waiting >= min(MAX_BATCH, self._max):
            self._hurry.set()
        last = self._steps[-1] if self._steps else None
        if isinstance(last, list) and len(last) < MAX_BATCH:
            last.extend(readings)
            self._wake()
        else:
            self._steps.append(list(readings))
            self._wake()

    def event(self, event: Event) -> None:
        """Take an event; a flood that the disk does not take is counted, not kept."""
        if self._events >= self._max_events:
            self.events_dropped += 1
            return
        self._events += 1

        async def put() -> None:
            await self.recorder.put_event(event)
            step("event.stored")
            self._events -= 1

        self._put(put)

    def accepted(self, order: Order, reported: SwitchState, detail: str) -> None:
        """The meter acknowledged."""

        async def accept() -> None:
            await self.recorder.accept_order(order, reported, detail)
            step("order.accepted")

        self._put(accept)

    def progress(self, order: Order, data: str) -> None:
        """How far it is."""

        async def tell() -> None:
            await self.recorder.progress_order(order, data)
            step("search.told")

        self._put(tell)

    def finished(self, result: OrderResult) -> None:
        """The order is over."""

        async def finish() -> None:
            await self.recorder.finish_order(result)
            step("order.done")

        self._put(finish)

    async def room(self) -> None:
        """Wait while too much waits for the disk."""
        await self._room.wait()

    async def flush(self) -> None:
        """Wait until all is on the disk."""
        self._hurry.set()
        await self._idle.wait()

    async def run(self) -> None:
        """Bring steps to the disk, in order, for ever."""
        backoff = Backoff(first_s=0.5, limit_s=30.0)
        while True:
            await self._more.wait()
            await self._linger()
            work = self._steps.popleft()
            try:
                await self._record(work)
            except OutboxError as error:
                self._steps.appendleft(work)
                await self._pause(error, backoff)
                continue
            backoff.reset()
            self.problem = ""
            if not self._steps:
                self._more.clear()
                self._hurry.clear()
                self._idle.set()

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                await self._hurry.wait()

    async def _record(self, work: Step) -> None:
        if not isinstance(work, list):
            await work()
            return
        batch = work
        await self.recorder.put_readings(batch)
        step("readings.stored")
        self._waiting -= len(batch)
        if self._waiting < self._max:
            self._room.set()

    async def _pause(self, error: OutboxError, backoff: Backoff) -> None:
        if error.retry is Retry.NEVER:
            raise error
        pause_s = backoff.next_s()
        if str(error) != self.problem:
            _logger.error("readings and results cannot be stored (next try in %.1f s): %s", pause_s, error)
        self.problem = str(error)
        await asyncio.sleep(pause_s)

    def _put(self, work: Callable[[], Awaitable[None]]) -> None:
        self._steps.append(work)
        self._hurry.set()
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._idle.clear()
