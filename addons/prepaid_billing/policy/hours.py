"""Allowed trip hours in the site's own day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .terms import Policy

_SEARCH_DAYS = 60


def is_allowed(policy: Policy, now: datetime) -> bool:
    """Whether a trip may happen at `now` (naive UTC). A span over midnight belongs to the day it began."""
    local = now.replace(tzinfo=UTC).astimezone(ZoneInfo(policy.timezone))
    today, yesterday, clock = local.date(), local.date() - timedelta(days=1), local.time()
    for begin, end in policy.hours:
        if begin <= end:
            if begin <= clock < end and _is_allowed_day(policy, today):
                return True
        elif (clock >= begin and _is_allowed_day(policy, today)) or (
            clock < end and _is_allowed_day(policy, yesterday) and _is_allowed_day(policy, today)
        ):
            return True
    return False


def next_allowed(policy: Policy, now: datetime) -> datetime | None:
    """The next instant (naive UTC, now or later) at which a trip may happen; None if there is none soon."""
    if is_allowed(policy, now):
        return now
    zone = ZoneInfo(policy.timezone)
    first_day = now.replace(tzinfo=UTC).astimezone(zone).date()
    for offset in range(_SEARCH_DAYS):
        day = first_day + timedelta(days=offset)
        # Midnight too: a span that began yesterday may go on into an allowed day.
        for begin in sorted({time(0), *(begin for begin, _end in policy.hours)}):
            local = datetime.combine(day, begin, zone)
            at = local.astimezone(UTC).replace(tzinfo=None)
            if at > now and is_allowed(policy, at):
                return at
    return None


def _is_allowed_day(policy: Policy, day) -> bool:  # type: ignore[no-untyped-def]
    return day.weekday() in policy.weekdays and day not in policy.holidays
