"""The outbox's writer without a thread: a commit takes `COMMIT_S` of virtual time and carries what came meanwhile, as the real one does."""

from __future__ import annotations

import asyncio

from ...outbox.writer import MAX_JOBS_PER_COMMIT, Task, Writer

COMMIT_S = 0.004
"""An fsync."""


class InlineWriter(Writer):
    """Between `run` and the commit lies an instant in which a kill finds nothing on the disk, and another one between the commit and
    its answer."""

    def _begin(self) -> None:
        self._waiting: list[Task] = []
        self._is_busy = False
        self._ended = self._loop.create_future()

    def _hand_over(self, task: Task | None) -> None:
        if task is not None:
            self._waiting.append(task)
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_later(COMMIT_S, self._work)

    def _work(self) -> None:
        batch, self._waiting = self._waiting[:MAX_JOBS_PER_COMMIT], self._waiting[MAX_JOBS_PER_COMMIT:]
        if batch:
            self._commit(batch)
        self._is_busy = bool(self._waiting)
        if self._is_busy:
            self._loop.call_later(COMMIT_S, self._work)
        elif self._is_closed and not self._ended.done():
            self._connection.close()
            self._ended.set_result(None)

    async def _wait_ended(self) -> None:
        await asyncio.shield(self._ended)
