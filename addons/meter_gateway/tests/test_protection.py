import json
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestProtection(MeterCase):
    """Protective trips, the lock after three, the restore by a person, keep-power in the meter."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        cls.switch._set_desired("on", "paid", "topup")
        cls.switch._get_open_order()._finish("confirmed", "x")

    def trip(self, number, minutes=None, kind="overload_trip"):
        at = self.now - 3600 + 60 * (number * 10 if minutes is None else minutes)
        event = {
            "key": f"t{number}",
            "kind": kind,
            "at": at,
            "circuit_id": self.circuit.id,
            "data": {"power_kw": "9.1"},
        }
        self.env.flush_all()
        self.assert_all_accepted(self.face.api_events({"events": [event]}), 1)
        self.ingest([{"circuit": self.circuit, "at": at + 1, "switch": "off", "power_kw": "0"}])

    def restore(self, user=None, **vals):
        done = {
            "is_load_removed": True,
            "is_wiring_checked": True,
            "is_tenant_informed": True,
            "reason": "fryer out",
        }
        wizard = self.env["meter.restore.wizard"].with_user(user or self.operator)
        wizard.create({"switch_ids": self.switch.ids, **done, **vals}).action_apply()

    def test_the_first_trip_recovers_by_itself_after_a_while(self):
        self.trip(1)
        self.assertEqual((self.switch.protective_trips, self.switch.is_locked), (1, False))
        self.assertEqual(self.open_alarms("overload").circuit_id, self.circuit)
        self.assertFalse(self.open_alarms("switch_unexpected"))
        self.assertFalse(self.switch._get_open_order(), "not at once")
        self.switch.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")

    def test_after_three_in_a_row_only_a_person_restores(self):
        for number in (1, 2, 3):
            self.trip(number, kind=("overload_trip", "malignant_load_trip", "temperature_trip")[number - 1])
        self.assertTrue(self.switch.is_locked)
        self.assertTrue(self.open_alarms("protection_locked"))
        self.switch.next_try_at = False
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch._get_open_order())
        self.assertFalse(
            self.switch._set_desired("on", "paid", "topup", force=True), "payment does not unlock"
        )
        with self.assertRaisesRegex(UserError, "Restore"):
            self.switch._set_desired("on", "x", "operator", force=True)
        self.restore()
        self.assertEqual((self.switch.is_locked, self.switch.protective_trips), (False, 0))
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")
        self.assertFalse(self.open_alarms("protection_locked") | self.open_alarms("overload"))
        entry = self.env["audit.entry"].search([("action", "=", "switch.restored")], limit=1)
        self.assertEqual((entry.reason, entry.user_id), ("fryer out", self.operator))

    def follow(self, seconds):
        """The newest order is carried out."""
        order = self.switch._get_open_order()
        self.report(order, "confirmed", "on", at=self.now + seconds)

    def test_a_supply_that_goes_off_by_itself_rests_before_it_is_ordered_on_again(self):
        """Readings may come before the event that tells the trip."""
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "on"}])
        self.ingest([{"circuit": self.circuit, "at": self.now + 1, "switch": "off"}])
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch._get_open_order(), "not at once")
        self.assertGreater(self.switch.next_try_at, fields.Datetime.now() + timedelta(minutes=4))
        self.switch.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")

    def test_without_a_recovery_of_the_connector_three_trips_lock_too(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "on"}])
        for number in (1, 2, 3):
            at = self.now + 100 * number
            event = {"key": f"m{number}", "kind": "meter_tripped", "at": at, "circuit_id": self.circuit.id}
            self.ingest([{"circuit": self.circuit, "at": at, "switch": "off"}])
            self.assert_all_accepted(self.face.api_events({"events": [{**event, "data": {}}]}), 1)
            self.assertEqual(self.switch.protective_trips, number)
            self.assertFalse(self.switch._get_open_order())
            self.switch.next_try_at = fields.Datetime.now() - timedelta(seconds=1)
            self.env["meter.switch"]._cron_reconcile()
            if number < 3:
                self.follow(100 * number + 50)
        self.assertTrue(self.switch.is_locked)
        self.assertFalse(self.switch._get_open_order())

    def test_what_was_never_seen_on_is_ordered_at_once(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "off"}])
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")

    def test_trips_far_apart_do_not_lock(self):
        self.trip(1, minutes=-200)
        self.trip(2, minutes=-100)
        self.trip(3, minutes=0)
        self.assertEqual((self.switch.protective_trips, self.switch.is_locked), (1, False))

    def test_restoring_what_shall_be_off_does_not_switch_on(self):
        self.switch._set_desired("off", "arrears", "policy")
        self.switch._lock_supply(fields.Datetime.now())
        order = self.switch._get_open_order()
        self.restore()
        self.assertEqual((self.switch.desired, self.switch._get_open_order()), ("off", order))

    def test_the_restore_is_guided(self):
        self.trip(1)
        wizard = (
            self.env["meter.restore.wizard"].with_user(self.operator).new({"switch_ids": self.switch.ids})
        )
        self.assertEqual(wizard.event_ids.mapped("kind"), ["overload_trip"])
        self.assertTrue(wizard.reading_ids)
        with self.assertRaisesRegex(UserError, "Tick"):
            self.restore(is_wiring_checked=False)
        with self.assertRaisesRegex(UserError, "found"):
            self.restore(reason=" ")

    def test_the_connector_may_recover_and_lock_by_itself(self):
        model = self.meter.model_id
        profile = self.env["meter.parameter.profile"].create({"name": "P", "model_id": model.id})
        self.meter.parameter_profile_id = profile
        version = self.connector.config_version
        profile.write({"is_auto_recovery": True, "recovery_delay_s": 120})
        self.assertGreater(self.connector.config_version, version)
        config = self.connector._prepare_meter(self.meter)
        self.assertEqual(config["auto_recovery"], {"tries": 2, "delay_s": 120, "stable_s": 3600})
        self.trip(1, kind="meter_tripped")
        self.assertTrue(self.open_alarms("meter_tripped"))
        self.trip(2, kind="recovery_locked")
        self.assertTrue(self.switch.is_locked)

    def test_the_meter_may_lock_by_itself(self):
        self.trip(1, kind="protection_locked")
        self.assertTrue(self.switch.is_locked)

    def test_wrong_users_do_not_restore(self):
        self.switch._lock_supply(fields.Datetime.now())
        for role in ("water_operator", "cashier", "field_reader", "auditor"):
            user = self.make_user(f"w_{role}", role)
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.restore(user=user)
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.switch.with_user(user).action_restore()
        with self.assertRaises(AccessError):
            self.restore(user=self.make_user("far", "power_operator", buildings=self.other_building))
        self.assertTrue(self.switch.is_locked)

    # -- keep power ---------------------------------------------------------------------------------

    def keep(self, in_meter=True):
        wizard = self.env["meter.keep.power.wizard"].with_user(self.operator)
        until = fields.Datetime.now() + timedelta(hours=2)
        vals = {"switch_ids": self.switch.ids, "until": until, "reason": "surgery", "in_meter": in_meter}
        wizard.create(vals).action_apply()
        return self.env["meter.order"].search([("kind", "=", "keep_power_on")])

    def test_keep_power_in_the_meter_is_read_back(self):
        order = self.keep()
        self.assertEqual((self.switch.keep_power, self.switch.keep_power_meter), (True, "wanted"))
        self.report(order, "confirmed", data=json.dumps({"keep_power": "on"}))
        self.assertEqual(self.switch.keep_power_meter, "on")
        self.switch.keep_power_until = fields.Datetime.now() - timedelta(seconds=1)
        self.env["meter.switch"]._cron_reconcile()
        ending = self.env["meter.order"].search([("kind", "=", "keep_power_off")])
        self.assertEqual((self.switch.keep_power, self.switch.keep_power_meter), (False, "ending"))
        self.report(ending, "confirmed", at=self.now + 2, data=json.dumps({"keep_power": "off"}))
        self.assertFalse(self.switch.keep_power_meter)

    def test_keep_power_that_was_not_read_back_is_an_alarm(self):
        self.report(self.keep(), "confirmed", data=json.dumps({"keep_power": "off"}))
        self.assertEqual(self.switch.keep_power_meter, "failed")
        self.assertTrue(self.open_alarms("keep_power_failed"))

    def test_keep_power_here_alone_orders_nothing_in_the_meter(self):
        self.assertFalse(self.keep(in_meter=False))
        valve = self.water_meter.circuit_ids.switch_id
        self.assertFalse(valve.can_keep_power)

    def ending(self):
        return self.env["meter.order"].search([("kind", "=", "keep_power_off")])

    def test_a_meter_that_does_not_end_keep_power_is_asked_again_and_the_button_stays(self):
        self.report(self.keep(), "confirmed", data=json.dumps({"keep_power": "on"}))
        self.switch.with_user(self.operator).action_end_keep_power()
        first = self.ending()
        self.report(first, "failed", at=self.now + 2, detail="no answer")
        self.assertEqual((self.switch.keep_power, self.switch.keep_power_meter), (False, "failed"))
        self.assertTrue(self.meter.is_kept_in_meter)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.ending(), first, "not at once")
        first.done_at = fields.Datetime.now() - timedelta(minutes=11)
        self.env["meter.switch"]._cron_reconcile()
        second = self.ending() - first
        self.assertEqual((len(second), self.switch.keep_power_meter), (1, "ending"))
        self.switch.with_user(self.operator).action_end_keep_power()
        self.assertEqual(self.ending(), first | second, "it is on its way")
        self.report(second, "failed", at=self.now + 3, detail="no answer")
        self.switch.with_user(self.operator).action_end_keep_power()
        third = self.ending() - first - second
        self.report(third, "confirmed", at=self.now + 4, data=json.dumps({"keep_power": "off"}))
        self.assertFalse(self.switch.keep_power_meter or self.meter.is_kept_in_meter)

    def test_a_locked_supply_is_not_kept_on(self):
        self.switch._lock_supply(fields.Datetime.now())
        with self.assertRaisesRegex(UserError, "use Restore first"):
            self.keep()
        self.assertFalse(self.switch.keep_power)
        self.assertFalse(self.env["meter.order"].search([("kind", "=", "keep_power_on")]))
        self.restore()
        self.assertTrue(self.keep())
