"""Hours, profiles and read groups are shared: who changes one changes every meter that has it."""

import json

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestShared(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.make_user("op", "power_operator", buildings=cls.building)
        cls.far_operator = cls.make_user("far", "power_operator", buildings=cls.other_building)
        cls.water_operator = cls.make_user("water", "water_operator", buildings=cls.building)
        cls.manager = cls.make_user("manager", "property_manager", buildings=cls.building)
        cls.chief = cls.make_user("chief", "supervisor")
        daily = {"from_hour": 8, "to_hour": 22}
        cls.plan = cls.env["meter.supply.plan"].create(
            {"name": "Shops", "period_ids": [Command.create(daily)]}
        )
        kind = cls.meter.model_id.parameter_type_ids.filtered(lambda kind: kind.name == "overload_power")
        cls.profile = cls.env["meter.parameter.profile"].create(
            {
                "name": "Shops",
                "model_id": cls.meter.model_id.id,
                "line_ids": [Command.create({"type_id": kind.id, "value": "8"})],
            }
        )
        cls.meter.write({"supply_plan_id": cls.plan.id, "parameter_profile_id": cls.profile.id})
        cls.group = cls.env.ref("meter_gateway.meter_read_group_default")
        cls.env.flush_all()

    def audit_of(self, record):
        entries = self.env["audit.entry"].search(
            [("model", "=", record._name), ("res_id", "=", record.id)], order="id"
        )
        return [
            (entry.action, json.loads(entry.before or "null"), json.loads(entry.after)) for entry in entries
        ]

    def changes(self):
        """(what, record, method, arguments) that touch the meters of building A."""
        period, line = self.plan.period_ids, self.profile.line_ids
        return [
            (self.plan, "write", {"active": False}),
            (self.plan, "write", {"kept_by": "meter"}),
            (self.plan, "write", {"period_ids": [Command.clear()]}),
            (self.plan, "unlink"),
            (period, "write", {"to_hour": 9}),
            (period, "unlink"),
            (period, "create", {"plan_id": self.plan.id, "from_hour": 0, "to_hour": 1}),
            (self.profile, "write", {"is_auto_recovery": True}),
            (self.profile, "write", {"recovery_delay_s": 1}),
            (self.profile, "unlink"),
            (line, "write", {"value": "1"}),
            (line, "unlink"),
            (line, "create", {"profile_id": self.profile.id, "type_id": line.type_id.id}),
        ]  # fmt: skip

    def test_who_has_no_right_to_every_meter_changes_nothing_of_it(self):
        for user in (self.far_operator, self.water_operator):
            for record, method, *arguments in self.changes():
                with (
                    self.subTest(user=user.login, model=record._name, method=method, arguments=arguments),
                    self.assertRaises(AccessError),
                ):
                    getattr(record.with_user(user), method)(*arguments)

    def test_an_archived_meter_counts_too(self):
        self.meter.active = False
        with self.assertRaises(AccessError):
            self.plan.with_user(self.far_operator).kept_by = "meter"

    def test_a_period_is_not_moved_to_hours_of_others(self):
        own = self.env["meter.supply.plan"].with_user(self.far_operator).create(
            {"name": "Own", "period_ids": [Command.create({"from_hour": 1, "to_hour": 2})]}
        )  # fmt: skip
        with self.assertRaises(AccessError):
            own.period_ids.plan_id = self.plan

    def test_who_has_the_right_changes_it(self):
        self.plan.period_ids.with_user(self.operator).to_hour = 21
        self.profile.with_user(self.operator).recovery_delay_s = 60
        both = self.make_meter(self.other_bus, "202600000004", supply_plan_id=self.plan.id)
        with self.assertRaises(AccessError):
            self.plan.period_ids.with_user(self.operator).to_hour = 20
        both.supply_plan_id = False
        self.plan.period_ids.with_user(self.operator).to_hour = 20

    def test_every_connector_is_told_whoever_changes_it(self):
        other = self.make_connector("c2")
        bus = self.make_bus(other, self.building, "GW03")
        bus.gateway_id.building_id = self.other_building
        far = self.make_meter(bus, "202600000005", supply_plan_id=self.plan.id)
        far.parameter_profile_id = self.profile
        self.env.flush_all()
        plan, profile = self.plan.with_user(self.operator), self.profile.with_user(self.operator)
        self.assertEqual(plan._get_config_connectors(), self.connector | other)
        self.assertEqual(plan.period_ids._get_config_connectors(), self.connector | other)
        self.assertEqual(profile._get_config_connectors(), self.connector | other)

    def test_hours_are_audited_before_and_after(self):
        period = self.plan.period_ids.with_user(self.operator)
        period.to_hour = 21
        action, before, after = self.audit_of(self.plan)[-1]
        self.assertEqual(
            (action, before["hours"], after["hours"]),
            ("meter.supply.plan.change", "1234567 08:00-22:00", "1234567 08:00-21:00"),
        )
        period.create({"plan_id": self.plan.id, "from_hour": 0, "to_hour": 1})
        self.assertEqual(self.audit_of(self.plan)[-1][2]["hours"], "1234567 00:00-01:00, 1234567 08:00-21:00")
        period.unlink()
        self.assertEqual(self.audit_of(self.plan)[-1][2]["hours"], "1234567 00:00-01:00")
        count = len(self.audit_of(self.plan))
        self.plan.with_user(self.operator).write(
            {"period_ids": [Command.update(self.plan.period_ids.id, {"to_hour": 2})]}
        )
        self.assertEqual(len(self.audit_of(self.plan)), count + 1, "told once")

    def test_profiles_and_read_groups_are_audited(self):
        self.profile.line_ids.with_user(self.operator).value = "7"
        _action, before, after = self.audit_of(self.profile)[-1]
        self.assertEqual(
            (before["values"], after["values"]), ({"overload_power": "8"}, {"overload_power": "7"})
        )
        self.group.with_user(self.chief).energy_s = 300
        _action, before, after = self.audit_of(self.group)[-1]
        self.assertEqual((before["energy_s"], after["energy_s"]), (60, 300))

    # -- read groups --------------------------------------------------------------------------------

    def test_read_groups_are_the_supervisors(self):
        for user in (self.operator, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.group.with_user(user).energy_s = 0
        near_chief = self.make_user("near", "supervisor", buildings=self.building)
        with self.assertRaises(AccessError):
            self.group.with_user(near_chief).energy_s = 300
        self.group.with_user(self.chief).energy_s = 300

    @mute_logger("odoo.sql_db")
    def test_read_groups_keep_to_limits(self):
        for vals in ({"energy_s": 0}, {"switch_s": 0}, {"live_s": 9}, {"energy_s": 86401}, {"energy_s": -1}):
            with (
                self.subTest(vals=vals),
                self.assertRaises(IntegrityError),
                self.cr.savepoint(),
            ):
                self.group.write(vals)
                self.env.flush_all()

    # -- meters -------------------------------------------------------------------------------------

    def test_hours_and_profiles_are_not_written_past_their_buttons(self):
        never = self.env["meter.supply.plan"].create({"name": "Never"})
        for user in (self.manager, self.operator, self.water_operator, self.far_operator, self.chief):
            for vals in (
                {"supply_plan_id": never.id},
                {"supply_plan_id": False},
                {"parameter_profile_id": False},
            ):
                with self.subTest(user=user.login, vals=vals), self.assertRaises(AccessError):
                    self.meter.with_user(user).write(vals)
        self.assertEqual(self.meter.supply_plan_id, self.plan)

    def test_an_operator_changes_meters_of_the_own_utility_only(self):
        water = self.env["meter.model"].search([("code", "=", "cjt188-cold-valve")])
        for vals in ({"read_group": "x"}, {"address": "1"}, {"active": False}):
            with self.subTest(vals=vals), self.assertRaises(AccessError):
                self.meter.with_user(self.water_operator).write(vals)
            with self.subTest(vals=vals):
                self.water_meter.with_user(self.water_operator).write(vals)
        with self.assertRaises(AccessError), self.cr.savepoint():
            fresh = {"serial": "8", "address": "8", "model_id": self.meter.model_id.id, "bus_id": self.bus.id}
            self.env["meter.meter"].with_user(self.water_operator).create(fresh)
        with self.assertRaises(AccessError):
            self.make_meter(self.bus, "9").with_user(self.operator).model_id = water

    def test_giving_a_profile_is_audited_with_its_reason(self):
        other = self.profile.copy({"name": "Kitchens"})
        wizard = self.env["meter.parameter.wizard"].with_user(self.operator)
        vals = {"meter_ids": self.meter.ids, "profile_id": other.id, "reason": "new kitchen"}
        wizard.create(vals).action_apply()
        entry = self.env["audit.entry"].search([("action", "=", "meter.parameter_profile")])
        self.assertEqual((entry.res_id, entry.reason), (self.meter.id, "new kitchen"))
        self.assertEqual(self.meter.parameter_profile_id, other)
