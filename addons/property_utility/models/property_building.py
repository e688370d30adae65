from odoo import api, fields, models


class PropertyBuilding(models.Model):
    _name = "property.building"
    _description = "Building"
    _inherit = ["property.scope.mixin", "mail.thread"]
    _order = "sequence, name, id"
    _check_company_auto = True

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    color = fields.Integer()
    site_id = fields.Many2one("property.site", required=True, index=True, ondelete="restrict")
    company_id = fields.Many2one(related="site_id.company_id", store=True, index=True)
    floor_ids = fields.One2many("property.floor", "building_id", string="Floors")
    unit_ids = fields.One2many("property.unit", "building_id", string="Units")
    service_point_ids = fields.One2many("utility.service.point", "building_id", string="Service Points")
    unit_count = fields.Integer(compute="_compute_unit_counts")
    occupied_count = fields.Integer(string="Occupied", compute="_compute_unit_counts")
    vacant_count = fields.Integer(string="Vacant", compute="_compute_unit_counts")
    blocked_count = fields.Integer(string="Blocked", compute="_compute_unit_counts")
    tenancy_count = fields.Integer(string="Tenancies", compute="_compute_tenancy_count")
    service_point_count = fields.Integer(compute="_compute_service_point_count")

    _code_uniq = models.UniqueIndex(
        "(site_id, code)", "A building with this code exists on this site already."
    )

    def _compute_unit_counts(self):
        counts = {}
        for building, state, count in self.env["property.unit"]._read_group(
            [("building_id", "in", self.ids), ("kind", "!=", "public")], ["building_id", "state"], ["__count"]
        ):
            counts.setdefault(building, {})[state] = count
        for building in self:
            by_state = counts.get(building, {})
            building.unit_count = sum(by_state.values())
            for state in ("occupied", "vacant", "blocked"):
                building[f"{state}_count"] = by_state.get(state, 0)

    def _compute_tenancy_count(self):
        for building in self:
            building.tenancy_count = self.env["contract.contract"].search_count(
                [("building_ids", "in", building.ids), ("tenancy_state", "=", "active")]
            )

    def _compute_service_point_count(self):
        counts = dict(
            self.env["utility.service.point"]._read_group(
                [("building_id", "in", self.ids)], ["building_id"], ["__count"]
            )
        )
        for building in self:
            building.service_point_count = counts.get(building, 0)

    @api.model_create_multi
    def create(self, vals_list):
        buildings = super().create(vals_list)
        # record rules hold lists of allowed buildings in the registry's cache
        self.env.registry.clear_cache()
        return buildings

    def unlink(self):
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    def _get_action(self, xmlid):
        action = self.env["ir.actions.act_window"]._for_xml_id(xmlid)
        action["domain"] = [("building_id", "=", self.id)]
        action["context"] = {"default_building_id": self.id}
        return action

    def action_view_board(self):
        self.ensure_one()
        action = self._get_action("property_utility.property_unit_action_board")
        action["context"]["search_default_group_floor"] = 1
        action["display_name"] = self.name
        return action

    def action_view_units(self):
        self.ensure_one()
        return self._get_action("property_utility.property_unit_action")

    def action_view_service_points(self):
        self.ensure_one()
        return self._get_action("property_utility.utility_service_point_action")

    def action_view_tenancies(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "property_utility.contract_contract_action_tenancy"
        )
        action["domain"] = [("is_tenancy", "=", True), ("building_ids", "in", self.ids)]
        return action
