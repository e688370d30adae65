"""Times that were guessed (clock.py): where a guess may begin, and setting right what was stamped by it.

The rows of the queues are left as they are, there may be millions: a short list of corrections is kept, and heeded when they are fetched. No
true stamp lies within a guess, which as a rule is never later than the true time.

One that was later all the same (nothing was known but a wall clock that is ahead; the server's own clock was set back) overlaps with what will be
stamped truly, so its rows are set right at once: they are few, and from before anything else could come.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import TypeVar

from ..clock import Correction
from ..model import Event, OrderResult, Reading
from .queues import TABLES, keep, kept

T = TypeVar("T", Reading, Event, OrderResult)
TIME_KEY = "server_time"
GUESS_KEY = "guessed_time"
"""The guess in force; "" = the time is known."""
CORRECTIONS_KEY = "time_corrections"


def newest(db: sqlite3.Connection) -> float:
    """The latest moment that is known to have been, epoch seconds; 0 when none is."""
    times = [float(kept(db, TIME_KEY) or 0)]
    for query in (
        "SELECT max(at) FROM contacts",
        "SELECT at FROM readings ORDER BY id DESC LIMIT 1",
        "SELECT max(at) FROM events",
    ):
        row = db.execute(query).fetchone()
        times.append(row[0] if row and row[0] else 0.0)
    return max(times)


def end_guess(db: sqlite3.Connection, fix: Correction | None, now: float) -> None:
    """The time is known; nothing happens when it was before."""
    if not kept(db, GUESS_KEY):
        return
    keep(db, GUESS_KEY, "", now)
    if fix is None:
        return
    for table, column in (("contacts", "at"), ("upkeep", "tripped_at")):
        db.execute(
            f"UPDATE {table} SET {column} = {column} + ? WHERE {column} > ? AND {column} <= ?",
            (fix.ahead_s, fix.since, fix.until),
        )
    if fix.ahead_s < 0:
        _set_right(db, fix)
        return
    oldest = _oldest(db)
    fixes = [old for old in corrections(db) if old.until >= oldest]
    keep(db, CORRECTIONS_KEY, json.dumps([astuple(each) for each in (*fixes, fix)]), now)


def _set_right(db: sqlite3.Connection, fix: Correction) -> None:
    for table in TABLES:
        is_stamp = "AND source <> 'freeze'" if table == "readings" else ""
        db.execute(
            f"UPDATE {table} SET at = at + ? WHERE at > ? AND at <= ? {is_stamp}",
            (fix.ahead_s, fix.since, fix.until),
        )


def corrections(db: sqlite3.Connection) -> list[Correction]:
    """Of guesses by which something was stamped that may still wait."""
    return [Correction(*row) for row in json.loads(kept(db, CORRECTIONS_KEY) or "[]")]


def true(fixes: Sequence[Correction], item: T) -> T:
    """The item with its true time. A meter's own midnight is no stamp of ours."""
    if isinstance(item, Reading) and item.source == "freeze":
        return item
    for fix in fixes:
        if fix.since < item.at <= fix.until:
            return replace(item, at=fix.true(item.at))
    return item


def _oldest(db: sqlite3.Connection) -> float:
    rows = [db.execute(f"SELECT at FROM {table} ORDER BY id LIMIT 1").fetchone() for table in TABLES]
    return min((row[0] for row in rows if row), default=float("inf"))
