"""Rules of pricing that must hold for every tariff, every use and every way of cutting it up."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.addons.prepaid_billing.rating import (
    Accumulator,
    Guard,
    Point,
    Reading,
    Span,
    TariffError,
    Use,
    explain,
    parse,
    price,
    price_step,
    round_fen,
    settle,
)
from odoo.tests import BaseCase, tagged

prices = st.decimals(min_value=0, max_value=5, places=4, allow_nan=False, allow_infinity=False)
quantities = st.decimals(min_value=0, max_value=400, places=4, allow_nan=False, allow_infinity=False)
ZERO = Decimal(0)
CASES = settings(max_examples=150, deadline=None)


def _rates(draw):
    return {rate: str(draw(prices)) for rate in ("t1", "t2", "t3", "t4")}


def _tiers(draw):
    ends = sorted({draw(st.integers(1, 900)) for _ in range(draw(st.integers(0, 3)))})
    return [{"upto": str(end), "price": str(draw(prices))} for end in ends] + [{"price": str(draw(prices))}]


@st.composite
def definitions(draw):
    structure = draw(st.sampled_from(["flat", "tou", "tiered", "tiered_tou"]))
    definition = {"structure": structure}
    if structure == "flat":
        definition["price"] = str(draw(prices))
    if structure in ("tou", "tiered_tou"):
        definition["prices"] = _rates(draw)
    if structure in ("tiered", "tiered_tou"):
        definition["tiers"] = _tiers(draw)
        definition["period"] = draw(st.sampled_from(["month", "year"]))
    return definition


uses = st.tuples(quantities, quantities, quantities, quantities).map(lambda rates: Use(sum(rates), rates))


@tagged("post_install", "-at_install")
class TestPricingRules(BaseCase):
    @CASES
    @given(definitions(), st.lists(uses, max_size=8), quantities)
    def test_any_split_of_a_period_costs_what_the_whole_costs(self, definition, pieces, opening):
        spec, cumulative, charged = parse(definition), Use(), ZERO
        for piece in pieces:
            cumulative = cumulative + piece
            step = price_step(spec, cumulative, charged, opening)
            self.assertGreaterEqual(step, 0, "no piece is negative")
            charged += step
        self.assertEqual(charged, round_fen(price(spec, cumulative, opening)) if pieces else ZERO)

    @CASES
    @given(definitions(), uses, uses, quantities)
    def test_more_use_never_costs_less(self, definition, first, more, opening):
        spec = parse(definition)
        self.assertGreaterEqual(price(spec, first + more, opening), price(spec, first, opening))
        self.assertGreaterEqual(price(spec, first, opening), 0)

    @CASES
    @given(definitions(), uses, uses, quantities)
    def test_explanation_lines_add_up_to_the_price_of_the_piece(self, definition, first, more, opening):
        spec = parse(definition)
        lines = explain(spec, first, first + more, opening)
        exact = price(spec, first + more, opening) - price(spec, first, opening)
        self.assertEqual(sum((Decimal(line["amount"]) for line in lines), ZERO), exact)


START = datetime(2026, 10, 20, 3, 0)


@st.composite
def histories(draw):
    """Readings of one meter over weeks (month boundary inside), with rate registers that add up to the total."""
    at, rates = START, [Decimal(1000)] * 4
    readings = [Reading(at, sum(rates), tuple(rates))]
    for _ in range(draw(st.integers(1, 12))):
        at += timedelta(seconds=draw(st.integers(60, 10 * 86400)))
        rates = [rate + draw(st.decimals(0, 9, places=2)) for rate in rates]
        readings.append(Reading(at, sum(rates), tuple(rates)))
    return readings


def _settle_all(point, readings, groups):
    """Settle in as many runs as `groups` says; the drafts of all of them and the accumulators."""
    accumulators, drafts, start = {}, [], point.start
    for group in groups:
        batch = [reading for reading in readings if group[0] <= reading.at < group[1]]
        result = settle(_at(point, start), batch, accumulators)
        drafts += result.charges
        start = result.cursor
    return drafts, accumulators


def _at(point, start):
    return Point(start, point.zone, point.multiplier, point.guard, point.payers, point.tariffs)


@tagged("post_install", "-at_install")
class TestSettlementRules(BaseCase):
    def _make_point(self, definition, readings, moved_at, multiplier):
        return Point(
            readings[0],
            "Asia/Shanghai",
            Decimal(multiplier),
            Guard(Decimal(multiplier)),
            payers=(
                Span(START - timedelta(days=1), moved_at, 7),
                Span(moved_at + timedelta(days=2), None, 8),
            ),
            tariffs=(Span(START - timedelta(days=400), None, (1, parse(definition))),),
        )

    @CASES
    @given(definitions(), histories(), st.integers(1, 3600 * 24 * 40), st.sampled_from([1, 40]), st.data())
    def test_how_often_we_settle_changes_no_fen(self, definition, readings, moved_s, multiplier, data):
        moved_at = START + timedelta(seconds=moved_s)
        point = self._make_point(definition, readings, moved_at, multiplier)
        end = readings[-1].at + timedelta(seconds=1)
        stops = sorted(
            {START, end, *data.draw(st.lists(st.sampled_from([r.at for r in readings]), max_size=4))}
        )
        groups = [
            (a + timedelta(microseconds=1), b + timedelta(microseconds=1))
            for a, b in zip(stops, stops[1:], strict=False)
        ]
        once, by_once = _settle_all(point, readings, [(START + timedelta(microseconds=1), end)])
        often, by_often = _settle_all(point, readings, groups)
        self.assertEqual(by_once, by_often)
        self.assertEqual(sum(d.amount for d in once), sum(d.amount for d in often))

    @CASES
    @given(definitions(), histories(), st.integers(1, 3600 * 24 * 40), st.sampled_from([1, 40]))
    def test_chain_is_gapless_and_conserves_use_and_money(self, definition, readings, moved_s, multiplier):
        point = self._make_point(definition, readings, START + timedelta(seconds=moved_s), multiplier)
        accumulators = {}
        drafts = settle(point, readings[1:], accumulators).charges
        whole = (readings[-1].total - readings[0].total) * multiplier
        self.assertEqual(sum((d.use.total for d in drafts), ZERO), whole)
        for before, after in zip(drafts, drafts[1:], strict=False):
            self.assertEqual(
                (before.after.total, before.after.rates), (after.before.total, after.before.rates)
            )
            self.assertLessEqual(before.after.at, after.before.at)
        for draft in drafts:
            self.assertGreaterEqual(draft.amount, 0)
            self.assertEqual(sum(day[1] for day in draft.days), draft.use.total)
            self.assertEqual(sum(day[2] for day in draft.days), draft.amount)
            self.assertGreaterEqual(min(day[2] for day in draft.days), 0)
        self.assertEqual(
            sum((a.charged for a in accumulators.values()), ZERO), sum((d.amount for d in drafts), ZERO)
        )


@tagged("post_install", "-at_install")
class TestTariffDefinitions(BaseCase):
    def test_a_wrong_definition_is_refused_with_the_name_of_the_key(self):
        rows = [
            ({}, "structure"),
            ({"structure": "flat"}, "price"),
            ({"structure": "flat", "price": 0.85}, "price"),
            ({"structure": "flat", "price": "-1"}, "price"),
            ({"structure": "flat", "price": "NaN"}, "price"),
            ({"structure": "flat", "price": "1", "tiers": []}, "tiers"),
            ({"structure": "tou", "prices": {"t1": "1", "t2": "1", "t3": "1"}}, "prices.t4"),
            ({"structure": "tiered", "period": "week", "tiers": [{"price": "1"}]}, "period"),
            ({"structure": "tiered", "period": "month", "tiers": []}, "tiers"),
            (
                {"structure": "tiered", "period": "month", "tiers": [{"upto": "9", "price": "1"}]},
                "tiers[0].upto",
            ),
            (
                {
                    "structure": "tiered",
                    "period": "month",
                    "tiers": [{"upto": "9", "price": "1"}, {"upto": "9", "price": "1"}, {"price": "2"}],
                },
                "tiers[1].upto",
            ),
        ]
        for definition, path in rows:
            with self.subTest(path=path), self.assertRaises(TariffError) as caught:
                parse(definition)
            self.assertEqual(caught.exception.path, path)

    def test_an_accumulator_starts_empty(self):
        self.assertEqual(Accumulator(), Accumulator(Use(), ZERO, ZERO))
