"""Readings (what a meter showed) and use (what went through), and the time between two readings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

RATES = ("t1", "t2", "t3", "t4")  # sharp, peak, flat, valley
ENERGY_STEP = Decimal("0.0001")  # smallest step that is stored
ZERO = Decimal(0)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """Registers at an instant (naive UTC). rates: (t1, t2, t3, t4), or None where the meter has no such registers."""

    at: datetime
    total: Decimal
    rates: tuple[Decimal, ...] | None = None
    is_computed: bool = False  # lies between two readings, worked out from them

    @property
    def rate_offset(self):
        """Sum of rate registers less the total register; steady in a healthy meter."""
        return None if self.rates is None else sum(self.rates) - self.total


@dataclass(frozen=True, slots=True)
class Use:
    """Use in kWh or m³ (registers times multiplier). Never negative."""

    total: Decimal = ZERO
    rates: tuple[Decimal, ...] = (ZERO, ZERO, ZERO, ZERO)

    def __add__(self, other):
        return Use(
            self.total + other.total, tuple(a + b for a, b in zip(self.rates, other.rates, strict=True))
        )

    def __sub__(self, other):
        return Use(
            self.total - other.total, tuple(a - b for a, b in zip(self.rates, other.rates, strict=True))
        )

    def __bool__(self):
        return bool(self.total) or any(self.rates)


@dataclass(frozen=True, slots=True)
class Knot:
    """A reading and the use since the chain's start up to it."""

    reading: Reading
    use: Use


def get_use_between(before, after, multiplier):
    """Use from reading to reading. Rates are zero where the later reading has none; where only the earlier one has none
    (an opening reading without rates), all of it counts as flat."""
    total = (after.total - before.total) * multiplier
    if after.rates is None:
        return Use(total)
    if before.rates is None:
        return Use(total, (ZERO, ZERO, total, ZERO))
    return Use(total, tuple((b - a) * multiplier for a, b in zip(before.rates, after.rates, strict=True)))


def interpolate(before, after, at):
    """The knot at instant `at` between two knots, pro rata in time, rounded down.

    Because every cut is a value on one cumulative line, the pieces between cuts add up to the whole exactly.
    """
    share = (
        Decimal((at - before.reading.at) // MICROSECOND),
        Decimal((after.reading.at - before.reading.at) // MICROSECOND),
    )
    a, b = before.reading, after.reading
    rates = None
    if a.rates is not None and b.rates is not None:
        rates = tuple(_between(x, y, share) for x, y in zip(a.rates, b.rates, strict=True))
    use = Use(
        _between(before.use.total, after.use.total, share),
        tuple(_between(x, y, share) for x, y in zip(before.use.rates, after.use.rates, strict=True)),
    )
    return Knot(Reading(at, _between(a.total, b.total, share), rates, is_computed=True), use)


def _between(a, b, share):
    """a + (b - a) x share, down to a storable step; a register that fell (rollover) stays where it was."""
    if b <= a:
        return a
    return a + ((b - a) * share[0] / share[1]).quantize(ENERGY_STEP, rounding=ROUND_FLOOR)


def cut(knots, cuts):
    """Knots at the first, at each cut strictly inside, and at the last."""
    result, index = [knots[0]], 0
    for at in sorted(set(cuts)):
        if not knots[0].reading.at < at < knots[-1].reading.at:
            continue
        while knots[index + 1].reading.at < at:
            index += 1
        following = knots[index + 1]
        result.append(following if following.reading.at == at else interpolate(knots[index], following, at))
    result.append(knots[-1])
    return result
