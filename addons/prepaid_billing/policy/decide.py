"""The decision itself: a pure function, small enough to be read aloud to a tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from .hours import is_allowed, next_allowed
from .terms import Decision, Facts, Policy, Reason

_TENTH = Decimal("0.1")


def decide(facts: Facts, policy: Policy, now: datetime) -> Decision:
    """What shall be done for one tenancy at `now` (naive UTC)."""
    available = get_available(facts, policy)
    days = get_days_left(facts, policy)
    money = _money_reason(facts, policy, available, days)
    if facts.is_tripped:
        return _decide_tripped(facts, policy, now, available, money)
    level = get_warn_level(facts, policy)
    if available > policy.trip_at:
        return Decision("warned" if level else "normal", (money,), warn_level=level)
    blocks = _get_blocks(facts, policy, now)
    if not blocks:
        return Decision("trip", (money,), warn_level=level)
    return Decision("due", (money, *blocks), warn_level=level, next_check_at=_next_check(facts, policy, now))


def get_available(facts: Facts, policy: Policy) -> Decimal:
    """Money that may still be used: balance and credit, less fees that are due."""
    fees = facts.fees_waiting if policy.fees_count else Decimal(0)
    return facts.balance + policy.credit_limit - fees


def get_days_left(facts: Facts, policy: Policy) -> Decimal | None:
    """Days of supply left at the usual cost, one decimal, rounded down; None without history or use."""
    if not facts.daily_cost or facts.daily_cost <= 0:
        return None
    left = max(get_available(facts, policy) - policy.trip_at, Decimal(0))
    return (left / facts.daily_cost).quantize(_TENTH, ROUND_DOWN)


def get_warn_level(facts: Facts, policy: Policy) -> int:
    """The highest level that applies: level n is the n-th threshold; without money it is the last one."""
    available, days = get_available(facts, policy), get_days_left(facts, policy)
    if available <= policy.trip_at:
        return _get_last_level(policy)
    by_amount = sum(1 for threshold in policy.warn_amounts if available <= threshold)
    by_days = sum(1 for threshold in policy.warn_days if days is not None and days <= threshold)
    return max(by_amount, by_days)


def _get_last_level(policy: Policy) -> int:
    """The warning that says: the next step is the cut-off."""
    return max(len(policy.warn_amounts), len(policy.warn_days), 1)


def _decide_tripped(
    facts: Facts, policy: Policy, now: datetime, available: Decimal, money: Reason
) -> Decision:
    """Supplied again when there is money, or when something forbids being dark."""
    overriding = [
        block
        for block in _get_standing_blocks(facts, policy, now)
        if block.code in ("postpaid", "keep_power", "special_supply")
    ]
    if available > max(policy.reclose_at, policy.trip_at) or overriding:
        return Decision("reclose", (money, *overriding))
    return Decision("tripped", (money,), warn_level=get_warn_level(facts, policy))


def _get_standing_blocks(facts: Facts, policy: Policy, now: datetime) -> list[Reason]:
    """What forbids a trip whatever the hour and the warnings."""
    blocks = []
    if not policy.is_prepaid:
        blocks.append(Reason("postpaid"))
    if facts.keep_power_until and facts.keep_power_until > now:
        blocks.append(Reason("keep_power", {"until": facts.keep_power_until.isoformat()}))
    if facts.special_supply_until and facts.special_supply_until > now:
        blocks.append(Reason("special_supply", {"until": facts.special_supply_until.isoformat()}))
    return blocks


def _get_blocks(facts: Facts, policy: Policy, now: datetime) -> tuple[Reason, ...]:
    blocks = _get_standing_blocks(facts, policy, now)
    if not facts.has_switch:
        blocks.append(Reason("no_switch"))
    if facts.has_pending_payment:
        blocks.append(Reason("payment_undecided"))
    if facts.reading_at is None or now - facts.reading_at > policy.reading_age_max:
        blocks.append(
            Reason("reading_stale", {"at": facts.reading_at.isoformat() if facts.reading_at else None})
        )
    if not facts.is_plausible:
        blocks.append(Reason("reading_implausible"))
    blocks += _get_warning_blocks(facts, policy, now)
    if facts.due_since is None or now - facts.due_since < policy.grace:
        blocks.append(Reason("grace", {"until": _isoformat(_grace_end(facts, policy, now))}))
    if not is_allowed(policy, now):
        blocks.append(Reason("outside_hours", {"next": _isoformat(next_allowed(policy, now))}))
    if facts.is_mass_blocked:
        blocks.append(Reason("mass_unconfirmed"))
    return tuple(blocks)


def _get_warning_blocks(facts: Facts, policy: Policy, now: datetime) -> list[Reason]:
    """Only the last warning counts, from its delivery, and only when that was long enough ago."""
    first = facts.warned_at.get(_get_last_level(policy))
    if first is None:
        return [Reason("not_warned")]
    if now - first < policy.warn_lead:
        return [Reason("warned_too_recently", {"until": (first + policy.warn_lead).isoformat()})]
    return []


def _grace_end(facts: Facts, policy: Policy, now: datetime) -> datetime:
    return (facts.due_since or now) + policy.grace


def _next_check(facts: Facts, policy: Policy, now: datetime) -> datetime:
    """When blocks that end by time alone have ended; never later than in an hour, so that no fact is missed."""
    ends = [now + timedelta(minutes=1), _grace_end(facts, policy, now)]
    if facts.warned_at:
        ends.append(min(facts.warned_at.values()) + policy.warn_lead)
    ends += [until for until in (facts.keep_power_until, facts.special_supply_until) if until]
    at = next_allowed(policy, max(ends))
    return min(at or now + timedelta(hours=1), now + timedelta(hours=1))


def _money_reason(facts: Facts, policy: Policy, available: Decimal, days: Decimal | None) -> Reason:
    return Reason(
        "money",
        {
            "balance": str(facts.balance),
            "fees_waiting": str(facts.fees_waiting),
            "credit_limit": str(policy.credit_limit),
            "available": str(available),
            "days_left": str(days) if days is not None else None,
        },
    )


def _isoformat(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
