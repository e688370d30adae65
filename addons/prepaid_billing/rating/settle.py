"""Readings of one installation -> charges.

The chain is gapless: each charge begins with the registers at which the last one ended. It is cut where a local month begins,
where the payer changes and where the price changes. Use while nobody occupies the unit becomes a charge without a payer.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from .guards import Guard, sift
from .periods import get_day_cuts, get_local_day, get_month_cuts, get_period_start
from .pricing import explain, price_step, round_fen
from .registers import ZERO, Knot, Reading, Use, cut, get_use_between

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """value holds in [start, end); end None: still."""

    start: datetime
    end: datetime | None
    value: object


@dataclass(slots=True)
class Accumulator:
    """Use and charges of one payer, price version and period at a service point; all money is worked out against it."""

    use: Use = Use()
    charged: Decimal = ZERO
    opening: Decimal = ZERO  # use of this period priced by earlier versions: tiers go on from here


@dataclass(frozen=True, slots=True)
class Point:
    """One installation: `start` is where its chain of charges has come to."""

    start: Reading
    zone: str
    multiplier: Decimal = Decimal(1)
    guard: Guard = field(default_factory=Guard)
    payers: tuple[Span, ...] = ()  # value: contract id
    tariffs: tuple[Span, ...] = ()  # value: (version id, Spec)


@dataclass(frozen=True, slots=True)
class ChargeDraft:
    before: Reading
    after: Reading
    contract_id: int | None
    version_id: int | None
    period_start: object
    use: Use
    amount: Decimal
    lines: list
    days: list  # [(local day, quantity, amount)], sums equal use.total and amount


@dataclass(slots=True)
class Settlement:
    """cursor: where the chain now ends; outliers and held: Problems; stop: None, "no_tariff" or "no_rates"."""

    cursor: Reading
    charges: list = field(default_factory=list)
    outliers: list = field(default_factory=list)
    held: list = field(default_factory=list)
    stop: str | None = None


def settle(point, readings, accumulators):
    """Settle `readings` (after point.start, in order). `accumulators`: {(contract id or 0, version id, period start):
    Accumulator} of the service point; read and written."""
    good, outliers, held = sift(point.guard, point.start, readings)
    result = Settlement(good[0], outliers=outliers, held=held)
    if len(good) < 2:
        return result
    knots = _make_knots(point, good)
    for pieces in _group(point, knots):
        if not _settle_pieces(point, pieces, accumulators, result):
            break
    return result


def get_hard_cuts(point, start, end):
    """Instants strictly between start and end at which a charge has to end: month, payer or price change."""
    cuts = {at for span in (*point.payers, *point.tariffs) for at in (span.start, span.end) if at}
    return {at for at in cuts if start < at < end} | set(get_month_cuts(start, end, point.zone))


def hold_back(point, readings, waiting_from):
    """`readings` that may be settled while the connector still has others from `waiting_from` on.

    Up to there all are known. What comes after may be settled as far as no hard cut lies in the gap: across one, use
    would be shared out between two months, payers or prices although a closer reading is on its way.
    """
    known = bisect_left([reading.at for reading in readings], waiting_from)
    if known == len(readings):
        return readings
    last = readings[known - 1] if known else point.start
    cuts = get_hard_cuts(point, last.at, readings[-1].at)
    first_cut = min(cuts, default=readings[-1].at)
    return [reading for reading in readings if reading.at <= first_cut]


def _make_knots(point, readings):
    knots = [Knot(readings[0], Use())]
    for before, after in zip(readings, readings[1:], strict=False):
        if after.at in point.guard.accepted:
            use = _get_accepted_use(before, after, point.guard.accepted[after.at])
        else:
            use = get_use_between(before, after, point.multiplier)
        knots.append(Knot(after, knots[-1].use + use))
    return knots


def _get_accepted_use(before, after, quantity):
    """A person's quantity, shared among the rates as the registers say, or all of it flat (t3)."""
    steps = get_use_between(before, after, Decimal(1)).rates
    whole = sum(steps)
    if min(steps) < 0 or not whole:
        return Use(quantity, (ZERO, ZERO, quantity if after.rates is not None else ZERO, ZERO))
    shares = [(quantity * step / whole).quantize(Decimal("0.0001")) for step in steps[:3]]
    return Use(quantity, (*shares, quantity - sum(shares)))


def _group(point, knots):
    """Lists of [before, after] pieces; within a list payer, price and month are the same, pieces end at local midnights."""
    start, end = knots[0].reading.at, knots[-1].reading.at
    hard = get_hard_cuts(point, start, end)
    line = cut(knots, hard | set(get_day_cuts(start, end, point.zone)))
    pieces = []
    for before, after in zip(line, line[1:], strict=False):
        if pieces and before.reading.at in hard:
            yield pieces
            pieces = []
        pieces.append((before, after))
    yield pieces


def _settle_pieces(point, pieces, accumulators, result):
    """Add the charge of one group to `result`; False when the chain has to stop here."""
    before, after = pieces[0][0], pieces[-1][1]
    use = after.use - before.use
    at = before.reading.at
    contract_id, version = _find(point.payers, at), _find(point.tariffs, at)
    result.stop = _get_obstacle(use, contract_id, version, after.reading)
    if result.stop:
        return False
    result.cursor = after.reading
    if use:
        draft = _price(point, use, contract_id, version, at, accumulators)
        days = _spread(point.zone, pieces, draft["amount"])
        result.charges.append(
            ChargeDraft(before.reading, after.reading, contract_id, use=use, days=days, **draft)
        )
    return True


def _get_obstacle(use, contract_id, version, after):
    if not use or (version is None and contract_id is None):
        return None
    if version is None:
        return "no_tariff"
    return "no_rates" if version[1].needs_rates and after.rates is None else None


def _find(spans, at):
    for span in spans:
        if span.start <= at and (span.end is None or at < span.end):
            return span.value
    return None


def _price(point, use, contract_id, version, at, accumulators):
    if version is None:
        return {
            "version_id": None,
            "period_start": get_period_start(at, point.zone, "month"),
            "amount": round_fen(ZERO),
            "lines": [],
        }
    version_id, spec = version
    period_start = get_period_start(at, point.zone, spec.period)
    key = (contract_id or 0, version_id, period_start)
    if key not in accumulators:
        opening = sum(
            (a.use.total for k, a in accumulators.items() if k[0] == key[0] and k[2] == period_start), ZERO
        )
        accumulators[key] = Accumulator(opening=opening)
    accumulator = accumulators[key]
    total = accumulator.use + use
    amount = price_step(spec, total, accumulator.charged, accumulator.opening)
    lines = explain(spec, accumulator.use, total, accumulator.opening)
    accumulator.use, accumulator.charged = total, accumulator.charged + amount
    return {"version_id": version_id, "period_start": period_start, "amount": amount, "lines": lines}


def _spread(zone, pieces, amount):
    """Quantity and money per local day; money pro rata, cumulative, so that the days add up to the charge."""
    start, whole = pieces[0][0].use.total, pieces[-1][1].use.total - pieces[0][0].use.total
    rows, spread = [], ZERO
    for before, after in pieces:
        share = (
            amount
            if after is pieces[-1][1] or not whole
            else round_fen(amount * (after.use.total - start) / whole)
        )
        quantity = after.use.total - before.use.total
        if quantity or share != spread:
            rows.append((get_local_day(after.reading.at - INSTANT, zone), quantity, share - spread))
        spread = share
    return rows


def get_spans(rows):
    """[(start, value)] -> Spans, each valid until the next begins."""
    rows = sorted(rows, key=lambda row: row[0])
    ends = [row[0] for row in rows[1:]] + [None]
    return tuple(Span(start, end, value) for (start, value), end in zip(rows, ends, strict=True))


def find_version(rows, at):
    """Value of the last (start, value) row, sorted by start, that began at or before `at`."""
    index = bisect_right([row[0] for row in rows], at)
    return rows[index - 1][1] if index else None
