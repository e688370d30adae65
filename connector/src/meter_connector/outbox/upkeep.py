"""What the connector does to a switch by itself, as SQL: off by the supply plan, closed again after a meter's own trip, locked.

While a hold is on, Odoo's repetitions of a wish that stands already are not carried out: they would undo it every second. A new wish, and
one with `{"override": true}` in its data, is.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Literal

from ..model import Order

Hold = Literal["", "plan", "recovery", "locked"]
HELD: dict[Hold, str] = {
    "plan": "the supply plan has it off; it is switched on when its next period begins",
    "recovery": "the meter has tripped by itself; it is closed again after the set time",
    "locked": "the meter has tripped too often in a row; a person looks at it and switches on anew",
}


@dataclass(frozen=True)
class Upkeep:
    """One circuit. `phase`: begin (epoch seconds) of the phase of the plan that was acted upon."""

    circuit_id: int
    hold: Hold = ""
    phase: float = 0.0
    trips: int = 0
    tripped_at: float = 0.0


def get(db: sqlite3.Connection, circuit_id: int) -> Upkeep:
    """What is known of a circuit."""
    row = db.execute(
        "SELECT circuit_id, hold, phase, trips, tripped_at FROM upkeep WHERE circuit_id = ?", (circuit_id,)
    ).fetchone()
    return Upkeep(*row) if row else Upkeep(circuit_id)


def put(db: sqlite3.Connection, found: Upkeep) -> None:
    """Remember."""
    db.execute(
        "INSERT INTO upkeep (circuit_id, hold, phase, trips, tripped_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (circuit_id) DO UPDATE SET hold = excluded.hold, phase = excluded.phase,"
        " trips = excluded.trips, tripped_at = excluded.tripped_at",
        (found.circuit_id, found.hold, found.phase, found.trips, found.tripped_at),
    )


def everything(db: sqlite3.Connection) -> list[Upkeep]:
    """All circuits that ever had something."""
    rows = db.execute("SELECT circuit_id, hold, phase, trips, tripped_at FROM upkeep")
    return [Upkeep(*row) for row in rows]


def hold_for(db: sqlite3.Connection, order: Order) -> Hold:
    """What holds this new order of Odoo back; a hold that its wish overrules is lifted. Ask before its generation is learnt."""
    if order.kind not in ("switch_on", "switch_off"):
        return ""
    found = get(db, order.circuit_id)
    row = db.execute(
        "SELECT generation, wanted FROM generations WHERE circuit_id = ?", (order.circuit_id,)
    ).fetchone()
    generation, wanted = row or (0, "")
    if not found.hold or generation > order.generation:
        return ""
    is_override = _is_override(order)
    if order.kind == "switch_on" and not is_override and (found.hold == "plan" or wanted == "on"):
        return found.hold
    if order.kind == "switch_on" or found.hold != "plan":
        put(db, Upkeep(order.circuit_id, "", found.phase))
    return ""


def _is_override(order: Order) -> bool:
    try:
        data = json.loads(order.data or "{}")
    except ValueError:
        return False
    return isinstance(data, dict) and data.get("override") is True
