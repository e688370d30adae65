from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..const import ORDER_STATES, ORDER_TRANSITIONS
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestOrder(MeterCase):
    """What connectors get and what they may say about it."""

    def make_order(self, state="pending"):
        order = self.switch._set_desired("off", "arrears", "policy", force=True)
        order.state = state
        self.env.flush_all()
        return order

    def test_a_poll_is_one_indexed_query(self):
        self.make_order()
        self.face.api_orders({})
        with self.assertQueryCount(1):
            self.assertEqual(len(self.face.api_orders({})["orders"]), 1)
        self.env.cr.execute(
            "EXPLAIN SELECT 1 FROM meter_order WHERE connector_id = 1 AND state IN ('pending', 'received', 'accepted')"
        )
        self.env.cr.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'meter_order_open_idx'")
        self.assertIn("WHERE", self.env.cr.fetchone()[0])

    def test_an_order_as_the_connector_gets_it(self):
        order = self.make_order()
        answer = self.face.api_orders({"known": []})
        self.assertEqual(answer["config_version"], self.connector.config_version)
        self.assertAlmostEqual(answer["server_time"], self.now, delta=60)
        [given] = answer["orders"]
        self.assertAlmostEqual(given.pop("created_at"), self.now, delta=60)
        self.assertAlmostEqual(given.pop("expires_at"), self.now + 1800, delta=60)
        self.assertEqual(
            given,
            {
                "id": order.id,
                "generation": order.generation,
                "kind": "switch_off",
                "meter_id": self.meter.id,
                "circuit_id": self.circuit.id,
                "bus_id": 0,
                "reason": "arrears",
                "data": "",
            },
        )

    def test_known_orders_are_not_repeated(self):
        order = self.make_order()
        self.assertEqual(self.face.api_orders({"known": [[order.id, order.generation]]})["orders"], [])
        self.assertEqual(
            len(self.face.api_orders({"known": [[order.id, order.generation + 1], "x"]})["orders"]), 1
        )

    def test_an_order_taken_and_not_spoken_of_is_given_again(self):
        order = self.make_order()
        self.report(order, "received", at=self.now)
        self.env.flush_all()
        self.assertEqual(self.face.api_orders({})["orders"], [])
        order.received_at = fields.Datetime.now() - timedelta(seconds=61)
        self.env.flush_all()
        self.assertEqual(len(self.face.api_orders({})["orders"]), 1)

    def test_legal_and_illegal_jumps(self):
        for before in dict(ORDER_STATES):
            for after in ("received", "accepted", "confirmed", "failed", "expired", "superseded"):
                with self.subTest(before=before, after=after):
                    self.now += 1
                    order = self.make_order(before)
                    reported = "off" if after == "confirmed" else ""
                    answer = self.report(order, after, reported)
                    verdict = answer["exceptions"][0][1] if answer["exceptions"] else "accepted"
                    if before == after:
                        self.assertEqual((verdict, order.state), ("duplicate", before))
                    elif after in ORDER_TRANSITIONS[before]:
                        self.assertEqual((verdict, order.state), ("accepted", after))
                    else:
                        self.assertEqual((verdict, order.state), ("rejected", before))

    def test_results_that_make_no_sense_are_refused_and_raise_nothing(self):
        order = self.make_order()
        good = {"order_id": order.id, "generation": order.generation, "state": "accepted", "at": self.now}
        table = [
            ("not an object", "order_id"),
            ({}, "order_id"),
            (good | {"order_id": "1; DROP TABLE"}, "order_id"),
            (good | {"order_id": 2**40}, "order_id"),
            (good | {"order_id": order.id + 10**6}, "unknown order"),
            (good | {"generation": order.generation - 1}, "generation"),
            (good | {"generation": order.generation + 1}, "generation"),
            (good | {"generation": None}, "generation"),
            (good | {"state": "pending"}, "state: 'pending'"),
            (good | {"state": ["accepted"]}, "state"),
            (good | {"at": "now"}, "at:"),
            (good | {"reported": "ajar"}, "reported: 'ajar'"),
            (good | {"state": "confirmed"}, "read back"),
            (good | {"state": "confirmed", "reported": "pending"}, "read back"),
        ]
        answer = self.face.api_report({"results": [result for result, _text in table]})
        self.assertEqual(answer["accepted"], 0)
        for (index, verdict, reason), (_result, text) in zip(answer["exceptions"], table, strict=True):
            with self.subTest(index=index):
                self.assertEqual(verdict, "rejected")
                self.assertIn(text, reason)
        self.assertEqual(order.state, "pending")

    def test_a_result_ahead_of_the_clock_stays_with_the_connector(self):
        order = self.make_order()
        answer = self.report(order, "accepted", at=self.now + 3600)
        self.assertEqual([item[:2] for item in answer["exceptions"]], [[0, "retry"]])
        self.assertIn("ahead of the server's clock", answer["exceptions"][0][2])
        self.assertEqual((answer["accepted"], order.state), (0, "pending"))

    def test_a_result_that_odoo_stumbles_over_holds_up_no_other_one_and_comes_again(self):
        bad = self.make_order()
        good = self.far_meter.circuit_ids.switch_id._set_desired("off", "arrears", "policy")
        follow = type(bad)._follow

        def stumbling(order, *args):
            follow(order, *args)
            if order == bad:
                raise ValueError("no such thing")

        results = [
            {"order_id": order.id, "generation": order.generation, "state": "received", "at": self.now}
            for order in (bad, good)
        ]
        with (
            patch.object(type(bad), "_follow", stumbling),
            self.assertLogs("odoo.addons.meter_gateway.models.meter_report", "ERROR"),
        ):
            answer = self.face.api_report({"results": results})
        self.assertEqual(answer["accepted"], 1)
        self.assertEqual([item[:2] for item in answer["exceptions"]], [[0, "retry"]])
        self.assertEqual((bad.state, good.state), ("pending", "received"))
        answer = self.face.api_report({"results": results[:1]})
        self.assertEqual((answer["accepted"], bad.state), (1, "received"))

    def test_confirmed_with_the_other_state_is_a_failure(self):
        order = self.make_order()
        self.report(order, "confirmed", "on")
        self.assertEqual((order.state, order.result, self.switch.reported), ("failed", "read back on", "on"))

    def test_an_older_read_back_does_not_overwrite_a_newer_one(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "on"}])
        order = self.make_order()
        self.report(order, "accepted", "off", at=self.now - 100)
        self.assertEqual(self.switch.reported, "on")

    def test_results_of_several_orders_at_once(self):
        other = self.far_meter.circuit_ids.switch_id._set_desired("off", "arrears", "policy")
        order = self.make_order()
        answer = self.face.api_report(
            {
                "results": [
                    {
                        "order_id": order.id,
                        "generation": order.generation,
                        "state": "accepted",
                        "at": self.now,
                    },
                    {
                        "order_id": order.id,
                        "generation": order.generation,
                        "state": "confirmed",
                        "reported": "off",
                        "at": self.now + 1,
                    },
                    {
                        "order_id": other.id,
                        "generation": other.generation,
                        "state": "received",
                        "at": self.now,
                    },
                ]
            }
        )
        self.assertEqual(answer, {"accepted": 3, "exceptions": []})
        self.assertEqual((order.state, other.state, self.switch.reported), ("confirmed", "received", "off"))

    def test_orders_of_another_connector_do_not_exist(self):
        stranger = self.make_connector("c9")
        order = self.make_order()
        face = self.env["meter.connector"].with_user(stranger.user_id)
        self.assertEqual(face.api_orders({})["orders"], [])
        answer = face.api_report(
            {
                "results": [
                    {
                        "order_id": order.id,
                        "generation": order.generation,
                        "state": "confirmed",
                        "reported": "off",
                        "at": self.now,
                    }
                ]
            }
        )
        self.assertEqual(answer["exceptions"], [[0, "rejected", "unknown order"]])
        self.assertEqual((order.state, self.switch.reported), ("pending", "unknown"))

    def test_a_read_now_makes_one_order_a_meter(self):
        meters = self.meter | self.water_meter
        meters.action_read_now()
        meters.action_read_now()
        orders = self.env["meter.order"].search([("kind", "=", "read")])
        self.assertEqual(orders.meter_id, meters)
        self.assertEqual(len(orders), 2)
        self.env.flush_all()
        self.assertEqual({order["kind"] for order in self.face.api_orders({})["orders"]}, {"read"})
        self.assertEqual(self.report(orders[0], "confirmed")["exceptions"], [])

    def test_reading_needs_the_function_and_a_bus(self):
        with self.assertRaises(AccessError):
            self.meter.with_user(self.make_user("cash", "cashier")).action_read_now()
        reader = self.make_user("reader", "field_reader", buildings=self.building)
        self.meter.with_user(reader).action_read_now()
        with self.assertRaises(AccessError):
            self.far_meter.with_user(reader).action_read_now()
        self.water_meter.bus_id = False
        with self.assertRaisesRegex(UserError, "Not connected"):
            self.water_meter.action_read_now()
