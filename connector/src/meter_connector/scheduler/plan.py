"""Timed supply as arithmetic: is there supply at a moment, since when, until when. By the site's wall clock, so that a change of
summer time moves no period: what begins at 08:00 begins when clocks on the wall show 08:00. No clock here, no task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from ..model import SupplyPlan

MINUTE_S = 60
HORIZON_MINUTES = 8 * 24 * 60


@dataclass(frozen=True)
class Phase:
    """A time of supply or of none, epoch seconds; a plan that never changes begins at 0 and ends never (`until` 0)."""

    is_on: bool
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Is it still (and already) this phase?"""
        return self.since <= now and (self.until == 0 or now < self.until)


def is_supplied(plan: SupplyPlan, local: datetime) -> bool:
    """By the wall clock; a plan without periods forbids nothing."""
    if not plan.periods:
        return True
    today, minute = local.isoweekday(), local.hour * 60 + local.minute
    yesterday = 7 if today == 1 else today - 1
    for period in plan.periods:
        if period.begin < period.end:
            if today in period.weekdays and period.begin <= minute < period.end:
                return True
        elif (today in period.weekdays and minute >= period.begin) or (
            yesterday in period.weekdays and minute < period.end
        ):
            return True
    return False


def phase_at(plan: SupplyPlan, now: float, zone: tzinfo) -> Phase:
    """The phase around a moment. Minute by minute: every change of a wall clock is caught, whatever the zone does."""
    minute = int(now // MINUTE_S)

    def state(number: int) -> bool:
        return is_supplied(plan, datetime.fromtimestamp(number * MINUTE_S, zone))

    is_on = state(minute)
    back = next((n for n in range(1, HORIZON_MINUTES) if state(minute - n) is not is_on), None)
    ahead = next((n for n in range(1, HORIZON_MINUTES) if state(minute + n) is not is_on), None)
    since = 0.0 if back is None else float((minute - back + 1) * MINUTE_S)
    until = 0.0 if ahead is None else float((minute + ahead) * MINUTE_S)
    return Phase(is_on, since, until)


class Phases:
    """The phases of many plans, each worked out once."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known: dict[SupplyPlan, Phase] = {}

    def at(self, plan: SupplyPlan, now: float) -> Phase:
        """The phase of a plan now."""
        known = self._known.get(plan)
        if known is None or not known.holds(now):
            known = self._known[plan] = phase_at(plan, now, self._zone)
        return known
