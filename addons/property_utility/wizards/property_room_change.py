from odoo import api, fields, models
from odoo.exceptions import UserError


class PropertyRoomChange(models.TransientModel):
    """Move a tenancy from one unit to another at one instant: two occupancies that touch."""

    _name = "property.room.change"
    _description = "Room Change"

    contract_id = fields.Many2one("contract.contract", string="Tenancy", required=True)
    company_id = fields.Many2one(related="contract_id.company_id")
    occupancy_id = fields.Many2one(
        "property.occupancy",
        string="Old Unit",
        required=True,
        compute="_compute_occupancy_id",
        store=True,
        precompute=True,
        readonly=False,
    )
    unit_id = fields.Many2one("property.unit", string="New Unit", required=True)
    at = fields.Datetime(required=True, default=fields.Datetime.now)
    reason = fields.Char(required=True)

    @api.depends("contract_id")
    def _compute_occupancy_id(self):
        now = fields.Datetime.now()
        for wizard in self:
            current = wizard.contract_id.occupancy_ids.filtered(lambda o: o._is_in_effect(now))
            wizard.occupancy_id = current if len(current) == 1 else False

    def action_apply(self):
        self.ensure_one()
        old = self.occupancy_id
        old.check_access("write")
        if (
            old.contract_id != self.contract_id
            or not old.start_at < self.at
            or not old._is_in_effect(self.at)
        ):
            raise UserError(
                self.env._("%s is not let by this tenancy at that moment.", old.unit_id.display_name)
            )
        if self.unit_id.is_blocked:
            raise UserError(self.env._("Unit %s is blocked and cannot be let.", self.unit_id.display_name))
        end_at = old.end_at
        old.with_context(audit_reason=self.reason).write({"end_at": self.at})
        new = self.env["property.occupancy"].create(
            {
                "unit_id": self.unit_id.id,
                "contract_id": self.contract_id.id,
                "start_at": self.at,
                "end_at": end_at,
                "head_count": old.head_count,
                "note": self.reason,
            }
        )
        old._after_move_out()
        new._after_move_in()
        self._after_room_change(old, new)
        return {"type": "ir.actions.act_window_close"}

    def _after_room_change(self, old, new):
        """Hook for upper addons: closing readings of the old unit, opening readings of the new one."""
        old.occupant_ids.occupancy_id = new
