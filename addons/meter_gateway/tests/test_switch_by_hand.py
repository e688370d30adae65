from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..const import PROTOCOL_VERSION, SLEEPING_SILENT_S
from .common import MeterCase

ALARM = "switch_by_hand"


@tagged("post_install", "-at_install")
class TestSwitchByHand(MeterCase):
    """Breakers that only a hand closes, meters that can only be read: one alarm, no order for ever."""

    def setUp(self):
        super().setUp()
        self.meter.place = "Riser 3, door 12"

    def make_by_hand(self):
        model = self.meter.model_id.copy({"code": "shunt", "name": "Shunt"})
        model.definition = {
            **model.definition,
            "switch": {"kind": "dlt645", "off": "1A", "close": "by_hand"},
        }
        self.meter.model_id = model
        self.ingest([{"circuit": self.circuit, "at": self.now - 60, "switch": "on", "total": "1"}])

    def put_behind_a_platform(self):
        self.bus.link_kind = "nbiot"
        self.meter.imei = "861234567890123"
        self.ingest([{"circuit": self.circuit, "at": self.now - 60, "switch": "on", "total": "1"}])

    def hello(self, **status):
        self.face.api_hello({"protocol": PROTOCOL_VERSION, "version": "1", "status": status})

    def trip(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        self.report(order, "confirmed", "off", at=self.now - 30)
        return order

    def reconcile_for_hours(self):
        for hours in range(1, 4):
            with freeze_time(fields.Datetime.now() + timedelta(hours=hours)):
                self.env["meter.switch"]._cron_reconcile()

    def test_a_breaker_is_closed_by_hand_once_the_tenant_has_paid(self):
        self.make_by_hand()
        self.trip()
        self.assertFalse(self.switch._set_desired("on", "paid", "topup"))
        alarm = self.open_alarms(ALARM)
        self.assertEqual((alarm.circuit_id, alarm.severity), (self.circuit, "critical"))
        self.assertIn("Riser 3, door 12", alarm.message)
        generation, orders = self.switch.generation, len(self.switch.order_ids)
        self.reconcile_for_hours()
        self.assertEqual((self.switch.generation, len(self.switch.order_ids)), (generation, orders))
        self.assertEqual((alarm.times, self.open_alarms("switch_disobeyed").ids), (1, []))
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "on", "total": "2"}])
        self.assertEqual((alarm.state, self.switch.is_mismatch), ("resolved", False))

    def test_a_trip_that_the_connector_may_still_hold_is_ended_by_a_newer_order(self):
        self.make_by_hand()
        trip = self.switch._set_desired("off", "arrears", "policy")
        close = self.switch._set_desired("on", "paid", "topup")
        self.assertEqual((trip.state, close.kind), ("superseded", "switch_on"))
        self.assertFalse(self.open_alarms(ALARM), "it is on still")
        self.report(close, "failed", detail="trips an external breaker that only a hand can close")
        self.assertFalse(self.open_alarms("switch_disobeyed"))

    def test_a_wish_that_changes_takes_the_alarm_away(self):
        self.make_by_hand()
        self.trip()
        self.switch._set_desired("on", "paid", "topup")
        self.assertTrue(self.switch._set_desired("off", "arrears", "policy"))
        self.assertFalse(self.open_alarms(ALARM))

    def test_a_meter_behind_a_platform_can_only_be_read_and_says_so(self):
        self.put_behind_a_platform()
        self.assertTrue(self.meter.is_read_only)
        self.assertIn("can only be read", self.meter.hand_reason)
        operator = self.make_user("op", "power_operator", buildings=self.building)
        wizard = self.env["meter.switch.wizard"].with_user(operator)
        wizard = wizard.create({"state": "off", "switch_ids": self.switch.ids, "reason": "test"})
        with self.assertRaisesRegex(UserError, "can only be read"):
            wizard.action_apply()
        self.assertFalse(self.switch._set_desired("off", "arrears", "policy"))
        self.assertIn("switch it off at Riser 3", self.open_alarms(ALARM).message)
        self.reconcile_for_hours()
        self.assertFalse(self.switch.order_ids)
        self.assertEqual(self.open_alarms().mapped("kind"), [ALARM])
        self.assertTrue(self.env["meter.order"]._request_reads(self.meter), "reading works")

    def test_with_a_way_to_the_platform_orders_live_until_the_meter_wakes(self):
        self.put_behind_a_platform()
        self.hello(nbiot={"downlink": True})
        self.assertFalse(self.meter.is_read_only)
        self.meter.imei = False
        self.assertIn("none is entered", self.meter.hand_reason)
        self.meter.imei = "861234567890123"
        order = self.switch._set_desired("off", "arrears", "policy")
        read = self.env["meter.order"]._request_reads(self.meter)
        for each in order | read:
            life = (each.expires_at - each.created).total_seconds()
            self.assertGreaterEqual(life, SLEEPING_SILENT_S, each.kind)
        self.report(order, "accepted", at=self.now)
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(order.state, "accepted", "read back when it reports next")
        self.hello()
        self.assertTrue(self.meter.is_read_only)
