from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import NOON, ROLES, EstateCase, after

SCOPED_MODELS = (
    "property.building",
    "property.floor",
    "property.unit",
    "utility.service.point",
    "property.occupancy",
    "property.occupant",
)


@tagged("post_install", "-at_install")
class TestScopes(EstateCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for unit, tenancy in ((cls.unit_a1, cls.tenancy_a), (cls.unit_b1, cls.tenancy_b)):
            occupancy = cls.move_in(unit, tenancy)
            cls.env["property.occupant"].create(
                {"name": "张三", "occupancy_id": occupancy.id, "identity_number": "110101199001011234"}
            )

    def test_every_role_of_building_a_sees_a_and_nothing_of_b(self):
        for role in ROLES:
            user = self.user(role, self.building_a)
            with self.subTest(role=role):
                for model in SCOPED_MODELS:
                    records = self.env[model].with_user(user).search([])
                    field = "id" if model == "property.building" else "building_id"
                    self.assertTrue(records, model)
                    self.assertFalse(records.filtered_domain([(field, "=", self.building_b.id)]), model)
                tenancies = self.env["contract.contract"].with_user(user).search([("is_tenancy", "=", True)])
                self.assertIn(self.tenancy_a, tenancies)
                self.assertNotIn(self.tenancy_b, tenancies)
                for record in (self.unit_b1, self.point_b1, self.tenancy_b, self.building_b):
                    with self.assertRaises(AccessError):
                        record.with_user(user).read([record._rec_name or "name"])

    def test_what_is_computed_is_not_written(self):
        manager = self.user("property_manager", self.building_a)
        occupancy = self.tenancy_a.occupancy_ids
        table = {
            self.tenancy_a: ("tenancy_state", "building_ids", "moved_in_at", "moved_out_at"),
            self.unit_a1: ("building_id", "site_id", "company_id", "state"),
            self.point_a1: ("floor_id", "company_id"),
            self.building_a: ("company_id",),
            occupancy: ("building_id", "company_id"),
            occupancy.occupant_ids: ("building_id", "unit_id"),
        }
        for record, names in table.items():
            for name in names:
                value = record._fields[name].convert_to_write(record[name], record)
                with self.subTest(model=record._name, field=name), self.assertRaises(AccessError):
                    record.with_user(manager).write({name: value})
        self.tenancy_a.with_user(manager).write({"name": "Renamed"})

    def test_without_a_scope_nothing_is_seen_and_with_all_buildings_also_later_ones(self):
        nobody = self.user("joint_operator")
        self.assertFalse(self.env["property.unit"].with_user(nobody).search([]))
        everybody = self.user("joint_operator", everywhere=True)
        units = self.env["property.unit"].with_user(everybody)
        before = units.search_count([])
        self.make_building("C")
        self.assertEqual(units.search_count([]), before + 2)

    def test_a_changed_scope_counts_at_once(self):
        user = self.user("cashier", self.building_a)
        units = self.env["property.unit"].with_user(user)
        self.assertFalse(units.search([("building_id", "=", self.building_b.id)]))
        user.scope_building_ids = [Command.link(self.building_b.id)]
        self.assertTrue(units.search([("building_id", "=", self.building_b.id)]))

    def test_a_tenancy_in_two_buildings_shows_each_operator_only_the_own_units(self):
        self.move_in(self.unit_b2, self.tenancy_a)
        user = self.user("property_manager", self.building_a)
        tenancy = self.tenancy_a.with_user(user)
        tenancy.invalidate_recordset()
        self.assertEqual(tenancy.unit_ids, self.unit_a1)
        self.assertEqual(tenancy.unit_names, "A-101")
        self.assertEqual(tenancy.occupancy_ids.unit_id, self.unit_a1)
        self.assertEqual(tenancy.building_names, "A座")

    def test_stored_fields_of_a_tenancy_do_not_depend_on_who_changed_it(self):
        self.move_in(self.unit_b2, self.tenancy_a)
        user = self.user("property_manager", self.building_a)
        self.env.flush_all()
        self.env.invalidate_all()
        tenancy = self.tenancy_a.with_user(user)
        self.assertEqual(len(tenancy.occupancy_ids), 1)  # now the cache holds what the user may see
        tenancy.occupancy_ids.end_at = after(days=1)
        self.env.invalidate_all()
        self.assertEqual(self.tenancy_a.building_ids, self.building_a | self.building_b)
        self.assertEqual(self.tenancy_a.tenancy_state, "active")

    def test_only_those_with_the_function_edit_properties_and_tenancies(self):
        editors = {"property_manager", "supervisor"}
        for role in ROLES:
            user = self.user(role, self.building_a)
            unit = self.unit_a2.with_user(user)
            attempts = [
                lambda unit=unit: unit.write({"name": "改名"}),
                lambda user=user: (
                    self.env["property.occupancy"]
                    .with_user(user)
                    .create({"unit_id": self.unit_a2.id, "contract_id": self.tenancy_a.id, "start_at": NOON})
                ),
                lambda user=user: self.tenancy_a.with_user(user).write({"note": "x"}),
                lambda user=user: (
                    self.env["contract.contract"]
                    .with_user(user)
                    .create(
                        {
                            "partner_id": self.tenancy_a.partner_id.id,
                            "is_tenancy": True,
                            "site_id": self.site.id,
                        }
                    )
                ),
            ]
            for number, attempt in enumerate(attempts):
                with self.subTest(role=role, attempt=number):
                    if role in editors:
                        attempt()
                    else:
                        with self.assertRaises(AccessError):
                            attempt()
            self.unit_a2.occupancy_ids.unlink()

    def test_an_editor_cannot_let_or_move_a_unit_of_another_building(self):
        manager = self.user("property_manager", self.building_a)
        with self.assertRaises(AccessError):
            self.env["property.occupancy"].with_user(manager).create(
                {"unit_id": self.unit_b2.id, "contract_id": self.tenancy_a.id, "start_at": NOON}
            )
        with self.assertRaises(AccessError):
            self.unit_a2.with_user(manager).floor_id = self.unit_b2.floor_id

    def test_a_clash_in_another_building_is_not_told_to_who_may_not_see_it(self):
        manager = self.user("property_manager", self.building_a)
        with self.assertRaises(AccessError) as raised:
            self.env["property.occupancy"].with_user(manager).create(
                {"unit_id": self.unit_b1.id, "contract_id": self.tenancy_a.id, "start_at": NOON}
            )
        self.assertNotIn("示例商户乙", str(raised.exception))

    def test_the_auditor_reads_everything_and_writes_nothing(self):
        auditor = self.user("auditor", everywhere=True)
        names = (
            *SCOPED_MODELS,
            "property.site",
            "contract.contract",
            "contract.line",
            "audit.entry",
            "audit.seal",
        )
        for name in names:
            model = self.env[name].with_user(auditor)
            with self.subTest(model=name):
                self.assertTrue(model.has_access("read"))
                for operation in ("write", "create", "unlink"):
                    self.assertFalse(model.has_access(operation), operation)

    def test_identity_numbers_are_hidden_from_who_does_not_edit_tenancies(self):
        cashier = self.user("cashier", self.building_a)
        occupant = self.env["property.occupant"].with_user(cashier).search([], limit=1)
        self.assertEqual(occupant.identity_hint, "…1234")
        with self.assertRaises(AccessError):
            occupant.read(["identity_number"])

    def test_a_portal_user_sees_the_own_tenancies_only(self):
        portal = self.portal_user(self.tenancy_a, "t_portal_a")
        contracts = self.env["contract.contract"].with_user(portal)
        self.assertEqual(contracts.search([]), self.tenancy_a)
        self.assertEqual(self.tenancy_a.with_user(portal).account_number, self.tenancy_a.account_number)
        for record in (self.tenancy_b, self.unit_a1, self.point_a1, self.building_a):
            with self.assertRaises(AccessError):
                record.with_user(portal).read(["display_name"])
        with self.assertRaises(AccessError):
            self.tenancy_a.with_user(portal).write({"note": "x"})

    def test_following_a_neighbours_tenancy_does_not_open_it_to_a_portal_user(self):
        """OCA lets portal followers read a contract, and every contract line; not for tenancies."""
        portal = self.portal_user(self.tenancy_a, "t_portal_follower")
        self.tenancy_b.message_subscribe(portal.partner_id.ids)
        line = self.env["contract.line"].create(
            {
                "contract_id": self.tenancy_b.id,
                "name": "物业费",
                "quantity": 1,
                "price_unit": 10,
                "product_id": self.env["product.product"].create({"name": "物业费"}).id,
            }
        )
        self.assertNotIn(self.tenancy_b, self.env["contract.contract"].with_user(portal).search([]))
        self.assertNotIn(line, self.env["contract.line"].with_user(portal).search([]))

    def test_the_connector_role_alone_reads_nothing_of_ours(self):
        connector = self.env["res.users"].create(
            {
                "name": "connector",
                "login": "t_connector",
                "group_ids": [Command.set(self.group("connector").ids)],
            }
        )
        self.assertFalse(connector.has_group("base.group_user"))
        for name in (*SCOPED_MODELS, "property.site", "contract.contract", "audit.entry", "res.partner"):
            with self.subTest(model=name):
                self.assertFalse(self.env[name].with_user(connector).has_access("read"))

    def test_operators_work_on_their_own_utility(self):
        rows = [
            ("water_operator", {"water", "hot_water"}),
            ("power_operator", {"power"}),
            ("cashier", set()),
            ("auditor", set()),
        ]
        for role, codes in rows:
            with self.subTest(role=role):
                self.assertEqual(set(self.user(role, self.building_a).allowed_kind_ids.mapped("code")), codes)
        joint = self.user("joint_operator", self.building_a)
        self.assertEqual(joint.allowed_kind_ids, self.env["utility.kind"].search([("is_metered", "=", True)]))

    def test_roles_bring_the_functions_they_promise(self):
        rows = {
            "water_operator": {"switch", "read_meter", "parameters"},
            "power_operator": {"switch", "read_meter", "parameters"},
            "joint_operator": {"switch", "read_meter", "parameters"},
            "field_reader": {"read_meter"},
            "cashier": {"counter"},
            "accountant": {"refund", "tariff", "import"},
            "property_manager": {"estate", "switch", "read_meter", "import"},
            "supervisor": {
                *("estate", "switch", "read_meter", "parameters", "counter"),
                *("refund", "tariff", "import", "grant_rights"),
            },
            "auditor": set(),
        }
        functions = self.env["res.groups"]._get_utility_functions()
        for role, names in rows.items():
            with self.subTest(role=role):
                wanted = {f"property_utility.property_utility_group_function_{name}" for name in names}
                given = self.group(role).all_implied_ids & functions
                self.assertEqual(set(given.get_external_id().values()), wanted)
                self.assertFalse(self.group(role).all_implied_ids & self.env.ref("base.group_system"))


@tagged("post_install", "-at_install")
class TestGrantingRights(EstateCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.supervisor = cls.user("supervisor", everywhere=True)
        cls.clerk = cls.user("cashier", cls.building_a)

    def grant(self, by, user=None, **values):
        wizard = (
            self.env["property.rights.wizard"]
            .with_user(by)
            .create({"user_id": user.id if user else False, "reason": "岗位调整", **values})
        )
        wizard.action_apply()
        return wizard

    def last_audit(self, action, record):
        return self.env["audit.entry"].search(
            [("action", "=", action), ("model", "=", record._name), ("res_id", "=", record.id)], limit=1
        )

    def test_a_supervisor_grants_a_role_and_buildings_and_it_is_audited_before_and_after(self):
        roles = self.group("cashier") | self.group("power_operator")
        self.grant(
            self.supervisor,
            self.clerk,
            role_ids=[Command.set(roles.ids)],
            scope_building_ids=[Command.set(self.building_b.ids)],
        )
        self.assertEqual(self.clerk.utility_role_ids, roles)
        self.assertEqual(self.clerk.allowed_building_ids, self.building_b)
        entry = self.last_audit("rights.change", self.clerk)
        self.assertEqual(entry.user_id, self.supervisor)
        self.assertEqual(entry.reason, "岗位调整")
        self.assertNotIn("power_operator", entry.before)
        self.assertIn("property_utility_group_power_operator", entry.after)
        self.assertIn("A座", entry.before)
        self.assertIn("B座", entry.after)

    def test_a_supervisor_opens_a_user_who_gets_just_what_was_chosen(self):
        self.grant(
            self.supervisor,
            name="李收银",
            login="t_new_cashier",
            role_ids=[Command.set(self.group("cashier").ids)],
            scope_building_ids=[Command.set(self.building_a.ids)],
        )
        user = self.env["res.users"].search([("login", "=", "t_new_cashier")])
        self.assertEqual(user.utility_role_ids, self.group("cashier"))
        self.assertTrue(user._is_internal())
        self.assertFalse(user.has_group("base.group_system"))
        self.assertTrue(self.last_audit("rights.create", user))

    def test_nobody_else_can_grant_rights(self):
        for role in set(ROLES) - {"supervisor"}:
            user = self.clerk if role == "cashier" else self.user(role, everywhere=True)
            with self.subTest(role=role):
                with self.assertRaises(AccessError):
                    self.grant(user, self.clerk, role_ids=[Command.set(self.group("supervisor").ids)])
                with self.assertRaises(AccessError):
                    self.clerk.with_user(user).write({"scope_all_buildings": True})
                with self.assertRaises(AccessError):
                    self.group("supervisor").with_user(user).write({"user_ids": [Command.link(user.id)]})

    def test_a_supervisor_is_no_system_administrator(self):
        with self.assertRaises(AccessError):
            self.clerk.with_user(self.supervisor).write({"scope_all_buildings": True})
        with self.assertRaises(AccessError):
            self.clerk.with_user(self.supervisor).write(
                {"group_ids": [Command.link(self.group("auditor").id)]}
            )
        with self.assertRaises(AccessError):
            self.grant(
                self.supervisor, self.clerk, role_ids=[Command.set(self.env.ref("base.group_system").ids)]
            )
        with self.assertRaises(AccessError):
            self.grant(self.supervisor, self.clerk, function_ids=[Command.set(self.group("connector").ids)])
        with self.assertRaises(AccessError):
            self.grant(self.supervisor, self.env.ref("base.user_admin"), active=False)
        self.assertFalse(self.clerk.has_group("base.group_system"))

    def test_nobody_changes_the_own_rights(self):
        with self.assertRaises(UserError):
            self.grant(self.supervisor, self.supervisor, scope_all_buildings=False)

    def test_a_supervisor_of_one_building_grants_in_that_building_only(self):
        local = self.user("supervisor", self.building_a)
        stranger = self.user("cashier", self.building_b)
        with self.assertRaises(AccessError):
            self.grant(local, self.clerk, scope_building_ids=[Command.set(self.building_b.ids)])
        with self.assertRaises(AccessError):
            self.grant(local, self.clerk, scope_all_buildings=True)
        with self.assertRaises(AccessError):
            self.grant(local, stranger, role_ids=[Command.clear()])
        self.grant(local, self.clerk, role_ids=[Command.set(self.group("field_reader").ids)])
        self.assertEqual(self.clerk.utility_role_ids, self.group("field_reader"))

    def test_a_role_without_a_building_is_refused(self):
        with self.assertRaises(ValidationError):
            self.grant(self.supervisor, self.clerk, scope_building_ids=[Command.clear()])

    def test_groups_that_are_not_ours_stay_as_they_are(self):
        other = self.env.ref("account.group_account_readonly")
        self.clerk.group_ids = [Command.link(other.id)]
        self.grant(self.supervisor, self.clerk, role_ids=[Command.set(self.group("field_reader").ids)])
        self.assertIn(other, self.clerk.group_ids)

    def test_an_administrators_change_is_audited_too_also_through_the_group(self):
        self.clerk.write({"active": False})
        self.assertIn('"active":false', self.last_audit("rights.change", self.clerk).after)
        group = self.group("auditor")
        group.write({"user_ids": [Command.link(self.clerk.id)]})
        self.assertIn(self.clerk.login, self.last_audit("rights.group", group).after)

    def test_a_reset_password_works_is_audited_and_is_written_nowhere(self):
        wizard = (
            self.env["property.password.wizard"]
            .with_user(self.supervisor)
            .create({"user_id": self.clerk.id, "way": "temporary", "reason": "忘记密码"})
        )
        message = wizard.action_apply()["params"]["message"]
        password = message.split(" ")[0]
        credential = {"login": self.clerk.login, "password": password, "type": "password"}
        with mute_logger("odoo.addons.base.models.res_users"):
            self.assertEqual(
                self.clerk.with_user(self.clerk)._check_credentials(credential, {"interactive": True})["uid"],
                self.clerk.id,
            )
        entry = self.last_audit("rights.password", self.clerk)
        self.assertEqual((entry.user_id, entry.reason), (self.supervisor, "忘记密码"))
        self.assertNotIn(password, f"{entry.before}{entry.after}")

    def test_a_password_is_not_reset_by_or_for_the_wrong_person(self):
        wizards = self.env["property.password.wizard"]
        with self.assertRaises(AccessError):
            wizards.with_user(self.clerk).create(
                {"user_id": self.supervisor.id, "way": "temporary", "reason": "x"}
            )
        for victim in (self.env.ref("base.user_admin"), self.supervisor):
            wizard = wizards.with_user(self.supervisor).create(
                {"user_id": victim.id, "way": "temporary", "reason": "x"}
            )
            with self.assertRaises(UserError):  # AccessError is one
                wizard.action_apply()
