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

    def test_status_words_and_blocks_are_shown_by_their_names(self):
        wizard = self.ask("status_3 voltages status_words")
        word = [["status word 3", "0050", ""], ["relay_open", "1", ""], ["keep_power", "0", ""]]
        parts = {
            "status_3": [*word, ["day_slot_set", "first", ""]],
            "voltages": [["voltage A", "230.1", "V"], ["voltage B", None, "V"]],
            "status_words": [["status word 1", "0000", ""], ["word 5 overload", "1", ""]],
        }
        values = {"status_3": "0050", "voltages": "230.1; -", "status_words": "0000"}
        data = {"values": values, "parts": parts}
        self.report(wizard.order_id, "confirmed", data=json.dumps(data))
        answer = wizard.answer
        for text in ("Relay open", "first set", "Voltage A", "230.1 V", "Status word 5: Overload"):
            self.assertIn(text, answer)
        self.assertNotIn("Power is kept", answer, "a bit that is not set says nothing")
        for broken in ({"parts": 7}, {"parts": {"voltages": 7}}, {"parts": {"voltages": [[1], "x", []]}}):
            wizard.order_id.result_data = json.dumps({"values": values} | broken)
            wizard.invalidate_recordset(["answer"])
            self.assertIn("230.1; -", wizard.answer)

    def profile(self, user=None, meter=None, **vals):
        wizard = self.env["meter.load.profile.wizard"].with_user(user or self.reader)
        wizard = wizard.create({"meter_id": (meter or self.meter).id, **vals})
        wizard.action_read()
        return wizard.sudo()

    def test_a_load_profile_is_shown_as_a_table(self):
        wizard = self.profile(from_at=self.utc(self.now), count=2)
        self.assertEqual(wizard.order_id.kind, "read_profile")
        self.assertEqual(wizard.order_id._read_data(), {"from": self.now, "count": 2})
        columns = [["voltage A", "V"], ["voltage B", "V"], ["forward active total energy", "kWh"]]
        rows = [["2026-11-21 12:00", "230.1", None, "7.00"], ["2026-11-21 12:30", None, None, "7.50"], ["x"]]
        self.report(wizard.order_id, "confirmed", data=json.dumps({"columns": columns, "rows": rows}))
        for text in ("2026-11-21 12:30", "Voltage A V", "230.1", "Forward active energy kWh", "7.50"):
            self.assertIn(text, wizard.answer)
        self.assertNotIn("Voltage B", wizard.answer, "nobody needs an empty column")

    def test_a_load_profile_that_does_not_come_says_why(self):
        wizard = self.profile()
        self.report(wizard.order_id, "failed", detail="refused with 02 (no_such_data)")
        self.assertEqual((wizard.state, wizard.outcome), ("failed", "The meter refused."))
        self.assertFalse(wizard.answer)
        for count in (0, 97):
            with self.subTest(count=count), self.assertRaises(UserError):
                self.profile(count=count)

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
        with self.assertRaises(AccessError):
            self.profile(meter=self.far_meter)
        for role in ("cashier", "auditor"):
            user = self.make_user(f"profile_{role}", role)
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.profile(user=user)
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.meter.with_user(user).action_load_profile()
        for user in (
            self.reader,
            self.make_user("water", "water_operator"),
            self.make_user("audit", "auditor"),
        ):
            for method in ("action_sync_clock", "action_alarm_on", "action_alarm_off"):
                with self.subTest(user=user.login, method=method), self.assertRaises(AccessError):
                    getattr(self.meter.with_user(user), method)()
