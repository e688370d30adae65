from odoo import api, fields, models
from odoo.exceptions import UserError

MAX_DAYS_AT_ONCE = 31


class MeterCompleteness(models.Model):
    """Readings of a meter and day: how many were due, came, came late, are missing. Kept by ``_refresh``, in SQL only."""

    _name = "meter.completeness"
    _description = "Completeness of Readings"
    _log_access = False
    _order = "day desc, percent, meter_id"
    _rec_name = "meter_id"

    meter_id = fields.Many2one("meter.meter", required=True, ondelete="cascade", readonly=True)
    day = fields.Date(required=True, readonly=True, index=True, help="A day of the site's calendar.")
    gateway_id = fields.Many2one("meter.gateway", readonly=True, index=True, ondelete="set null")
    building_id = fields.Many2one("property.building", readonly=True, index=True, ondelete="set null")
    kind_id = fields.Many2one("utility.kind", string="Utility", readonly=True, ondelete="set null")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="cascade")
    expected = fields.Integer(readonly=True, help="Scheduled readings that were due so far.")
    received = fields.Integer(readonly=True, help="Of these, how many came, late ones included.")
    late = fields.Integer(readonly=True, help="Came more than a quarter of an hour after they were read.")
    missing = fields.Integer(readonly=True)
    percent = fields.Float("Complete (%)", digits=(5, 1), readonly=True, aggregator="avg")
    is_checked = fields.Boolean(readonly=True, help="The day is over and its alarms were raised.")

    _day_uniq = models.UniqueIndex("(meter_id, day)", "A meter has one row a day.")
    _unchecked_idx = models.Index("(day) WHERE is_checked IS NOT TRUE")

    @api.depends("meter_id", "day")
    def _compute_display_name(self):
        for row in self:
            row.display_name = f"{row.meter_id.display_name} {row.day or ''}"

    @api.model
    def _get_percent(self, meters, first_day, last_day):
        """{meter id: percent of the readings due in these days that are there}; meters without any due are left out.

        For whoever must not bill a period with holes in it.
        """
        rows = self._read_group(
            [("meter_id", "in", meters.ids), ("day", ">=", first_day), ("day", "<=", last_day)],
            ["meter_id"],
            ["expected:sum", "received:sum"],
        )
        return {meter.id: 100.0 * received / expected for meter, expected, received in rows if expected}

    def action_count_again(self):
        """Count the days of these rows again, for all meters: after settings were put right, or for who cannot wait."""
        self.check_access("read")
        self.env["meter.order"]._check_read_right()
        days = set(self.mapped("day"))
        if len(days) > MAX_DAYS_AT_ONCE:
            raise UserError(
                self.env._(
                    "%(count)s days at once; at most %(limit)s.", count=len(days), limit=MAX_DAYS_AT_ONCE
                )
            )
        for day in sorted(days):
            self._refresh(day)

    def action_open_readings(self):
        """The readings of the meter."""
        self.ensure_one()
        return self.meter_id.action_view_readings()
