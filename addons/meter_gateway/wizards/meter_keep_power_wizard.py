from odoo import api, fields, models
from odoo.exceptions import UserError


class MeterKeepPowerWizard(models.TransientModel):
    """Keep supplies on for a while, whatever the balance says (保电)."""

    _name = "meter.keep.power.wizard"
    _description = "Keep Power"

    switch_ids = fields.Many2many("meter.switch", required=True)
    until = fields.Datetime("Until", required=True)
    reason = fields.Char(required=True)
    can_in_meter = fields.Boolean(compute="_compute_can_in_meter")
    in_meter = fields.Boolean("Also in the Meter", help="The meter itself then refuses every trip.")

    @api.depends("switch_ids")
    def _compute_can_in_meter(self):
        for wizard in self:
            wizard.can_in_meter = any(wizard.switch_ids.mapped("can_keep_power"))

    def action_apply(self):
        self.ensure_one()
        self.switch_ids._check_right()
        if self.until <= fields.Datetime.now():
            raise UserError(self.env._("The end must lie in the future."))
        if not (self.reason or "").strip():
            raise UserError(self.env._("A reason is needed."))
        self.switch_ids._set_keep_power(self.until, self.reason.strip(), self.in_meter)
        return {"type": "ir.actions.act_window_close"}
