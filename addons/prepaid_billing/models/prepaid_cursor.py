from odoo import fields, models


class PrepaidCursor(models.Model):
    """How far an installation is settled: where its next charge begins. Written by the settlement, in SQL."""

    _name = "prepaid.cursor"
    _description = "Settled Up To"
    _rec_name = "installation_id"
    _log_access = False

    installation_id = fields.Many2one("meter.installation", required=True, readonly=True, ondelete="restrict")
    at = fields.Datetime(required=True, readonly=True)
    total = fields.Float(digits=(18, 4), readonly=True)
    t1 = fields.Float(digits=(18, 4), readonly=True)
    t2 = fields.Float(digits=(18, 4), readonly=True)
    t3 = fields.Float(digits=(18, 4), readonly=True)
    t4 = fields.Float(digits=(18, 4), readonly=True)
    rate_offset = fields.Float(
        digits=(18, 4), readonly=True, help="Sum of rates less total when last believed."
    )
    meter_serial = fields.Char(readonly=True, help="The meter this chain was read from.")
    meter_ratio = fields.Float(
        digits=(18, 4), readonly=True, help="CT times VT ratio of the meter when last believed."
    )
    is_blocked = fields.Boolean(readonly=True, help="Waits for a person: see its review.")
    is_waiting = fields.Boolean(
        readonly=True, help="Waits for readings that the connector stored during an outage and still brings."
    )

    _waiting_idx = models.Index("(installation_id) WHERE is_waiting")
    _installation_uniq = models.UniqueIndex("(installation_id)", "An installation has one cursor.")
