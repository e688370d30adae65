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
    db.executemany(_PUT_READING, [_reading_row(reading) for reading in readings])


def fetch_readings(db: sqlite3.Connection, limit: int, held: Sequence[int] = ()) -> list[StoredReading]:
    """The oldest that wait; none of the circuits in `held`."""
    rows = db.execute(
        f"SELECT {', '.join(ROW_COLUMNS)} FROM readings"
        " WHERE circuit_id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (json.dumps(list(held)), limit),
    )
    return [_stored_reading(row) for row in rows]


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
    """Append."""
    db.execute(
        "INSERT INTO results (order_id, generation, state, reported, at, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (result.order_id, result.generation, result.state, result.reported, result.at, result.detail),
    )


def fetch_results(db: sqlite3.Connection, limit: int, held: Sequence[int] = ()) -> list[StoredResult]:
    """The oldest that wait; none of the orders in `held`."""
    rows = db.execute(
        "SELECT id, order_id, generation, state, reported, at, detail FROM results ORDER BY id LIMIT ?",
        (limit,),
    )
    return [StoredResult(row[0], OrderResult(*row[1:])) for row in rows]


def settle(db: sqlite3.Connection, table: str, rows: Sequence[int]) -> None:
    """Odoo has acknowledged these rows: they leave."""
    if table not in TABLES:
        raise ValueError(f"no queue {table!r}")
    db.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(rows)),))


def stats(db: sqlite3.Connection) -> QueueStats:
    """Count what waits."""
    counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    open_orders = db.execute("SELECT count(*) FROM orders WHERE stage < 3").fetchone()[0]
    oldest = [db.execute(f"SELECT at FROM {table} ORDER BY id LIMIT 1").fetchone() for table in TABLES]
    return QueueStats(
        **counts, orders_open=open_orders, oldest_at=min((row[0] for row in oldest if row), default=0.0)
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
