"""Look into the outbox: `stats` counts, `look` lists what waits and the newest orders."""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from datetime import UTC, datetime

from ..config import load
from ..outbox import orders, queues
from ..outbox.database import is_in_use
from .offline import opened


def run(arguments: argparse.Namespace) -> int:
    """Changes nothing, also while the connector runs."""
    path = load(arguments.config).outbox_file
    with opened(path) as db:
        if arguments.what == "stats":
            _stats(db, path.stat().st_size, is_in_use(path), arguments.json)
        else:
            _look(db, arguments.limit)
    return 0


def _stats(db: sqlite3.Connection, size: int, is_running: bool, as_json: bool) -> None:
    waiting = queues.stats(db)
    facts = {
        "readings": waiting.readings,
        "events": waiting.events,
        "results": waiting.results,
        "orders_open": waiting.orders_open,
        "oldest_age_s": round(time.time() - waiting.oldest_at, 1) if waiting.oldest_at else 0,
        "bytes": size,
        "running": is_running,
    }
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key:<14} {value}")


def _look(db: sqlite3.Connection, limit: int) -> None:
    for reading in queues.fetch_readings(db, limit):
        values = " ".join(
            f"{key}={value}" for key, value in reading.reading.values.items() if value is not None
        )
        print(f"reading  {_time(reading.reading.at)}  circuit {reading.reading.circuit_id}  {values}")
    for event in queues.fetch_events(db, limit):
        print(f"event    {_time(event.event.at)}  {event.event.kind}  {event.event.key}")
    for result in queues.fetch_results(db, limit):
        print(f"result   {_time(result.result.at)}  order {result.result.order_id}  {result.result.state}")
    for row in orders.recent(db, limit):
        order = row.order
        print(
            f"order    {_time(row.changed_at)}  {order.id}/{order.generation}  {order.kind}  {row.stage.name.lower()}  {row.detail}"
        )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
