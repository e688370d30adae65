from odoo import api, fields, models


class MeterLive(models.Model):
    """The newest known value of each register, one row a circuit. Written by ``api_ingest`` in SQL only."""

    _name = "meter.live"
    _description = "Live Values"
    _log_access = False
    _rec_name = "circuit_id"

    circuit_id = fields.Many2one("meter.circuit", required=True, ondelete="cascade", readonly=True)
    at = fields.Datetime(readonly=True)
    total_at = fields.Datetime(readonly=True)
    total = fields.Float(digits=(18, 4), readonly=True)
    t1 = fields.Float("Sharp", digits=(18, 4), readonly=True)
    t2 = fields.Float("Peak", digits=(18, 4), readonly=True)
    t3 = fields.Float("Flat", digits=(18, 4), readonly=True)
    t4 = fields.Float("Valley", digits=(18, 4), readonly=True)
    voltage_v = fields.Float("Voltage (V)", digits=(18, 3), readonly=True)
    current_a = fields.Float("Current (A)", digits=(18, 3), readonly=True)
    power_kw = fields.Float("Power (kW)", digits=(18, 4), readonly=True)
    power_factor = fields.Float(digits=(18, 3), readonly=True)
    switch = fields.Char(readonly=True)
    switch_at = fields.Datetime(readonly=True)
    extras = fields.Text(readonly=True)

    _circuit_uniq = models.UniqueIndex("(circuit_id)", "A circuit has one row of live values.")

    def init(self):
        # every ingest updates this table: leave room on the page so that an update needs no new index entry
        self.env.cr.execute("ALTER TABLE meter_live SET (fillfactor = 50)")

    @api.model
    def _get_rows(self, circuit_ids):
        """{circuit id: dict of columns}; numbers are exact decimals, None = never seen. For callers that checked access."""
        if not circuit_ids:
            return {}
        self.env.cr.execute("SELECT * FROM meter_live WHERE circuit_id = ANY(%s)", [list(circuit_ids)])
        return {row["circuit_id"]: row for row in self.env.cr.dictfetchall()}
