import time

from odoo import api, fields, models
from psycopg2.errors import UniqueViolation

from .. import ingest_sql
from ..batch import read_batch, to_parameters
from .meter_completeness_due import COUNTED_ANYWAY_S


class MeterIngest(models.AbstractModel):
    """Storing a batch of readings: the hot path. Whole batches in SQL, no ORM writes while all is well.

    One statement stores what is new and brings live values up to date. A second looks for switches that are not as
    wanted. Only changes cost more: a new hour, a batch not stored whole, a switch that moved, a meter that woke up.
    """

    _name = "meter.ingest"
    _description = "Storing of Readings"

    @api.model
    def _ingest(self, connector_id, payload):
        """Store a batch of a connector; see ``meter.connector.api_ingest`` for shapes. Raises BatchError for its frame."""
        now = time.time()
        batch = read_batch(payload, now)
        parameters = to_parameters(batch) | {"connector_id": connector_id}
        self.env.flush_all()
        outcome = self._store_new(batch, parameters) or self._store_any(parameters)
        stored, first_id, circuit_ids, switched, silent, is_outside = outcome
        verdicts = []
        if stored < batch.length - len(batch.rejected):
            self.env.cr.execute(ingest_sql.EXPLAIN, parameters | {"first_id": first_id or 2**62})
            rows = batch.rows
            verdicts = [(rows[number - 1], verdict) for number, verdict in self.env.cr.fetchall()]
        if is_outside:
            self.env.cr.execute(ingest_sql.PERIODS, parameters)
        if stored and batch.oldest < now - COUNTED_ANYWAY_S:
            self.env["meter.completeness.due"]._mark(parameters, now)
        if circuit_ids:
            self._after_store(connector_id, circuit_ids, switched, silent)
        return {"accepted": stored, "exceptions": self._explain(connector_id, batch, verdicts)}

    @api.model
    def _store_new(self, batch, parameters):
        """Store a batch in which every row is new and of this connector; None (and nothing stored) when it is not so."""
        store = ingest_sql.STORE_NEW_ONE_EACH if batch.has_one_each else ingest_sql.STORE_NEW
        savepoint = self.env.cr.savepoint(flush=False)
        try:
            self.env.cr.execute(store, parameters, log_exceptions=False)
            outcome = self.env.cr.fetchone()
        except UniqueViolation:
            savepoint.close(rollback=True)
            return None
        is_whole = outcome[0] == batch.length - len(batch.rejected)
        savepoint.close(rollback=not is_whole)
        return outcome if is_whole else None

    @api.model
    def _store_any(self, parameters):
        """Store what is new and leave the rest."""
        self.env.cr.execute(ingest_sql.STORE_ANY, parameters)
        return self.env.cr.fetchone()

    @api.model
    def _after_store(self, connector_id, circuit_ids, switched, silent):
        """What depends on new readings: switches, meters back online, hooks of upper addons."""
        self.env["meter.live"].invalidate_model()
        if silent:
            self._wake(silent)
        if switched:
            self.env.cr.execute(ingest_sql.SWITCHES, {"circuit_ids": switched})
            changed = self.env["meter.switch"].browse(row[0] for row in self.env.cr.fetchall())
            changed.invalidate_recordset()
            changed._note_changed()
        self.env["meter.switch"]._reconcile_circuits(connector_id, circuit_ids)
        self.env["meter.circuit"]._after_ingest(circuit_ids)

    @api.model
    def _wake(self, circuit_ids):
        self.env.cr.execute(ingest_sql.AWAKE, {"circuit_ids": circuit_ids})
        meters = self.env["meter.meter"].browse(row[0] for row in self.env.cr.fetchall())
        meters.invalidate_recordset(["state", "state_since"])
        self.env["meter.alarm"]._resolve_many("meter_offline", meters, at=fields.Datetime.now())

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
