from odoo import api, fields, models

#: Readings older than this may belong to a day that the hourly count (today and yesterday) no longer looks at.
COUNTED_ANYWAY_S = 86400

MARK_SQL = """
INSERT INTO meter_completeness_due (day)
SELECT DISTINCT (r.at AT TIME ZONE l.tz)::date
  FROM (SELECT circuit_id, to_timestamp(at) AS at FROM unnest(%(circuit_id)s::int[], %(at)s::float8[]) x(circuit_id, at)) r
  JOIN meter_live l ON l.circuit_id = r.circuit_id AND l.connector_id = %(connector_id)s
 WHERE r.at < to_timestamp(%(before)s)
"""


class MeterCompletenessDue(models.Model):
    """Days to be counted again, because readings of them came late: rows of ingests, taken away by the count, in SQL.

    Rows are only added and removed: no ingest waits for another or for the count, and what a count does not see stays.
    """

    _name = "meter.completeness.due"
    _description = "To Be Counted Again"
    _log_access = False

    day = fields.Date(required=True, readonly=True)

    @api.model
    def _mark(self, parameters, now):
        """Days of a batch (see ``batch.to_parameters``) that nobody would look at again. `now`: epoch seconds."""
        self.env.cr.execute(MARK_SQL, parameters | {"before": now - COUNTED_ANYWAY_S})

    @api.model
    def _take(self):
        """The days, oldest first; they are due no longer."""
        self.env.cr.execute("DELETE FROM meter_completeness_due RETURNING day")
        return sorted({row[0] for row in self.env.cr.fetchall()})
