"""An event loop whose time jumps: nothing waits, and every run of the same program is the same run.

What a real loop leaves to chance is settled here: timers of one instant go in the order in which they were set, work for threads is done
at once, TCP connections are those of `network.py`. Callbacks belong to the process (process.py) in whose context they were made; those of a
killed one are put aside and never run again.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .network import Network
from .process import Process, process_of

T = TypeVar("T")


class VirtualLoop(asyncio.BaseEventLoop):
    """`time()` begins at 0, in seconds. RuntimeError when everybody waits and nothing is planned."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(self)
        self.turns = 0
        """Callbacks run so far."""
        self._now = 0.0
        self._timers = 0
        self._ready: deque[asyncio.Handle] = deque()
        self._scheduled: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._stopping = False
        self._parked: list[asyncio.Handle] = []

    def time(self) -> float:
        return self._now

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._timers += 1
        heapq.heappush(self._scheduled, (when, self._timers, timer))
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """At once, on the loop: a thread's moment of return would be chance."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the waiter's
            future.set_exception(error)
        return future

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **_options: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **_options: Any
    ) -> Any:
        return self.network.listen(protocol_factory, host, port)

    def run(self, handle: asyncio.Handle, process: Process | None) -> None:
        """One callback of a process, None = the world's. For those who want to know what each costs."""
        handle._run()

    def revive(self) -> None:
        """Let what was put aside run to its end, when the story is over: nothing is left hanging."""
        self._ready.extend(self._parked)
        self._parked.clear()

    def _run_once(self) -> None:
        self._forget_cancelled()
        if not self._ready and not self._stopping:
            if not self._scheduled:
                raise RuntimeError("everything waits for ever")
            self._now = max(self._now, self._scheduled[0][0])
        while self._scheduled and self._scheduled[0][0] <= self._now:
            timer = heapq.heappop(self._scheduled)[2]
            timer._scheduled = False  # type: ignore[attr-defined]
            self._ready.append(timer)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle.cancelled():
                continue
            process = process_of(handle._context)  # type: ignore[attr-defined]
            if process is not None and process.is_dead:
                self._parked.append(handle)
                continue
            self.turns += 1
            self.run(handle, process)

    def _forget_cancelled(self) -> None:
        while self._scheduled and self._scheduled[0][2].cancelled():
            heapq.heappop(self._scheduled)[2]._scheduled = False  # type: ignore[attr-defined]

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """They leave when their time comes."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


def virtually(main: Callable[[], Awaitable[T]], loop: Callable[[], VirtualLoop] = VirtualLoop) -> T:
    """Run to the end on a virtual loop."""

    async def whole() -> T:
        return await main()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(whole())


def virtual_loop() -> VirtualLoop:
    """The running one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "runs on a virtual loop only, see virtually()"
    return loop
