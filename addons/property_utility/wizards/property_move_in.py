from odoo import api, fields, models
from odoo.exceptions import UserError


class PropertyMoveIn(models.TransientModel):
    """Assign units to a tenancy from a moment on."""

    _name = "property.move.in"
    _description = "Move In"

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, domain=[("is_tenancy", "=", True)]
    )
    company_id = fields.Many2one(related="contract_id.company_id")
    start_at = fields.Datetime(string="From", required=True, default=fields.Datetime.now)
    end_at = fields.Datetime(string="Until", help="Only for a lease with a fixed end.")
    unit_ids = fields.Many2many("property.unit", string="Units")
    free_unit_ids = fields.Many2many("property.unit", compute="_compute_free_unit_ids")
    note = fields.Char()

    @api.depends("start_at", "end_at", "company_id")
    def _compute_free_unit_ids(self):
        occupancies = self.env["property.occupancy"].sudo()
        for wizard in self:
            start_at = wizard.start_at or fields.Datetime.now()
            taken = fields.Domain("end_at", "=", False) | fields.Domain("end_at", ">", start_at)
            if wizard.end_at:
                taken &= fields.Domain("start_at", "<", wizard.end_at)
            taken_ids = occupancies.search(taken).unit_id.ids
            wizard.free_unit_ids = self.env["property.unit"].search(
                [
                    ("company_id", "=", wizard.company_id.id),
                    ("id", "not in", taken_ids),
                    ("is_blocked", "=", False),
                    ("kind", "!=", "public"),
                ]
            )

    def action_apply(self):
        self.ensure_one()
        self.env["property.occupancy"].check_access("create")
        if not self.unit_ids:
            raise UserError(self.env._("Choose at least one unit."))
        blocked = self.unit_ids.filtered("is_blocked")
        if blocked:
            raise UserError(
                self.env._("Unit %s is blocked and cannot be let.", ", ".join(blocked.mapped("display_name")))
            )
        occupancies = self.env["property.occupancy"].create(
            [
                {
                    "unit_id": unit.id,
                    "contract_id": self.contract_id.id,
                    "start_at": self.start_at,
                    "end_at": self.end_at,
                    "note": self.note,
                }
                for unit in self.unit_ids
            ]
        )
        occupancies._after_move_in()
        return {"type": "ir.actions.act_window_close"}
