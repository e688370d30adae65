import json
from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..const import ORDER_KINDS, ORDER_LIFE_S
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestOrderData(MeterCase):
    """Orders that carry data, and results that bring some."""

    def place(self, kind="read_items", target=None, data=None):
        order = self.env["meter.order"]._place(kind, self.meter if target is None else target, data)
        self.env.flush_all()
        return order

    def test_every_kind_has_a_life(self):
        self.assertEqual(set(ORDER_LIFE_S), set(dict(ORDER_KINDS)))

    def test_data_travels_as_text(self):
        data = {"items": ["voltage_b", "电压"]}
        order = self.place(data=data)
        [given] = self.face.api_orders({})["orders"]
        self.assertEqual((given["id"], given["kind"], given["generation"]), (order.id, "read_items", 0))
        self.assertEqual(json.loads(given["data"]), data)

    def test_an_order_to_a_bus(self):
        order = self.place("discover", self.bus, {"protocols": ["cjt188"]})
        [given] = self.face.api_orders({})["orders"]
        self.assertEqual((given["bus_id"], given["meter_id"], given["circuit_id"]), (self.bus.id, 0, 0))
        self.assertEqual(
            (order.connector_id, order.building_id, order.company_id),
            (self.connector, self.building, self.env.company),
        )

    def test_an_order_to_nothing_connected_is_refused(self):
        self.meter.bus_id = False
        with self.assertRaisesRegex(UserError, "Not connected"):
            self.place()

    def test_what_came_back_is_kept(self):
        order = self.place()
        values = {"values": {"voltage_b": "220.1", "current_b": None}}
        self.assert_all_accepted(self.report(order, "confirmed", data=json.dumps(values)), 1)
        self.assertEqual((order.state, order._read_result()), ("confirmed", values))

    def test_data_that_is_no_object_is_refused(self):
        order = self.place()
        for data in ("{", "[]", "7", {"a": 1}, "x" * 60001, '{"a": "\\u0000"}', "[" * 50000):
            with self.subTest(data=str(data)[:20]):
                answer = self.report(order, "confirmed", data=data)
                self.assertEqual(answer["exceptions"][0][1:], ["rejected", "data: not a JSON object as text"])
        self.assertEqual(order.state, "pending")

    def test_progress_is_accepted_said_again(self):
        order = self.place("discover", self.bus)
        for second, done in enumerate((0.1, 0.4)):
            answer = self.report(order, "accepted", at=self.now + second, data=json.dumps({"done": done}))
            self.assert_all_accepted(answer, 1)
        self.assertEqual((order.progress, order.accepted_at), (40, self.utc(self.now + 1)))
        again = self.report(order, "accepted", at=self.now + 2, data=json.dumps({"done": 0.4}))
        self.assertEqual(again["exceptions"], [[0, "duplicate", ""]])
        late = self.report(order, "accepted", at=self.now - 9, data=json.dumps({"done": 0.2}))
        self.assertEqual((late["exceptions"][0][1], order.progress), ("duplicate", 40))

    def test_silence_after_accepted_ends_a_read_and_never_a_purchase(self):
        orders = self.place("read_items") | self.place("purchase", data={"amount": "1", "count": 1})
        orders.write({"state": "accepted", "accepted_at": fields.Datetime.now() - timedelta(hours=1)})
        self.env["meter.order"]._fail_unconfirmed(fields.Datetime.now())
        self.assertEqual(orders.mapped("state"), ["failed", "accepted"])

    def test_readers_cancel_reads_and_nothing_else(self):
        orders = self.place("read_items") | self.place("write_parameters", data={"values": {"a": "1"}})
        orders.with_user(self.make_user("reader", "field_reader")).action_cancel_read()
        self.assertEqual(orders.mapped("state"), ["superseded", "pending"])
