import time

from odoo import api, fields, models

from .. import ingest_sql
from ..batch import read_batch, to_parameters


class MeterIngest(models.AbstractModel):
    """Storing a batch of readings: the hot path. Whole batches in SQL, no ORM writes while all is well.

    One statement stores what is new, brings live values up to date, opens hours and days, and wakes meters that were
    offline. A second finds switches that changed. Only a batch that was not stored whole costs a third, which says why.
    """

    _name = "meter.ingest"
    _description = "Storing of Readings"

    @api.model
    def _ingest(self, connector_id, payload):
        """Store a batch of a connector; see ``meter.connector.api_ingest`` for shapes. Raises BatchError for its frame."""
        batch = read_batch(payload, time.time())
        parameters = to_parameters(batch) | {"connector_id": connector_id}
        self.env.flush_all()
        self.env.cr.execute(ingest_sql.STORE, parameters)
        stored, first_id, circuit_ids, awake_ids = self.env.cr.fetchone()
        verdicts = []
        if stored < batch.length - len(batch.rejected):
            self.env.cr.execute(ingest_sql.EXPLAIN, parameters | {"first_id": first_id or 2**62})
            verdicts = self.env.cr.fetchall()
        if circuit_ids:
            self._after_store(circuit_ids, awake_ids or [])
        return {"accepted": stored, "exceptions": self._explain(connector_id, batch, verdicts)}

    @api.model
    def _after_store(self, circuit_ids, awake_ids):
        """What depends on new readings: switches, meters back online, hooks of upper addons."""
        self.env["meter.live"].invalidate_model()
        self.env.cr.execute(ingest_sql.SWITCHES, {"circuit_ids": circuit_ids})
        changed_ids = [row[0] for row in self.env.cr.fetchall()]
        if awake_ids:
            meters = self.env["meter.meter"].browse(awake_ids)
            meters.invalidate_recordset(["state", "state_since"])
            self.env["meter.alarm"]._resolve_many("meter_offline", meters, at=fields.Datetime.now())
        switches = self.env["meter.switch"]
        if changed_ids:
            changed = switches.browse(changed_ids)
            changed.invalidate_recordset()
            switches._after_report(changed)
        switches._reconcile_circuits(circuit_ids)
        self.env["meter.circuit"]._after_ingest(circuit_ids)

    @api.model
    def _explain(self, connector_id, batch, verdicts):
        """Exceptions of the answer; conflicts and refusals are kept for a person."""
        found = {index: ("rejected", reason) for index, reason in batch.rejected.items()}
        reasons = {
            "unknown": ("rejected", "unknown circuit"),
            "foreign": ("rejected", "circuit of another connector"),
            "duplicate": ("duplicate", ""),
            "conflict": ("conflict", "another reading of this circuit and time is stored"),
            "retry": ("retry", ""),
        }
        found.update((index, reasons[verdict]) for index, verdict in verdicts)
        kept = [
            (index, verdict, reason, batch.row(index))
            for index, (verdict, reason) in found.items()
            if verdict in ("conflict", "rejected")
        ]
        if kept:
            self.env["meter.ingest.issue"]._keep(connector_id, batch.name, kept)
        return [[index, *found[index]] for index in sorted(found)]
