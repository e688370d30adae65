from odoo import api, models


class MeterCircuit(models.Model):
    _inherit = "meter.circuit"

    @api.model
    def _after_ingest(self, circuit_ids):
        result = super()._after_ingest(circuit_ids)
        self.env["prepaid.settlement"]._mark_due(circuit_ids)
        return result
