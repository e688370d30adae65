import json

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestDiscovery(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)

    def make_search(self, start=True, **vals):
        search = self.env["meter.discovery"].with_user(self.operator).create({"bus_id": self.bus.id, **vals})
        if start:
            search.action_start()
        self.env.flush_all()
        return search.sudo()

    def answer(self, search, state, done, *found, seconds=0, complete=("dlt645-2007", "cjt188")):
        rows = [{"address": address, "protocol": protocol, "baudrate": 2400} for address, protocol in found]
        data = json.dumps({"done": done, "found": rows, "complete": complete})
        return self.report(search.order_id, state, at=self.now + seconds, data=data)

    def test_what_the_connector_is_asked(self):
        self.make_search(first_address="100", is_cjt188=True)
        [given] = self.face.api_orders({})["orders"]
        self.assertEqual((given["kind"], given["bus_id"]), ("discover", self.bus.id))
        self.assertEqual(
            json.loads(given["data"]),
            {
                "from": "000000000100",
                "to": "999999999999",
                "protocols": ["dlt645-2007", "cjt188"],
                "baudrates": [],
            },
        )

    def test_found_is_compared_with_what_is_configured(self):
        search = self.make_search(is_cjt188=True)
        found = [("202600000001", "dlt645-2007"), ("202600000009", "dlt645-2007")]
        self.assert_all_accepted(self.answer(search, "accepted", 0.4, found[0]), 1)
        self.assertEqual((search.state, search.progress, search.known_count), ("running", 40, 1))
        self.assert_all_accepted(self.answer(search, "confirmed", 1, *found, seconds=1), 1)
        states = {line.address: line.state for line in search.line_ids}
        self.assertEqual(states, {"202600000001": "known", "202600000009": "new", "202600000002": "missing"})
        self.assertEqual((search.state, search.progress), ("done", 100))
        self.assertFalse(search.incomplete_text)

    def test_only_what_was_searched_to_the_end_makes_a_meter_missing(self):
        for complete in (["dlt645-2007"], None, "cjt188", [7, {"cjt188": 1}]):
            with self.subTest(complete=complete):
                search = self.make_search(is_cjt188=True)
                self.answer(search, "confirmed", 1, ("202600000001", "dlt645-2007"), complete=complete)
                self.assertEqual(search.line_ids.mapped("state"), ["known"])
                self.assertIn("CJ/T 188. Meters of it may hang here", search.incomplete_text)
        search.with_user(self.operator).action_start()
        self.assertFalse(search.incomplete_text)

    def test_all_addresses_of_water_meters_have_fourteen_digits(self):
        self.water_meter.address = "78330010000101"
        search = self.make_search(is_645_2007=False, is_cjt188=True)
        self.answer(search, "confirmed", 1)
        self.assertEqual(search.line_ids.meter_id, self.water_meter)
        narrow = self.make_search(is_645_2007=False, is_cjt188=True, last_address="888888888888")
        self.answer(narrow, "confirmed", 1)
        self.assertFalse(narrow.line_ids)

    def test_adopted_with_one_click(self):
        search = self.make_search()
        self.answer(search, "confirmed", 1, ("202600000009", "dlt645-2007"))
        line = search.line_ids.filtered(lambda line: line.state == "new")
        self.assertEqual(line.model_id, self.meter.model_id, "the model of its neighbours")
        version = self.connector.config_version
        line.with_user(self.operator).action_adopt()
        self.assertEqual(
            (line.state, line.meter_id.address, line.meter_id.bus_id), ("known", "202600000009", self.bus)
        )
        self.assertGreater(self.connector.config_version, version)
        with self.assertRaises(UserError):
            line.with_user(self.operator).action_adopt()

    def test_leading_zeros_make_no_other_meter(self):
        meter = self.make_meter(self.bus, "77")
        search = self.make_search()
        self.answer(search, "confirmed", 1, ("000000000077", "dlt645-2007"))
        self.assertIn(meter, search.line_ids.filtered(lambda line: line.state == "known").meter_id)

    def test_a_meter_that_was_moved_is_tied_here(self):
        search = self.make_search()
        self.answer(search, "confirmed", 1, ("202600000003", "dlt645-2007"))
        line = search.line_ids.filtered("elsewhere_id")
        self.assertEqual((line.elsewhere_id, line.state), (self.far_meter, "new"))
        with self.assertRaises(AccessError):
            line.with_user(self.operator).action_move_here()
        line.action_move_here()
        self.assertEqual((self.far_meter.bus_id, line.state), (self.bus, "known"))

    def test_nonsense_found_raises_nothing(self):
        search = self.make_search()
        data = {
            "done": "x",
            "found": ["a", {"address": 7}, {"address": "1", "protocol": "x"}, {"address": "a b"}],
        }
        self.assert_all_accepted(self.report(search.order_id, "accepted", data=json.dumps(data)), 1)
        self.assertFalse(search.line_ids)
        self.assert_all_accepted(
            self.report(search.order_id, "accepted", at=self.now + 2, data=json.dumps({"found": 7})), 1
        )

    def test_one_search_a_bus_and_it_can_be_stopped(self):
        search = self.make_search()
        with self.assertRaisesRegex(UserError, "already"):
            self.make_search()
        search.with_user(self.operator).action_cancel()
        self.assertEqual((search.state, search.order_id.state), ("cancelled", "superseded"))
        self.make_search()

    def test_a_search_that_fails_says_why(self):
        search = self.make_search()
        self.report(search.order_id, "failed", detail="gateway offline")
        self.assertEqual((search.state, search.result), ("failed", "gateway offline"))

    def test_what_could_not_be_asked_is_said_although_the_search_ended_well(self):
        search = self.make_search(all_speeds=True)
        self.assertTrue(search.is_speed_fixed, "behind a network")
        self.assertIn(9600, json.loads(search.order_id.data)["baudrates"])
        self.report(search.order_id, "confirmed", detail="the gateway keeps its speed", data='{"done": 1}')
        self.assertEqual((search.state, search.result), ("done", "the gateway keeps its speed"))
        self.bus.write({"link_kind": "serial", "device": "/dev/ttyS0"})
        search.invalidate_recordset(["is_speed_fixed"])
        self.assertFalse(search.is_speed_fixed)

    def test_wrong_users(self):
        search = self.make_search(start=False)
        for role in ("field_reader", "cashier", "auditor", "accountant"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                search.with_user(self.make_user(f"w_{role}", role)).action_start()
        stranger = self.make_user("far", "power_operator", buildings=self.other_building)
        for call in (
            lambda: search.with_user(stranger).action_start(),
            lambda: search.with_user(stranger).action_cancel(),
            lambda: self.env["meter.discovery"].with_user(stranger).create({"bus_id": self.bus.id}),
        ):
            with self.assertRaises(AccessError):
                call()
        self.assertFalse(self.env["meter.discovery"].with_user(stranger).search([]))
