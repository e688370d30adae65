from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.tests import BaseCase, tagged

from ..money.chinese_amount import to_chinese_capitals
from ..money.fen import parse_amount, to_decimal, to_fen
from ..money.proration import add_months, periods_between

# (yuan, capitals); the rows from 1409.50 to 325.04 are the examples of the People's Bank rule
CAPITALS = [
    ("0", "零元整"),
    ("0.01", "壹分"),
    ("0.05", "伍分"),
    ("0.10", "壹角整"),
    ("0.55", "伍角伍分"),
    ("1", "壹元整"),
    ("10", "壹拾元整"),
    ("10.05", "壹拾元零伍分"),
    ("12.34", "壹拾贰元叁角肆分"),
    ("100", "壹佰元整"),
    ("101", "壹佰零壹元整"),
    ("1001", "壹仟零壹元整"),
    ("1010", "壹仟零壹拾元整"),
    ("1409.50", "壹仟肆佰零玖元伍角整"),
    ("6007.14", "陆仟零柒元壹角肆分"),
    ("1680.32", "壹仟陆佰捌拾元零叁角贰分"),
    ("107000.53", "壹拾万柒仟元零伍角叁分"),
    ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
    ("325.04", "叁佰贰拾伍元零肆分"),
    ("10010", "壹万零壹拾元整"),
    ("100100", "壹拾万零壹佰元整"),
    ("1000000", "壹佰万元整"),
    ("10000001", "壹仟万零壹元整"),
    ("100000000", "壹亿元整"),
    ("100000010", "壹亿零壹拾元整"),
    ("123456789012.34", "壹仟贰佰叁拾肆亿伍仟陆佰柒拾捌万玖仟零壹拾贰元叁角肆分"),
    ("-5.20", "负伍元贰角整"),
]
VALUES = {c: n for n, c in enumerate("零壹贰叁肆伍陆柒捌玖")}


def read_capitals(text):
    """The inverse, written from the rule's side: fen of an amount in capitals."""
    yuan, _mark, rest = text.partition("元") if "元" in text else ("", "", text)
    total = 0
    for unit, power in (("亿", 10**8), ("万", 10**4), ("", 1)):
        if unit and unit in yuan:
            part, yuan = yuan.split(unit, 1)
        elif not unit:
            part = yuan
        else:
            continue
        total += power * sum(
            VALUES[part[i]] * {"拾": 10, "佰": 100, "仟": 1000}.get(part[i + 1 : i + 2], 1)
            for i in range(len(part))
            if part[i] in VALUES
        )
    cents = sum(
        VALUES[rest[i]] * {"角": 10, "分": 1}[rest[i + 1]]
        for i in range(len(rest) - 1)
        if rest[i + 1] in "角分"
    )
    return total * 100 + cents


@tagged("post_install", "-at_install")
class TestMoney(BaseCase):
    def test_amounts_in_capitals_are_written_as_the_bank_rule_says(self):
        for amount, text in CAPITALS:
            with self.subTest(amount):
                self.assertEqual(to_chinese_capitals(Decimal(amount)), text)

    @given(st.integers(0, 10**12))
    @settings(max_examples=300, deadline=None)
    def test_capitals_read_back_are_the_same_fen(self, fen):
        text = to_chinese_capitals(Decimal(fen) / 100)
        self.assertEqual(read_capitals(text), fen, text)
        self.assertNotIn("零零", text)
        self.assertTrue(text.endswith("分") or text.endswith("整"))

    def test_an_amount_too_large_for_the_words_is_refused(self):
        with self.assertRaises(ValueError):
            to_chinese_capitals(Decimal(10) ** 16)

    def test_floats_are_taken_for_what_they_display(self):
        for value, fen in (
            (0.1 + 0.2, 30),
            (1111.1100000000001, 111111),
            (2.675, 268),
            (300000.0, 30000000),
            (-1.005, -101),
        ):
            with self.subTest(value):
                self.assertEqual(to_fen(value), fen)
        self.assertEqual(str(to_decimal("12.3")), "12.30")

    def test_only_positive_amounts_of_two_decimals_are_accepted(self):
        for value in ("0.01", 10, 99.99, "1e3", Decimal("5.50")):
            self.assertEqual(to_fen(parse_amount(value)), to_fen(value), value)
        rows = [
            ("abc", "not_a_number"),
            ("", "not_a_number"),
            ("NaN", "not_a_number"),
            ("Infinity", "not_a_number"),
            (None, "not_a_number"),
            ("0", "not_positive"),
            (-1, "not_positive"),
            ("1e30", "too_large"),
            (1e300, "too_large"),
            ("0.001", "too_precise"),
            (10.005, "too_precise"),
        ]
        for value, key in rows:
            with self.subTest(value), self.assertRaisesRegex(ValueError, key):
                parse_amount(value)


@tagged("post_install", "-at_install")
class TestProration(BaseCase):
    def test_whole_periods_count_one_and_broken_ones_their_days(self):
        rows = [
            ("2026-10-01", "2026-10-31", "monthly", 1, Fraction(1)),
            ("2026-10-15", "2026-11-14", "monthly", 1, Fraction(1)),
            ("2026-10-15", "2026-11-30", "monthly", 1, 1 + Fraction(16, 30)),
            ("2026-10-17", "2026-10-31", "monthlylastday", 1, Fraction(15, 31)),
            ("2026-10-17", "2026-11-30", "monthlylastday", 1, 1 + Fraction(15, 31)),
            ("2026-01-31", "2026-02-27", "monthly", 1, Fraction(1)),
            ("2026-01-01", "2026-01-10", "quarterly", 1, Fraction(10, 90)),
            ("2026-01-01", "2026-12-31", "monthly", 3, Fraction(4)),
            ("2026-01-01", "2026-06-30", "yearly", 1, Fraction(181, 365)),
            ("2026-03-01", "2026-03-10", "weekly", 1, Fraction(10, 7)),
            ("2026-03-02", "2026-03-01", "monthly", 1, Fraction(0)),
        ]
        for first, last, rule, interval, periods in rows:
            with self.subTest(f"{first}..{last} {rule}"):
                got = periods_between(date.fromisoformat(first), date.fromisoformat(last), rule, interval)
                self.assertEqual(got, periods)

    @given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 24))
    @settings(max_examples=200, deadline=None)
    def test_n_months_are_n_periods(self, first, months):
        following = add_months(first, months)
        last = date.fromordinal(following.toordinal() - 1)
        self.assertEqual(periods_between(first, last, "monthly"), months)

    @given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 400), st.integers(0, 400))
    @settings(max_examples=200, deadline=None)
    def test_calendar_months_add_up_however_they_are_split(self, first, days, more):
        middle, last = (
            date.fromordinal(first.toordinal() + days),
            date.fromordinal(first.toordinal() + days + more),
        )
        after = date.fromordinal(middle.toordinal() + 1)
        parts = periods_between(first, middle, "monthlylastday") + periods_between(
            after, last, "monthlylastday"
        )
        self.assertEqual(parts, periods_between(first, last, "monthlylastday"))
