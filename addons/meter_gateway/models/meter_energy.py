from odoo import fields, models

TABLE_SQL = """
CREATE TABLE IF NOT EXISTS meter_energy_{period}_data (
    id bigserial,
    circuit_id integer NOT NULL,
    {period} {type} NOT NULL,
    first_at timestamp NOT NULL,
    first_total numeric NOT NULL,
    first_t1 numeric, first_t2 numeric, first_t3 numeric, first_t4 numeric,
    PRIMARY KEY (circuit_id, {period})
);
CREATE INDEX IF NOT EXISTS meter_energy_{period}_data_{period}_idx ON meter_energy_{period}_data ({period});
"""

VIEW_SQL = """
DROP VIEW IF EXISTS meter_energy_{period};
CREATE VIEW meter_energy_{period} AS
SELECT d.id, d.circuit_id, d.{period}, d.first_at, d.first_total,
       COALESCE(n.first_at, l.total_at) AS last_at,
       COALESCE(n.first_total, l.total) AS last_total,
       GREATEST(COALESCE(n.first_total, l.total) - d.first_total, 0) * c.multiplier AS energy,
       GREATEST(COALESCE(n.first_t1, l.t1) - d.first_t1, 0) * c.multiplier AS energy_t1,
       GREATEST(COALESCE(n.first_t2, l.t2) - d.first_t2, 0) * c.multiplier AS energy_t2,
       GREATEST(COALESCE(n.first_t3, l.t3) - d.first_t3, 0) * c.multiplier AS energy_t3,
       GREATEST(COALESCE(n.first_t4, l.t4) - d.first_t4, 0) * c.multiplier AS energy_t4,
       c.meter_id, c.building_id, c.service_point_id, c.kind_id, c.company_id
  FROM meter_energy_{period}_data d
  JOIN meter_circuit c ON c.id = d.circuit_id
  LEFT JOIN meter_live l ON l.circuit_id = d.circuit_id
  LEFT JOIN LATERAL (
       SELECT first_at, first_total, first_t1, first_t2, first_t3, first_t4
         FROM meter_energy_{period}_data x
        WHERE x.circuit_id = d.circuit_id AND x.{period} > d.{period}
     ORDER BY x.{period} LIMIT 1) n ON true
"""


class MeterEnergyMixin(models.AbstractModel):
    """Sums of a period, kept by the ingest and never by scanning readings.

    One row per circuit and site-hour (or site-day) holds the first reading in it. The use of a period is the first
    reading of the next period (or the newest reading of all) minus its own first, so that the periods of a circuit add
    up exactly to the difference of its registers. Only the first reading of a period costs a write.
    """

    _name = "meter.energy.mixin"
    _description = "Use in a Period"

    circuit_id = fields.Many2one("meter.circuit", readonly=True)
    meter_id = fields.Many2one("meter.meter", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True)
    service_point_id = fields.Many2one("utility.service.point", readonly=True)
    kind_id = fields.Many2one("utility.kind", string="Utility", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    first_at = fields.Datetime(readonly=True)
    last_at = fields.Datetime("Next Reading At", readonly=True)
    first_total = fields.Float("First Reading", digits=(18, 4), readonly=True, aggregator=None)
    last_total = fields.Float("Next Reading", digits=(18, 4), readonly=True, aggregator=None)
    energy = fields.Float("Use", digits=(18, 4), readonly=True)
    energy_t1 = fields.Float("Sharp", digits=(18, 4), readonly=True)
    energy_t2 = fields.Float("Peak", digits=(18, 4), readonly=True)
    energy_t3 = fields.Float("Flat", digits=(18, 4), readonly=True)
    energy_t4 = fields.Float("Valley", digits=(18, 4), readonly=True)

    def _create_storage(self, period, sql_type):
        # "hour" or "day" and a type, both from the lines below, never from outside
        self.env.cr.execute(TABLE_SQL.format(period=period, type=sql_type))  # pylint: disable=sql-injection
        self.env.cr.execute(VIEW_SQL.format(period=period))  # pylint: disable=sql-injection


class MeterEnergyHour(models.Model):
    _name = "meter.energy.hour"
    _description = "Hourly Use"
    _inherit = ["meter.energy.mixin"]
    _auto = False
    _log_access = False
    _order = "hour desc, circuit_id"
    _rec_name = "hour"

    hour = fields.Datetime("Hour", readonly=True, help="Begin of an hour of the site's clock.")

    def init(self):
        self._create_storage("hour", "timestamp")


class MeterEnergyDay(models.Model):
    _name = "meter.energy.day"
    _description = "Daily Use"
    _inherit = ["meter.energy.mixin"]
    _auto = False
    _log_access = False
    _order = "day desc, circuit_id"
    _rec_name = "day"

    day = fields.Date(readonly=True, help="A day of the site's calendar, from midnight to midnight.")

    def init(self):
        self._create_storage("day", "date")
