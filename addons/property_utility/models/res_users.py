from odoo import api, fields, models


class ResUsers(models.Model):
    _inherit = "res.users"

    scope_all_buildings = fields.Boolean(
        string="All Buildings", help="May work in all buildings, also in those added later."
    )
    scope_building_ids = fields.Many2many(
        "property.building",
        "res_users_property_building_rel",
        "user_id",
        "building_id",
        string="Building Scope",
    )
    allowed_building_ids = fields.Many2many(
        "property.building",
        compute="_compute_allowed_building_ids",
        compute_sudo=True,
        string="Allowed Buildings",
    )

    @api.depends("scope_all_buildings", "scope_building_ids")
    def _compute_allowed_building_ids(self):
        everything = self.env["property.building"].with_context(active_test=False)
        if any(self.mapped("scope_all_buildings")):
            everything = everything.search([])
        for user in self:
            own = user.with_context(active_test=False).scope_building_ids
            user.allowed_building_ids = everything if user.scope_all_buildings else own

    @api.model
    def _get_invalidation_fields(self):
        return super()._get_invalidation_fields() | {"scope_all_buildings", "scope_building_ids"}
