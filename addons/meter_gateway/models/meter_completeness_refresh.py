"""Counting: one statement a day for all meters (1.8 million readings of a day: about a second), and the alarms of days that are over."""

from datetime import timedelta

from odoo import api, fields, models

from ..const import SLEEPING_PERIOD_S, SLEEPING_SILENT_S
from .meter_connector_config import DEFAULT_SCHEDULE

#: A reading that took longer from the meter to here came late (it was stored on the way).
LATE_S = 900
#: A reading that is due may take so long before it is missed.
GRACE_S = 180
#: A day is judged when it has been over for so long: what was stored on the way has a chance to come.
JUDGE_AFTER = timedelta(hours=2)
THRESHOLD_PERCENT = 95.0
#: So many meters of a gateway make one alarm of the gateway instead of one each.
MANY_METERS = 5

#: All meters that are read by schedule, one day of their site's calendar. Only scheduled readings of energy count:
#: reading a meter by hand fills no gap, and a voltage is nothing to bill. A meter is as complete as its worst circuit.
#: Nothing is due before the meter was here, whatever older readings were brought along.
#: A meter that sleeps owes one report a day, which may slip into the first hours of the next.
REFRESH_SQL = """
WITH due AS (
    SELECT c.id AS circuit_id, m.id AS meter_id, m.gateway_id, m.building_id, m.kind_id, m.company_id,
           CASE WHEN m.is_sleeping THEN %(sleeping_s)s ELSE COALESCE(g.energy_s, %(default_s)s) END AS period_s,
           GREATEST(%(day)s::timestamp AT TIME ZONE c.tz AT TIME ZONE 'utc', m.create_date) AS start_at,
           LEAST((%(day)s::date + 1)::timestamp AT TIME ZONE c.tz AT TIME ZONE 'utc',
                 %(now)s::timestamp - make_interval(secs => %(grace_s)s)) AS end_at,
           (%(day)s::date + 1)::timestamp AT TIME ZONE c.tz AT TIME ZONE 'utc'
               + CASE WHEN m.is_sleeping THEN make_interval(secs => %(slip_s)s) ELSE interval '0' END AS until_at
      FROM meter_meter m
      JOIN meter_circuit c ON c.meter_id = m.id
      LEFT JOIN meter_read_group g ON g.code = m.read_group
     WHERE m.active AND m.bus_id IS NOT NULL AND (m.is_sleeping OR COALESCE(g.energy_s, %(default_s)s) > 0)
), counted AS (
    SELECT d.circuit_id, count(*) AS received,
           count(*) FILTER (WHERE r.received_at > r.at + make_interval(secs => %(late_s)s)) AS late
      FROM due d
      JOIN meter_reading_data r ON r.circuit_id = d.circuit_id AND r.at >= d.start_at AND r.at < d.until_at
     WHERE r.at >= %(scan_from)s AND r.at < %(scan_to)s AND r.source = 'scheduled'
       AND r.total IS NOT NULL
  GROUP BY d.circuit_id
), rows AS (
    SELECT d.meter_id, d.gateway_id, d.building_id, d.kind_id, d.company_id,
           GREATEST(floor(extract(epoch FROM d.end_at - d.start_at) / d.period_s), 0)::int AS expected,
           COALESCE(n.received, 0) AS received, COALESCE(n.late, 0) AS late
      FROM due d LEFT JOIN counted n ON n.circuit_id = d.circuit_id
), meters AS (
    SELECT meter_id, gateway_id, building_id, kind_id, company_id, max(expected) AS expected,
           min(LEAST(received, expected))::int AS received, max(LEAST(late, expected))::int AS late
      FROM rows GROUP BY meter_id, gateway_id, building_id, kind_id, company_id
    HAVING max(expected) > 0
)
INSERT INTO meter_completeness AS t
       (meter_id, day, gateway_id, building_id, kind_id, company_id, expected, received, late, missing, percent)
SELECT meter_id, %(day)s, gateway_id, building_id, kind_id, company_id, expected, received, LEAST(late, received),
       expected - received, round(100.0 * received / expected, 2)
  FROM meters
    ON CONFLICT (meter_id, day) DO UPDATE
   SET expected = EXCLUDED.expected, received = EXCLUDED.received, late = EXCLUDED.late,
       missing = EXCLUDED.missing, percent = EXCLUDED.percent,
       gateway_id = EXCLUDED.gateway_id, building_id = EXCLUDED.building_id
 WHERE (t.expected, t.received, t.late, t.gateway_id, t.building_id)
       IS DISTINCT FROM (EXCLUDED.expected, EXCLUDED.received, EXCLUDED.late, EXCLUDED.gateway_id, EXCLUDED.building_id)
"""


class MeterCompleteness(models.Model):
    _inherit = "meter.completeness"

    @api.model
    def _refresh(self, day, now=None):
        """Count one day of all meters; today up to now."""
        self.env.flush_all()
        scan_from = fields.Datetime.to_datetime(day) - timedelta(
            hours=15
        )  # time zones are at most 14 hours away
        self.env.cr.execute(
            REFRESH_SQL,
            {
                "day": day,
                "now": now or fields.Datetime.now(),
                "default_s": DEFAULT_SCHEDULE["energy_s"],
                "grace_s": GRACE_S,
                "late_s": LATE_S,
                "sleeping_s": SLEEPING_PERIOD_S,
                "slip_s": SLEEPING_SILENT_S - SLEEPING_PERIOD_S,
                "scan_from": scan_from,
                "scan_to": scan_from + timedelta(hours=54),
            },
        )
        self.invalidate_model()

    @api.model
    def _cron_refresh(self):
        """Every hour: today, yesterday, and days of which readings came late; alarms of days that are over."""
        now = fields.Datetime.now()
        today = fields.Datetime.context_timestamp(self.with_context(tz=self._get_tz()), now).date()
        recent = {today, today - timedelta(days=1)}
        for day in sorted(recent | set(self.env["meter.completeness.due"]._take())):
            self._refresh(day, now)
        self._judge(now - JUDGE_AFTER)

    @api.model
    def _get_tz(self):
        return self.env["property.site"].search([], limit=1).tz or "Asia/Shanghai"

    @api.model
    def _judge(self, over_since):
        """Alarms of days that were over at ``over_since`` (naive UTC) and were not judged yet."""
        local = fields.Datetime.context_timestamp(self.with_context(tz=self._get_tz()), over_since)
        rows = self.search([("is_checked", "!=", True), ("day", "<", local.date())])
        limit = self._get_threshold()
        for _day, judged in sorted(rows.grouped("day").items()):
            self._resolve_alarms(judged, limit)
            self._raise_alarms(judged.filtered(lambda row: row.percent < limit))
        self.env.cr.execute("UPDATE meter_completeness SET is_checked = true WHERE id = ANY(%s)", [rows.ids])
        rows.invalidate_recordset(["is_checked"])
        self._resolve_filled(limit)

    @api.model
    def _resolve_alarms(self, judged, limit):
        """A good day ends the alarm of its meter and, when none of its meters had a bad one, of its gateway."""
        bad = judged.filtered(lambda row: row.percent < limit)
        self.env["meter.alarm"]._resolve_many("readings_missing", (judged - bad).meter_id)
        self.env["meter.alarm"]._resolve_many("readings_missing", judged.gateway_id - bad.gateway_id)

    @api.model
    def _resolve_filled(self, limit):
        """What was missing may have come after its day was judged: the newest judged day decides."""
        if not self.env["meter.alarm"].search_count(
            [("kind", "=", "readings_missing"), ("state", "!=", "resolved")], limit=1
        ):
            return
        newest = self.search([("is_checked", "=", True)], order="day desc", limit=1).day
        self._resolve_alarms(self.search([("is_checked", "=", True), ("day", "=", newest)]), limit)

    @api.model
    def _get_threshold(self):
        get = self.env["ir.config_parameter"].sudo().get_param  # a setting, not a secret
        return float(get("meter_gateway.completeness_percent", THRESHOLD_PERCENT))

    @api.model
    def _raise_alarms(self, rows):
        """One alarm a meter; where most of a gateway's meters miss readings, one for the gateway."""
        alarms = self.env["meter.alarm"]
        for gateway, of_gateway in rows.grouped("gateway_id").items():
            if len(of_gateway) >= MANY_METERS and len(of_gateway) * 2 > gateway.meter_count:
                message = self.env._(
                    "%(name)s: %(count)s meters miss readings of %(day)s.",
                    name=gateway.display_name,
                    count=len(of_gateway),
                    day=of_gateway[0].day,
                )
                alarms._open("readings_missing", gateway, message)
                continue
            for row in of_gateway:
                message = self.env._(
                    "%(name)s: %(missing)s of %(expected)s readings of %(day)s are missing.",
                    name=row.meter_id.display_name,
                    missing=row.missing,
                    expected=row.expected,
                    day=row.day,
                )
                alarms._open("readings_missing", row.meter_id, message)
