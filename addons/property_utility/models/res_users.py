from odoo import api, fields, models

# operator roles work on these kinds only; a role that is not listed and switches works on all
ROLE_KINDS = {
    "property_utility.property_utility_group_water_operator": ("water", "hot_water"),
    "property_utility.property_utility_group_power_operator": ("power",),
}
ALL_KINDS_ROLES = (
    "property_utility.property_utility_group_joint_operator",
    "property_utility.property_utility_group_field_reader",
    "property_utility.property_utility_group_property_manager",
    "property_utility.property_utility_group_supervisor",
    "base.group_system",
)
RIGHTS_FIELDS = ("group_ids", "scope_all_buildings", "scope_building_ids", "active", "login")


class ResUsers(models.Model):
    _inherit = "res.users"

    scope_all_buildings = fields.Boolean(
        string="All Buildings", help="May work in all buildings, also in those added later."
    )
    scope_building_ids = fields.Many2many(
        "property.building",
        "res_users_property_building_rel",
        "user_id",
        "building_id",
        string="Building Scope",
    )
    allowed_building_ids = fields.Many2many(
        "property.building",
        compute="_compute_allowed_building_ids",
        compute_sudo=True,
        string="Allowed Buildings",
    )
    allowed_kind_ids = fields.Many2many(
        "utility.kind",
        compute="_compute_allowed_kind_ids",
        compute_sudo=True,
        string="Allowed Utilities",
        help="Utilities whose service points, meters and switches the user may change.",
    )
    utility_role_ids = fields.Many2many(
        "res.groups", compute="_compute_utility_groups", compute_sudo=True, string="Roles"
    )
    utility_function_ids = fields.Many2many(
        "res.groups", compute="_compute_utility_groups", compute_sudo=True, string="Functions"
    )

    @api.depends("scope_all_buildings", "scope_building_ids")
    def _compute_allowed_building_ids(self):
        everything = self.env["property.building"].with_context(active_test=False)
        if any(self.mapped("scope_all_buildings")):
            everything = everything.search([])  # pylint: disable=no-search-all
        for user in self:
            own = user.with_context(active_test=False).scope_building_ids
            user.allowed_building_ids = everything if user.scope_all_buildings else own

    @api.depends("group_ids")
    def _compute_allowed_kind_ids(self):
        kinds = self.env["utility.kind"].with_context(active_test=False).search([("is_metered", "=", True)])
        for user in self:
            if any(user.has_group(role) for role in ALL_KINDS_ROLES):
                user.allowed_kind_ids = kinds
                continue
            codes = [code for role, codes in ROLE_KINDS.items() if user.has_group(role) for code in codes]
            user.allowed_kind_ids = kinds.filtered(lambda kind, codes=codes: kind.code in codes)

    @api.depends("group_ids")
    def _compute_utility_groups(self):
        roles = self.env["res.groups"]._get_utility_roles()
        functions = self.env["res.groups"]._get_utility_functions()
        for user in self:
            user.utility_role_ids = user.group_ids & roles
            user.utility_function_ids = user.all_group_ids & functions

    @api.model
    def _get_invalidation_fields(self):
        return super()._get_invalidation_fields() | {"scope_all_buildings", "scope_building_ids"}

    # --- every change of rights is audited, whoever makes it and on whatever screen ---------------------

    @api.model_create_multi
    def create(self, vals_list):
        users = super().create(vals_list)
        for user in users:
            self.env["audit.entry"]._log(
                "rights.create",
                user,
                after=user._get_rights_snapshot(),
                reason=self.env.context.get("audit_reason"),
            )
        return users

    def write(self, vals):
        is_rights = bool(vals.keys() & set(RIGHTS_FIELDS))
        before = {user.id: user._get_rights_snapshot() for user in self} if is_rights else {}
        result = super().write(vals)
        reason = self.env.context.get("audit_reason")
        for user in self if is_rights else self.browse():
            after = user._get_rights_snapshot()
            if after != before[user.id]:
                self.env["audit.entry"]._log("rights.change", user, before[user.id], after, reason)
        if "password" in vals:
            self.env["audit.entry"]._log("rights.password", self, reason=reason)
        return result

    def _get_rights_snapshot(self):
        """Rights of one user in plain words for the audit."""
        self.ensure_one()
        user = self.sudo().with_context(lang=None, active_test=False)
        xmlids = user.group_ids.get_external_id()
        return {
            "login": user.login,
            "active": user.active,
            "groups": sorted(xmlids[group.id] or group.full_name for group in user.group_ids),
            "all_buildings": user.scope_all_buildings,
            "buildings": sorted(user.scope_building_ids.mapped("display_name")),
        }

    # --- buttons --------------------------------------------------------------------------------------

    def action_change_rights(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Rights of %s", self.name),
            "res_model": "property.rights.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_user_id": self.id},
        }

    def action_reset_password_wizard(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Reset Password of %s", self.name),
            "res_model": "property.password.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_user_id": self.id},
        }
