"""What a bus has to do, and what comes first. No clock, no task: the times come from outside."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..drivers import Line


class Priority(enum.IntEnum):
    """Lower goes first. Whoever has paid goes before whoever is tripped."""

    SWITCH_ON = 0
    SWITCH_OFF = 1
    DEMAND = 2
    SCHEDULED = 3
    BACKGROUND = 4


@dataclass(eq=False)
class Job:
    """One thing to do on a bus. `run` may put jobs, also this one, again."""

    name: str
    priority: Priority
    run: Callable[[Line], Awaitable[None]]
    meter_id: int | None = None
    attempts: int | None = None
    ready_at: float = field(default=0.0, compare=False)


Entry = tuple[float, int, Job]


class JobQueue:
    """Jobs that are ready, by priority and then by the time they became so; and jobs whose time has not come."""

    def __init__(self) -> None:
        self._later: list[Entry] = []
        self._ready: dict[Priority, list[Entry]] = {priority: [] for priority in Priority}
        self._valid: dict[Job, int] = {}
        self._counter = itertools.count()

    def put(self, job: Job, ready_at: float = 0.0) -> None:
        """Add, or move to another time."""
        number = next(self._counter)
        self._valid[job] = number
        job.ready_at = ready_at
        heapq.heappush(self._later, (ready_at, number, job))

    def remove(self, job: Job) -> None:
        """Forget it."""
        self._valid.pop(job, None)

    def __contains__(self, job: Job) -> bool:
        return job in self._valid

    def pop(self, now: float, before: Priority | None = None) -> Job | None:
        """The job to do now, taken out; with `before` only one of a more urgent kind."""
        self._ripen(now)
        for priority, heap in self._ready.items():
            if before is not None and priority >= before:
                return None
            while heap:
                _, number, job = heapq.heappop(heap)
                if self._valid.get(job) == number:
                    del self._valid[job]
                    return job
        return None

    def pop_only(self, now: float, priority: Priority) -> Job | None:
        """The next job of one kind, whatever else is ready."""
        self._ripen(now)
        heap = self._ready[priority]
        self._drop_stale(heap)
        if not heap:
            return None
        job = heapq.heappop(heap)[2]
        del self._valid[job]
        return job

    def next_at(self) -> float | None:
        """When the next job becomes ready (in the past when one is); None when there is none."""
        for heap in (*self._ready.values(), self._later):
            self._drop_stale(heap)
        if any(self._ready.values()):
            return 0.0
        return self._later[0][0] if self._later else None

    def ready_count(self, now: float) -> int:
        """How many could be done now."""
        return sum(1 for job in self._valid if job.ready_at <= now)

    def oldest_ready(self, now: float) -> float | None:
        """Since when the longest waiting job has been ready."""
        times = [job.ready_at for job in self._valid if 0 < job.ready_at <= now]
        return min(times, default=None)

    def _ripen(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            entry = heapq.heappop(self._later)
            if self._valid.get(entry[2]) == entry[1]:
                heapq.heappush(self._ready[entry[2].priority], entry)

    def _drop_stale(self, heap: list[Entry]) -> None:
        while heap and self._valid.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
