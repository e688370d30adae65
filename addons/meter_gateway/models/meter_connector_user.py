import secrets

from odoo import Command, api, models
from odoo.exceptions import AccessError, UserError

KEY_NAME = "connector"


class MeterConnector(models.Model):
    """The user of a connector and its API key."""

    _inherit = "meter.connector"

    @api.model
    def _check_key_right(self):
        user = self.env.user
        if not (self.env.su or user.has_group("base.group_system") or user.has_group(
            "property_utility.property_utility_group_supervisor"
        )):  # fmt: skip
            raise AccessError(
                self.env._("Only a supervisor or an administrator may make keys of connectors.")
            )

    def _create_key(self):
        """A new key for this connector (and its user, when there is none); keys made before stop working.

        :return: the key; it is stored only as a hash and cannot be shown again
        """
        self.ensure_one()
        self._check_key_right()
        user = self.user_id or self._create_user()
        keys = (
            self.env["res.users.apikeys"].with_user(user).sudo()
        )  # a connector's user may not make keys itself
        old = user._remove_keys()
        key = keys._generate("rpc", KEY_NAME, None)
        self.env["audit.entry"]._log(
            "connector.key", self, before={"keys": old}, after={"user": user.login, "keys": 1}
        )
        return key

    def _create_user(self):
        """A user with the connector group and nothing else: neither internal nor portal nor public."""
        self.ensure_one()
        users = (
            self.env["res.users"].sudo().with_context(no_reset_password=True, mail_create_nosubscribe=True)
        )
        user = users.create(
            {
                "name": self.env._("Connector %s", self.name),
                "login": f"connector-{self.code}",
                "password": secrets.token_urlsafe(32),  # unknown to anybody; passwords are refused anyway
                "lang": self.env.user.lang,
                "company_id": self.company_id.id,
                "company_ids": [Command.set(self.company_id.ids)],
                "group_ids": [
                    Command.set(self.env.ref("property_utility.property_utility_group_connector").ids)
                ],
            }
        )
        self.sudo().user_id = user
        return user

    def _revoke_key(self):
        """Lock the connector out at once."""
        self.ensure_one()
        self._check_key_right()
        count = self.user_id._remove_keys()
        self.env["audit.entry"]._log("connector.key_revoked", self, before={"keys": count}, after={"keys": 0})

    def action_create_key(self):
        """Make the user and a key, and show the key once."""
        self.ensure_one()
        if not self.id:
            raise UserError(self.env._("Save the connector first."))
        wizard = self.env["meter.connector.key.wizard"].create({"connector_id": self.id})
        return {
            "type": "ir.actions.act_window",
            "res_model": wizard._name,
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Connector Key"),
        }

    def action_revoke_key(self):
        self._revoke_key()
