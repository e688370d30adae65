from odoo import api, fields, models


class MeterCircuit(models.Model):
    """One measured, and perhaps switched, outlet of a meter (回路)."""

    _name = "meter.circuit"
    _description = "Circuit"
    _inherit = ["property.scope.mixin", "meter.config.mixin"]
    _scope_fields = ("meter_id",)
    _order = "meter_id, number"

    meter_id = fields.Many2one("meter.meter", required=True, ondelete="cascade", index=True)
    number = fields.Integer(required=True, default=1)
    active = fields.Boolean(related="meter_id.active", store=True)
    company_id = fields.Many2one(related="meter_id.company_id", store=True)
    kind_id = fields.Many2one(related="meter_id.kind_id", store=True, index=True)
    connector_id = fields.Many2one(related="meter_id.connector_id", store=True, index=True)
    multiplier = fields.Float(digits=(18, 4), related="meter_id.multiplier", store=True)
    service_point_id = fields.Many2one(
        "utility.service.point", compute="_compute_service_point_id", store=True, index=True
    )
    unit_id = fields.Many2one(related="service_point_id.unit_id")
    building_id = fields.Many2one("property.building", compute="_compute_building_id", store=True, index=True)
    tz = fields.Char(
        compute="_compute_tz", store=True, help="Time zone of the site; days begin at its midnight."
    )
    installation_ids = fields.One2many("meter.installation", "circuit_id", string="Installations")
    switch_ids = fields.One2many("meter.switch", "circuit_id", string="Switches")
    switch_id = fields.Many2one("meter.switch", compute="_compute_switch_id", search="_search_switch_id")
    live_ids = fields.One2many("meter.live", "circuit_id", string="Live Rows")
    live_id = fields.Many2one("meter.live", compute="_compute_live_id", search="_search_live_id")
    live_at = fields.Datetime("Last Reading", related="live_id.at")
    live_total = fields.Float("Total", related="live_id.total")
    live_power_kw = fields.Float("Power (kW)", digits=(18, 3), compute="_compute_live")
    live_voltage_v = fields.Float("Voltage (V)", digits=(18, 1), compute="_compute_live")
    live_current_a = fields.Float("Current (A)", digits=(18, 3), compute="_compute_live")
    reported = fields.Selection(related="switch_id.reported", string="Switch State")
    desired = fields.Selection(related="switch_id.desired", string="Desired")

    _number_uniq = models.UniqueIndex(
        "(meter_id, number)", "This meter already has a circuit with this number."
    )
    _number_positive = models.Constraint("CHECK (number >= 1)", "Circuits are numbered from 1.")

    def _get_config_fields(self):
        return frozenset(("meter_id", "number"))

    def _get_config_connectors(self):
        return self.meter_id.bus_id.gateway_id.connector_id

    @api.depends("installation_ids.end_at", "installation_ids.start_at", "installation_ids.service_point_id")
    def _compute_service_point_id(self):
        for circuit in self:
            current = circuit.installation_ids.filtered(lambda installation: not installation.end_at)
            circuit.service_point_id = current[:1].service_point_id

    @api.depends("service_point_id.building_id", "meter_id.building_id")
    def _compute_building_id(self):
        for circuit in self:
            circuit.building_id = circuit.service_point_id.building_id or circuit.meter_id.building_id

    @api.depends("building_id.site_id.tz")
    def _compute_tz(self):
        for circuit in self:
            circuit.tz = circuit.building_id.site_id.tz or "Asia/Shanghai"

    @api.depends("switch_ids")
    def _compute_switch_id(self):
        for circuit in self:
            circuit.switch_id = circuit.switch_ids[:1]

    def _search_switch_id(self, operator, value):
        return [("switch_ids", operator, value)]

    def _search_live_id(self, operator, value):
        return [("live_ids", operator, value)]

    @api.depends("live_ids")
    def _compute_live_id(self):
        for circuit in self:
            circuit.live_id = circuit.live_ids[:1]

    @api.depends("live_ids", "meter_id.ct_ratio", "meter_id.vt_ratio")
    def _compute_live(self):
        """Newest values, primary side."""
        rows = self._get_live_rows()
        for circuit in self:
            for name in ("power_kw", "voltage_v", "current_a"):
                value = circuit.meter_id._to_primary(name, rows.get(circuit.id, {}).get(name))
                circuit[f"live_{name}"] = float(value or 0)

    @api.depends("meter_id.display_name", "number", "meter_id.model_id.circuit_count")
    def _compute_display_name(self):
        for circuit in self:
            name = circuit.meter_id.display_name or ""
            is_single = circuit.meter_id.model_id.circuit_count == 1
            circuit.display_name = name if is_single else f"{name} / {circuit.number}"

    @api.model_create_multi
    def create(self, vals_list):
        circuits = super().create(vals_list)
        self.env["meter.live"].sudo().create([{"circuit_id": circuit.id} for circuit in circuits])
        switched = circuits.filtered("meter_id.model_id.has_switch")
        self.env["meter.switch"].sudo().create([{"circuit_id": circuit.id} for circuit in switched])
        return circuits

    def _get_live_rows(self):
        """{circuit id: newest values}, exact; see ``meter.live._get_rows``."""
        self.env.flush_all()
        return self.env["meter.live"]._get_rows(self.ids)

    @api.model
    def _after_ingest(self, circuit_ids):
        """Hook: readings of these circuits were stored in this transaction. Upper addons mark what is to be settled.

        :param list circuit_ids: ids of circuits that got at least one new reading
        """

    def action_open_meter(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.meter",
            "res_id": self.meter_id.id,
            "view_mode": "form",
        }
