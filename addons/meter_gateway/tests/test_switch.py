from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..const import MAX_QUICK_TRIES
from ..models.meter_switch_reconcile import PENDING_GRACE_S
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestSwitch(MeterCase):
    """Desired and reported state, generations, expiry, keep-power, reconciliation."""

    def setUp(self):
        super().setUp()
        self.ingest([{"circuit": self.circuit, "at": self.now - 60, "switch": "on", "total": "1"}])

    def get_audit(self, action):
        return self.env["audit.entry"].search([("action", "=", action), ("res_id", "=", self.switch.id)])

    def obey(self, order, at=None):
        state = order.kind.removeprefix("switch_")
        self.report(order, "accepted", at=at)
        self.assertEqual(self.report(order, "confirmed", state, at=at)["exceptions"], [])

    def test_a_wish_makes_one_order_and_one_line_in_the_audit(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        self.assertEqual(
            (order.kind, order.state, order.generation, order.source, order.reason, order.connector_id),
            ("switch_off", "pending", 1, "policy", "arrears", self.connector),
        )
        self.assertEqual((self.switch.desired, self.switch.generation), ("off", 1))
        self.assertEqual(self.switch.reported, "on", "ordered is not switched")
        self.assertTrue(self.switch.is_mismatch)
        self.assertEqual(self.get_audit("switch.order").reason, "arrears")

    def test_the_same_wish_again_returns_the_order_under_way(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        self.assertEqual(self.switch._set_desired("off", "arrears", "policy"), order)
        self.assertEqual(self.switch.generation, 1)

    def test_nothing_is_ordered_when_it_is_so_already(self):
        self.assertFalse(self.switch._set_desired("on", "paid", "topup"))
        self.assertEqual((self.switch.desired, self.switch.order_ids.ids), ("on", []))
        self.assertFalse(self.switch._set_desired("on", "paid", "topup"))

    def test_a_newer_wish_supersedes_the_older_order(self):
        trip = self.switch._set_desired("off", "arrears", "policy")
        self.report(trip, "received")
        close = self.switch._set_desired("on", "paid", "topup")
        self.assertEqual((trip.state, close.generation), ("superseded", 2))
        orders = self.face.api_orders({})["orders"]
        self.assertEqual([(order["id"], order["kind"]) for order in orders], [(close.id, "switch_on")])

    def test_a_superseded_trip_that_was_carried_out_is_put_right(self):
        """The trip went out just before the tenant paid: its read-back is a fact, and power must come back."""
        trip = self.switch._set_desired("off", "arrears", "policy")
        close = self.switch._set_desired("on", "paid", "topup")
        answer = self.report(trip, "confirmed", "off")
        self.assertEqual(answer["exceptions"][0][1], "rejected")
        self.assertEqual((trip.state, self.switch.reported), ("superseded", "off"))
        self.assertEqual(self.switch._get_open_order(), close, "the order to close is still under way")

    def test_expired_orders_are_never_handed_out(self):
        order = self.switch._set_desired(
            "off", "arrears", "policy", expires_at=fields.Datetime.now() + timedelta(minutes=1)
        )
        self.assertEqual(len(self.face.api_orders({})["orders"]), 1)
        order.expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env.flush_all()
        self.assertEqual(self.face.api_orders({})["orders"], [])
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(order.state, "expired")

    def test_a_trip_lives_half_an_hour_and_a_close_a_day(self):
        now = fields.Datetime.now()
        trip = self.switch._set_desired("off", "arrears", "policy")
        self.assertAlmostEqual((trip.expires_at - now).total_seconds(), 1800, delta=5)
        close = self.switch._set_desired("on", "paid", "topup")
        self.assertAlmostEqual((close.expires_at - now).total_seconds(), 86400, delta=5)

    def test_who_paid_while_the_meter_was_off_line_gets_power_with_the_first_contact(self):
        trip = self.switch._set_desired("off", "arrears", "policy")
        self.obey(trip, at=self.now - 30)
        close = self.switch._set_desired("on", "paid", "topup")
        close.expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env["meter.order"]._expire(fields.Datetime.now())
        self.assertEqual(close.state, "expired")
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "2", "switch": "off"}])
        again = self.switch._get_open_order()
        self.assertEqual((again.kind, again.source, again.generation), ("switch_on", "reconcile", 3))

    def test_a_meter_that_closed_by_itself_is_tripped_again_only_while_the_reason_holds(self):
        for is_wanted, kind in ((True, "switch_off"), (False, "switch_on")):
            with self.subTest(is_wanted=is_wanted):
                trip = self.switch._set_desired("off", "arrears", "policy", force=True)
                self.obey(trip, at=self.now - 30)
                self.patch(
                    self.registry["meter.switch"], "_is_trip_still_wanted", lambda switch, w=is_wanted: w
                )
                self.ingest([{"circuit": self.circuit, "at": self.now + is_wanted, "switch": "on"}])
                self.assertEqual(self.switch._get_open_order().kind, kind)
                self.assertEqual(bool(self.open_alarms("switch_unexpected")), True)
                self.switch._set_desired("on", "end", "system", force=True)
                self.obey(self.switch._get_open_order(), at=self.now + 5 + is_wanted)
                self.now += 60

    def test_a_wish_with_an_end_is_not_repeated_after_it(self):
        trip = self.switch._set_desired(
            "off", "curfew", "schedule", expires_at=fields.Datetime.now() + timedelta(seconds=5)
        )
        past = fields.Datetime.now() - timedelta(seconds=1)
        trip.expires_at = self.switch.expires_at = past
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual((trip.state, self.switch.desired), ("expired", "on"))

    def test_a_switch_that_does_not_obey_raises_an_alarm_and_is_asked_more_slowly(self):
        self.switch._set_desired("off", "arrears", "policy")
        for attempt in range(MAX_QUICK_TRIES):
            order = self.switch._get_open_order()
            self.assertTrue(order, f"try {attempt} is ordered at once")
            self.assertFalse(self.open_alarms("switch_disobeyed"))
            self.report(order, "failed", "on", at=self.now + attempt, detail="no answer")
        self.assertFalse(self.switch._get_open_order(), "now it waits a minute")
        alarm = self.open_alarms("switch_disobeyed")
        self.assertEqual(
            (alarm.circuit_id, alarm.severity, alarm.unit_id), (self.circuit, "critical", self.point.unit_id)
        )
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch._get_open_order())
        self.switch.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env["meter.switch"]._cron_reconcile()
        self.obey(self.switch._get_open_order(), at=self.now + 10)
        self.assertEqual((self.switch.tries, alarm.state), (0, "resolved"))

    def test_keep_power_refuses_trips_and_closes_what_is_open(self):
        self.obey(self.switch._set_desired("off", "arrears", "policy"), at=self.now - 30)
        until = fields.Datetime.now() + timedelta(hours=1)
        self.switch._set_keep_power(until, "exam week")
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")
        self.obey(self.switch._get_open_order())
        with self.assertRaisesRegex(UserError, "keep-power"):
            self.switch._set_desired("off", "arrears", "policy")
        self.assertEqual(self.switch.desired, "on")
        self.assertTrue(self.switch._set_desired("off", "fire", "operator", force=True))
        self.assertTrue(self.get_audit("switch.keep_power"))

    def test_keep_power_ends_by_itself(self):
        self.switch._set_keep_power(fields.Datetime.now() + timedelta(hours=1), "exam week")
        self.switch.keep_power_until = fields.Datetime.now() - timedelta(seconds=1)
        self.assertTrue(self.switch._set_desired("off", "arrears", "policy"), "the end counts at once")
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch.keep_power)
        self.assertTrue(self.get_audit("switch.keep_power_end"))

    def test_a_repeated_trip_does_not_break_keep_power(self):
        trip = self.switch._set_desired("off", "arrears", "policy")
        self.switch.write(
            {"keep_power": True, "keep_power_until": fields.Datetime.now() + timedelta(hours=1)}
        )
        trip._finish("expired", "too late")
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch.desired, "on")

    def test_an_order_seen_done_in_a_reading_is_confirmed(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        order.created = self.utc(self.now - 10)
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "off"}])
        self.assertEqual(order.state, "confirmed")

    def test_an_order_accepted_and_never_read_back_is_ordered_again(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        self.report(order, "accepted", at=self.now - 600)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(order.state, "failed")
        self.assertEqual(self.switch._get_open_order().generation, 2)

    def test_pending_is_neither_on_nor_off(self):
        order = self.switch._set_desired("off", "arrears", "policy")
        self.report(order, "accepted", "pending")
        self.assertEqual((self.switch.reported, order.state), ("pending", "accepted"))

    def test_a_trip_that_stays_pending_is_ordered_again(self):
        """The meter said yes and its contact did not move: who does not pay would be supplied for ever."""
        order = self.switch._set_desired("off", "arrears", "policy")
        self.report(order, "failed", "pending", at=self.now - 30)
        self.assertFalse(self.switch._get_open_order(), "it gets time to follow")
        self.switch.reported_at = fields.Datetime.now() - timedelta(seconds=PENDING_GRACE_S + 1)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_off")

    def test_upper_addons_hear_of_every_change(self):
        heard = []
        self.patch(
            self.registry["meter.switch"],
            "_after_report",
            lambda model, switches: heard.append(switches.mapped("reported")),
        )
        order = self.switch._set_desired("off", "arrears", "policy")
        self.obey(order)
        self.ingest([{"circuit": self.circuit, "at": self.now + 5, "switch": "off"}])
        self.ingest([{"circuit": self.circuit, "at": self.now + 6, "switch": "on"}])
        self.assertEqual(heard, [["off"], ["on"]])
