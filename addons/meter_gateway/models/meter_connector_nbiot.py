import hashlib
import secrets

from odoo import fields, models


class MeterConnector(models.Model):
    """Pushes of NB-IoT platforms: whether the connector takes them, and the secret in the path they call."""

    _inherit = "meter.connector"

    is_nbiot = fields.Boolean(
        "Take NB-IoT Pushes", help="CTWing and OneNET push to an HTTP endpoint of the connector."
    )
    nbiot_token_sha256 = fields.Char(readonly=True, copy=False, groups="base.group_system")
    has_nbiot_downlink = fields.Boolean(
        "Orders by NB-IoT",
        readonly=True,
        copy=False,
        help="The connector says that it has a way to the platform's commands. Without it these meters can only be read.",
    )
    has_nbiot_token = fields.Boolean(compute="_compute_has_nbiot_token")

    def _compute_has_nbiot_token(self):
        for connector in self:
            connector.has_nbiot_token = bool(
                connector.sudo().nbiot_token_sha256
            )  # that there is one is no secret

    def write(self, vals):
        result = super().write(vals)
        if {"is_nbiot", "nbiot_token_sha256"} & vals.keys():
            self._bump_config_version()
        return result

    def _note_downlink(self, status):
        """Whether orders reach NB-IoT meters, as the connector says in its hello."""
        said = status.get("nbiot") if isinstance(status.get("nbiot"), dict) else {}
        if self.has_nbiot_downlink != (said.get("downlink") is True):
            self.has_nbiot_downlink = not self.has_nbiot_downlink

    def _prepare_nbiot(self):
        self.ensure_one()
        return {"enabled": self.is_nbiot, "path_token_sha256": self.nbiot_token_sha256 or ""}

    def action_create_nbiot_token(self):
        """A new secret for the path, shown once; the one before stops working."""
        self.ensure_one()
        self._check_key_right()
        token = secrets.token_urlsafe(24)
        # the field is the administrator's; whoever may make keys was checked above
        self.sudo().nbiot_token_sha256 = hashlib.sha256(token.encode()).hexdigest()
        self.env["audit.entry"]._log("connector.nbiot_token", self, after={"token": "new"})
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning",
                "sticky": True,
                "title": self.env._("Shown once; enter it at the platform"),
                "message": f"/nbiot/{token}/ctwing   /nbiot/{token}/onenet",
            },
        }
