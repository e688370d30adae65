import secrets

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread: no i, l, o, 0, 1


class PropertyPasswordWizard(models.TransientModel):
    """A supervisor resets a password: by a link to the user's e-mail, or a new one to hand over."""

    _name = "property.password.wizard"
    _description = "Reset Password"

    user_id = fields.Many2one("res.users", required=True)
    email = fields.Char(related="user_id.email")
    way = fields.Selection(
        [("link", "Send a link by e-mail"), ("temporary", "Make a new password to hand over")],
        required=True,
        compute="_compute_way",
        store=True,
        readonly=False,
    )
    reason = fields.Char(required=True)

    @api.depends("user_id")
    def _compute_way(self):
        for wizard in self:
            wizard.way = "link" if wizard.user_id.sudo().email else "temporary"

    def _check_may_reset(self):
        grantor = self.env.user
        if not grantor.has_group("property_utility.property_utility_group_function_grant_rights"):
            raise AccessError(self.env._("Only a supervisor may reset passwords."))
        user = self.user_id.sudo()
        if user == grantor:
            raise UserError(self.env._("Change your own password in your preferences."))
        if user.has_group("base.group_system") and not grantor.has_group("base.group_system"):
            raise AccessError(
                self.env._("Only a system administrator may change the rights of %s.", user.name)
            )
        if not grantor.scope_all_buildings and (
            user.scope_all_buildings or user.allowed_building_ids - grantor.allowed_building_ids
        ):
            raise AccessError(self.env._("%s works in buildings that are not yours.", user.name))

    def action_apply(self):
        self.ensure_one()
        self._check_may_reset()
        user = self.user_id.sudo().with_context(audit_reason=self.reason)
        if self.way == "link":
            if not user.email:
                raise UserError(self.env._("%s has no e-mail address.", user.name))
            user.action_reset_password()
            self.env["audit.entry"]._log("rights.password_link", user, reason=self.reason)
            return {"type": "ir.actions.act_window_close"}
        password = "".join(secrets.choice(ALPHABET) for _ in range(10))
        user.write({"password": password})
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "sticky": True,
                "title": self.env._("New password of %s", user.name),
                "message": self.env._("%s — it is shown once. Hand it over and have it changed.", password),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }
