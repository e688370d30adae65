"""The words of the trip policy. Money in yuan (Decimal), instants as naive UTC, durations as timedelta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

#: Life of a tenancy's supply:
#: normal -> warned -> due (would be tripped, but something stands in the way) -> trip -> tripped -> reclose -> normal
STATES = ("normal", "warned", "due", "trip", "tripped", "reclose")

#: What keeps a due trip from happening, in the order it is told to people.
BLOCKS = (
    "postpaid",
    "keep_power",
    "special_supply",
    "no_switch",
    "payment_undecided",
    "reading_stale",
    "reading_implausible",
    "not_warned",
    "warned_too_recently",
    "grace",
    "outside_hours",
    "mass_unconfirmed",
)


@dataclass(frozen=True)
class Policy:
    """Rules of one tenancy, already resolved from tenancy, building, site and company.

    warn_amounts: available money at or below which level 1, 2, … is warned, highest first.
    warn_days: the same in days of supply left. trip_at: trip when available money is at or below this.
    reclose_at: power is back when available money is above this (never below trip_at).
    hours: (from, to) of the site's day in which trips may happen; from > to spans midnight; empty = never.
    weekdays: 0 = Monday. holidays: days of the site without trips.
    """

    is_prepaid: bool = True
    warn_amounts: tuple[Decimal, ...] = (Decimal(50), Decimal(20))
    warn_days: tuple[Decimal, ...] = ()
    trip_at: Decimal = Decimal(0)
    credit_limit: Decimal = Decimal(0)
    reclose_at: Decimal = Decimal(0)
    grace: timedelta = timedelta(0)
    warn_lead: timedelta = timedelta(hours=4)
    hours: tuple[tuple[time, time], ...] = ((time(9), time(17)),)
    weekdays: frozenset[int] = frozenset(range(7))
    holidays: frozenset[date] = frozenset()
    reading_age_max: timedelta = timedelta(hours=2)
    fees_count: bool = True
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True)
class Facts:
    """What is known of a tenancy at one instant.

    balance: of the wallet. fees_waiting: property fee and rent that are due and could not be withheld.
    daily_cost: average of the last days, None without history. reading_at: time of the oldest newest reading
    of its metered points, None without any. due_since: since when the money has been gone without a break.
    warned_at: level -> when a warning of at least that level was delivered in this case.
    is_tripped: the policy's own trip is in force (desired state off by policy). has_switch: something can be tripped.
    """

    balance: Decimal
    fees_waiting: Decimal = Decimal(0)
    daily_cost: Decimal | None = None
    reading_at: datetime | None = None
    is_plausible: bool = True
    has_pending_payment: bool = False
    due_since: datetime | None = None
    warned_at: Mapping[int, datetime] = field(default_factory=dict)
    is_tripped: bool = False
    has_switch: bool = True
    keep_power_until: datetime | None = None
    special_supply_until: datetime | None = None
    is_mass_blocked: bool = False


@dataclass(frozen=True)
class Reason:
    """One reason: a code of a fixed list, with the values a person wants to see (JSON-able)."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """warn_level: 0 = none; a notice of this level shall have been delivered. next_check_at: when the answer may
    change by time alone (None: only new facts change it)."""

    state: str
    reasons: tuple[Reason, ...]
    warn_level: int = 0
    next_check_at: datetime | None = None

    @property
    def blocks(self) -> tuple[str, ...]:
        """Codes of what stands in the way of a due trip."""
        return tuple(reason.code for reason in self.reasons if reason.code in BLOCKS)
