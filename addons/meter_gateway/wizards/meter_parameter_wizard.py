from odoo import api, fields, models
from odoo.exceptions import UserError


class MeterParameterWizard(models.TransientModel):
    """Settings for the meters marked in the list: by a profile, or value by value."""

    _name = "meter.parameter.wizard"
    _description = "Set Meters"

    meter_ids = fields.Many2many("meter.meter", required=True)
    meter_count = fields.Integer(compute="_compute_meter_count")
    offline_count = fields.Integer(compute="_compute_meter_count")
    model_id = fields.Many2one("meter.model", compute="_compute_meter_count")
    profile_id = fields.Many2one("meter.parameter.profile", domain="[('model_id', '=', model_id)]")
    line_ids = fields.One2many("meter.parameter.wizard.line", "wizard_id", string="Values")
    reason = fields.Char(required=True)

    @api.depends("meter_ids")
    def _compute_meter_count(self):
        for wizard in self:
            models_of = wizard.meter_ids.model_id
            wizard.meter_count = len(wizard.meter_ids)
            wizard.offline_count = len(wizard.meter_ids.filtered(lambda meter: meter.state != "online"))
            wizard.model_id = models_of if len(models_of) == 1 else False

    def action_apply(self):
        """Send; the server checks function, utility and building of every meter again."""
        self.ensure_one()
        meters = self.meter_ids
        self.env["meter.parameter"]._check_right(meters)
        if len(meters.model_id) != 1:
            raise UserError(
                self.env._("Choose meters of one model; different models have different settings.")
            )
        if not (self.reason or "").strip():
            raise UserError(self.env._("A reason is needed."))
        values = self.profile_id._get_values() if self.profile_id else {}
        values |= {line.type_id.name: line.value for line in self.line_ids}
        if not values:
            raise UserError(self.env._("Choose a profile or enter a value."))
        if self.profile_id:
            self._assign_profile()
        batch = self.env["meter.parameter.batch"]._start_write(
            meters, values, self.reason.strip(), self.profile_id or None
        )
        return batch._get_view_action()

    def _assign_profile(self):
        for meter in self.meter_ids.filtered(lambda meter: meter.parameter_profile_id != self.profile_id):
            self.env["audit.entry"]._log(
                "meter.parameter_profile",
                meter,
                before={"profile": meter.parameter_profile_id.name or None},
                after={"profile": self.profile_id.name},
                reason=self.reason.strip(),
            )
            meter.sudo().parameter_profile_id = self.profile_id  # rights were checked


class MeterParameterWizardLine(models.TransientModel):
    _name = "meter.parameter.wizard.line"
    _description = "Value to Set"

    wizard_id = fields.Many2one("meter.parameter.wizard", required=True, ondelete="cascade")
    model_id = fields.Many2one(related="wizard_id.model_id")
    type_id = fields.Many2one(
        "meter.parameter.type",
        "Setting",
        required=True,
        ondelete="cascade",
        domain="[('model_id', '=', model_id), ('is_readonly', '=', False)]",
    )
    value = fields.Char(required=True)
    limits = fields.Char(related="type_id.limits")
