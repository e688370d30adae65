"""What the connector does to a switch by itself, as SQL: off by the supply plan, closed again after a meter's own trip, locked.

`hold` is the plan's, `rest` follows a trip; one never ends the other. While they last, Odoo's repetitions of a wish that stands already are
not carried out: they would undo it every second. A new wish is, but for the plan's hours and a lock; one with `{"override": true}` in its
data always is.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Literal

from ..model import Order, SwitchState

Hold = Literal["", "plan", "plan_over"]
Rest = Literal["", "tripped", "recovery", "locked"]
HELD = {
    "plan": "the supply plan has it off; it is switched on when its next period begins",
    "recovery": "the meter has tripped by itself; it is closed again after the set time",
    "locked": "the meter has tripped too often in a row; a person looks at it and switches on anew",
}
_FIELDS = "circuit_id, hold, phase, trips, tripped_at, rest, shown"


@dataclass(frozen=True)
class Upkeep:
    """One circuit. `phase`: begin (epoch seconds) of the phase of the plan that was acted upon; `shown`: on, off or "" as last read.

    hold: plan = off by the plan; plan_over = its period has begun, not on again yet. rest: tripped = Odoo closes, recovery = we do after a
    while, locked = only a person does.
    """

    circuit_id: int
    hold: Hold = ""
    phase: float = 0.0
    trips: int = 0
    tripped_at: float = 0.0
    rest: Rest = ""
    shown: SwitchState | Literal[""] = ""


def get(db: sqlite3.Connection, circuit_id: int) -> Upkeep:
    """What is known of a circuit."""
    row = db.execute(f"SELECT {_FIELDS} FROM upkeep WHERE circuit_id = ?", (circuit_id,)).fetchone()
    return Upkeep(*row) if row else Upkeep(circuit_id)


def put(db: sqlite3.Connection, found: Upkeep) -> None:
    """Remember."""
    db.execute(
        f"INSERT OR REPLACE INTO upkeep ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            found.circuit_id,
            found.hold,
            found.phase,
            found.trips,
            found.tripped_at,
            found.rest,
            found.shown,
        ),
    )


def everything(db: sqlite3.Connection) -> list[Upkeep]:
    """All circuits that ever had something."""
    return [Upkeep(*row) for row in db.execute(f"SELECT {_FIELDS} FROM upkeep")]


def hold_for(db: sqlite3.Connection, order: Order) -> str:
    """What holds this new order of Odoo back (a key of HELD, or ""); what its wish overrules is lifted. Ask before its generation is learnt."""
    if order.kind not in ("switch_on", "switch_off"):
        return ""
    found = get(db, order.circuit_id)
    row = db.execute(
        "SELECT generation, wanted FROM generations WHERE circuit_id = ?", (order.circuit_id,)
    ).fetchone()
    generation, wanted = row or (0, "")
    if generation > order.generation:
        return ""
    lifted = found if found.rest == "locked" else replace(found, rest="")
    if order.kind == "switch_on":
        if _is_override(order):
            lifted = replace(found, hold="", rest="", trips=0)
        elif found.rest == "locked" or (found.rest == "recovery" and wanted == "on"):
            return found.rest
        elif found.hold == "plan":
            return found.hold
    if lifted != found:
        put(db, lifted)
    return ""


def switched_on(db: sqlite3.Connection, circuit_id: int) -> None:
    """Our own switch_on is confirmed: what it was to end is over."""
    found = get(db, circuit_id)
    hold: Hold = "" if found.hold == "plan_over" else found.hold
    rest: Rest = "" if found.rest == "recovery" else found.rest
    put(db, replace(found, hold=hold, rest=rest))


def _is_override(order: Order) -> bool:
    try:
        data = json.loads(order.data or "{}")
    except ValueError:
        return False
    return isinstance(data, dict) and data.get("override") is True
