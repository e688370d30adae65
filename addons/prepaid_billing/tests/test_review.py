"""What cannot be right waits for a person and costs nobody anything until then."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .core_common import SettlementCase, utc

ROLE = "property_utility.property_utility_group_"


@tagged("post_install", "-at_install")
class TestReview(SettlementCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = cls.make_user("review_accountant", "accountant")
        cls.operator = cls.make_user("review_operator", "power_operator")

    def assert_held(self, kind, charged="8.50"):
        review = self.get_reviews()
        self.assertEqual(review.kind, kind)
        self.assert_charged(charged)
        return review.with_user(self.accountant)

    def test_a_register_that_went_back_is_held_and_accepted_with_a_quantity(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 11:00", "3.00"))
        review = self.assert_held("rollback")
        review.quantity = 2
        review.action_accept()
        self.settle()
        self.assert_charged("10.20")
        self.read(("2025-07-01 12:00", "5.00"))
        self.assert_charged("11.90")
        charge = self.env["prepaid.charge"].search([("review_id", "=", review.id)])
        self.assertEqual((charge.quantity, charge.to_total), (2, 3))

    def test_an_ignored_reading_is_left_out_and_nothing_is_lost(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 11:00", "3.00"), ("2025-07-01 12:00", "3.00"))
        self.assert_held("rollback").action_reject()
        self.settle()
        self.assert_charged("8.50")
        self.assertFalse(self.get_reviews())

    def test_a_rollover_proposes_the_use_over_the_highest_number(self):
        point = self.make_shop("A-110", self.flat, "999990")
        tenant = self.make_tenant("Old Meter", point)
        self.read(("2025-07-01 10:00", "999995"), point=point)
        self.read(("2025-07-01 11:00", "1"), point=point)
        review = self.get_reviews(point=point).with_user(self.accountant)
        self.assertEqual((review.kind, review.proposal), ("rollover", 6))
        review.action_accept()
        self.settle()
        self.assert_charged("9.35", tenant)  # 5 + 6 kWh

    def test_a_jump_is_held_until_accepted(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 11:00", "9010"))
        review = self.assert_held("jump")
        self.assertEqual(review.limit_quantity, 19)  # 18 kW of a single-phase meter for an hour, and one
        review.action_accept()
        self.settle()
        self.assert_charged("6808.50")

    def test_one_odd_reading_between_good_ones_is_noise_and_the_review_closes_by_itself(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 11:00", "9010"))
        self.assert_held("jump")
        self.read(("2025-07-01 12:00", "1020"))
        self.assertFalse(self.get_reviews())
        self.assertEqual(self.get_reviews("resolved").mapped("kind"), ["jump"])
        self.assert_charged("17.00")

    def test_a_jump_does_not_become_true_by_waiting(self):
        self.read(("2025-07-01 10:00", "1010"))
        for minute in range(1, 30):
            self.read((f"2025-07-01 10:{minute:02}", f"{9010 + minute}"))
        review = self.assert_held("jump")
        self.assertEqual(review.reading_total, 9011)
        self.assertEqual(len(review.search([("service_point_id", "=", self.point.id)])), 1)

    def test_noise_within_one_batch_is_left_out_and_told_once(self):
        self.read(("2025-07-01 10:00", "1010"), ("2025-07-01 10:30", "9999"), ("2025-07-01 11:00", "1015"))
        self.assert_charged("12.75")
        self.assertEqual(self.get_reviews("resolved").mapped("reading_total"), [9999])

    def test_a_changed_ratio_waits_for_a_person(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.get_installation().circuit_id.meter_id.ct_ratio = 40
        self.read(("2025-07-01 11:00", "1020"))
        review = self.assert_held("ratio")
        with self.assertRaisesRegex(UserError, "Only a reading"):
            review.action_reject()
        review.action_accept()
        self.settle()
        self.assert_charged("17.00")  # the installation's own multiplier still

    def test_a_ratio_that_was_wrong_from_the_first_reading_can_be_accepted(self):
        self.get_installation().circuit_id.meter_id.ct_ratio = 40
        self.read(("2025-07-01 11:00", "1010"))
        self.assert_held("ratio", charged="0").action_accept()
        self.settle()
        self.assert_charged("8.50")

    def test_another_meter_in_the_same_place_waits_for_a_person(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.get_installation().circuit_id.meter_id.serial = "999999999999"
        self.read(("2025-07-01 11:00", "1020"))
        self.assert_held("replaced").action_accept()
        self.settle()
        self.assert_charged("17.00")

    def test_rates_that_do_not_add_up_are_held(self):
        tariff = self.make_tariff(
            "TOU", structure="tou", price_t1=1.2, price_t2=1, price_t3=0.7, price_t4=0.3
        )
        start = {"total": 100, "t1": 10, "t2": 20, "t3": 30, "t4": 40}
        point = self.make_shop("A-102", tariff, start, model="dts645-3p")
        tenant = self.make_tenant("Shop Two", point)
        self.read(("2025-07-01 12:00", start | {"total": 110}), point=point)
        self.assertEqual(self.get_reviews(point=point).kind, "rates")
        self.assert_charged("0", tenant)

    def test_use_without_a_tariff_waits_and_is_charged_once_there_is_one(self):
        point = self.make_shop("A-120", None, "0")
        tenant = self.make_tenant("Without Price", point)
        self.read(("2025-07-01 10:00", "10"), point=point)
        review = self.get_reviews(point=point).with_user(self.accountant)
        self.assertEqual(review.kind, "no_tariff")
        with self.assertRaisesRegex(UserError, "nothing to accept"):
            review.action_accept()
        wizard = (
            self.env["utility.tariff.assign"]
            .with_user(self.accountant)
            .create({"tariff_id": self.flat.id, "service_point_ids": [Command.set(point.ids)]})
        )
        wizard.action_assign()
        self.settle()
        self.assert_charged("8.50", tenant)
        self.assertFalse(self.get_reviews(point=point))

    def test_a_price_confirmed_later_settles_what_waited(self):
        tariff = self.env["utility.tariff"].create({"name": "Empty", "kind_id": self.flat.kind_id.id})
        point = self.make_shop("A-121", tariff, "0")
        tenant = self.make_tenant("Early", point)
        self.read(("2025-07-01 10:00", "10"), point=point)
        self.assertEqual(self.get_reviews(point=point).kind, "no_tariff")
        self.make_version(tariff, "2025-01-01 00:00", structure="flat", price=1)
        self.settle()
        self.assert_charged("10.00", tenant)

    def test_rates_missing_for_a_day_are_told(self):
        tariff = self.make_tariff(
            "TOU", structure="tou", price_t1=1.2, price_t2=1, price_t3=0.7, price_t4=0.3
        )
        start = {"total": 100, "t1": 10, "t2": 20, "t3": 30, "t4": 40}
        point = self.make_shop("A-102", tariff, start, model="dts645-3p")
        tenant = self.make_tenant("Shop Two", point)
        self.read(("2025-07-01 12:00", "110"), point=point)
        self.assertFalse(self.get_reviews(point=point))
        self.read(("2025-07-02 12:00", "120"), point=point)
        self.assertEqual(self.get_reviews(point=point).kind, "no_rates")
        self.read(("2025-07-02 13:00", {"total": 121, "t1": 31, "t2": 20, "t3": 30, "t4": 40}), point=point)
        self.assertFalse(self.get_reviews(point=point))
        self.assert_charged("25.20", tenant)

    def test_a_wrong_opening_reading_can_be_put_right_before_anything_is_charged(self):
        self.get_installation().start_total = 5000
        self.read(("2025-07-01 10:00", "1010"))
        self.assert_held("rollback", charged="0")
        self.get_installation().start_total = 1000
        self.get_reviews().action_retry()
        self.settle()
        self.assertFalse(self.get_reviews())
        self.assert_charged("8.50")

    def test_only_who_sets_tariffs_decides(self):
        self.read(("2025-07-01 10:00", "3"))
        review = self.get_reviews().with_user(self.operator)
        for button in (review.action_accept, review.action_reject):
            with self.assertRaises(AccessError):
                button()
        with self.assertRaises(AccessError):
            review.quantity = 5
        with self.assertRaises(AccessError):
            review.with_user(self.accountant).state = "accepted"

    def test_a_decision_is_final_and_audited(self):
        self.read(("2025-07-01 10:00", "3"))
        review = self.get_reviews().with_user(self.accountant)
        review.note = "photo seen"
        review.action_accept()
        with self.assertRaises(UserError):
            review.action_reject()
        with self.assertRaises(UserError):
            review.quantity = 100
        entry = self.env["audit.entry"].search([("action", "=", "review.decide")], limit=1)
        self.assertEqual((entry.user_id, entry.reason), (self.accountant, "photo seen"))

    def test_reviews_are_opened_by_the_settlement_only(self):
        values = {
            "installation_id": self.get_installation().id,
            "service_point_id": self.point.id,
            "kind": "jump",
            "reading_at": utc(self.START),
        }
        with self.assertRaises(AccessError):
            self.env["prepaid.review"].with_user(self.accountant).create(values)
