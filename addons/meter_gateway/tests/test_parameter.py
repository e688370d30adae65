import json
from unittest import SkipTest

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from .. import parameter_catalogue
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestParameter(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if parameter_catalogue.table is None:
            raise SkipTest("the connector's package is not installed beside Odoo")
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        cls.rows = cls.env["meter.parameter"]
        cls.model = cls.meter.model_id

    def want(self, values=None, meters=None, user=None):
        meters = meters or self.meter
        rows = self.rows.with_user(user or self.operator)
        orders = rows._want(
            meters.with_user(user or self.operator), values or {"overload_power": "8"}, "kitchen"
        )
        self.env.flush_all()
        return orders.sudo()

    def answer(self, order, state="confirmed", seconds=0, refused=None, **shown):
        data = json.dumps({"parameters": shown, "refused": refused or {}})
        return self.report(order, state, at=self.now + seconds, data=data)

    def row(self, name="overload_power", meter=None):
        return self.rows.search([("meter_id", "=", (meter or self.meter).id), ("name", "=", name)])

    def type_of(self, name):
        return self.model.parameter_type_ids.filtered(lambda kind: kind.name == name)

    def test_what_is_sent_and_what_comes_back(self):
        order = self.want({"overload_power": "8", "trip_delay": "5"})
        [given] = self.face.api_orders({})["orders"]
        self.assertEqual(
            json.loads(given["data"]), {"values": {"overload_power": "8.0000", "trip_delay": "5"}}
        )
        self.assertEqual(self.row().state, "pending")
        self.answer(order, overload_power="8.0000", trip_delay="7")
        self.assertEqual((self.row().state, self.row().shown), ("applied", "8.0000"))
        other = self.row("trip_delay")
        self.assertEqual((other.state, other.wanted, other.shown), ("different", "5", "7"))
        other.with_user(self.operator).action_keep_meters_value()
        self.assertEqual((other.state, other.wanted), ("applied", "7"))

    def test_a_refusal_says_why_and_can_be_sent_again(self):
        order = self.want()
        self.answer(order, "failed", refused={"overload_power": "password refused"})
        self.assertEqual((self.row().state, self.row().reason), ("refused", "password refused"))
        self.row().with_user(self.operator).action_send_again()
        again = self.row().order_id
        self.assertNotEqual(again, order)
        self.answer(again, seconds=1, overload_power="8.0000")
        self.assertEqual(self.row().state, "applied")

    def test_silence_is_a_failure_and_no_guess(self):
        self.report(self.want(), "failed", detail="no answer")
        self.assertEqual(
            (self.row().state, self.row().reason, self.row().shown), ("failed", "no answer", False)
        )

    def test_a_change_while_one_is_under_way_is_sent_after_it(self):
        first = self.want({"overload_power": "8"})
        self.report(first, "received")
        self.assertFalse(self.want({"overload_power": "9"}))
        self.answer(first, seconds=1, overload_power="8.0000")
        second = self.row().order_id
        self.assertEqual((self.row().state, self.row().shown), ("pending", "8.0000"))
        self.assertEqual(second._read_data(), {"values": {"overload_power": "9.0000"}})

    def test_an_older_read_back_does_not_overwrite(self):
        order = self.want()
        self.answer(order, overload_power="8.0000")
        read = self.rows.with_user(self.operator)._request_read(self.meter).sudo()
        self.answer(read, seconds=-50, overload_power="1.0000")
        self.assertEqual(self.row().state, "applied")

    def test_reading_shows_what_nobody_asked_for(self):
        read = self.rows.with_user(self.operator)._request_read(self.meter).sudo()
        self.answer(read, trip_delay="3", unheard_of="1", overload_power=None)
        self.assertEqual((self.row("trip_delay").state, self.row("trip_delay").shown), ("read", "3"))
        self.assertFalse(self.row("unheard_of"))
        self.assertFalse(self.row().shown)

    def test_nonsense_from_outside_raises_nothing(self):
        order = self.want()
        for seconds, data in enumerate(
            ({"parameters": 7}, {"parameters": {"overload_power": {"a": 1}}}, {"refused": []})
        ):
            self.assert_all_accepted(
                self.report(order, "accepted", at=self.now + seconds, data=json.dumps(data)), 1
            )

    def test_values_are_checked_before_anything_is_sent(self):
        table = [
            ({"overload_power": "100"}, "digits"),
            ({"overload_power": "x"}, "number"),
            ({"meter_number": "1"}, "read, not set"),
            ({"unheard_of": "1"}, "no such setting"),
        ]
        for values, text in table:
            with self.subTest(values=values), self.assertRaisesRegex(UserError, text):
                self.want(values)
        self.assertFalse(self.rows.search([]))

    def test_a_profile_for_a_hundred_meters_with_progress(self):
        meters = self.meter
        for number in range(100):
            meters |= self.make_meter(self.bus, f"4{number:011}")
        profile = (
            self.env["meter.parameter.profile"]
            .with_user(self.operator)
            .create(
                {
                    "name": "Kitchens",
                    "model_id": self.model.id,
                    "line_ids": [(0, 0, {"type_id": self.type_of("overload_power").id, "value": "8"})],
                }
            )
        )
        wizard = self.env["meter.parameter.wizard"].with_user(self.operator)
        action = wizard.create(
            {"meter_ids": meters.ids, "profile_id": profile.id, "reason": "new kitchens"}
        ).action_apply()
        batch = self.env["meter.parameter.batch"].browse(action["res_id"])
        self.assertEqual((batch.meter_count, batch.open_count, batch.progress), (101, 101, 0))
        results = [
            {
                "order_id": order.id,
                "generation": 0,
                "state": "confirmed",
                "at": self.now,
                "data": json.dumps({"parameters": {"overload_power": "8.0000"}}),
            }
            for order in batch.order_ids[:50]
        ]
        self.assert_all_accepted(self.face.api_report({"results": results}), 50)
        self.report(batch.order_ids[60], "failed", detail="no answer")
        batch.invalidate_recordset()
        self.assertEqual((batch.done_count, batch.failed_count, batch.open_count), (50, 1, 50))
        self.assertAlmostEqual(batch.progress, 100 * 51 / 101)
        profile.invalidate_recordset()
        self.assertEqual((profile.meter_count, profile.applied_count, profile.pending_count), (101, 50, 50))
        batch.with_user(self.operator).action_send_again()
        batch.invalidate_recordset()
        self.assertEqual((batch.failed_count, batch.open_count), (0, 51))

    def test_profiles_take_only_what_their_model_can(self):
        profile = self.env["meter.parameter.profile"].create({"name": "P", "model_id": self.model.id})
        line = {"profile_id": profile.id, "type_id": self.type_of("overload_power").id}
        with self.assertRaisesRegex(ValidationError, "digits"):
            self.env["meter.parameter.profile.line"].create(line | {"value": "1000"})
        with self.assertRaisesRegex(ValidationError, "another model"):
            self.water_meter.parameter_profile_id = profile

    def test_a_model_may_list_and_bring_its_settings(self):
        definition = self.model.definition | {
            "parameters": ["trip_delay", "temperature_limit"],
            "quirks": {
                "parameters": {"temperature_limit": {"di": "04FF0001", "format": "number:2", "unit": "C"}}
            },
        }
        if not parameter_catalogue._find("dlt645-2007", definition, "temperature_limit"):
            definition["quirks"]["parameters"]["temperature_limit"]["format"] = "digits:4"
        self.model.definition = definition
        names = self.model.parameter_type_ids.filtered("active").mapped("name")
        self.assertEqual(set(names), {"trip_delay", "temperature_limit"})
        with self.assertRaisesRegex(ValidationError, "parameters"):
            self.model.definition = definition | {"parameters": "trip_delay"}

    def test_settings_are_found_by_the_words_people_see(self):
        found = self.env["meter.parameter.type"].name_search(
            "Overload event: pow", [("model_id", "=", self.model.id)]
        )
        self.assertEqual([pair[0] for pair in found], self.type_of("overload_power").ids)
        self.assertEqual(self.type_of("day_table_2_3").label, "Day table 3, second set")

    def test_a_table_that_no_write_can_carry_is_refused_when_it_is_entered(self):
        slots = ", ".join(f"{hour:02}:00 {hour % 4 + 1}" for hour in range(13))
        with self.assertRaisesRegex(UserError, "at most 50"):
            self.want({"day_table_2_1": slots})
        self.model.definition = {**self.model.definition, "quirks": {"max_write": 54}}
        self.assertTrue(self.want({"day_table_2_1": slots}))

    def test_why_a_set_was_not_sent_is_said_in_words_for_people(self):
        order = self.want({"day_table_2_1": "00:00 1"})
        reason = "not sent: set 2 is in use now and would change at once; write set 1 and its switch moment"
        self.answer(order, "failed", refused={"day_table_2_1": reason})
        row = self.row("day_table_2_1")
        self.assertEqual(row.state, "refused")
        self.assertIn("Set the other set", row.reason_text)

    def test_wrong_users(self):
        for role in (
            "water_operator",
            "field_reader",
            "cashier",
            "accountant",
            "property_manager",
            "auditor",
        ):
            user = self.make_user(f"w_{role}", role)
            for call in (
                lambda user=user: self.want(user=user),
                lambda user=user: self.rows.with_user(user)._request_read(self.meter.with_user(user)),
                lambda user=user: self.meter.with_user(user).action_set_parameters(),
            ):
                with self.subTest(role=role), self.assertRaises(AccessError):
                    call()
        with self.assertRaises(AccessError):
            self.want(meters=self.far_meter)
        self.want()
        stranger = self.make_user("far", "power_operator", buildings=self.other_building)
        self.assertFalse(self.rows.with_user(stranger).search([]))
        for method in ("action_send_again", "action_keep_meters_value", "action_read_back"):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(self.row().with_user(stranger), method)()
        with self.assertRaises(AccessError):
            self.row().with_user(self.operator).write({"state": "applied"})
