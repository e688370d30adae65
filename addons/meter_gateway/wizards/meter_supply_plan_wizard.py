from odoo import fields, models
from odoo.exceptions import UserError


class MeterSupplyPlanWizard(models.TransientModel):
    """Give many meters hours of supply, or take them away."""

    _name = "meter.supply.plan.wizard"
    _description = "Assign Timed Supply"

    meter_ids = fields.Many2many("meter.meter", required=True)
    plan_id = fields.Many2one("meter.supply.plan", help="Empty: supply at all hours.")
    summary = fields.Char(related="plan_id.summary")
    reason = fields.Char(required=True)

    def action_apply(self):
        """Assign; a plan the meter keeps itself is sent to it."""
        self.ensure_one()
        meters = self.meter_ids
        self.env["meter.parameter"]._check_right(meters)
        if not (self.reason or "").strip():
            raise UserError(self.env._("A reason is needed."))
        for meter in meters:
            self.env["audit.entry"]._log(
                "meter.supply_plan",
                meter,
                before={"plan": meter.supply_plan_id.name or None},
                after={"plan": self.plan_id.name or None},
                reason=self.reason,
            )
        meters.sudo().supply_plan_id = self.plan_id  # rights were checked
        if self.plan_id.kept_by == "meter":
            self.env["meter.parameter.batch"]._start_write(
                meters, {"supply_plan": self.plan_id._prepare_setting()}, self.reason.strip()
            )
        return {"type": "ir.actions.act_window_close"}
