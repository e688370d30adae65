from odoo import api, fields, models


class PropertyFloor(models.Model):
    _name = "property.floor"
    _inherit = ["property.scope.mixin"]
    _description = "Floor"
    _order = "building_id, sequence desc, name, id"

    name = fields.Char(required=True)
    sequence = fields.Integer(string="Level", default=1, help="The highest level is shown on top.")
    building_id = fields.Many2one("property.building", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="building_id.company_id", store=True, index=True)
    unit_ids = fields.One2many("property.unit", "floor_id", string="Units")
    unit_count = fields.Integer(compute="_compute_unit_count")

    _name_uniq = models.UniqueIndex("(building_id, name)", "This building has a floor of this name already.")

    def _compute_unit_count(self):
        counts = dict(
            self.env["property.unit"]._read_group([("floor_id", "in", self.ids)], ["floor_id"], ["__count"])
        )
        for floor in self:
            floor.unit_count = counts.get(floor, 0)

    @api.depends("name", "building_id.name")
    @api.depends_context("short_floor_name")
    def _compute_display_name(self):
        for floor in self:
            if self.env.context.get("short_floor_name") or not floor.building_id:
                floor.display_name = floor.name
            else:
                floor.display_name = f"{floor.building_id.name} · {floor.name}"
