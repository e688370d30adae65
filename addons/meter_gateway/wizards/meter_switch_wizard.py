from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import DESIRED_STATES


class MeterSwitchWizard(models.TransientModel):
    """Switch supplies by hand; the reason is part of the record."""

    _name = "meter.switch.wizard"
    _description = "Switch Supplies"

    state = fields.Selection(DESIRED_STATES, required=True, readonly=True)
    switch_ids = fields.Many2many("meter.switch", required=True)
    switch_count = fields.Integer(compute="_compute_warnings")
    kept_count = fields.Integer(compute="_compute_warnings")
    offline_count = fields.Integer(compute="_compute_warnings")
    reason = fields.Char(required=True)

    @api.depends("switch_ids", "state")
    def _compute_warnings(self):
        for wizard in self:
            switches = wizard.switch_ids
            wizard.switch_count = len(switches)
            wizard.kept_count = len(switches.filtered(lambda switch: switch._is_kept_on()))
            wizard.offline_count = len(switches.filtered(lambda switch: switch.meter_id.state != "online"))

    def action_apply(self):
        """Order it. The server checks function, utility and building of every switch again."""
        self.ensure_one()
        switches = self.switch_ids
        switches._check_right()
        if not switches:
            raise UserError(self.env._("There is no switch here."))
        if not (self.reason or "").strip():
            raise UserError(self.env._("A reason is needed."))
        for switch in switches.sorted("id"):
            switch._set_desired(self.state, self.reason.strip(), "operator")
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("Ordered. The state changes when the meter has been read back."),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }
