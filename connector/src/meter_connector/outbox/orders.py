"""The life of an order on disk. Every step is committed before the next thing happens on the wire.

    receive ──> RECEIVED ──start──> STARTED ──accept──> ACCEPTED ──finish──> DONE (its result waits in `results`)
                   │  └─────────────── finish ────────────────────────────────^
                   └── older generation, expired: DONE at once ───────────────^

After kill -9 the open orders come back with their stage (see ports.Stage), so that a command that may have been sent is never
sent again without looking at the meter first, and one whose time is over is not sent at all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model import Event, Order, OrderResult, ResultState, SwitchState
from ..ports import Stage
from . import upkeep
from .queues import put_event, put_result, replace_progress

_FIELDS = "id, generation, kind, meter_id, circuit_id, created_at, expires_at, reason, bus_id, data"
_FIELD_COUNT = len(_FIELDS.split(","))
_ROW = f"{_FIELDS}, stage, state, reported, changed_at, detail, result_data"
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
    data: str = ""

    @property
    def result(self) -> OrderResult:
        """The last result told or to be told."""
        return OrderResult(
            self.order.id,
            self.order.generation,
            self.state,
            self.reported,
            self.changed_at,
            self.detail,
            self.data,
        )


def receive(db: sqlite3.Connection, orders: Sequence[Order], now: float) -> list[Order]:
    """Take orders from Odoo; returns those to carry out.

    Known ones are answered again and not carried out again; superseded and expired ones, and those that only repeat a wish which
    the connector holds back (supply plan, trips in a row), are done at once.
    """
    fresh = [order for order in orders if not _answer_again(db, order, now)]
    holds = {}
    for order in sorted(fresh, key=lambda order: order.generation):
        holds[order.id, order.generation] = upkeep.hold_for(db, order)
        _learn_generation(db, order)
    wanted = []
    for order in fresh:
        row = OrderRow(order, Stage.RECEIVED, "received", "unknown", now)
        if is_superseded(db, order):
            row = _ended(row, "superseded", now, "a newer generation is known")
        elif is_expired(order, now):
            row = _ended(row, "expired", now, "expired before it was received")
        elif hold := holds[order.id, order.generation]:
            row = replace(_ended(row, "failed", now, upkeep.HELD[hold]), reported="off")
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


def progress(db: sqlite3.Connection, order: Order, data: str, now: float) -> None:
    """Told as `accepted` again, with other data."""
    row = find(db, order)
    if row is None or row.stage is Stage.DONE:
        return
    row = replace(row, stage=Stage.ACCEPTED, state="accepted", changed_at=now, data=data)
    _update(db, row)
    replace_progress(db, row.result)


def make_own(db: sqlite3.Connection, draft: Order, keep: upkeep.Upkeep | None, now: float) -> Order | None:
    """A switch order of the connector's own, with its id and generation, and what is kept of the circuit.

    None, and nothing is kept, when Odoo's newest wish forbids it or another one is under way. `data` names the event that tells its end.
    """
    generation, wanted = wish(db, draft.circuit_id)
    if draft.kind == "switch_on" and wanted == "off":
        return None
    for row in open_orders(db):
        if row.order.circuit_id == draft.circuit_id and is_switch(row.order):
            return None
    if keep is not None:
        upkeep.put(db, keep)
    lowest = db.execute("SELECT min(id) FROM orders").fetchone()[0] or 0
    order = replace(draft, id=min(0, lowest) - 1, generation=generation)
    _insert(db, OrderRow(order, Stage.RECEIVED, "received", "unknown", now))
    return order


def wish(db: sqlite3.Connection, circuit_id: int) -> tuple[int, str]:
    """Newest generation of a circuit and what it wants: on, off or "" (not known)."""
    row = db.execute(
        "SELECT generation, wanted FROM generations WHERE circuit_id = ?", (circuit_id,)
    ).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def finish(db: sqlite3.Connection, result: OrderResult) -> None:
    """The order is over. A second end is ignored: the first one stands."""
    found = db.execute(
        f"SELECT {_ROW} FROM orders WHERE id = ? AND generation = ?", (result.order_id, result.generation)
    ).fetchone()
    row = _order_row(found) if found else None
    if row is None or row.stage is Stage.DONE:
        return
    ended = replace(
        row,
        stage=Stage.DONE,
        state=result.state,
        reported=result.reported,
        changed_at=result.at,
        detail=result.detail,
        data=result.data,
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
    """Is a newer generation for its circuit known? Of our own orders: has Odoo, or the plan, something against it by now?"""
    if not is_switch(order):
        return False
    generation, wanted = wish(db, order.circuit_id)
    if not order.is_own:
        return generation > order.generation
    known = upkeep.get(db, order.circuit_id)
    if order.kind == "switch_on":
        return wanted == "off" or known.rest in ("tripped", "locked")
    return known.hold != "plan"


def _learn_generation(db: sqlite3.Connection, order: Order) -> None:
    if is_switch(order):
        db.execute(
            "INSERT INTO generations (circuit_id, generation, wanted) VALUES (?, ?, ?)"
            " ON CONFLICT (circuit_id) DO UPDATE SET generation = excluded.generation, wanted = excluded.wanted"
            " WHERE excluded.generation >= generation",
            (order.circuit_id, order.generation, order.kind.removeprefix("switch_")),
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
    if row.order.is_own and row.stage is Stage.DONE and row.state != "superseded":
        put_event(db, _own_event(row))
        if row.order.kind == "switch_on" and row.state == "confirmed":
            upkeep.switched_on(db, row.order.circuit_id)


def _own_event(row: OrderRow) -> Event:
    """What Odoo hears of an order it did not give."""
    order = row.order
    data = json.loads(order.data)
    kind = str(data.pop("event"))
    data |= {
        "wanted": order.kind.removeprefix("switch_"),
        "result": row.state,
        "reported": row.reported,
        "detail": row.detail,
        "reason": order.reason,
    }
    key = f"{kind}:{order.circuit_id}:{order.created_at:.3f}:{-order.id}"
    return Event(
        key, kind, row.changed_at, meter_id=order.meter_id, circuit_id=order.circuit_id or None, data=data
    )


def _insert(db: sqlite3.Connection, row: OrderRow) -> None:
    order = row.order
    db.execute(
        f"INSERT INTO orders ({_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order.id,
            order.generation,
            order.kind,
            order.meter_id,
            order.circuit_id,
            order.created_at,
            order.expires_at,
            order.reason,
            order.bus_id,
            order.data,
            int(row.stage),
            row.state,
            row.reported,
            row.changed_at,
            row.detail,
            row.data,
        ),
    )


def _update(db: sqlite3.Connection, row: OrderRow) -> None:
    db.execute(
        "UPDATE orders SET stage = ?, state = ?, reported = ?, changed_at = ?, detail = ?, result_data = ?"
        " WHERE id = ? AND generation = ?",
        (
            int(row.stage),
            row.state,
            row.reported,
            row.changed_at,
            row.detail,
            row.data,
            row.order.id,
            row.order.generation,
        ),
    )


def _order_row(row: tuple[Any, ...]) -> OrderRow:
    order, rest = Order(*row[:_FIELD_COUNT]), row[_FIELD_COUNT:]
    return OrderRow(order, Stage(rest[0]), *rest[1:])
