"""Reports on the disk: a platform gets its 200 when they are here, and not before; a repetition is known for KEPT_S.

Its own small file beside the outbox. Written by the same kind of single thread, so many reports share one fsync.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import OutboxFullError
from ..outbox.database import ProcessLock, open_database
from ..outbox.writer import Writer
from .push import Push

SCHEMA_DIR = Path(__file__).parent / "schema"
KEPT_S = 7 * 86400.0
"""OneNET repeats for under three hours, CTWing three times; a week outlasts a proxy or platform that keeps more."""

REPEATED_S = 3600.0
"""Of a CTWing report without its time stamp: an hour outlasts three repetitions and the minute in which the platform pauses."""

MAX_WAITING = 20_000
"""Reports not yet decoded. Decoding takes milliseconds; so many wait only while the outbox refuses (its disk is full)."""

MAX_KEPT = 500_000
"""Keys kept: about 60 MB."""


@dataclass(frozen=True)
class Waiting:
    """A report to be decoded."""

    id: int
    received_at: float
    push: Push


class Inbox:
    """`put` returns after the fsync."""

    def __init__(self, writer: Writer, lock: ProcessLock, *, max_waiting: int = MAX_WAITING) -> None:
        self._writer = writer
        self._lock = lock
        self._max_waiting = max_waiting
        self.path = writer.path

    @classmethod
    async def open(cls, path: Path, *, max_bytes: int = 0, max_waiting: int = MAX_WAITING) -> Inbox:
        """Raises OutboxError and its kinds, as the outbox does."""
        lock = ProcessLock(path)
        await asyncio.to_thread(lock.acquire)
        try:
            connection = await asyncio.to_thread(
                open_database, path, max_bytes=max_bytes, schema_dir=SCHEMA_DIR
            )
        except BaseException:
            lock.release()
            raise
        return cls(Writer(path, connection), lock, max_waiting=max_waiting)

    async def close(self) -> None:
        """Finish what waits for the disk."""
        await self._writer.close()
        self._lock.release()

    async def put(self, pushes: Sequence[Push], now: float) -> int:
        """Keep reports, all or none; returns how many were new. OutboxFullError while too many wait."""

        def job(db: sqlite3.Connection) -> int:
            waiting = db.execute("SELECT count(*) FROM pushes WHERE push IS NOT NULL").fetchone()[0]
            if waiting + len(pushes) > self._max_waiting:
                raise OutboxFullError(self.path, f"{waiting} reports wait to be decoded")
            rows = [(_key(db, push, now), now, json.dumps(asdict(push))) for push in pushes]
            before = db.total_changes
            db.executemany(
                "INSERT INTO pushes (key, received_at, push) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows
            )
            return db.total_changes - before

        return await self._writer.run(job)

    async def waiting(self, limit: int = 100) -> list[Waiting]:
        """The oldest that are not decoded."""

        def job(db: sqlite3.Connection) -> list[Waiting]:
            rows = db.execute(
                "SELECT id, received_at, push FROM pushes WHERE push IS NOT NULL ORDER BY id LIMIT ?",
                (limit,),
            )
            return [Waiting(key, at, Push(**json.loads(text))) for key, at, text in rows]

        return await self._writer.run(job)

    async def done(self, rows: Sequence[int], heard: dict[int, float]) -> None:
        """These are decoded and what they said is safe; only their keys stay."""

        def job(db: sqlite3.Connection) -> None:
            db.executemany("UPDATE pushes SET push = NULL WHERE id = ?", [(row,) for row in rows])
            db.executemany(
                "INSERT INTO heard VALUES (?, ?) ON CONFLICT (meter_id) DO UPDATE SET at = max(at, excluded.at)",
                list(heard.items()),
            )

        await self._writer.run(job)

    async def heard(self) -> dict[int, float]:
        """Meter id -> when it was heard last."""
        return await self._writer.run(lambda db: dict(db.execute("SELECT meter_id, at FROM heard")))

    async def forget(self, now: float) -> None:
        """Drop keys that no platform repeats any more, and the oldest beyond MAX_KEPT."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM pushes WHERE push IS NULL AND received_at < ?", (now - KEPT_S,))
            newest = db.execute("SELECT max(id) FROM pushes").fetchone()[0] or 0
            db.execute("DELETE FROM pushes WHERE push IS NULL AND id <= ?", (newest - MAX_KEPT,))

        await self._writer.run(job)


def _key(db: sqlite3.Connection, push: Push, now: float) -> str:
    """A report without a date is a repetition of an equal one for REPEATED_S; afterwards it is a new one."""
    if push.is_dated:
        return push.key
    known = db.execute(
        "SELECT key FROM pushes WHERE key >= ? || '@' AND key < ? || 'A' AND received_at > ? LIMIT 1",
        (push.key, push.key, now - REPEATED_S),
    ).fetchone()
    return str(known[0]) if known else f"{push.key}@{now:.3f}"
