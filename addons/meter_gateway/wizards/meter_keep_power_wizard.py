from odoo import fields, models
from odoo.exceptions import UserError


class MeterKeepPowerWizard(models.TransientModel):
    """Keep supplies on for a while, whatever the balance says (保电)."""

    _name = "meter.keep.power.wizard"
    _description = "Keep Power"

    switch_ids = fields.Many2many("meter.switch", required=True)
    until = fields.Datetime("Until", required=True)
    reason = fields.Char(required=True)

    def action_apply(self):
        self.ensure_one()
        self.switch_ids._check_right()
        if self.until <= fields.Datetime.now():
            raise UserError(self.env._("The end must lie in the future."))
        self.switch_ids._set_keep_power(self.until, self.reason)
        return {"type": "ir.actions.act_window_close"}
