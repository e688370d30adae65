"""The machine that the connector runs on: its disk, its clock, its service manager; and the kill.

A kill -9 takes a process's memory and sockets and leaves its files as the operating system has them. Here: the files are copied as they
are between two callbacks, every callback of the process is put aside, its connections are reset, and the next life starts from the copy.
"""

from __future__ import annotations

import asyncio
import contextvars
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ... import steps
from ...app import App, make_buses
from ...clock import Clock
from ...config import Settings
from ...odoo.client import OdooSettings
from ...outbox import Outbox
from ...outbox.writer import Job
from .loop import virtual_loop
from .odoo import VirtualOdoo
from .process import PROCESS, Process
from .writer import InlineWriter

LISTEN_PORT = 9000
RESTART_S = 5.0
"""The service manager's pause."""
NO_LIMIT_PAGES = 2**30


class Killed(BaseException):
    """Unwinds the callback that was running when its process was killed at a step."""


class Life:
    """One start of the connector and what became of it."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.folder = folder
        self.process = Process(f"connector {number}")
        self.app: App | None = None
        self.task: asyncio.Task[None] | None = None


class Machine:
    """`start`, `kill`, `stop`; a life that ends by itself is followed by the next one after RESTART_S."""

    def __init__(self, odoo: VirtualOdoo, wall: Callable[[], float], folder: Path) -> None:
        self.odoo = odoo
        self.folder = folder
        self.wall_skew_s = 0.0
        """How far the machine's wall clock is ahead."""
        self.is_disk_full = False
        self.refused_commits = 0
        """How often the full disk refused to keep something."""
        self.max_bytes = 0
        self.life: Life | None = None
        self.lives: list[Life] = []
        self.labels: Counter[str] = Counter()
        """How often the connector passed each label of steps.py."""
        self.kills: Counter[str] = Counter()
        self.crashes: list[str] = []
        self.kill_at: Callable[[str], bool] = lambda _label: False
        """Asked at each label: kill now?"""
        self.outbox_class = Outbox
        self.on_opened: Callable[[Outbox], None] = lambda _outbox: None
        self.restart_s: Callable[[], float] | None = None
        """Seconds from a kill to the next start; None = by hand."""
        self._opened: list[Outbox] = []
        self._wall = wall
        self._context = contextvars.copy_context()
        self._restart: asyncio.TimerHandle | None = None

    @property
    def app(self) -> App | None:
        """The living one."""
        return self.life.app if self.life else None

    def start(self) -> Life:
        """Switch it on, with what the disk holds."""
        assert self.life is None
        self._cancel_restart()
        before = self.lives[-1].folder if self.lives else None
        life = self.life = Life(len(self.lives) + 1, before or self.folder / "life-1")
        self.lives.append(life)
        steps.hook = self._at_step
        life.task = virtual_loop().create_task(self._live(life), context=life.process.context())
        life.task.add_done_callback(lambda task: self._ended(life, task))
        return life

    async def ready(self) -> App:
        """Until a connector runs."""
        while self.app is None or not self.app.running.is_set():  # noqa: ASYNC110 - lives may follow each other
            await asyncio.sleep(0.05)
        return self.app

    def kill(self, why: str = "random") -> None:
        """kill -9, now; nothing happens when none lives."""
        life, self.life = self.life, None
        if life is None:
            return
        self.kills[why] += 1
        left = self.folder / f"life-{life.number + 1}"
        if life.folder.exists():
            shutil.copytree(life.folder, left)
        life.process.is_dead = True
        life.folder, dead = left, life.folder
        life.process.name += f" ({dead.name})"
        virtual_loop().network.kill(life.process)
        if self.restart_s is not None:
            self._start_after(self.restart_s())

    async def stop(self) -> None:
        """SIGTERM, and wait for the end; a kill may come first, and is then followed by a start as any."""
        life = self.life
        self._cancel_restart()
        if life is None:
            return
        if life.app is not None:
            life.app.stop()
        while self.life is life:  # noqa: ASYNC110 - it ends by itself or is killed
            await asyncio.sleep(0.05)
        if not life.process.is_dead:
            self._cancel_restart()

    async def bury(self) -> None:
        """When the story is over: let what was killed come to an end."""
        self._cancel_restart()
        steps.hook = None
        tasks = [life.task for life in self.lives if life.task is not None]
        for life in self.lives:
            life.process.is_dead = False
        virtual_loop().revive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for outbox in self._opened:
            await outbox.close()  # of lives that were killed before they began

    async def _live(self, life: Life) -> None:
        settings = _settings(life.folder, self.max_bytes)
        clock = Clock(lambda: self._wall() + self.wall_skew_s, virtual_loop().time, lambda: "virtual")
        life.app = App(settings, make_buses, self.odoo.client, clock, self._open)
        await life.app.run()

    async def _open(self, settings: Settings, clock: Clock) -> Outbox:
        writer = partial(_DiskWriter, self)
        outbox = await self.outbox_class.open(
            settings.outbox_file, clock, max_bytes=settings.outbox_max_bytes, writer=writer
        )
        self._opened.append(outbox)
        self.on_opened(outbox)
        return outbox

    def _at_step(self, label: str) -> None:
        process = PROCESS.get()
        if process is None or process.is_dead:
            return
        self.labels[label] += 1
        if self.kill_at(label):
            self.kill(label)
            raise Killed(label)

    def _ended(self, life: Life, task: asyncio.Task[None]) -> None:
        if life is not self.life:
            return
        self.life = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.crashes.append(f"{type(error).__name__}: {error}")
        self._start_after(RESTART_S)

    def _start_after(self, seconds: float) -> None:
        self._cancel_restart()
        self._restart = virtual_loop().call_later(seconds, self._start_again, context=self._context)

    def _start_again(self) -> None:
        if self.life is None:
            self.start()

    def _cancel_restart(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None


class _DiskWriter(InlineWriter):
    """A disk that may be full. Whoever writes then needs a page more than there is, so that SQLite itself says SQLITE_FULL and the
    half-empty pages of the file help nobody; who only reads is served."""

    def __init__(self, machine: Machine, path: Path, connection: sqlite3.Connection) -> None:
        self._machine = machine
        self._was_full = False
        super().__init__(path, connection)

    def _work(self) -> None:
        is_full = self._machine.is_disk_full
        if is_full != self._was_full:
            self._was_full = is_full
            pages = self._value("page_count") if is_full else NO_LIMIT_PAGES
            self._connection.execute(f"PRAGMA max_page_count = {pages}")
        super()._work()

    def _one(self, job: Job) -> tuple[Any, Exception | None]:
        before = self._connection.total_changes
        try:
            answer = super()._one(job)
            if self._was_full and self._connection.total_changes > before:
                self._need_a_page_more()
        except sqlite3.OperationalError as error:
            self._machine.refused_commits += error.sqlite_errorcode == sqlite3.SQLITE_FULL
            raise
        return answer

    def _need_a_page_more(self) -> None:
        """Always an error: the free pages and one."""
        size = (self._value("freelist_count") + 1) * self._value("page_size")
        self._connection.execute("CREATE TABLE no_room (data BLOB)")
        self._connection.execute("INSERT INTO no_room VALUES (zeroblob(?))", [size])

    def _value(self, name: str) -> int:
        found: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return found


def _settings(folder: Path, max_bytes: int) -> Settings:
    odoo = OdooSettings("http://odoo.invalid", "estate", "connector", "key")
    return Settings(None, odoo, folder, max_bytes, "127.0.0.1", LISTEN_PORT, "", 0, "error", "text")
