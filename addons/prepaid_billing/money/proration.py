"""How many nominal periods a span of days is: whole periods count 1, a broken one its share of days.

OCA's contract bills a broken period (a first month from the 15th, a last one to the 10th) in full; tenants pay
by the day. Exact fractions, so that price x periods is rounded once, to the fen.
"""

from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction

MONTHS = {"monthly": 1, "monthlylastday": 1, "quarterly": 3, "semesterly": 6, "yearly": 12}
DAYS = {"daily": 1, "weekly": 7}


def add_months(day, months):
    """The same day some months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def periods_between(first, last, rule, interval=1):
    """Nominal periods in first..last (both included) as a Fraction.

    `rule` is OCA's recurring_rule_type. Months run from the first day's own day of month, for 'monthlylastday'
    they are calendar months.
    """
    if last < first:
        return Fraction(0)
    if rule in DAYS:
        return Fraction((last - first).days + 1, DAYS[rule] * interval)
    if rule == "monthlylastday":
        return _calendar_months(first, last) / interval
    return _anniversary_periods(first, last, MONTHS[rule] * interval)


def _calendar_months(first, last):
    total, day = Fraction(0), first
    while day <= last:
        length = monthrange(day.year, day.month)[1]
        month_end = day.replace(day=length)
        total += Fraction((min(month_end, last) - day).days + 1, length)
        day = month_end + timedelta(days=1)
    return total


def _anniversary_periods(first, last, months):
    whole, start = 0, first
    while (following := add_months(first, months * (whole + 1))) - timedelta(days=1) <= last:
        whole, start = whole + 1, following
    rest = (last - start).days + 1
    return whole + Fraction(rest, (following - start).days)
