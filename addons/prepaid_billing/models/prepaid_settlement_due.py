from odoo import fields, models


class PrepaidSettlementDue(models.Model):
    """Circuits with readings that were not settled yet: a row per ingest, taken away by the settlement, in SQL.

    Rows are only added and removed, never changed: the ingest never waits for a settlement under way, and a settlement
    cannot take away a row of readings that it does not see.
    """

    _name = "prepaid.settlement.due"
    _description = "To Be Settled"
    _log_access = False

    circuit_ids = fields.Json(required=True, readonly=True, help="Ids of circuits, as a list.")
