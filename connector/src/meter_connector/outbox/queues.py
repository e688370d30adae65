"""What waits for Odoo, as SQL: readings, events, order results, and the few things kept. Runs inside the writer's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from ..model import READING_COLUMNS, Event, OrderResult, Reading, Source, Value

Rows = list[tuple[Any, ...]]
ROW_COLUMNS = ("id", "circuit_id", "at", *READING_COLUMNS, "source", "extras")
_PUT_READING = (
    f"INSERT INTO readings ({', '.join(ROW_COLUMNS[1:])}) VALUES ({', '.join('?' * (len(ROW_COLUMNS) - 1))})"
)
TABLES = ("readings", "events", "results")


@dataclass(frozen=True)
class StoredReading:
    """A reading with its row, to be settled by it."""

    row: int
    reading: Reading


@dataclass(frozen=True)
class StoredEvent:
    """An event with its row."""

    row: int
    event: Event


@dataclass(frozen=True)
class StoredResult:
    """An order result with its row."""

    row: int
    result: OrderResult


@dataclass(frozen=True)
class QueueStats:
    """What waits. `oldest_at` is 0 when nothing does."""

    readings: int = 0
    events: int = 0
    results: int = 0
    orders_open: int = 0
    oldest_at: float = 0.0


def decimal_text(value: Value) -> str | None:
    """A value as the wire wants it: plain digits, no exponent; not-a-number counts as not available."""
    if value is None or isinstance(value, str):
        return value or None
    if not value.is_finite():
        return None
    return format(value, "f")


def json_text(value: Mapping[str, Any]) -> str:
    """Compact JSON; decimals as strings, so that nobody makes a float of them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def put_readings(db: sqlite3.Connection, readings: Iterable[Reading]) -> None:
    """Append."""
    rows = [_reading_row(reading) for reading in readings]
    db.executemany(_PUT_READING, rows)
    _count(db, len(rows))
    _note_contacts(db, readings)


def fetch_readings(
    db: sqlite3.Connection,
    limit: int,
    held: Sequence[int] = (),
    after: int = 0,
    before: int = 2**62,
) -> list[StoredReading]:
    """The oldest that wait, of rows after < row <= before; none of the circuits in `held`."""
    rows = db.execute(
        f"SELECT {', '.join(ROW_COLUMNS)} FROM readings WHERE id > ? AND id <= ?"
        " AND circuit_id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (after, before, json.dumps(list(held)), limit),
    )
    return [_stored_reading(row) for row in rows]


def newest_before(db: sqlite3.Connection, at: float) -> int:
    """The last row of readings from before a time, 0 when there is none: rows are in the order of their times, but for seconds."""
    low, high = db.execute("SELECT min(id), max(id) FROM readings").fetchone()
    if low is None:
        return 0
    while low < high:  # by halving: a table of millions must not hold up an order
        middle = (low + high + 1) // 2
        row = db.execute("SELECT at FROM readings WHERE id >= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
        if row is not None and row[0] < at:
            low = middle
        else:
            high = middle - 1
    row = db.execute("SELECT id, at FROM readings WHERE id >= ? ORDER BY id LIMIT 1", (low,)).fetchone()
    return int(row[0]) if row and row[1] < at else 0


def oldest_reading_at(db: sqlite3.Connection, before: int, without: Sequence[int]) -> float:
    """Time of the first reading of rows <= before that is not among the rows `without`; 0 = there is none."""
    row = db.execute(
        "SELECT at FROM readings WHERE id <= ? AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 1",
        (before, json.dumps(list(without))),
    ).fetchone()
    return float(row[0]) if row else 0.0


def contacts(db: sqlite3.Connection) -> dict[int, float]:
    """When each circuit's energy was read last, also before a restart."""
    return dict(db.execute("SELECT circuit_id, at FROM contacts"))


def put_event(db: sqlite3.Connection, event: Event) -> None:
    """Append, unless its key waits already."""
    db.execute(
        "INSERT INTO events (key, kind, at, gateway_id, bus_id, meter_id, circuit_id, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO NOTHING",
        (
            event.key,
            event.kind,
            event.at,
            event.gateway_id,
            event.bus_id,
            event.meter_id,
            event.circuit_id,
            json_text(event.data),
        ),
    )


def fetch_events(db: sqlite3.Connection, limit: int, held: Sequence[int] = ()) -> list[StoredEvent]:
    """The oldest that wait; none of the rows in `held`."""
    rows = db.execute(
        "SELECT id, key, kind, at, gateway_id, bus_id, meter_id, circuit_id, data FROM events"
        " WHERE id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (json.dumps(list(held)), limit),
    )
    return [StoredEvent(row[0], Event(*(*row[1:8], json.loads(row[8])))) for row in rows]


def put_result(db: sqlite3.Connection, result: OrderResult) -> None:
    """Append; of the connector's own orders Odoo hears by events."""
    if result.order_id < 0:
        return
    db.execute(
        "INSERT INTO results (order_id, generation, state, reported, at, detail, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            result.order_id,
            result.generation,
            result.state,
            result.reported,
            result.at,
            result.detail,
            result.data,
        ),
    )


def replace_progress(db: sqlite3.Connection, result: OrderResult) -> None:
    """Append; earlier progress of the order that still waits says nothing any more."""
    db.execute(
        "DELETE FROM results WHERE order_id = ? AND generation = ? AND state = 'accepted' AND data <> ''",
        (result.order_id, result.generation),
    )
    put_result(db, result)


def fetch_results(db: sqlite3.Connection, limit: int, held: Sequence[int] = ()) -> list[StoredResult]:
    """The oldest that wait; none of the orders in `held`."""
    rows = db.execute(
        "SELECT id, order_id, generation, state, reported, at, detail, data FROM results"
        " WHERE order_id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (json.dumps(list(held)), limit),
    )
    return [StoredResult(row[0], OrderResult(*row[1:])) for row in rows]


def settle(db: sqlite3.Connection, table: str, rows: Sequence[int]) -> None:
    """Odoo has acknowledged these rows: they leave."""
    if table not in TABLES:
        raise ValueError(f"no queue {table!r}")
    gone = db.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(rows)),)
    ).rowcount
    if table == "readings":
        _count(db, -gone)


def stats(db: sqlite3.Connection) -> QueueStats:
    """Count what waits."""
    counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES[1:]}
    counts["readings"] = _counted(db)
    open_orders = db.execute("SELECT count(*) FROM orders WHERE stage < 3").fetchone()[0]
    oldest = [db.execute(f"SELECT at FROM {table} ORDER BY id LIMIT 1").fetchone() for table in TABLES]
    return QueueStats(
        **counts, orders_open=open_orders, oldest_at=min((row[0] for row in oldest if row), default=0.0)
    )


def fill(db: sqlite3.Connection) -> tuple[int, int, int]:
    """(bytes of a page, pages of the file, pages of it that are free)."""
    return (
        db.execute("PRAGMA page_size").fetchone()[0],
        db.execute("PRAGMA page_count").fetchone()[0],
        db.execute("PRAGMA freelist_count").fetchone()[0],
    )


def keep(db: sqlite3.Connection, key: str, value: str, at: float) -> None:
    """Remember a value under a key."""
    db.execute(
        "INSERT INTO kept (key, value, at) VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at",
        (key, value, at),
    )


def kept(db: sqlite3.Connection, key: str) -> str | None:
    """The remembered value."""
    row = db.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
    return cast(str, row[0]) if row else None


def _count(db: sqlite3.Connection, change: int) -> None:
    db.execute("UPDATE counts SET n = n + ? WHERE queue = 'readings'", (change,))


def _counted(db: sqlite3.Connection) -> int:
    """An outbox that is only looked at may be of the first version still."""
    is_first = db.execute("PRAGMA user_version").fetchone()[0] < 2
    query = "SELECT count(*) FROM readings" if is_first else "SELECT n FROM counts WHERE queue = 'readings'"
    return int(db.execute(query).fetchone()[0])


def _note_contacts(db: sqlite3.Connection, readings: Iterable[Reading]) -> None:
    newest: dict[int, float] = {}
    for reading in readings:
        if reading.values.get("total") is not None and reading.source in ("scheduled", "on_demand"):
            newest[reading.circuit_id] = max(reading.at, newest.get(reading.circuit_id, 0.0))
    db.executemany(
        "INSERT INTO contacts (circuit_id, at) VALUES (?, ?)"
        " ON CONFLICT (circuit_id) DO UPDATE SET at = excluded.at WHERE excluded.at > at",
        list(newest.items()),
    )


def _reading_row(reading: Reading) -> tuple[Any, ...]:
    values = [decimal_text(reading.values.get(column)) for column in READING_COLUMNS]
    strays = {
        key: value
        for key, value in reading.values.items()
        if key not in READING_COLUMNS and value is not None
    }
    extras = {**strays, **reading.extras}
    return (reading.circuit_id, reading.at, *values, reading.source, json_text(extras) if extras else None)


def _stored_reading(row: tuple[Any, ...]) -> StoredReading:
    fields = dict(zip(ROW_COLUMNS, row, strict=True))
    values: dict[str, Value] = {key: fields[key] for key in READING_COLUMNS if fields[key] is not None}
    source = cast(Source, fields["source"])
    extras = json.loads(fields["extras"]) if fields["extras"] else {}
    return StoredReading(fields["id"], Reading(fields["circuit_id"], fields["at"], values, source, extras))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes | bytearray):
        return value.hex().upper()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)
