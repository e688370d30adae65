"""Prices: said in words, tried before they hold, never changed after."""

from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged

from .core_common import SettlementCase, utc


@tagged("post_install", "-at_install")
class TestTariff(SettlementCase):
    def test_prices_are_said_in_sentences(self):
        currency = self.env.company.currency_id.symbol
        self.assertEqual(self.flat.sentence, f"Each kWh costs {currency}0.85.")
        tiered = self.make_tariff(
            "Tiers", structure="tiered", period="year", tiers=[(2760, 0.5), (4800, 0.55), (0, 0.8)]
        )
        self.assertEqual(
            tiered.sentence.splitlines(),
            [
                "By the use of each year:",
                f"• the first 2760 kWh: {currency}0.5 each",
                f"• from 2760 to 4800 kWh: {currency}0.55 each",
                f"• above 4800 kWh: {currency}0.8 each",
            ],
        )

    def test_a_price_can_be_tried_before_it_holds(self):
        form = Form(self.env["utility.tariff.version"].with_context(default_tariff_id=self.flat.id))
        form.structure = "tiered"
        for upto, price in ((100, 0.5), (0, 0.8)):
            with form.tier_ids.new() as tier:
                tier.upto, tier.price = upto, price
        form.try_quantity = 150
        currency = self.env.company.currency_id.symbol
        self.assertEqual(
            form.try_text.splitlines(),
            [f"{currency}90.00", f"Tier 1: 100 × 0.5 = {currency}50", f"Tier 2: 50 × 0.8 = {currency}40"],
        )

    def test_a_price_that_breaks_a_rule_is_refused_with_the_rule(self):
        cases = (
            ({"price": -1}, "negative"),
            ({"structure": "tiered"}, "at least one tier"),
            (
                {"structure": "tiered", "tier_ids": [Command.create({"upto": 100, "price": 1})]},
                "no upper end",
            ),
        )
        for values, rule in cases:
            with self.subTest(values), self.assertRaisesRegex(ValidationError, rule), self.env.cr.savepoint():
                self.env["utility.tariff.version"].create({"tariff_id": self.flat.id, **values})

    def test_a_confirmed_price_stays_as_it_is(self):
        version = self.flat.version_ids
        tiered = self.make_tariff("Tiers", structure="tiered", period="month", tiers=[(100, 0.5), (0, 1)])
        attempts = (
            lambda: version.write({"price": 2}),
            lambda: version.write({"valid_from": "2020-01-01"}),
            version.unlink,
            lambda: tiered.version_ids.tier_ids[0].write({"price": 0}),
            lambda: tiered.version_ids.tier_ids.unlink(),
            lambda: tiered.version_ids.write({"tier_ids": [Command.create({"upto": 50, "price": 0})]}),
        )
        for number, attempt in enumerate(attempts):
            with self.subTest(number), self.assertRaisesRegex(UserError, "stays as it is"):
                attempt()

    def test_use_that_was_charged_keeps_its_price(self):
        self.read(("2025-07-10 00:00", "1090"))
        with self.assertRaisesRegex(UserError, "charged"):
            self.make_version(self.flat, "2025-07-05 00:00", structure="flat", price=2)
        with self.assertRaisesRegex(UserError, "charged"):
            self.assign(self.point, self.make_tariff("Other", structure="flat", price=2), "2025-07-05 00:00")
        with self.assertRaisesRegex(UserError, "charged"):
            self.point.assignment_ids.unlink()

    def test_a_tariff_of_another_kind_is_refused(self):
        water = self.make_tariff("Water", kind="water", structure="flat", price=5)
        with self.assertRaisesRegex(ValidationError, "is for"):
            self.assign(self.point, water, "2025-08-01 00:00")

    def test_the_wizard_gives_first_tariffs_from_the_first_reading(self):
        new = self.make_shop("A-130", None, "0")
        accountant = self.make_user("tariff_accountant", "accountant")
        wizard = (
            self.env["utility.tariff.assign"]
            .with_user(accountant)
            .create({"tariff_id": self.flat.id, "service_point_ids": [Command.set((self.point | new).ids)]})
        )
        self.assertIn("2 service points, 1 of them", wizard.note)
        wizard.action_assign()
        self.assertEqual(new.assignment_ids.valid_from, utc(self.START))
        newest = self.point.assignment_ids.sorted("valid_from")[-1]
        self.assertAlmostEqual(newest.valid_from, fields.Datetime.now(), delta=timedelta(minutes=5))

    def test_the_first_price_holds_from_the_beginning_of_the_year(self):
        self.env.user.tz = "Asia/Shanghai"
        first = self.env["utility.tariff.version"].with_context(first_version=True)._get_default_valid_from()
        later = self.env["utility.tariff.version"]._get_default_valid_from()
        self.assertEqual((first.hour, later.hour), (16, 16))
        self.assertLess(first, fields.Datetime.now())
        self.assertGreater(later, fields.Datetime.now())
