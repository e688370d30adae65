from odoo import api, fields, models
from odoo.exceptions import UserError


class PropertyMoveOut(models.TransientModel):
    """End occupancies of a tenancy at a moment."""

    _name = "property.move.out"
    _description = "Move Out"

    contract_id = fields.Many2one("contract.contract", string="Tenancy", required=True)
    end_at = fields.Datetime(string="At", required=True, default=fields.Datetime.now)
    open_occupancy_ids = fields.Many2many("property.occupancy", compute="_compute_open_occupancy_ids")
    occupancy_ids = fields.Many2many(
        "property.occupancy",
        string="Units",
        compute="_compute_occupancy_ids",
        store=True,
        readonly=False,
        required=True,
    )
    is_last = fields.Boolean(compute="_compute_is_last")
    reason = fields.Char(required=True)

    @api.depends("contract_id", "end_at")
    def _compute_open_occupancy_ids(self):
        for wizard in self:
            end_at = wizard.end_at
            wizard.open_occupancy_ids = wizard.contract_id.occupancy_ids.filtered(
                lambda o, end_at=end_at: (
                    end_at and o.start_at < end_at and (not o.end_at or o.end_at > end_at)
                )
            )

    @api.depends("open_occupancy_ids")
    def _compute_occupancy_ids(self):
        for wizard in self:
            wizard.occupancy_ids = wizard.open_occupancy_ids

    @api.depends("occupancy_ids", "open_occupancy_ids")
    def _compute_is_last(self):
        for wizard in self:
            wizard.is_last = (
                bool(wizard.occupancy_ids) and not wizard.open_occupancy_ids - wizard.occupancy_ids
            )

    def action_apply(self):
        self.ensure_one()
        self.occupancy_ids.check_access("write")
        if not self.occupancy_ids:
            raise UserError(self.env._("Choose at least one unit."))
        strangers = self.occupancy_ids - self.open_occupancy_ids
        if strangers:
            raise UserError(
                self.env._(
                    "%s is not let by this tenancy at that moment.",
                    ", ".join(strangers.unit_id.mapped("display_name")),
                )
            )
        self.occupancy_ids.with_context(audit_reason=self.reason).write({"end_at": self.end_at})
        self.occupancy_ids._after_move_out()
        return {"type": "ir.actions.act_window_close"}
