import json

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestSingleOrder(MeterCase):
    """Orders from a meter's page."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        cls.reader = cls.make_user("reader", "field_reader", buildings=cls.building)

    def ask(self, items, meter=None, user=None):
        wizard = self.env["meter.read.items.wizard"].with_user(user or self.reader)
        wizard = wizard.create({"meter_id": (meter or self.meter).id, "items": items})
        wizard.action_read()
        return wizard.sudo()

    def test_any_value_is_read_and_shown(self):
        wizard = self.ask("voltage_a, 02800002\nfrequency")
        self.assertEqual(wizard.order_id._read_data(), {"items": ["voltage_a", "02800002", "frequency"]})
        self.assertIn("total", wizard.known)
        data = {"values": {"voltage_a": "230.1", "frequency": None}, "refused": {"02800002": "no such data"}}
        self.report(wizard.order_id, "confirmed", data=json.dumps(data))
        for text in ("230.1", "—", "no such data"):
            self.assertIn(text, wizard.answer)

    def test_what_is_no_name_is_refused(self):
        for items in ("a b; DROP$", "x" * 61, " ".join(["a"] * 41)):
            with self.subTest(items=items[:10]), self.assertRaises(UserError):
                self.ask(items)

    def test_clock_and_alarm(self):
        for method, kind in (
            ("action_sync_clock", "sync_clock"),
            ("action_alarm_on", "alarm_on"),
            ("action_alarm_off", "alarm_off"),
        ):
            getattr(self.meter.with_user(self.operator), method)()
            self.assertTrue(self.env["meter.order"].search([("kind", "=", kind)]))

    def test_wrong_users(self):
        with self.assertRaises(AccessError):
            self.ask("total", user=self.make_user("cash", "cashier"))
        with self.assertRaises(AccessError):
            self.ask("total", meter=self.far_meter)
        for user in (
            self.reader,
            self.make_user("water", "water_operator"),
            self.make_user("audit", "auditor"),
        ):
            for method in ("action_sync_clock", "action_alarm_on", "action_alarm_off"):
                with self.subTest(user=user.login, method=method), self.assertRaises(AccessError):
                    getattr(self.meter.with_user(user), method)()
