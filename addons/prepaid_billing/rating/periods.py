"""Where a month, a year and a day begin in the zone of the site. Instants in and out are naive UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=256)
def get_zone(name):
    return ZoneInfo(name)


def to_local(at, zone):
    """Naive UTC -> aware local."""
    return at.replace(tzinfo=UTC).astimezone(get_zone(zone))


def to_utc(day, zone, at=time()):
    """A wall-clock moment of the site -> naive UTC."""
    return datetime.combine(day, at, get_zone(zone)).astimezone(UTC).replace(tzinfo=None)


def get_local_day(at, zone):
    return to_local(at, zone).date()


def get_period_start(at, zone, period):
    """First local day of the month or year in which the instant lies."""
    day = get_local_day(at, zone)
    return date(day.year, 1 if period == "year" else day.month, 1)


def get_month_cuts(start, end, zone):
    """Instants strictly between start and end at which a local month begins (a year begins with one)."""
    cuts, day = [], get_period_start(start, zone, "month")
    while True:
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        at = to_utc(day, zone)
        if at >= end:
            return cuts
        if at > start:
            cuts.append(at)


def get_day_cuts(start, end, zone):
    """Instants strictly between start and end at which a local day begins."""
    cuts, day = [], get_local_day(start, zone)
    while True:
        day += timedelta(days=1)
        at = to_utc(day, zone)
        if at >= end:
            return cuts
        if at > start:
            cuts.append(at)
