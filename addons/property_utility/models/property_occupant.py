from odoo import api, fields, models


class PropertyOccupant(models.Model):
    """A person who lives or works in a unit under a tenancy."""

    _name = "property.occupant"
    _inherit = ["property.scope.mixin"]
    _description = "Occupant"
    _order = "occupancy_id, name, id"
    _scope_fields = ("occupancy_id",)

    name = fields.Char(required=True)
    occupancy_id = fields.Many2one("property.occupancy", required=True, index=True, ondelete="cascade")
    identity_number = fields.Char(
        string="Identity No.",
        groups="property_utility.property_utility_group_function_estate",
        help="Number of the identity card. Only people who edit tenancies see it in full.",
    )
    identity_hint = fields.Char(
        string="Identity No. (short)", compute="_compute_identity_hint", compute_sudo=True
    )
    phone = fields.Char()
    unit_id = fields.Many2one(related="occupancy_id.unit_id", store=True, index=True)
    building_id = fields.Many2one(related="occupancy_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="occupancy_id.company_id", store=True)

    @api.depends("identity_number")
    def _compute_identity_hint(self):
        for occupant in self:
            number = occupant.identity_number or ""
            occupant.identity_hint = f"…{number[-4:]}" if len(number) > 4 else ""
