from odoo import fields, models


class PrepaidSettlementDue(models.Model):
    """Circuits with readings that were not settled yet. Filled by the ingest, emptied by the settlement, in SQL."""

    _name = "prepaid.settlement.due"
    _description = "To Be Settled"
    _rec_name = "circuit_id"
    _log_access = False

    circuit_id = fields.Many2one("meter.circuit", required=True, readonly=True, ondelete="cascade")

    _circuit_uniq = models.UniqueIndex("(circuit_id)", "A circuit waits once.")
