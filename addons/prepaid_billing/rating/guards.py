"""What a reading must not do before it may cost anybody money.

A problem goes to a person (`prepaid.review`), never to a wallet. `quantity` is a proposal, in kWh or m³.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from .registers import Reading, get_use_between

HOUR_S = Decimal(3600)
JUMP_FLOOR = Decimal(1)  # kWh or m³ that are always believed
HISTORY_FACTOR = 20  # times the mean rate of the last days
HISTORY_FLOOR = Decimal(50)
RATE_TOLERANCE = Decimal("0.1")  # register units between sum of rates and total
RATE_TOLERANCE_SHARE = Decimal("0.005")
ROLLOVER_NEAR = Decimal("0.9")  # a register can only have rolled over from above this share of its capacity
MAX_OUTLIERS = 3  # so many odd readings in a row can be noise; more is a state


@dataclass(frozen=True, slots=True)
class Problem:
    """kind: rollback, rollover, jump, rates (sum of rate registers is not the total)."""

    kind: str
    before: Reading
    after: Reading
    quantity: Decimal
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What is believable for one installation."""

    multiplier: Decimal = Decimal(1)
    capacity: Decimal = Decimal(1000000)  # the register shows 0 again here
    max_per_hour: Decimal | None = None  # kWh or m³ that the connection can carry in an hour
    mean_per_hour: Decimal | None = None  # of the last days
    rate_offset: Decimal | None = None  # sum of rates less total when the installation was last believed
    accepted: dict = field(default_factory=dict)  # {at: quantity} a person accepted

    def check(self, before, after):
        """None or the Problem of going from one reading to the next."""
        if after.at in self.accepted:
            return None
        fell = after.total < before.total or self._has_fallen_rate(before, after)
        if fell:
            return self._check_fall(before, after)
        quantity = get_use_between(before, after, self.multiplier).total
        limit = self._get_limit(before, after)
        if limit is not None and quantity > limit:
            return Problem("jump", before, after, quantity, limit)
        if self._is_rate_sum_off(before, after):
            return Problem("rates", before, after, quantity)
        return None

    def _has_fallen_rate(self, before, after):
        if before.rates is None or after.rates is None:
            return False
        return any(b < a for a, b in zip(before.rates, after.rates, strict=True))

    def _check_fall(self, before, after):
        wrapped = (after.total + self.capacity - before.total) * self.multiplier
        limit = self._get_limit(before, after)
        near_end = before.total >= self.capacity * ROLLOVER_NEAR and after.total < before.total
        if near_end and (limit is None or wrapped <= limit):
            return Problem("rollover", before, after, wrapped, limit)
        return Problem("rollback", before, after, Decimal(0), limit)

    def _get_limit(self, before, after):
        hours = Decimal(int((after.at - before.at).total_seconds())) / HOUR_S
        limits = []
        if self.max_per_hour is not None:
            limits.append(self.max_per_hour * hours + JUMP_FLOOR * max(self.multiplier, 1))
        if self.mean_per_hour is not None:
            limits.append(
                self.mean_per_hour * HISTORY_FACTOR * hours + HISTORY_FLOOR * max(self.multiplier, 1)
            )
        return min(limits) if limits else None

    def _is_rate_sum_off(self, before, after):
        if self.rate_offset is None or after.rates is None:
            return False
        drift = abs(after.rate_offset - self.rate_offset)
        return drift > RATE_TOLERANCE + (after.total - before.total) * RATE_TOLERANCE_SHARE


def sift(guard, start, readings):
    """(good, outliers, held): readings to believe, single odd ones between good ones, and the odd end.

    An odd reading is noise only when at most MAX_OUTLIERS later a reading continues the good chain and *not* the odd one;
    a jump does not become believable by waiting. Whatever stays in `held` waits for a person.
    """
    good, outliers, held = [start], [], []
    for reading in readings:
        problem = guard.check(good[-1], reading)
        if problem or (held and not _is_return(guard, held, reading)):
            held.append(problem or Problem(held[0].kind, good[-1], reading, held[0].quantity, held[0].limit))
            continue
        outliers += held
        held = []
        good.append(reading)
    return good, outliers, held


def _is_return(guard, held, reading):
    """True when the reading contradicts each of the odd ones (they were noise), not continues them."""
    if len(held) > MAX_OUTLIERS:
        return False
    return all(_contradicts(guard, problem, reading) for problem in held)


def _contradicts(guard, problem, reading):
    if problem.kind == "jump":
        return reading.total < problem.after.total
    if problem.kind == "rates":
        return True  # the sum is right again
    return reading.total >= problem.before.total
