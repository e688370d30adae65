from odoo import Command, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError


class PropertyRightsWizard(models.TransientModel):
    """A supervisor grants roles, functions and buildings, and nothing else.

    Supervisors have no write access to users; the change is made with sudo after the checks below, and
    touches our own groups and fields only. The audit entry is written by ``res.users.write``.
    """

    _name = "property.rights.wizard"
    _description = "Rights of a User"

    user_id = fields.Many2one("res.users", domain=[("share", "=", False)])
    name = fields.Char(compute="_compute_from_user", store=True, readonly=False)
    login = fields.Char(compute="_compute_from_user", store=True, readonly=False)
    active = fields.Boolean(
        string="Enabled", compute="_compute_active", store=True, readonly=False, default=True
    )
    role_ids = fields.Many2many(
        "res.groups",
        "property_rights_wizard_role_rel",
        string="Roles",
        compute="_compute_role_ids",
        store=True,
        readonly=False,
        domain=lambda self: [("id", "in", self.env["res.groups"]._get_utility_roles().ids)],
    )
    function_ids = fields.Many2many(
        "res.groups",
        "property_rights_wizard_function_rel",
        string="Extra Functions",
        compute="_compute_function_ids",
        store=True,
        readonly=False,
        domain=lambda self: [("id", "in", self.env["res.groups"]._get_utility_functions().ids)],
        help="Functions beyond those that the roles bring.",
    )
    implied_function_ids = fields.Many2many(
        "res.groups", compute="_compute_implied_function_ids", string="Functions by Role"
    )
    scope_all_buildings = fields.Boolean(
        string="All Buildings", compute="_compute_scope_all_buildings", store=True, readonly=False
    )
    scope_building_ids = fields.Many2many(
        "property.building",
        string="Buildings",
        compute="_compute_scope_building_ids",
        store=True,
        readonly=False,
    )
    may_grant_all = fields.Boolean(compute="_compute_may_grant_all")
    reason = fields.Char(required=True)

    def _compute_may_grant_all(self):
        self.may_grant_all = self.env.user.scope_all_buildings

    # one method a field: a field given to create() keeps the others of its method from being computed

    @api.depends("user_id")
    def _compute_from_user(self):
        for wizard in self:
            user = wizard.user_id.sudo()
            wizard.name = user.name
            wizard.login = user.login

    @api.depends("user_id")
    def _compute_active(self):
        for wizard in self:
            wizard.active = wizard.user_id.sudo().active if wizard.user_id else True

    @api.depends("user_id")
    def _compute_role_ids(self):
        for wizard in self:
            wizard.role_ids = wizard.user_id.sudo().group_ids & self.env["res.groups"]._get_utility_roles()

    @api.depends("user_id")
    def _compute_function_ids(self):
        functions = self.env["res.groups"]._get_utility_functions()
        for wizard in self:
            wizard.function_ids = wizard.user_id.sudo().group_ids & functions

    @api.depends("user_id")
    def _compute_scope_all_buildings(self):
        for wizard in self:
            wizard.scope_all_buildings = wizard.user_id.sudo().scope_all_buildings

    @api.depends("user_id")
    def _compute_scope_building_ids(self):
        for wizard in self:
            wizard.scope_building_ids = wizard.user_id.sudo().scope_building_ids

    @api.depends("role_ids")
    def _compute_implied_function_ids(self):
        functions = self.env["res.groups"]._get_utility_functions()
        for wizard in self:
            roles = self.env["res.groups"].sudo().browse(wizard.role_ids.ids)  # not the form's new records
            wizard.implied_function_ids = roles.all_implied_ids & functions

    def action_apply(self):
        self.ensure_one()
        self._check_may_grant()
        if self.user_id:
            user = self.user_id.sudo().with_context(audit_reason=self.reason)
            user.write(self._prepare_user_values(user))
        else:
            user = self._create_user()
        return {"type": "ir.actions.act_window_close"}

    def _check_may_grant(self):
        """Who may change whom, and what may be granted."""
        grantor = self.env.user
        if not grantor.has_group("property_utility.property_utility_group_function_grant_rights"):
            raise AccessError(self.env._("Only a supervisor may change rights."))
        roles = self.env["res.groups"]._get_utility_roles()
        functions = self.env["res.groups"]._get_utility_functions()
        if self.role_ids - roles or self.function_ids - functions:
            raise AccessError(
                self.env._("Only roles and functions of Property & Utilities can be granted here.")
            )
        self._check_target(grantor)
        self._check_scope(grantor)

    def _check_target(self, grantor):
        user = self.user_id.sudo()
        if not user:
            return
        if user == grantor:
            raise UserError(self.env._("Nobody can change their own rights. Ask another supervisor."))
        if user.share:
            raise UserError(self.env._("%s is not a member of the staff.", user.name))
        if user.has_group("base.group_system") and not grantor.has_group("base.group_system"):
            raise AccessError(
                self.env._("Only a system administrator may change the rights of %s.", user.name)
            )
        self._check_beyond_scope(grantor, user.scope_all_buildings, user.allowed_building_ids)

    def _check_scope(self, grantor):
        self._check_beyond_scope(grantor, self.scope_all_buildings, self.scope_building_ids)
        if self.role_ids and not self.scope_all_buildings and not self.scope_building_ids:
            raise ValidationError(self.env._("Choose the buildings in which the user may work."))

    def _check_beyond_scope(self, grantor, is_all, buildings):
        if grantor.scope_all_buildings:
            return
        beyond = buildings.sudo() - grantor.allowed_building_ids
        if is_all or beyond:
            raise AccessError(
                self.env._(
                    "You grant rights in your own buildings only; beyond them: %s.",
                    ", ".join(beyond.mapped("display_name")) or self.env._("All Buildings"),
                )
            )

    def _prepare_user_values(self, user):
        ours = self.env["res.groups"]._get_utility_roles() | self.env["res.groups"]._get_utility_functions()
        wanted = self.role_ids | self.function_ids
        return {
            "active": self.active,
            "group_ids": [
                *[Command.unlink(group.id) for group in ours & user.group_ids - wanted],
                *[Command.link(group.id) for group in wanted.sudo() - user.group_ids],
            ],
            "scope_all_buildings": self.scope_all_buildings,
            "scope_building_ids": [Command.set(self.scope_building_ids.ids)],
        }

    def _create_user(self):
        if not self.name or not self.login:
            raise ValidationError(self.env._("A new user needs a name and a login."))
        users = self.env["res.users"].sudo().with_context(no_reset_password=True, audit_reason=self.reason)
        groups = self.role_ids | self.function_ids | self.env.ref("base.group_user").sudo()
        # no chat window of Odoo's bot over the first screen
        quiet = {"odoobot_state": "disabled"} if "odoobot_state" in users._fields else {}
        return users.create(
            {
                **quiet,
                "name": self.name,
                "login": self.login,
                "company_id": self.env.company.id,
                "company_ids": [Command.set(self.env.company.ids)],
                "lang": self.env.user.lang,
                "tz": self.env.user.tz,
                "group_ids": [Command.set(groups.ids)],
                "scope_all_buildings": self.scope_all_buildings,
                "scope_building_ids": [Command.set(self.scope_building_ids.ids)],
            }
        )
