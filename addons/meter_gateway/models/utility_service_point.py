from odoo import api, fields, models


class UtilityServicePoint(models.Model):
    _inherit = "utility.service.point"

    installation_ids = fields.One2many("meter.installation", "service_point_id", string="Installations")
    circuit_ids = fields.One2many("meter.circuit", "service_point_id", string="Circuits")
    meter_id = fields.Many2one(
        "meter.meter", string="Meter", compute="_compute_meter_id", search="_search_meter_id"
    )
    live_total = fields.Float("Reading", compute="_compute_meter_id", digits=(18, 2))
    switch_state = fields.Selection(
        [("on", "On"), ("off", "Off"), ("pending", "Pending"), ("unknown", "Unknown")],
        string="Switch",
        compute="_compute_meter_id",
    )

    @api.depends("circuit_ids.meter_id", "circuit_ids.switch_ids.reported")
    def _compute_meter_id(self):
        for point in self:
            circuit = point.circuit_ids[:1]
            point.meter_id = circuit.meter_id
            point.live_total = circuit.live_total
            point.switch_state = circuit.reported

    def _search_meter_id(self, operator, value):
        return [("circuit_ids.meter_id", operator, value)]
