import json
from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from ..models.meter_supply_plan import WEEKDAYS
from .common import MeterCase

#: A Monday; 01:00 UTC is 09:00 in Shanghai.
MONDAY = fields.Datetime.to_datetime("2026-03-09 00:00:00")


@tagged("post_install", "-at_install")
class TestSupplyPlan(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        weekend = {"saturday": False, "sunday": False}
        cls.plan = cls.env["meter.supply.plan"].create(
            {
                "name": "Shop hours",
                "period_ids": [
                    Command.create({"from_hour": 8, "to_hour": 12, **weekend}),
                    Command.create({"from_hour": 13.5, "to_hour": 24, **weekend}),
                ],
            }
        )
        cls.never = cls.make_plan("Never today", 0, 24, days=[(fields.Datetime.now().weekday() + 3) % 7])

    @classmethod
    def make_plan(cls, name, *hours, days=range(7), **vals):
        """``hours``: from, to; ``days``: 0 = Monday."""
        period = {day: number in days for number, day in enumerate(WEEKDAYS)}
        period |= {"from_hour": hours[0], "to_hour": hours[1]}
        return cls.env["meter.supply.plan"].create(
            {"name": name, "period_ids": [Command.create(period)], **vals}
        )

    def assign(self, plan, meters=None, user=None):
        wizard = self.env["meter.supply.plan.wizard"].with_user(user or self.operator)
        vals = {"meter_ids": (meters or self.meter).ids, "plan_id": plan.id, "reason": "hours"}
        wizard.create(vals).action_apply()

    def config_of(self, meter):
        config = self.face.api_config({"since": 0})
        meters = [m for g in config["gateways"] for bus in g["buses"] for m in bus["meters"]]
        return next(row for row in meters if row["id"] == meter.id)

    def test_the_connector_gets_the_hours(self):
        version = self.connector.config_version
        self.assertNotIn("supply_plan", self.config_of(self.meter))
        self.assign(self.plan)
        self.assertGreater(self.connector.config_version, version)
        self.assertEqual(
            self.config_of(self.meter)["supply_plan"],
            {
                "kept_by": "connector",
                "periods": [
                    {"weekdays": [1, 2, 3, 4, 5], "from": "08:00", "to": "12:00"},
                    {"weekdays": [1, 2, 3, 4, 5], "from": "13:30", "to": "24:00"},
                ],
            },
        )
        version = self.connector.config_version
        self.plan.period_ids[0].from_hour = 9
        self.assertGreater(self.connector.config_version, version)

    def test_hours_are_those_of_the_site(self):
        table = [(0, 30, True), (4, 30, False), (5, 30, True), (15, 59, True), (16, 0, False), (-1, 0, False)]
        for hour, minute, is_on in table:
            with self.subTest(hour=hour, minute=minute):
                at = MONDAY + timedelta(hours=hour, minutes=minute)
                self.assertEqual(self.plan._is_supply_time(at, "Asia/Shanghai"), is_on)
        self.assertFalse(self.plan._is_supply_time(MONDAY - timedelta(hours=20), "Asia/Shanghai"), "Sunday")

    def test_off_by_its_hours_is_neither_ordered_on_nor_an_alarm(self):
        self.assign(self.never)
        self.switch._set_desired("on", "x", "system")
        self.switch._get_open_order()._finish("failed", "x")
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "off"}])
        self.assertFalse(self.switch._get_open_order())
        self.assertFalse(self.open_alarms("switch_unexpected"))
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch._get_open_order())
        self.meter.supply_plan_id = False
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")

    def test_keep_power_overrides_the_hours(self):
        self.assign(self.plan)
        version = self.connector.config_version
        self.switch.with_user(self.operator)._set_keep_power(
            fields.Datetime.now() + timedelta(hours=1), "party"
        )
        self.assertGreater(self.connector.config_version, version)
        self.assertNotIn("supply_plan", self.config_of(self.meter))
        self.switch._clear_keep_power("over")
        self.assertIn("supply_plan", self.config_of(self.meter))

    def hold(self, until, wanted="off", result="confirmed", at=None, key="p1"):
        """The connector says what its plan did."""
        data = {"until": until, "wanted": wanted, "result": result, "reported": wanted}
        at = self.now if at is None else at
        event = {"key": key, "kind": "plan_switched", "at": at, "circuit_id": self.circuit.id, "data": data}
        self.assert_all_accepted(self.face.api_events({"events": [event]}), 1)

    def switched_off_by_the_plan(self):
        """Hours that this side takes for supply: only the event says otherwise."""
        self.assign(self.make_plan("Always", 0, 24))
        self.switch._set_desired("on", "x", "system")
        self.switch._get_open_order()._finish("failed", "x")
        self.hold(self.now + 3600)
        self.ingest([{"circuit": self.circuit, "at": self.now + 1, "switch": "off"}])

    def test_what_the_plan_has_switched_off_is_left_alone_until_it_says(self):
        self.switched_off_by_the_plan()
        self.env["meter.switch"]._cron_reconcile()
        self.assertFalse(self.switch._get_open_order())
        self.assertFalse(self.open_alarms("switch_unexpected"))
        self.hold(self.now + 7200, "on", at=self.now - 60, key="late")
        self.assertTrue(self.switch.plan_off_until, "older than what is known")
        self.switch.plan_off_until = fields.Datetime.now() - timedelta(minutes=5)
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")
        self.assertFalse(self.switch._get_open_order().data, "nobody in person has asked")

    def test_the_plan_says_that_it_has_switched_on(self):
        self.switched_off_by_the_plan()
        self.hold(0, "on", at=self.now + 2, key="p2")
        self.env["meter.switch"]._cron_reconcile()
        self.assertEqual(self.switch._get_open_order().kind, "switch_on")

    def test_a_plan_that_could_not_switch_holds_nothing(self):
        self.switched_off_by_the_plan()
        self.hold(self.now + 3600, result="failed", at=self.now + 2, key="p2")
        self.assertFalse(self.switch.plan_off_until)

    def test_a_persons_order_passes_the_plan_and_others_do_not(self):
        self.switched_off_by_the_plan()
        paid = self.switch._set_desired("on", "paid", "topup")
        self.assertFalse(paid.data)
        for _again in range(4):
            self.switch._note_failure("the supply plan has it off")
        self.assertFalse(self.open_alarms("switch_disobeyed"))
        vals = {"state": "on", "switch_ids": self.switch.ids, "reason": "party"}
        self.env["meter.switch.wizard"].with_user(self.operator).create(vals).action_apply()
        order = self.switch._get_open_order()
        self.assertNotEqual(order, paid)
        self.assertEqual((paid.state, json.loads(order.data)), ("superseded", {"override": True}))
        self.assertFalse(self.switch.plan_off_until)
        self.assertEqual(self.switch._set_desired("on", "again", "operator"), order)

    def test_keep_power_and_restore_pass_the_connectors_holds(self):
        self.switched_off_by_the_plan()
        self.switch.with_user(self.operator)._set_keep_power(
            fields.Datetime.now() + timedelta(hours=1), "party"
        )
        self.assertEqual(json.loads(self.switch._get_open_order().data), {"override": True})
        self.switch._lock_supply(fields.Datetime.now())
        self.switch._restore("looked at")
        self.assertEqual(json.loads(self.switch._get_open_order().data), {"override": True})

    def test_what_makes_no_sense_is_refused(self):
        self.plan.kept_by = "meter"
        with self.assertRaisesRegex(ValidationError, "no setting for hours"):
            self.assign(self.plan)
        plain = self.make_meter(self.bus, "5", "dd645-97")
        with self.assertRaisesRegex(ValidationError, "no switch"):
            plain.supply_plan_id = self.never
        with self.assertRaisesRegex(ValidationError, "weekday"):
            self.plan.period_ids[0].write(
                dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), False)
            )

    # -- kept by the meter --------------------------------------------------------------------------

    def own_hours(self):
        """The order that writes hours into the meter, and what it writes."""
        self.env.flush_all()
        orders = self.env["meter.order"].search(
            [("meter_id", "=", self.meter.id), ("kind", "=", "write_parameters")]
        )
        order = orders.filtered("is_open")
        return order, order and order._read_data()["values"]["supply_plan"]

    def shown(self, order, text, seconds):
        data = json.dumps({"parameters": {"supply_plan": text}, "refused": {}})
        self.report(order, "confirmed", at=self.now + seconds, data=data)

    def kept_by_meter(self):
        """A model whose meters keep hours, and a plan of theirs that the meter has."""
        model = self.meter.model_id
        own = {"supply_plan": {"di": "04A0B0FF", "kind": "text", "format": "ascii:20"}}
        quirks = {**model.definition.get("quirks", {}), "parameters": own}
        model.definition = {**model.definition, "quirks": quirks}
        plan = self.make_plan("Own hours", 8, 20, kept_by="meter")
        self.assign(plan)
        order, text = self.own_hours()
        self.assertEqual(text, "1234567 08:00-20:00")
        self.assertEqual(plan.pending_count, 1)
        self.shown(order, text, 1)
        plan.invalidate_recordset()
        self.assertEqual((plan.pending_count, plan.different_count), (0, 0))
        return plan

    def test_a_change_of_its_hours_is_sent_to_the_meter_that_keeps_them(self):
        plan = self.kept_by_meter()
        self.assertFalse(self.own_hours()[0])
        plan.period_ids.to_hour = 22
        order, text = self.own_hours()
        self.assertEqual(text, "1234567 08:00-22:00")
        self.shown(order, text, 2)
        self.assign(self.env["meter.supply.plan"])
        self.assertEqual(self.own_hours()[1], "1234567 00:00-24:00")

    def test_keep_power_takes_its_hours_from_the_meter_and_gives_them_back(self):
        self.kept_by_meter()
        self.switch.with_user(self.operator)._set_keep_power(
            fields.Datetime.now() + timedelta(hours=1), "party"
        )
        order, text = self.own_hours()
        self.assertEqual(text, "1234567 00:00-24:00")
        self.shown(order, text, 2)
        self.switch._clear_keep_power("over")
        self.assertEqual(self.own_hours()[1], "1234567 08:00-20:00")

    def test_the_connectors_hours_begin_when_the_meter_has_let_go_of_its_own(self):
        self.kept_by_meter()
        self.assign(self.plan)
        order, text = self.own_hours()
        self.assertEqual(text, "1234567 00:00-24:00")
        self.assertNotIn("supply_plan", self.config_of(self.meter))
        version = self.connector.config_version
        self.shown(order, text, 2)
        self.assertGreater(self.connector.config_version, version)
        self.assertEqual(self.config_of(self.meter)["supply_plan"]["kept_by"], "connector")

    def test_a_plan_has_at_least_one_period_of_at_least_a_minute(self):
        with self.assertRaisesRegex(ValidationError, "Nothing needs at least one period"):
            self.env["meter.supply.plan"].create({"name": "Nothing"})
        with self.assertRaisesRegex(ValidationError, "at least one period"):
            self.plan.period_ids = [Command.clear()]
        with self.assertRaisesRegex(ValidationError, "at least one period"):
            self.plan.period_ids.unlink()
        self.plan.period_ids[0].unlink()
        with self.assertRaisesRegex(ValidationError, "at least a minute"):
            self.plan.period_ids.write({"from_hour": 8, "to_hour": 8.005})

    def test_hours_are_those_of_the_connectors_clock(self):
        """The connector keeps them by its own site's clock, wherever the meter hangs."""
        abroad = self.env["property.site"].create({"name": "Abroad", "code": "AB", "tz": "Europe/Berlin"})
        self.assign(self.plan)
        noon = MONDAY + timedelta(hours=4, minutes=30)  # 12:30 in Shanghai, 05:30 in Berlin
        self.assertTrue(self.meter._is_off_by_plan(MONDAY + timedelta(hours=4, minutes=40)))
        self.connector.site_id = abroad
        self.assertEqual(self.connector._prepare_config()["connector"]["timezone"], "Europe/Berlin")
        self.assertTrue(self.meter._is_off_by_plan(noon))
        self.assertFalse(self.meter._is_off_by_plan(MONDAY + timedelta(hours=8)))  # 16:00 and 09:00
        self.assertTrue(self.meter._is_off_by_plan(MONDAY + timedelta(hours=2)))  # 10:00 and 03:00

    def test_wrong_users(self):
        for role in ("water_operator", "field_reader", "cashier", "auditor", "property_manager"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.assign(self.plan, user=self.make_user(f"w_{role}", role))
        with self.assertRaises(AccessError):
            self.assign(self.plan, meters=self.far_meter)
        with self.assertRaises(AccessError):
            self.plan.with_user(self.make_user("cash", "cashier")).write({"name": "x"})
