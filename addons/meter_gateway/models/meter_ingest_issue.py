import json
from hashlib import sha256

from odoo import api, fields, models

from ..const import INGEST_COLUMNS

CONFLICT = "conflict"
#: Columns of the stored reading as text: exact, and comparable with what came.
SHOWN = ", ".join(f"{name}::text" for name in (*INGEST_COLUMNS, "received_at"))

#: One row a reading that was not stored; sent again it is counted.
KEEP_SQL = """
INSERT INTO meter_ingest_issue AS i (connector_id, circuit_id, building_id, at, verdict, reason, content,
       batch, digest, times, last_at, state, create_date, write_date, create_uid, write_uid)
SELECT DISTINCT ON (digest) %(connector_id)s, c.id, c.building_id, to_timestamp(x.at) AT TIME ZONE 'utc', x.verdict,
       x.reason, x.content, x.batch, x.digest, 1, %(now)s, 'open', %(now)s, %(now)s, %(uid)s, %(uid)s
  FROM unnest(%(circuits)s::int[], %(ats)s::float8[], %(verdicts)s::text[], %(reasons)s::text[],
              %(contents)s::text[], %(batches)s::text[], %(digests)s::text[])
       AS x(circuit_id, at, verdict, reason, content, batch, digest)
  LEFT JOIN meter_circuit c ON c.id = x.circuit_id
ON CONFLICT (connector_id, digest) DO UPDATE SET times = i.times + 1, last_at = EXCLUDED.last_at
RETURNING circuit_id, verdict
"""


class MeterIngestIssue(models.Model):
    """A reading that was not stored: it contradicts a stored one, or cannot be true. Kept as it came, for a person."""

    _name = "meter.ingest.issue"
    _description = "Reading not Stored"
    _inherit = ["property.facts.mixin"]
    _order = "id desc"
    _rec_name = "reason"

    connector_id = fields.Many2one(
        "meter.connector", required=True, ondelete="cascade", readonly=True, index=True
    )
    circuit_id = fields.Many2one("meter.circuit", ondelete="set null", readonly=True, index=True)
    meter_id = fields.Many2one(related="circuit_id.meter_id")
    building_id = fields.Many2one(related="circuit_id.building_id", store=True)
    at = fields.Datetime("Read At", readonly=True)
    verdict = fields.Selection(
        [("conflict", "Conflict"), ("rejected", "Refused")], required=True, readonly=True
    )
    reason = fields.Char(readonly=True)
    content = fields.Text("Reading as It Came", readonly=True)
    stored_content = fields.Text("Stored Reading", compute="_compute_stored_content")
    batch = fields.Char(readonly=True)
    times = fields.Integer("Times Received", default=1, readonly=True)
    last_at = fields.Datetime("Last Received", readonly=True)
    digest = fields.Char(required=True, readonly=True)
    state = fields.Selection(
        [("open", "Open"), ("done", "Done")], default="open", required=True, readonly=True
    )
    done_by_id = fields.Many2one("res.users", string="Done By", readonly=True)
    note = fields.Char()

    _digest_uniq = models.UniqueIndex("(connector_id, digest)")

    @api.depends("circuit_id", "at", "content")
    def _compute_stored_content(self):
        for issue in self:
            issue.stored_content = issue._get_stored_content() if issue.verdict == CONFLICT else False

    def _get_stored_content(self):
        self.ensure_one()
        content = json.loads(self.content or "{}")
        self.env.cr.execute(
            f"SELECT {SHOWN} FROM meter_reading WHERE circuit_id = %s AND at = to_timestamp(%s) AT TIME ZONE 'utc'",
            [content.get("circuit_id"), content.get("at")],
        )
        row = self.env.cr.dictfetchone() or {}
        shown = {name: value for name, value in row.items() if value is not None}
        return json.dumps(shown, ensure_ascii=False, indent=1)

    @api.model
    def _keep(self, connector_id, batch, rows):
        """Keep what was not stored; the same reading sent again is counted, not repeated.

        :param list rows: (index, verdict, reason, row as dict)
        """
        now = fields.Datetime.now()
        values = []
        for _index, verdict, reason, row in rows:
            content = json.dumps(row, ensure_ascii=False, sort_keys=True, default=str).replace("\\u0000", "")
            digest = sha256(f"{verdict}|{reason}|{content}".encode()).hexdigest()
            circuit_id, at = row.get("circuit_id"), row.get("at")
            values.append((
                connector_id,
                circuit_id if type(circuit_id) is int and 0 < circuit_id < 2**31 else None,
                float(at) if type(at) in (int, float) and 0 <= at < 1e11 else None,
                verdict, reason.replace("\x00", ""), content, batch, digest,
            ))  # fmt: skip
        columns = list(zip(*values, strict=True))
        self.env.cr.execute(
            KEEP_SQL,
            {
                "connector_id": connector_id,
                "now": now,
                "uid": self.env.uid,
                "circuits": list(columns[1]),
                "ats": list(columns[2]),
                "verdicts": list(columns[3]),
                "reasons": list(columns[4]),
                "contents": list(columns[5]),
                "batches": list(columns[6]),
                "digests": list(columns[7]),
            },
        )
        self._open_alarms(connector_id, self.env.cr.fetchall(), now)
        self.invalidate_model()

    @api.model
    def _open_alarms(self, connector_id, kept, now):
        alarm = self.env["meter.alarm"].sudo()  # the connector's user has no rights on models
        conflicts = {circuit_id for circuit_id, verdict in kept if verdict == CONFLICT and circuit_id}
        for circuit in self.env["meter.circuit"].sudo().browse(sorted(conflicts)):
            message = self.env._("%s sent two different readings of the same moment.", circuit.display_name)
            alarm._open("reading_conflict", circuit, message, at=now)
        refused = sum(1 for _circuit, verdict in kept if verdict == "rejected")
        if refused:
            connector = self.env["meter.connector"].sudo().browse(connector_id)
            message = self.env._(
                "%(count)s readings of connector %(name)s were refused.", count=refused, name=connector.name
            )
            alarm._open("reading_rejected", connector, message, at=now)

    def action_done(self):
        """A person has dealt with it; when none is left open the alarm goes."""
        self.check_access("write")
        self.sudo().write(
            {"state": "done", "done_by_id": self.env.uid}
        )  # the fields are read-only for people
        alarm = self.env["meter.alarm"].sudo()
        for circuit in self.circuit_id:
            if not self.search_count([("circuit_id", "=", circuit.id), ("state", "=", "open")], limit=1):
                alarm._resolve("reading_conflict", circuit)
        for connector in self.connector_id:
            domain = [
                ("connector_id", "=", connector.id),
                ("state", "=", "open"),
                ("verdict", "=", "rejected"),
            ]
            if not self.search_count(domain, limit=1):
                alarm._resolve("reading_rejected", connector)
