"""Prices: said in words, tried before they hold, never changed after."""

from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
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

    def test_nobody_confirms_or_unconfirms_a_price_past_its_button(self):
        accountant = self.make_user("forcing_accountant", "accountant")
        version = self.flat.version_ids.with_user(accountant)
        draft = version.create({"tariff_id": self.flat.id, "valid_from": "2030-01-01", "price": 1})
        tier = self.env["utility.tariff.tier"].with_user(accountant)
        tiered = self.make_tariff("Tiers", structure="tiered", period="month", tiers=[(0, 1)]).version_ids
        loose = self.env["utility.tariff.version"].create(
            {
                "tariff_id": self.flat.id,
                "valid_from": "2031-01-01",
                "structure": "tiered",
                "tier_ids": [(0, 0, {"price": 2})],
            }
        )
        attempts = (
            lambda: version.write({"state": "draft"}),
            lambda: version.write({"definition": {"structure": "flat", "price": "0"}}),
            lambda: draft.write({"state": "confirmed"}),
            lambda: draft.copy({"state": "confirmed", "valid_from": "2032-01-01"}),
            lambda: tier.browse(loose.tier_ids.ids).write({"version_id": tiered.id}),
            lambda: self.flat.with_user(accountant).unlink(),
            lambda: self.flat.with_user(accountant).write(
                {"kind_id": self.env.ref("property_utility.utility_kind_water").id}
            ),
        )
        for number, attempt in enumerate(attempts):
            with self.subTest(number), self.assertRaises(UserError), self.env.cr.savepoint():
                attempt()

    def test_a_property_manager_sets_no_tariff_through_the_service_point(self):
        manager = self.make_user("tariff_manager", "property_manager")
        with self.assertRaises(AccessError):
            self.point.with_user(manager).tariff_id = self.make_tariff("Gift", structure="flat", price=0)

    def test_changes_of_assignments_are_audited_with_before_and_after(self):
        cheap = self.make_tariff("Cheap", structure="flat", price=0.1)
        assignment = self.assign(self.point, cheap, "2030-01-01 00:00")
        assignment.tariff_id = self.flat
        assignment.unlink()
        entries = self.env["audit.entry"].search(
            [("action", "=", "tariff.assign"), ("res_id", "=", self.point.id)], order="id desc", limit=3
        )
        texts = [("Cheap" in (entry.before or ""), "Cheap" in (entry.after or "")) for entry in entries]
        self.assertEqual(texts, [(False, False), (True, False), (False, True)])
