from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import READING_SOURCES
from ..ratios import ratio_of


class MeterReading(models.Model):
    """What a circuit showed at a moment. Never changed, never deleted; see ``meter_reading_partition.py`` for the storage.

    Values are as the meter shows them (secondary side of transformers); ``shown_*`` are what flows.
    """

    _name = "meter.reading"
    _description = "Reading"
    _auto = False
    _log_access = False
    _order = "at desc, circuit_id"
    _rec_name = "at"

    circuit_id = fields.Many2one("meter.circuit", required=True, readonly=True)
    at = fields.Datetime("Read At", required=True, readonly=True)
    total = fields.Float("Total", digits=(18, 4), readonly=True, aggregator="max")
    t1 = fields.Float("Sharp", digits=(18, 4), readonly=True, aggregator="max")
    t2 = fields.Float("Peak", digits=(18, 4), readonly=True, aggregator="max")
    t3 = fields.Float("Flat", digits=(18, 4), readonly=True, aggregator="max")
    t4 = fields.Float("Valley", digits=(18, 4), readonly=True, aggregator="max")
    voltage_v = fields.Float("Voltage at the Meter (V)", digits=(18, 3), readonly=True, aggregator="avg")
    current_a = fields.Float("Current at the Meter (A)", digits=(18, 3), readonly=True, aggregator="avg")
    power_kw = fields.Float("Power at the Meter (kW)", digits=(18, 4), readonly=True, aggregator="avg")
    power_factor = fields.Float(digits=(18, 3), readonly=True, aggregator="avg")
    shown_voltage_v = fields.Float("Voltage (V)", digits=(18, 1), compute="_compute_shown")
    shown_current_a = fields.Float("Current (A)", digits=(18, 3), compute="_compute_shown")
    shown_power_kw = fields.Float("Power (kW)", digits=(18, 3), compute="_compute_shown")
    switch = fields.Selection(
        [("on", "On"), ("off", "Off"), ("pending", "Pending"), ("unknown", "Unknown")], readonly=True
    )
    source = fields.Selection(READING_SOURCES, readonly=True)
    extras = fields.Text("Other Values", readonly=True)
    received_at = fields.Datetime(readonly=True)

    @api.depends("circuit_id")
    def _compute_shown(self):
        """With the meter's ratios of today."""
        for reading in self:
            meter = reading.circuit_id.meter_id
            for key in ("voltage_v", "current_a", "power_kw"):
                ratio = ratio_of(key, meter.ct_ratio, meter.vt_ratio)
                reading[f"shown_{key}"] = reading[key] * float(ratio)

    @api.model_create_multi
    def create(self, vals_list):
        """Readings are stored by ``meter.ingest`` (one statement); this way in is for a person's manual reading."""
        raise UserError(self.env._("Readings are stored through the ingest, not one by one."))

    def write(self, vals):
        raise UserError(
            self.env._("A reading is never changed. Correct it with a manual reading or a review.")
        )

    def unlink(self):
        raise UserError(self.env._("A reading is never deleted."))
