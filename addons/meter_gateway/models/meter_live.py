from decimal import Decimal

from odoo import api, fields, models

from ..const import NUMERIC_COLUMNS


class MeterLive(models.Model):
    """The newest known value of each register, one row a circuit. Written by ``api_ingest`` in SQL only.

    As the meter shows it; what people see goes through ``meter.meter._to_primary``.
    """

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
    # what the ingest compares a reading with, kept here so that one join is enough
    connector_id = fields.Many2one(related="circuit_id.connector_id", store=True)
    tz = fields.Char(related="circuit_id.tz", store=True)
    hour_first_at = fields.Datetime(readonly=True, help="First reading of the newest hour that was opened.")
    hour_until = fields.Datetime(readonly=True, help="End of that hour.")
    is_silent = fields.Boolean(
        default=True, readonly=True, help="The meter counts as offline, or was never read."
    )

    _circuit_uniq = models.UniqueIndex("(circuit_id)", "A circuit has one row of live values.")

    def init(self):
        # every ingest updates this table: room on each page, so that an update needs no new index entry, and a vacuum
        # that does not wait for a fifth of the rows
        self.env.cr.execute(
            """ALTER TABLE meter_live SET (fillfactor = 30, autovacuum_vacuum_scale_factor = 0,
                                           autovacuum_vacuum_threshold = 5000)"""
        )

    @api.model
    def _get_rows(self, circuit_ids):
        """{circuit id: dict of columns}; numbers are Decimal, None = never seen. For callers that checked access."""
        if not circuit_ids:
            return {}
        # Odoo's cursor reads numeric as float; text is exact
        numbers = ", ".join(f"{name}::text" for name in NUMERIC_COLUMNS)
        self.env.cr.execute(
            f"SELECT circuit_id, at, total_at, switch_at, switch, extras, {numbers} FROM meter_live WHERE circuit_id = ANY(%s)",
            [list(circuit_ids)],
        )
        rows = {row["circuit_id"]: row for row in self.env.cr.dictfetchall()}
        for row in rows.values():
            row.update({name: Decimal(row[name]) for name in NUMERIC_COLUMNS if row[name] is not None})
        return rows
