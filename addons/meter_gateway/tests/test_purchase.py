import json

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestPurchase(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cashier = cls.make_user("cash", "cashier", buildings=cls.building)
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        cls.meter._set_purchase_count(6)
        cls.env.flush_all()

    def send(self, amount=12.34, meter=None, user=None):
        purchases = self.env["meter.purchase"].with_user(user or self.cashier)
        purchase = purchases.create({"meter_id": (meter or self.meter).id, "amount": amount})
        purchase.action_send()
        self.env.flush_all()
        return purchase.sudo()

    def order_of(self, purchase, kind="purchase"):
        return purchase.order_ids.filtered(lambda order: order.kind == kind).sorted("id")[-1:]

    def read_count(self, purchase, count, **data):
        self.now += 1
        order = self.order_of(purchase, "read_prepayment")
        self.report(order, "confirmed", data=json.dumps({"count": count, "remaining": "1.00", **data}))

    def answer(self, purchase, state, detail="", **data):
        self.now += 1
        text = json.dumps(data) if data else ""
        self.report(self.order_of(purchase), state, detail=detail, data=text)

    def sent(self):
        purchase = self.send()
        self.read_count(purchase, 6)
        self.assertEqual(purchase.state, "sent")
        return purchase

    def test_the_count_is_compared_before_and_after(self):
        purchase = self.send()
        self.assertFalse(self.order_of(purchase), "nothing is sent before the count was read")
        self.read_count(purchase, 6)
        self.assertEqual(
            self.order_of(purchase)._read_data(), {"amount": "12.34", "count": 7, "number": purchase.number}
        )
        self.answer(purchase, "confirmed", count_before=6, count_after=7, remaining="13.34")
        self.assertEqual(
            (purchase.state, purchase.remaining, self.meter.purchase_count), ("done", "13.34", 7)
        )
        self.assertEqual(self.meter.prepay_remaining, "13.34")

    def test_a_meter_that_counts_otherwise_gets_nothing(self):
        purchase = self.send()
        self.read_count(purchase, 9)
        self.assertEqual((purchase.state, self.order_of(purchase)), ("mismatch", self.env["meter.order"]))
        self.assertTrue(self.open_alarms("purchase_mismatch"))
        with self.assertRaisesRegex(UserError, "not settled"):
            self.send()

    def test_the_connector_refuses_on_a_mismatch(self):
        purchase = self.sent()
        self.answer(purchase, "failed", "count mismatch", count_before=8)
        self.assertEqual((purchase.state, purchase.meter_count), ("mismatch", 8))

    def test_the_guided_way_out_of_a_mismatch(self):
        purchase = self.send()
        self.read_count(purchase, 9)
        with self.assertRaises(AccessError):
            purchase.with_user(self.cashier).action_settle_not_arrived()
        with self.assertRaisesRegex(UserError, "found"):
            purchase.with_user(self.operator).action_settle_not_arrived()
        purchase.with_user(self.operator).settled_note = "sold by card elsewhere"
        purchase.with_user(self.operator).action_settle_not_arrived()
        self.assertEqual((purchase.state, self.meter.purchase_count), ("failed", 9))
        self.assertFalse(self.open_alarms("purchase_mismatch"))
        purchase.with_user(self.cashier).action_send()
        self.read_count(purchase, 9)
        self.assertEqual((purchase.state, purchase.count), ("sent", 10))

    def test_silence_is_neither_yes_nor_no_and_nothing_is_sent_again(self):
        purchase = self.sent()
        self.answer(purchase, "failed", "no answer")
        self.assertEqual(purchase.state, "unknown")
        self.assertTrue(self.open_alarms("purchase_unknown"))
        for method in ("action_send", "action_cancel"):
            with self.assertRaises(UserError):
                getattr(purchase.with_user(self.cashier), method)()
        purchase.with_user(self.cashier).action_check()
        self.read_count(purchase, 7)
        self.assertEqual((purchase.state, self.meter.purchase_count), ("done", 7))
        self.assertFalse(self.open_alarms("purchase_unknown"))

    def test_a_count_that_did_not_move_means_it_did_not_arrive(self):
        purchase = self.sent()
        order = self.order_of(purchase)
        self.env["meter.order"]._expire(order.expires_at)
        self.assertEqual(purchase.state, "unknown")
        purchase.with_user(self.cashier).action_check()
        self.read_count(purchase, 6)
        self.assertEqual(purchase.state, "failed")
        purchase.with_user(self.cashier).action_send()
        self.read_count(purchase, 6)
        self.assertEqual(len(purchase.order_ids.filtered(lambda order: order.kind == "purchase")), 2)
        self.assertEqual(
            self.order_of(purchase)._read_data()["count"], 7, "the same count: it cannot count twice"
        )

    def test_the_truth_may_come_late(self):
        purchase = self.sent()
        order = self.order_of(purchase)
        self.env["meter.order"]._expire(order.expires_at)
        self.answer(purchase, "confirmed", count_before=6, count_after=7, remaining="20")
        self.assertEqual((purchase.state, self.meter.purchase_count), ("done", 7))

    def test_a_count_that_cannot_be_read_sends_nothing(self):
        purchase = self.send()
        self.report(self.order_of(purchase, "read_prepayment"), "failed", detail="no answer")
        self.assertEqual(purchase.state, "failed")
        self.assertIn(purchase.result, ("The meter did not answer.", "表计无应答。"))
        self.assertFalse(self.order_of(purchase))

    def test_counts_roll_over(self):
        self.assertEqual(self.env["meter.purchase"].new({"meter_id": self.meter.id})._next_count(9999), 0)
        water = self.env["meter.purchase"].new({"meter_id": self.water_meter.id})
        self.assertEqual(water._next_count(99), 0)

    def test_reading_alone_shows_a_count_nobody_made(self):
        self.meter.with_user(self.operator).action_read_prepayment()
        order = self.env["meter.order"].search([("kind", "=", "read_prepayment")])
        self.report(order, "confirmed", data=json.dumps({"count": 8, "remaining": "5.5", "overdraft": "x"}))
        self.assertEqual((self.meter.prepay_remaining, self.meter.purchase_count), ("5.5", 6))
        self.assertTrue(self.open_alarms("purchase_mismatch"))

    def test_what_was_sent_is_not_changed(self):
        purchase = self.sent()
        with self.assertRaises(UserError):
            purchase.with_user(self.cashier).amount = 99
        with self.assertRaises(UserError):
            purchase.with_user(self.cashier).unlink()

    def test_each_field_has_its_states(self):
        purchase = self.env["meter.purchase"].with_user(self.cashier).create(
            {"meter_id": self.meter.id, "amount": 5}
        )  # fmt: skip
        purchase.write({"amount": 6, "reason": "x", "meter_id": self.meter.id})
        table = {
            "draft": {"settled_note"},
            "checking": {"meter_id", "amount", "reason", "settled_note"},
            "sent": {"meter_id", "amount", "reason", "settled_note"},
            "unknown": {"meter_id", "amount", "reason"},
            "mismatch": {"meter_id", "amount", "reason"},
            "done": {"meter_id", "amount", "reason", "settled_note"},
            "failed": {"meter_id", "amount", "reason", "settled_note"},
            "cancelled": {"meter_id", "amount", "reason", "settled_note"},
        }
        values = {"meter_id": self.meter.id, "amount": 7, "reason": "y", "settled_note": "z"}
        self.assertEqual(set(table), set(purchase._fields["state"].get_values(self.env)))
        for state, refused in table.items():
            purchase.sudo().state = state
            for name, value in values.items():
                with self.subTest(state=state, field=name):
                    if name in refused:
                        with self.assertRaisesRegex(UserError, purchase.number):
                            purchase.write({name: value})
                    else:
                        purchase.write({name: value})

    def test_the_book_is_not_forged(self):
        purchase = self.sent().with_user(self.cashier)
        for vals in (
            {"state": "done"},
            {"state": "draft"},
            {"count": 9},
            {"sent_at": False},
            {"result": "x"},
        ):
            with self.subTest(vals=vals), self.assertRaises(AccessError):
                purchase.write(vals)
            with self.subTest(vals=vals), self.assertRaises(AccessError):
                purchase.create({"meter_id": self.meter.id, "amount": 5} | vals)
        with self.assertRaises(UserError):
            purchase.unlink()
        for user in (self.make_user("manager", "property_manager"), self.operator):
            with self.assertRaises(AccessError):
                self.meter.with_user(user).write({"purchase_count": 9})

    def test_wrong_users(self):
        for role in ("field_reader", "accountant", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.send(user=self.make_user(f"w_{role}", role))
        with self.assertRaises(AccessError):
            self.send(user=self.make_user("water", "water_operator"))
        with self.assertRaises(AccessError):
            self.send(meter=self.far_meter)
        purchase = self.sent()
        stranger = self.make_user("far", "cashier", buildings=self.other_building)
        self.assertFalse(self.env["meter.purchase"].with_user(stranger).search([]))
        for method in ("action_check", "action_cancel", "action_settle_arrived"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(purchase.with_user(stranger), method)()
        with self.assertRaises(AccessError):
            self.meter.with_user(stranger).action_read_prepayment()
        with self.assertRaises(AccessError):
            self.meter.with_user(self.cashier).write({"purchase_count": 0})
