from odoo import fields, models


class MeterConnectorKeyWizard(models.TransientModel):
    """Make a connector's user and key. The key lives on this page only and is not stored."""

    _name = "meter.connector.key.wizard"
    _description = "Connector Key"

    connector_id = fields.Many2one("meter.connector", required=True, readonly=True, ondelete="cascade")
    has_user = fields.Boolean(compute="_compute_has_user")
    login = fields.Char(related="connector_id.user_id.login")

    def _compute_has_user(self):
        for wizard in self:
            wizard.has_user = bool(wizard.connector_id.user_id)

    def action_create(self):
        """Make the key and show it, once."""
        self.ensure_one()
        key = self.connector_id._create_key()
        return {
            "type": "ir.actions.client",
            "tag": "meter_gateway.connector_key",
            "target": "new",
            "name": self.env._("Connector Key"),
            "params": {
                "key": key,
                "login": self.connector_id.user_id.login,
                "url": self.get_base_url(),
                "database": self.env.cr.dbname,
            },
        }
