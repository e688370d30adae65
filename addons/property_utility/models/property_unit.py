from odoo import api, fields, models


class PropertyUnit(models.Model):
    _name = "property.unit"
    _description = "Unit"
    _inherit = ["property.scope.mixin", "mail.thread"]
    _order = "building_id, floor_id, code, id"
    _rec_names_search = ["code", "name"]

    name = fields.Char(required=True)
    code = fields.Char(required=True, help="Room or shop number, unique in its building.")
    active = fields.Boolean(default=True)
    floor_id = fields.Many2one("property.floor", required=True, index=True, ondelete="restrict")
    building_id = fields.Many2one(related="floor_id.building_id", store=True, index=True)
    site_id = fields.Many2one(related="floor_id.building_id.site_id", store=True, index=True)
    company_id = fields.Many2one(related="floor_id.building_id.company_id", store=True, index=True)
    kind = fields.Selection(
        [("shop", "Shop"), ("dormitory", "Dormitory"), ("office", "Office"), ("public", "Public Area")],
        required=True,
        default="shop",
        tracking=True,
    )
    area_m2 = fields.Float(string="Area (m²)", digits=(12, 2), aggregator="sum")
    head_count = fields.Integer(default=1, help="People living or working here, for per-head tiers.")
    is_blocked = fields.Boolean(string="Blocked", tracking=True, help="Not to be let, e.g. under renovation.")
    note = fields.Text(string="Notes")
    occupancy_ids = fields.One2many("property.occupancy", "unit_id", string="Occupancies")
    service_point_ids = fields.One2many("utility.service.point", "unit_id", string="Service Points")
    service_point_count = fields.Integer(compute="_compute_service_point_count")
    contract_id = fields.Many2one(
        "contract.contract",
        string="Tenancy",
        compute="_compute_contract_id",
        search="_search_contract_id",
        help="The tenancy that has this unit now.",
    )
    tenant_id = fields.Many2one("res.partner", compute="_compute_contract_id", search="_search_tenant_id")
    state = fields.Selection(
        [("vacant", "Vacant"), ("occupied", "Occupied"), ("blocked", "Blocked")],
        compute="_compute_state",
        store=True,
        index=True,
        tracking=True,
    )
    next_occupancy_id = fields.Many2one("property.occupancy", compute="_compute_next_occupancy_id")
    kind_ids = fields.Many2many("utility.kind", string="Utilities", compute="_compute_service_point_count")
    overview_state = fields.Char(compute="_compute_overview_state")
    overview_label = fields.Char(compute="_compute_overview_state")

    _code_uniq = models.UniqueIndex(
        "(building_id, code)", "A unit with this code exists in this building already."
    )
    _area_positive = models.Constraint("CHECK (area_m2 >= 0)", "The area cannot be negative.")
    _head_count_positive = models.Constraint("CHECK (head_count >= 0)", "The head count cannot be negative.")

    @api.depends("name", "code", "building_id.name")
    def _compute_display_name(self):
        for unit in self:
            unit.display_name = unit.code if unit.name in (unit.code, False) else f"{unit.code} {unit.name}"

    @api.depends("service_point_ids.kind_id")
    def _compute_service_point_count(self):
        for unit in self:
            unit.service_point_count = len(unit.service_point_ids)
            unit.kind_ids = unit.service_point_ids.kind_id

    @api.depends("occupancy_ids.start_at")
    def _compute_next_occupancy_id(self):
        now = fields.Datetime.now()
        for unit in self:
            unit.next_occupancy_id = unit.occupancy_ids.filtered(lambda o: o.start_at > now)[-1:]

    @api.depends("occupancy_ids.start_at", "occupancy_ids.end_at", "occupancy_ids.contract_id")
    def _compute_contract_id(self):
        contracts = self._get_contracts_at(fields.Datetime.now())
        for unit in self:
            unit.contract_id = contracts.get(unit.id)
            unit.tenant_id = unit.contract_id.sudo().partner_id

    @api.depends("is_blocked", "occupancy_ids.start_at", "occupancy_ids.end_at")
    def _compute_state(self):
        now = fields.Datetime.now()
        for unit in self:
            if unit.sudo().occupancy_ids.filtered(lambda o: o._is_in_effect(now)):
                unit.state = "occupied"
            else:
                unit.state = "blocked" if unit.is_blocked else "vacant"

    def _compute_overview_state(self):
        states = self._get_overview_state()
        for unit in self:
            entry = states.get(unit.id, {})
            unit.overview_state = entry.get("state", "vacant")
            unit.overview_label = entry.get("label", "")

    def _search_contract_id(self, operator, value):
        return self._search_in_occupancy("contract_id", operator, value)

    def _search_tenant_id(self, operator, value):
        return self._search_in_occupancy("contract_id.partner_id", operator, value)

    def _search_in_occupancy(self, field, operator, value):
        if operator in fields.Domain.NEGATIVE_OPERATORS:
            return NotImplemented  # the ORM asks for the positive one and negates it
        current = self.env["property.occupancy"]._get_domain_at(fields.Datetime.now())
        values = set(value) if operator == "in" else {value}
        if False not in values:
            return fields.Domain("occupancy_ids", "any", current & fields.Domain(field, operator, value))
        vacant = ~fields.Domain("occupancy_ids", "any", current)
        others = list(values - {False})
        return vacant | fields.Domain("occupancy_ids", "any", current & fields.Domain(field, "in", others))

    def action_move_in(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Move In"),
            "res_model": "property.move.in",
            "view_mode": "form",
            "target": "new",
            "context": {"default_unit_ids": self.ids},
        }

    def action_view_tenancy(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.contract_id.display_name,
            "res_model": "contract.contract",
            "res_id": self.contract_id.id,
            "views": [(self.env.ref("property_utility.contract_contract_view_form_tenancy").id, "form")],
        }

    def _get_contracts_at(self, at):
        """{unit id: contract} of the tenancies that have these units at ``at`` (UTC, half-open intervals)."""
        self.env["property.occupancy"].flush_model()
        self.env.cr.execute(
            """SELECT unit_id, contract_id FROM property_occupancy
               WHERE unit_id = ANY(%s) AND start_at <= %s AND (end_at IS NULL OR end_at > %s)""",
            (self.ids, at, at),
        )
        contracts = self.env["contract.contract"]
        return {unit_id: contracts.browse(contract_id) for unit_id, contract_id in self.env.cr.fetchall()}

    def _get_overview_state(self):
        """{unit id: {"state": key, "label": text}} for boards and the overview page.

        Keys here: vacant, blocked, occupied. Upper addons put normal, warning, tripped, offline or alarm in
        the place of occupied, and what is worth knowing (a balance) in the place of the label.
        """
        states = dict(self._fields["state"]._description_selection(self.env))
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        result = {}
        for unit in self:
            label = states.get(unit.state, "")
            if unit.state == "occupied":
                label = unit.tenant_id.name or label
            elif unit.kind == "public":
                label = kinds["public"]
            result[unit.id] = {"state": unit.state, "label": label}
        return result
