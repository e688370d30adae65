from odoo import api, fields, models
from odoo.exceptions import ValidationError


class PropertyOccupancy(models.Model):
    """Who has a unit from when to when: [start_at, end_at) in UTC. A room change is two rows."""

    _name = "property.occupancy"
    _description = "Occupancy"
    _order = "start_at desc, id desc"

    unit_id = fields.Many2one("property.unit", required=True, index=True, ondelete="restrict")
    contract_id = fields.Many2one(
        "contract.contract",
        string="Tenancy",
        required=True,
        index=True,
        ondelete="restrict",
        domain=[("is_tenancy", "=", True)],
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", string="Tenant")
    start_at = fields.Datetime(string="From", required=True, default=fields.Datetime.now)
    end_at = fields.Datetime(
        string="Until", help="Empty while the tenancy goes on. This moment is not included."
    )
    head_count = fields.Integer(
        compute="_compute_head_count", store=True, readonly=False, help="People, for per-head tiers."
    )
    building_id = fields.Many2one(related="unit_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="unit_id.company_id", store=True, index=True)
    is_current = fields.Boolean(compute="_compute_is_current")
    note = fields.Char()

    _period = models.Constraint(
        "CHECK (end_at IS NULL OR end_at > start_at)", "An occupancy must end after its start."
    )
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist (unit_id WITH =, tsrange(start_at, end_at, '[)') WITH &&)",
        "This unit is let to another tenancy in this period already.",
    )

    @api.depends("unit_id")
    def _compute_head_count(self):
        for occupancy in self:
            occupancy.head_count = occupancy.unit_id.head_count

    @api.depends("start_at", "end_at")
    def _compute_is_current(self):
        now = fields.Datetime.now()
        for occupancy in self:
            occupancy.is_current = occupancy._is_in_effect(now)

    def _is_in_effect(self, at):
        self.ensure_one()
        return bool(self.start_at and self.start_at <= at and (not self.end_at or self.end_at > at))

    @api.constrains("contract_id", "unit_id")
    def _check_contract(self):
        for occupancy in self:
            if not occupancy.contract_id.is_tenancy:
                raise ValidationError(self.env._("%s is not a tenancy.", occupancy.contract_id.display_name))
            if occupancy.contract_id.company_id != occupancy.unit_id.company_id:
                raise ValidationError(
                    self.env._(
                        "Tenancy %(tenancy)s and unit %(unit)s belong to different companies.",
                        tenancy=occupancy.contract_id.display_name,
                        unit=occupancy.unit_id.display_name,
                    )
                )

    def _get_tenancy_state(self, now):
        """State of the tenancy whose occupancies these all are: draft, active or ended."""
        started = self.filtered(lambda o: o.start_at <= now)
        if not started:
            return "draft"
        goes_on = self.filtered(lambda o: not o.end_at or o.end_at > now)
        return "active" if goes_on else "ended"
