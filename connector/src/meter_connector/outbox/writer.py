"""The one thread that touches the file. Jobs that come while it commits share the next commit, and so one fsync."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import OutboxClosedError
from .database import explain

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]
MAX_JOBS_PER_COMMIT = 500
MAX_JOBS_WAITING = 5_000
"""Bounds the memory: who wants to write more waits."""


@dataclass
class Task:
    """A job and who waits for it."""

    job: Job
    future: asyncio.Future[Any]


class Writer:
    """`await run(job)` gives the job's answer after the commit that carries it is on the disk."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.commits = 0
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MAX_JOBS_WAITING)
        self._is_closed = False
        self._begin()

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run the job inside a transaction; returns after its commit.

        An error of the job undoes this job only; an error of the commit is the error of every job in it.
        """
        if self._is_closed:
            raise OutboxClosedError(self.path, "is closed")
        async with self._room:
            future: asyncio.Future[T] = self._loop.create_future()
            self._hand_over(Task(job, future))
            return await future

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        self._hand_over(None)
        await self._wait_ended()

    # Where the work is done: here in a thread, in a virtual world (simulator/virtual) between two instants.

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._work, name="outbox-writer", daemon=True)
        self._thread.start()

    def _hand_over(self, task: Task | None) -> None:
        """None = no more will come."""
        self._tasks.put(task)

    async def _wait_ended(self) -> None:
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        is_open = True
        while is_open:
            batch: list[Task] = []
            task = self._tasks.get()
            while task is not None:
                batch.append(task)
                if len(batch) >= MAX_JOBS_PER_COMMIT or self._tasks.empty():
                    break
                task = self._tasks.get()
            is_open = task is not None
            if batch:
                self._commit(batch)
        self._connection.close()

    def _commit(self, batch: list[Task]) -> None:
        answers: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for task in batch:
                answers.append((task.future, *self._one(task.job)))
            self._connection.execute("COMMIT")
            self.commits += 1
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            answers = [(task.future, None, explain(self.path, error)) for task in batch]
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, answers)

    def _one(self, job: Job) -> tuple[Any, Exception | None]:
        """A failing job leaves nothing; a failing file fails the whole batch."""
        self._connection.execute("SAVEPOINT job")
        try:
            answer = job(self._connection)
        except sqlite3.Error as error:
            if not isinstance(
                error, sqlite3.IntegrityError | sqlite3.InterfaceError | sqlite3.ProgrammingError
            ):
                raise
            return None, self._undone(explain(self.path, error))
        except Exception as error:  # noqa: BLE001 - carried to the one who waits; this thread serves the others
            return None, self._undone(error)
        self._connection.execute("RELEASE job")
        return answer, None

    def _undone(self, error: Exception) -> Exception:
        self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")
        return error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                # A failed COMMIT has rolled back by itself already.
                return


def _deliver(answers: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, answer, error in answers:
        if future.done():  # the one who waited was cancelled; the commit stands
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)
