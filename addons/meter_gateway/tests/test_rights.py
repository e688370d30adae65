from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestRights(MeterCase):
    """Each role as the wrong user: function, utility and building are checked by the server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.valve = cls.water_meter.circuit_ids.switch_id
        cls.far_switch = cls.far_meter.circuit_ids.switch_id
        cls.users = {
            role: cls.make_user(f"user_{role}", role, buildings=cls.building)
            for role in (
                "power_operator",
                "water_operator",
                "joint_operator",
                "property_manager",
                "supervisor",
            )
            + ("cashier", "accountant", "field_reader", "auditor")
        }

    def switch_as(self, role, switch, reason="test"):
        user = self.users[role]
        wizard = (
            self.env["meter.switch.wizard"]
            .with_user(user)
            .create({"state": "off", "switch_ids": switch.ids, "reason": reason})
        )
        wizard.action_apply()
        return switch._get_open_order()

    def test_who_may_switch_what(self):
        table = [
            ("power_operator", self.switch, True),
            ("power_operator", self.valve, False),
            ("power_operator", self.far_switch, False),
            ("water_operator", self.valve, True),
            ("water_operator", self.switch, False),
            ("joint_operator", self.switch, True),
            ("joint_operator", self.valve, True),
            ("joint_operator", self.far_switch, False),
            ("property_manager", self.switch, True),
            ("property_manager", self.far_switch, False),
            ("supervisor", self.valve, True),
            ("supervisor", self.far_switch, False),
            ("cashier", self.switch, False),
            ("accountant", self.switch, False),
            ("field_reader", self.switch, False),
            ("auditor", self.switch, False),
        ]
        for role, switch, is_allowed in table:
            with self.subTest(role=role, switch=switch.sudo().display_name):
                switch._set_desired("on", "reset", "system")
                generation = switch.generation
                if is_allowed:
                    order = self.switch_as(role, switch)
                    self.assertEqual((order.kind, order.requested_by), ("switch_off", self.users[role]))
                else:
                    with self.assertRaises(AccessError):
                        self.switch_as(role, switch)
                    self.assertEqual(switch.generation, generation)

    def test_the_buttons_check_before_they_ask(self):
        for method in ("action_switch_on", "action_switch_off", "action_keep_power", "action_end_keep_power"):
            with self.subTest(method=method):
                with self.assertRaises(AccessError):
                    getattr(self.switch.with_user(self.users["water_operator"]), method)()
                with self.assertRaises(AccessError):
                    getattr(self.far_switch.with_user(self.users["power_operator"]), method)()
                getattr(self.switch.with_user(self.users["power_operator"]), method)()

    def test_a_reason_is_needed(self):
        with self.assertRaises(UserError):
            self.switch_as("power_operator", self.switch, reason="  ")

    def test_keep_power_by_the_wrong_user(self):
        wizard = self.env["meter.keep.power.wizard"].with_user(self.users["water_operator"])
        with self.assertRaises(AccessError):
            wizard.create(
                {"switch_ids": self.switch.ids, "until": "2099-01-01", "reason": "x"}
            ).action_apply()
        self.assertFalse(self.switch.keep_power)

    def test_nobody_writes_states_by_hand(self):
        for role, user in self.users.items():
            with self.subTest(role=role):
                for record, vals in (
                    (self.switch, {"desired": "on"}),
                    (self.switch, {"keep_power": True}),
                    (self.circuit.live_id, {"total": 1}),
                ):
                    with self.assertRaises(AccessError):
                        record.with_user(user).write(vals)
                with self.assertRaises(AccessError):
                    self.env["meter.order"].with_user(user).create(
                        {"kind": "switch_on", "meter_id": self.meter.id}
                    )

    def test_nobody_sees_other_buildings(self):
        self.ingest(
            [
                {"circuit": circuit, "at": self.now, "total": "1"}
                for circuit in (self.circuit, self.far_meter.circuit_ids)
            ]
        )
        self.far_switch._set_desired("off", "x", "system")
        self.env["meter.alarm"]._open("meter_offline", self.far_meter, "far")
        self.env.flush_all()
        models = (
            "meter",
            "circuit",
            "switch",
            "live",
            "order",
            "installation",
            "reading",
            "energy.day",
            "energy.hour",
        )
        for role, user in self.users.items():
            for model in models:
                with self.subTest(role=role, model=model):
                    records = self.env[f"meter.{model}"].with_user(user).search([])
                    far = {"meter": self.far_meter, "circuit": self.far_meter.circuit_ids}
                    buildings = set()
                    for record in records.sudo():
                        holder = record.circuit_id if model in ("live", "reading") else record
                        buildings.add(holder.building_id)
                    self.assertLessEqual(buildings, {self.building})
                    if model in far:
                        with self.assertRaises(AccessError):
                            far[model].with_user(user).read(["display_name"])
            self.assertFalse(
                self.env["meter.alarm"].with_user(user).search([("meter_id", "=", self.far_meter.id)])
            )

    def test_passwords_of_meters_are_for_the_administrator(self):
        self.meter.password = "123456"
        for role, user in self.users.items():
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.meter.with_user(user).read(["password"])

    def test_who_may_configure(self):
        vals = {
            "serial": "1234",
            "address": "1234",
            "model_id": self.meter.model_id.id,
            "bus_id": self.bus.id,
        }
        for role in ("cashier", "accountant", "field_reader", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.env["meter.meter"].with_user(self.users[role]).create(vals)
        self.env["meter.meter"].with_user(self.users["power_operator"]).create(vals)
        with self.assertRaises(AccessError):
            self.env["meter.connector"].with_user(self.users["power_operator"]).create(
                {"name": "x", "code": "x"}
            )

    def test_who_may_make_keys(self):
        for role in self.users.keys() - {"supervisor"}:
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.connector.with_user(self.users[role])._create_key()
        self.assertTrue(self.connector.with_user(self.users["supervisor"])._create_key())
