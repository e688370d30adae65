"""Hours of supply as people know them, by Odoo's clock: what a contact should show, worked out apart from the connector's own arithmetic."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

MINUTE_S = 60
GRACE_S = 120.0
"""After their end Odoo waits so long before it orders by itself (meter_supply_plan.py)."""


@dataclass(frozen=True)
class Hours:
    """`on`: times of supply as epoch seconds, whole minutes; a night on either side."""

    on: tuple[tuple[int, int], ...]

    @classmethod
    def by_chance(cls, now: float, rng: random.Random) -> Hours:
        """Off once in the first minutes, and in half of the cases for good before the twelfth."""
        start = int(now // MINUTE_S)
        off = start + rng.randint(2, 4)
        on_again = off + rng.randint(2, 4)
        last = start + (rng.randint(9, 11) if rng.random() < 0.5 else 240)
        minutes = ((start - 60, off), (on_again, last))
        return cls(tuple((begin * MINUTE_S, end * MINUTE_S) for begin, end in minutes))

    def is_on(self, at: float) -> bool:
        """Is there supply?"""
        return any(begin <= at < end for begin, end in self.on)

    def is_off_for_odoo(self, at: float) -> bool:
        """Would Odoo leave an open switch alone?"""
        return not (self.is_on(at) and self.is_on(at - GRACE_S))

    def document(self, zone: tzinfo) -> dict[str, Any]:
        """`supply_plan` of docs/rpc.md."""
        periods = [{"from": _clock(begin, zone), "to": _clock(end, zone)} for begin, end in self.on]
        return {"kept_by": "connector", "periods": periods}


def _clock(at: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%H:%M")
