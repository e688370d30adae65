from odoo import api, fields, models


class UtilityServicePoint(models.Model):
    _name = "utility.service.point"
    _description = "Service Point"
    _inherit = ["property.scope.mixin", "mail.thread"]
    _order = "building_id, code, id"
    _rec_names_search = ["code", "name"]

    name = fields.Char(required=True)
    code = fields.Char(required=True, help="Unique in the company.")
    active = fields.Boolean(default=True)
    kind_id = fields.Many2one(
        "utility.kind",
        string="Utility Kind",
        required=True,
        index=True,
        ondelete="restrict",
        domain=[("is_metered", "=", True)],
    )
    unit_id = fields.Many2one(
        "property.unit", index=True, ondelete="restrict", tracking=True, help="Empty for a public area."
    )
    building_id = fields.Many2one(
        "property.building",
        compute="_compute_building_id",
        store=True,
        readonly=False,
        required=True,
        precompute=True,
        index=True,
        ondelete="restrict",
    )
    floor_id = fields.Many2one(related="unit_id.floor_id", store=True)
    company_id = fields.Many2one(related="building_id.company_id", store=True, index=True)
    contract_id = fields.Many2one("contract.contract", string="Tenancy", related="unit_id.contract_id")
    uom_name = fields.Char(related="kind_id.uom_name")

    _code_uniq = models.UniqueIndex("(company_id, code)", "A service point with this code exists already.")

    @api.depends("unit_id.building_id")
    def _compute_building_id(self):
        for point in self:
            point.building_id = point.unit_id.building_id or point.building_id

    @api.depends("name", "code")
    def _compute_display_name(self):
        for point in self:
            point.display_name = (
                point.code if point.name in (point.code, False) else f"{point.code} {point.name}"
            )

    def _get_tenancy_at(self, at):
        """{service point id: contract} at ``at`` (naive UTC).

        A point without a tenancy then (vacant, public area) is not in the answer. Who moves in at an
        instant has it, who moves out at that instant has it no more.
        """
        rows = self._get_occupancies(at, at)
        contracts = self.env["contract.contract"]
        return {point_id: contracts.browse(contract_id) for point_id, contract_id, _start, _end in rows}

    def _get_occupancies(self, start_at=None, end_at=None):
        """[(service point id, contract id, start_at, end_at or None)] ordered by point and time.

        With ``start_at``/``end_at`` only occupancies that touch [start_at, end_at); with both equal, those
        in effect at that instant. Times are as stored, not clipped.
        """
        self.env["property.occupancy"].flush_model()
        self.flush_model(["unit_id"])
        instant = start_at is not None and start_at == end_at
        self.env.cr.execute(
            """SELECT point.id, occupancy.contract_id, occupancy.start_at, occupancy.end_at
               FROM utility_service_point point
               JOIN property_occupancy occupancy ON occupancy.unit_id = point.unit_id
               WHERE point.id = ANY(%(ids)s)
                 AND tsrange(occupancy.start_at, occupancy.end_at, '[)')
                     && tsrange(%(start)s::timestamp, %(end)s::timestamp, %(bounds)s)
               ORDER BY point.id, occupancy.start_at""",
            {"ids": self.ids, "start": start_at, "end": end_at, "bounds": "[]" if instant else "[)"},
        )
        return self.env.cr.fetchall()
