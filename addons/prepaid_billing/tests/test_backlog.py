"""After an outage the newest readings come first and the stored ones later: nobody pays another sum for that."""

from datetime import timedelta
from decimal import Decimal

from freezegun import freeze_time
from odoo.exceptions import UserError
from odoo.tests import tagged

from .core_common import SettlementCase, utc

NOW = "2025-08-02 12:00"


@tagged("post_install", "-at_install")
@freeze_time(utc(NOW), tick=True)
class TestBacklog(SettlementCase):
    def setUp(self):
        super().setUp()
        self.plain = self.make_tariff("Plain", structure="flat", price=1)

    def get_sums(self, *contracts):
        return [self.get_balance(contract) for contract in contracts]

    def bring(self, point, before, stored, fresh, order):
        """Readings (local time, total): `before` the outage, `stored` during it, `fresh` after it."""
        self.read(*before, point=point)
        if order == "in order":
            self.read(*stored, *fresh, point=point)
            return
        for number, reading in enumerate(fresh):
            self.ingest([(point, *reading)], waiting_from=stored[min(number, len(stored) - 1)][0])
            self.settle()
            if number < len(stored):
                following = stored[number + 1][0] if number + 1 < len(stored) else None
                self.ingest([(point, *stored[number])], waiting_from=following)
                self.settle()
        for reading in stored[len(fresh) :]:
            self.ingest([(point, *reading)])
            self.settle()
        self.env["prepaid.settlement"]._mark_caught_up()
        self.settle()

    def assert_same_in_any_order(self, make, before, stored, fresh, expected):
        """make(code) -> (point, contracts); each order at a shop of its own gives the same sums."""
        for order in ("in order", "fresh first"):
            with self.subTest(order):
                point, contracts = make(order)
                self.bring(point, before, stored, fresh, order)
                sums = [-self.get_balance(contract) for contract in contracts]
                self.assertEqual(sums, [Decimal(amount) for amount in expected])

    def test_a_move_out_during_the_outage_charges_who_used_it(self):
        def make(code):
            point = self.make_shop(code, self.plain, "0")
            first = self.make_tenant(f"First {code}", point, until="2025-07-16 00:00")
            return point, (first, self.make_tenant(f"Second {code}", point, since="2025-07-16 00:00"))

        self.assert_same_in_any_order(
            make,
            before=[("2025-07-15 00:00", "1120")],
            stored=[("2025-07-16 00:00", "1200"), ("2025-07-16 12:00", "1205")],
            fresh=[("2025-07-17 00:00", "1210"), ("2025-07-17 00:15", "1211")],
            expected=("1200.00", "11.00"),
        )

    def test_tiers_of_two_months_get_what_belongs_to_them(self):
        tariff = self.make_tariff("Tiers", structure="tiered", period="month", tiers=[(2500, 0.5), (0, 1)])

        def make(code):
            point = self.make_shop(code, tariff, "0")
            return point, (self.make_tenant(code, point),)

        self.assert_same_in_any_order(
            make,
            before=[("2025-07-31 00:00", "2400")],
            stored=[("2025-07-31 12:00", "2450"), ("2025-08-01 00:00", "2550"), ("2025-08-01 12:00", "2560")],
            fresh=[("2025-08-02 00:00", "2570")],
            expected=("1310.00",),  # 2500 × 0.5 + 50 × 1, then 20 × 0.5
        )

    def test_use_before_a_change_of_price_costs_the_old_price(self):
        def make(code):
            tariff = self.make_tariff(code, structure="flat", price=1)
            self.make_version(tariff, "2025-07-20 00:00", structure="flat", price=2)
            point = self.make_shop(code, tariff, "0")
            return point, (self.make_tenant(code, point),)

        self.assert_same_in_any_order(
            make,
            before=[("2025-07-19 00:00", "1440")],
            stored=[("2025-07-20 00:00", "1540"), ("2025-07-20 12:00", "1541")],
            fresh=[("2025-07-21 00:00", "1550")],
            expected=("1560.00",),
        )

    def test_without_a_cut_in_the_gap_fresh_readings_cost_at_once(self):
        self.read(("2025-07-15 00:00", "1560"))
        self.ingest([(self.point, "2025-07-17 00:00", "1660")], waiting_from="2025-07-15 01:00")
        self.settle()
        self.assert_charged("561.00")
        self.ingest([(self.point, "2025-07-16 00:00", "1600")])
        self.settle()
        self.assert_charged("561.00")

    def test_invoice_and_refund_wait_and_the_service_point_says_so(self):
        self.read(("2025-07-31 00:00", "1100"))
        self.ingest([(self.point, "2025-08-02 00:00", "1200")], waiting_from="2025-07-31 01:00")
        self.settle()
        self.assert_charged("85.00")
        self.assertTrue(self.point.is_waiting)
        self.assertTrue(self.connector.backlog_at)
        month = utc(NOW).date().replace(month=7, day=1)
        with self.assertRaisesRegex(UserError, "A-101.*on their way"):
            self.contract._check_month_complete(month)
        refund = self.env["prepaid.refund"].create(
            {"wallet_id": self.wallet.id, "amount": 1, "reason": "Moves out"}
        )
        with self.assertRaisesRegex(UserError, "A-101.*on their way"):
            refund._check_balance()
        self.ingest([(self.point, "2025-08-01 00:00", "1190")])
        self.settle()
        self.env.invalidate_all()
        self.assertFalse(self.connector.backlog_at)
        self.assertFalse(self.point.is_waiting)
        self.contract._check_month_complete(month)
        with self.assertRaisesRegex(UserError, "the wallet holds"):
            refund._check_balance()

    def test_a_connector_that_is_gone_for_good_is_not_waited_for(self):
        self.read(("2025-07-31 00:00", "1100"))
        self.ingest([(self.point, "2025-08-02 00:00", "1200")], waiting_from="2025-07-31 01:00")
        self.settle()
        self.env["prepaid.settlement"]._mark_caught_up()
        self.settle()
        self.assert_charged("85.00")
        with freeze_time(utc(NOW) + timedelta(hours=25)):
            self.connector.invalidate_recordset()
            self.assertTrue(self.connector.is_backlog_stuck)
            self.env["prepaid.settlement"]._mark_caught_up()
            self.settle()
        self.assert_charged("170.00")
        self.assertFalse(self.point.is_waiting)
