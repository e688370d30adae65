"""The life of an order on disk. Every step is committed before the next thing happens on the wire.

    receive ──> RECEIVED ──start──> STARTED ──accept──> ACCEPTED ──finish──> DONE (its result waits in `results`)
                   │  └─────────────── finish ────────────────────────────────^
                   └── older generation, expired: DONE at once ───────────────^

After kill -9 the open orders come back with their stage (see ports.Stage), so that a command that may have been sent is never
sent again without looking at the meter first, and one whose time is over is not sent at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model import Order, OrderResult, ResultState, SwitchState
from ..ports import Stage
from .queues import put_result

_FIELDS = "id, generation, kind, meter_id, circuit_id, created_at, expires_at, reason"
_ROW = f"{_FIELDS}, stage, state, reported, changed_at, detail"
REPEAT_RESULT_AFTER_S = 20.0
"""An order that Odoo sends again is answered again, but not every second."""
NEVER_READ_BACK_AFTER_S = 60.0
"""So long after its expiry an order that was started and heard no more of counts as failed."""


@dataclass(frozen=True)
class OrderRow:
    """An order and how far it is."""

    order: Order
    stage: Stage
    state: ResultState
    reported: SwitchState
    changed_at: float
    detail: str = ""

    @property
    def result(self) -> OrderResult:
        """The last result told or to be told."""
        return OrderResult(
            self.order.id, self.order.generation, self.state, self.reported, self.changed_at, self.detail
        )


def receive(db: sqlite3.Connection, orders: Sequence[Order], now: float) -> list[Order]:
    """Take orders from Odoo; returns those to carry out.

    Known ones are answered again and not carried out again; superseded and expired ones are done at once.
    """
    fresh = [order for order in orders if not _answer_again(db, order, now)]
    for order in fresh:
        _learn_generation(db, order)
    wanted = []
    for order in fresh:
        row = OrderRow(order, Stage.RECEIVED, "received", "unknown", now)
        if is_superseded(db, order):
            row = _ended(row, "superseded", now, "a newer generation is known")
        elif is_expired(order, now):
            row = _ended(row, "expired", now, "expired before it was received")
        else:
            wanted.append(order)
        _insert(db, row)
        put_result(db, row.result)
    _supersede_waiting(db, wanted, now)
    return wanted


def start(db: sqlite3.Connection, order: Order, now: float) -> bool:
    """Right before the command is sent. False = must not be sent; its result waits already."""
    row = find(db, order)
    if row is None or row.stage is Stage.DONE:
        return False
    # A command that may have been sent already must be looked after to its read-back, whatever came meanwhile: the bus
    # layer asks here again only before it would send once more.
    if is_superseded(db, order):
        _move(db, _ended(row, "superseded", now, "a newer generation is known"))
        return False
    if is_expired(order, now):
        _move(db, _ended(row, "expired", now, "expired before it could be sent"))
        return False
    if row.stage < Stage.STARTED:
        _update(db, replace(row, stage=Stage.STARTED, changed_at=now))
    return True


def accept(db: sqlite3.Connection, order: Order, reported: SwitchState, detail: str, now: float) -> None:
    """The meter acknowledged."""
    row = find(db, order)
    if row is not None and row.stage < Stage.ACCEPTED:
        _move(
            db,
            replace(
                row, stage=Stage.ACCEPTED, state="accepted", reported=reported, changed_at=now, detail=detail
            ),
        )


def finish(db: sqlite3.Connection, result: OrderResult) -> None:
    """The order is over. A second end is ignored: the first one stands."""
    row = db.execute(
        f"SELECT {_ROW} FROM orders WHERE id = ? AND generation = ?", (result.order_id, result.generation)
    ).fetchone()
    if row is None or row[8] == Stage.DONE:
        return
    ended = replace(
        _order_row(row),
        stage=Stage.DONE,
        state=result.state,
        reported=result.reported,
        changed_at=result.at,
        detail=result.detail,
    )
    _move(db, ended)


def expire(db: sqlite3.Connection, now: float) -> list[Order]:
    """End the orders whose time is over and that nobody carries out; returns them."""
    over = [row for row in open_orders(db) if is_expired(row.order, now)]
    ended = []
    for row in over:
        if row.stage is Stage.RECEIVED:
            _move(db, _ended(row, "expired", now, "expired before the meter could be reached"))
        elif is_expired(row.order, now - NEVER_READ_BACK_AFTER_S):
            _move(db, _ended(row, "failed", now, "no read-back until long after it expired"))
        else:
            continue
        ended.append(row.order)
    return ended


def open_orders(db: sqlite3.Connection) -> list[OrderRow]:
    """What is not done, oldest first."""
    rows = db.execute(f"SELECT {_ROW} FROM orders WHERE stage < 3 ORDER BY created_at, id")
    return [_order_row(row) for row in rows]


def find(db: sqlite3.Connection, order: Order) -> OrderRow | None:
    """The stored order."""
    row = db.execute(
        f"SELECT {_ROW} FROM orders WHERE id = ? AND generation = ?", (order.id, order.generation)
    ).fetchone()
    return _order_row(row) if row else None


def recent(db: sqlite3.Connection, limit: int) -> list[OrderRow]:
    """For people: the newest first."""
    rows = db.execute(f"SELECT {_ROW} FROM orders ORDER BY changed_at DESC LIMIT ?", (limit,))
    return [_order_row(row) for row in rows]


def forget(db: sqlite3.Connection, before: float) -> None:
    """Drop orders done before a time; their generations stay known."""
    db.execute("DELETE FROM orders WHERE stage = 3 AND changed_at < ?", (before,))


def is_switch(order: Order) -> bool:
    """Only switching has generations; a read supersedes nothing."""
    return order.kind in ("switch_on", "switch_off")


def is_expired(order: Order, now: float) -> bool:
    """0 = never."""
    return 0 < order.expires_at <= now


def is_superseded(db: sqlite3.Connection, order: Order) -> bool:
    """Is a newer generation for its circuit known?"""
    if not is_switch(order):
        return False
    row = db.execute(
        "SELECT generation FROM generations WHERE circuit_id = ?", (order.circuit_id,)
    ).fetchone()
    return row is not None and row[0] > order.generation


def _learn_generation(db: sqlite3.Connection, order: Order) -> None:
    if is_switch(order):
        db.execute(
            "INSERT INTO generations (circuit_id, generation) VALUES (?, ?)"
            " ON CONFLICT (circuit_id) DO UPDATE SET generation = max(generation, excluded.generation)",
            (order.circuit_id, order.generation),
        )


def _answer_again(db: sqlite3.Connection, order: Order, now: float) -> bool:
    """Is it known? Then its last result is told again, since Odoo seems not to have it."""
    row = find(db, order)
    if row is None:
        return False
    waits = db.execute(
        "SELECT 1 FROM results WHERE order_id = ? AND generation = ? LIMIT 1", (order.id, order.generation)
    ).fetchone()
    if waits is None and now - row.changed_at > REPEAT_RESULT_AFTER_S:
        # The moment it was told last is not stored apart: changed_at of an open order is nobody's fact.
        put_result(db, row.result)
        if row.stage is not Stage.DONE:
            _update(db, replace(row, changed_at=now))
    return True


def _supersede_waiting(db: sqlite3.Connection, newer: Sequence[Order], now: float) -> None:
    """Older orders that wait for the bus are over; one under way is looked after to its end by the bus layer."""
    circuits = {order.circuit_id for order in newer if is_switch(order)}
    for row in open_orders(db):
        if row.order.circuit_id in circuits and row.stage is Stage.RECEIVED and is_superseded(db, row.order):
            _move(db, _ended(row, "superseded", now, "a newer order came"))


def _ended(row: OrderRow, state: ResultState, now: float, detail: str) -> OrderRow:
    return replace(row, stage=Stage.DONE, state=state, changed_at=now, detail=detail)


def _move(db: sqlite3.Connection, row: OrderRow) -> None:
    _update(db, row)
    put_result(db, row.result)


def _insert(db: sqlite3.Connection, row: OrderRow) -> None:
    order = row.order
    db.execute(
        f"INSERT INTO orders ({_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order.id,
            order.generation,
            order.kind,
            order.meter_id,
            order.circuit_id,
            order.created_at,
            order.expires_at,
            order.reason,
            int(row.stage),
            row.state,
            row.reported,
            row.changed_at,
            row.detail,
        ),
    )


def _update(db: sqlite3.Connection, row: OrderRow) -> None:
    db.execute(
        "UPDATE orders SET stage = ?, state = ?, reported = ?, changed_at = ?, detail = ? WHERE id = ? AND generation = ?",
        (
            int(row.stage),
            row.state,
            row.reported,
            row.changed_at,
            row.detail,
            row.order.id,
            row.order.generation,
        ),
    )


def _order_row(row: tuple[Any, ...]) -> OrderRow:
    return OrderRow(Order(*row[:8]), Stage(row[8]), row[9], row[10], row[11], row[12])
