"""Each role as the wrong user: buildings, functions, tenants of other tenants."""

from odoo.exceptions import AccessError
from odoo.models import MAGIC_COLUMNS
from odoo.tests import new_test_user, tagged

from .core_common import SettlementCase

ROLES = (
    "water_operator",
    "power_operator",
    "cashier",
    "accountant",
    "property_manager",
    "field_reader",
    "supervisor",
    "auditor",
)
READ_ONLY = (
    "prepaid.wallet",
    "prepaid.entry",
    "prepaid.charge",
    "prepaid.use.daily",
    "prepaid.cursor",
    "prepaid.accumulator",
)
PRICES = ("utility.tariff", "utility.tariff.version", "utility.tariff.tier", "utility.tariff.assignment")
HOUSE = ("meter.", "prepaid.", "property.", "utility.", "audit.", "contract.contract")
MAY_PRICE = {"accountant", "supervisor"}


@tagged("post_install", "-at_install")
class TestCoreRights(SettlementCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_building = cls.make_building("PB", cls.building.site_id)
        cls.other_bus = cls.make_bus(cls.connector, cls.other_building, "PGW02")
        cls.far_point = cls.make_shop("B-101", cls.flat, "0", building=cls.other_building)
        cls.far_contract = cls.make_tenant("Far Shop", cls.far_point)

    def setUp(self):
        super().setUp()
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 10:00", "10"), point=self.far_point)
        self.read(("2025-07-01 11:00", "3"))
        self.read(("2025-07-01 11:00", "3"), point=self.far_point)

    def make_role(self, role, buildings=None):
        return self.make_user(f"core_{role}_{bool(buildings)}", role, buildings=buildings)

    def test_nobody_writes_what_the_settlement_writes(self):
        for role in ROLES:
            user = self.make_role(role)
            for model in READ_ONLY:
                records = self.env[model].with_user(user)
                with self.subTest(role=role, model=model):
                    self.assertTrue(records.has_access("read"))
                    for operation in ("write", "create", "unlink"):
                        self.assertFalse(records.has_access(operation), operation)
            self.assertFalse(self.env["prepaid.settlement.due"].with_user(user).has_access("read"))

    def test_facts_are_guarded_wherever_people_write(self):
        """Every model of this house that a group writes or creates, and that has read-only columns."""
        rights = self.env["ir.model.access"].search([("group_id", "!=", False)])
        written = rights.filtered(lambda right: right.perm_write or right.perm_create).model_id
        ours = {
            name for name in written.mapped("model") if name.startswith(HOUSE) and name in self.env.registry
        }
        self.assertIn("prepaid.refund", ours)
        for name in sorted(ours):
            model = self.env[name]
            fields = [field for field in model._fields.values() if field.name not in MAGIC_COLUMNS]
            facts = [field.name for field in fields if field.store and field.column_type and field.readonly]
            if facts and not model._transient:
                with self.subTest(model=name):
                    self.assertTrue(hasattr(model, "_is_fact"), facts)

    def test_facts_of_prices_and_policies_are_not_written(self):
        user = self.make_role("accountant")
        version = self.flat.version_ids[:1]
        policy = self.env["prepaid.policy"].create({"name": "P"})
        batch = self.env["prepaid.invoice.batch"].create({"month": "2025-07-01"})
        table = [
            (version, "state"), (version, "definition"), (version, "kind_id"), (policy, "sequence"),
            *((batch, name) for name in ("company_id", "month", "state", "total_count", "done_count", "failed_contract_ids")),
        ]  # fmt: skip
        for record, name in table:
            value = record._fields[name].convert_to_write(record[name], record)
            with self.subTest(model=record._name, field=name), self.assertRaises(AccessError):
                record.with_user(user).write({name: value})

    def test_prices_are_set_by_the_tariff_function_only(self):
        for role in ROLES:
            user = self.make_role(role)
            for model in PRICES:
                records = self.env[model].with_user(user)
                with self.subTest(role=role, model=model):
                    self.assertTrue(records.has_access("read"))
                    for operation in ("write", "create", "unlink"):
                        self.assertEqual(records.has_access(operation), role in MAY_PRICE, operation)
            wizard = self.env["utility.tariff.assign"].with_user(user)
            self.assertEqual(wizard.has_access("create"), role in MAY_PRICE)

    def test_buildings_bound_what_is_seen(self):
        for role in ROLES:
            user = self.make_role(role, self.building)
            for model in ("prepaid.wallet", "prepaid.entry"):
                found = self.env[model].with_user(user).search([])
                self.assertIn(self.contract, found.contract_id, f"{role} {model}")
                self.assertNotIn(self.far_contract.id, found.sudo().contract_id.ids, f"{role} {model}")
            for model in (
                "prepaid.charge",
                "prepaid.use.daily",
                "prepaid.review",
                "utility.tariff.assignment",
            ):
                found = self.env[model].with_user(user).search([])
                self.assertEqual(found.sudo().building_id, self.building, f"{role} {model}")
            for model, path in (
                ("prepaid.cursor", "installation_id"),
                ("prepaid.accumulator", "service_point_id"),
            ):
                found = self.env[model].with_user(user).search([]).sudo()
                self.assertEqual(found[path].building_id, self.building, f"{role} {model}")

    def test_ids_of_another_building_are_refused(self):
        user = self.make_role("accountant", self.building)
        far = (
            self.far_contract.wallet_id,
            self.far_contract.wallet_id.entry_ids,
            self.env["prepaid.charge"].search([("contract_id", "=", self.far_contract.id)]),
            self.get_reviews(point=self.far_point),
            self.far_point.assignment_ids,
        )
        for record in far:
            self.assertTrue(record)
            with self.subTest(record._name), self.assertRaises(AccessError):
                record.with_user(user).read(["id", "display_name"])
        with self.assertRaises(AccessError):
            self.get_reviews(point=self.far_point).with_user(user).action_accept()
        with self.assertRaises(AccessError):
            self.far_contract.wallet_id.with_user(user).action_verify()

    def test_a_tariff_is_not_assigned_beyond_the_own_buildings(self):
        user = self.make_role("accountant", self.building)
        values = {
            "service_point_id": self.far_point.id,
            "tariff_id": self.flat.id,
            "valid_from": "2026-01-01",
        }
        with self.assertRaises(AccessError):
            self.env["utility.tariff.assignment"].with_user(user).create(values)
        with self.assertRaises(AccessError):
            wizard = self.env["utility.tariff.assign"].with_user(user)
            wizard.create(
                {"tariff_id": self.flat.id, "service_point_ids": [(6, 0, self.far_point.ids)]}
            ).action_assign()

    def test_an_assignment_is_not_moved_to_another_building(self):
        user = self.make_role("accountant", self.building)
        free = self.make_shop("A-150", None, "0")
        assignment = self.assign(free, self.flat, "2030-01-01 00:00").with_user(user)
        with self.assertRaises(AccessError):
            assignment.service_point_id = self.far_point

    def test_a_tenant_sees_the_own_money_and_nobody_elses(self):
        user = new_test_user(
            self.env, "core_tenant", groups="base.group_portal", partner_id=self.contract.partner_id.id
        )
        for model in ("prepaid.wallet", "prepaid.entry", "prepaid.charge", "prepaid.use.daily"):
            records = self.env[model].with_user(user)
            found = records.search([])
            with self.subTest(model):
                self.assertTrue(found)
                self.assertEqual(found.sudo().contract_id, self.contract)
                for operation in ("write", "create", "unlink"):
                    self.assertFalse(records.has_access(operation), operation)
                far = self.env[model].search([("contract_id", "=", self.far_contract.id)])
                with self.assertRaises(AccessError):
                    far.with_user(user).read(["id", "contract_id"])
        for model in ("prepaid.review", "prepaid.cursor", "prepaid.accumulator", "utility.tariff", *PRICES):
            self.assertFalse(self.env[model].with_user(user).has_access("read"), model)

    def test_use_of_a_vacant_unit_is_no_tenants_business(self):
        point = self.make_shop("A-199", self.flat, "0")
        self.read(("2025-07-01 10:00", "10"), point=point)
        user = new_test_user(
            self.env, "core_tenant", groups="base.group_portal", partner_id=self.contract.partner_id.id
        )
        found = self.env["prepaid.charge"].with_user(user).search([])
        self.assertNotIn(point.id, found.sudo().service_point_id.ids)

    def test_the_connector_reads_nothing_of_it(self):
        user = self.connector.user_id
        for model in (*READ_ONLY, *PRICES, "prepaid.review", "utility.tariff.assign"):
            self.assertFalse(self.env[model].with_user(user).has_access("read"), model)

    def test_an_outsider_reads_nothing_of_it(self):
        user = new_test_user(self.env, "core_outsider", groups="base.group_user")
        for model in (*READ_ONLY, *PRICES, "prepaid.review"):
            self.assertFalse(self.env[model].with_user(user).has_access("read"), model)
