import hashlib
import logging
from datetime import timedelta

from odoo import api, fields, models
from psycopg2 import errors

from ..rating import Settlement, settle
from ..rating.guards import MAX_OUTLIERS
from ..settlement import load, store

_logger = logging.getLogger(__name__)

JOB_KEY = "prepaid.settlement"
INTERVAL_PARAMETER = "prepaid_billing.settlement_minutes"
BATCH = 200  # circuits in one transaction: their wallets are locked together, so it has to be short
TRIES = 5
RETRIED = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.UniqueViolation,
)


# All waiting rows are taken together and what exceeds the limit goes back as one row, so that the many readings of a
# circuit after an outage are settled once. What another settlement holds is left to it.
TAKE_DUE = """
WITH held AS MATERIALIZED (
    SELECT id, circuit_ids FROM prepaid_settlement_due ORDER BY id FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT DISTINCT value::int AS circuit_id FROM held CROSS JOIN jsonb_array_elements_text(held.circuit_ids)
), taken AS MATERIALIZED (
    SELECT circuit_id FROM due
     WHERE %(settled_before)s IS NULL OR NOT EXISTS (
           SELECT 1 FROM meter_installation i
             JOIN prepaid_cursor p ON p.installation_id = i.id AND p.at > %(settled_before)s
             JOIN utility_service_point s ON s.id = i.service_point_id
             LEFT JOIN property_occupancy o ON o.unit_id = s.unit_id AND o.end_at IS NULL
             LEFT JOIN prepaid_wallet w ON w.contract_id = o.contract_id
            WHERE i.circuit_id = due.circuit_id AND i.end_at IS NULL
              AND coalesce(w.balance, 'infinity') > (SELECT coalesce(max(warn_amount_1), 0) * 2 FROM prepaid_policy))
     ORDER BY circuit_id LIMIT %(limit)s
), gone AS (
    DELETE FROM prepaid_settlement_due d USING held WHERE d.id = held.id AND EXISTS (SELECT 1 FROM taken)
), back AS (
    INSERT INTO prepaid_settlement_due (circuit_ids)
    SELECT jsonb_agg(circuit_id) FROM (SELECT circuit_id FROM due EXCEPT SELECT circuit_id FROM taken) AS rest
     WHERE EXISTS (SELECT 1 FROM taken) HAVING count(*) > 0
)
SELECT circuit_id FROM taken ORDER BY circuit_id
"""

CAUGHT_UP = """
SELECT i.circuit_id FROM prepaid_cursor p
  JOIN meter_installation i ON i.id = p.installation_id
  JOIN meter_circuit c ON c.id = i.circuit_id
  LEFT JOIN meter_connector n ON n.id = c.connector_id
 WHERE p.is_waiting AND (n.backlog_at IS NULL OR n.backlog_moved_at <= %(moving_since)s)
"""


class PrepaidSettlement(models.AbstractModel):
    """Readings -> charges -> entries -> policy.

    ingest marks circuits as due -> one queue job (and a timer for what is left) takes them in batches; a batch
    loads, prices and writes with a fixed number of statements, locks its wallets, and commits. A batch that meets
    another writer is rolled back whole and taken again; what is due stays due until its charges are committed.
    """

    _name = "prepaid.settlement"
    _description = "Settlement"

    # --- what is due ------------------------------------------------------------------------------------------

    @api.model
    def _mark_due(self, circuit_ids):
        """Circuits that have something to settle. In the caller's transaction, so that no reading is forgotten."""
        if circuit_ids:
            self.env.cr.execute(
                "INSERT INTO prepaid_settlement_due (circuit_ids) VALUES (to_jsonb(%s::int[]))",
                [list(circuit_ids)],
            )
            self._ensure_job()

    @api.model
    def _ensure_job(self):
        """One waiting job is enough: it settles all that is due when it runs."""
        self.env.cr.execute(
            "SELECT 1 FROM queue_job WHERE identity_key = %s AND state IN ('pending', 'enqueued') LIMIT 1",
            [JOB_KEY],
        )
        if not self.env.cr.fetchone():
            # As superuser: the connector's user brings readings and may touch nothing else.
            job = self.sudo().with_delay(
                identity_key=JOB_KEY, description="Settlement of new readings", max_retries=0
            )
            job._job_settle_due()

    @api.model
    def _job_settle_due(self):
        """The queue job. Commits each batch: what is settled stays settled, and locks are short."""
        self._settle_due_committing()

    @api.model
    def _cron_settle_due(self):
        """What no job has settled (a lost job, a review decided, a tariff assigned, a backlog that is in)."""
        self._mark_caught_up()
        self._settle_due_committing()

    @api.model
    def _mark_caught_up(self):
        """Due again: what waited for a backlog that is in, or that is not waited for any longer."""
        limit = self.env["meter.connector"]._get_backlog_limit()
        self.env.cr.execute(CAUGHT_UP, {"moving_since": limit})
        self._mark_due([row[0] for row in self.env.cr.fetchall()])

    @api.model
    def _settle_due_committing(self):
        failures = 0
        while True:
            try:
                count = self._settle_due(limit=BATCH)
                self.env.cr.commit()  # pylint: disable=invalid-commit  # called by job and cron only
            except RETRIED as error:
                self.env.cr.rollback()
                self.env.invalidate_all()
                failures += 1
                _logger.info("settlement met another writer (%s), try %s", type(error).__name__, failures)
                if failures == TRIES:
                    raise
                continue
            failures = 0
            if not count:
                return

    @api.model
    def _settle_due(self, limit=None):
        """Settle due circuits in the current transaction. Returns how many were taken.

        What another settlement has taken just now is left to it. With an interval set (*Charge at Most Every*), who was
        charged within it stays due for later, but for those whose money is nearly gone.
        """
        self.env.flush_all()
        self.env.cr.execute(TAKE_DUE, {"limit": limit, "settled_before": self._get_settled_before()})
        circuit_ids = [row[0] for row in self.env.cr.fetchall()]
        if circuit_ids:
            self._settle(circuit_ids)
        return len(circuit_ids)

    @api.model
    def _get_settled_before(self):
        """Whoever was charged after this instant waits (None: nobody waits), unless the money is nearly gone."""
        # As superuser: the setting decides for jobs and people alike.
        minutes = int(self.env["ir.config_parameter"].sudo().get_param(INTERVAL_PARAMETER, 0))
        return fields.Datetime.now() - timedelta(minutes=minutes) if minutes > 0 else None

    # --- one batch --------------------------------------------------------------------------------------------

    @api.model
    def _settle(self, circuit_ids):
        """Charge all readings of these circuits that were not charged yet, enter them, and look at the supply."""
        self.env.flush_all()
        batch = load.load(self.env.cr, circuit_ids, self.env["meter.connector"]._get_backlog_limit())
        results = [(work, *self._settle_work(work, batch.accumulators)) for work in batch.works]
        settled = [(work, result) for work, result, _problem in results if result]
        wallets = store.get_wallets(self.env.cr, self._get_contract_ids(settled))
        charges = store.insert_charges(self.env.cr, settled, wallets)
        self._post(charges, wallets)
        store.upsert_accumulators(self.env.cr, settled, batch.accumulators)
        store.add_daily(self.env.cr, settled)
        self._write_cursors(results)
        self._update_reviews(results)
        self._invalidate()
        self._go_on(results, charges)

    @api.model
    def _settle_work(self, work, accumulators):
        """(settlement or None, problem or None) of one installation. A problem blocks it until a person decides."""
        row, point = work.row, work.point
        if row["is_replaced"]:
            return None, ("replaced", None)
        if row["is_ratio_changed"]:
            return None, ("ratio", None)
        result = settle(point, work.readings, accumulators[row["service_point_id"]])
        if result.held:
            return result, (result.held[0].kind, result.held[0])
        return result, (result.stop, None) if result.stop else None

    @api.model
    def _get_contract_ids(self, settled):
        return {
            draft.contract_id for _work, result in settled for draft in result.charges if draft.contract_id
        }

    @api.model
    def _post(self, charges, wallets):
        languages = store.get_languages(self.env.cr, wallets)

        def describe(work, draft):
            return self.with_context(lang=languages[draft.contract_id])._describe(work, draft)

        postings = store.make_postings(charges, wallets, describe)
        if postings:
            self.env["prepaid.entry"]._post(postings, audit=False)
            self._audit(postings)

    @api.model
    def _audit(self, postings):
        """One line for the batch: each entry is chained in its ledger, the ledgers' heads are chained here."""
        wallet_ids = sorted({posting.wallet_id for posting in postings})
        self.env.cr.execute(
            "SELECT id, last_hash FROM prepaid_wallet WHERE id = ANY(%s) ORDER BY id", [wallet_ids]
        )
        heads = "".join(f"{wallet_id}:{head};" for wallet_id, head in self.env.cr.fetchall())
        values = {
            "entries": len(postings),
            "wallets": len(wallet_ids),
            "amount": sum(posting.amount for posting in postings),
            "heads": hashlib.sha256(heads.encode()).hexdigest(),
        }
        self.env["audit.entry"]._log("settlement.post", self.env["prepaid.wallet"], after=values)

    @api.model
    def _describe(self, work, draft):
        """Text of the ledger's line, in the tenant's language: what, from which number to which, how much."""
        kind = self.env["utility.kind"].browse(work.row["kind_id"])
        return self.env._(
            "%(kind)s %(before)s – %(after)s: %(quantity)s %(uom)s",
            kind=kind.name,
            before=_plain(draft.before.total),
            after=_plain(draft.after.total),
            quantity=_plain(draft.use.total),
            uom=kind.uom_name or "",
        )

    @api.model
    def _write_cursors(self, results):
        store.update_cursors(
            self.env.cr,
            [
                (work, result or Settlement(work.point.start), self._is_blocked(work, result, problem))
                for work, result, problem in results
            ],
        )

    @api.model
    def _is_blocked(self, work, result, problem):
        """True when only a person can help. What further readings or a tariff may clear up is tried again with each."""
        if not problem or result is None:
            return bool(problem)
        return work.is_cut_off or len(result.held) > MAX_OUTLIERS

    @api.model
    def _update_reviews(self, results):
        """Reviews of these installations say what holds them now: a line for each that is held, told and left out for
        single odd readings, and what has cleared up by itself is closed."""
        problems = [self._prepare_review(work, *problem) for work, _result, problem in results if problem]
        outliers = [
            self._prepare_review(work, outlier.kind, outlier)
            for work, result, _problem in results
            for outlier in (result.outliers if result else ())
        ]
        installation_ids = [work.row["id"] for work, _result, _problem in results]
        self.env["prepaid.review"].sudo()._update(installation_ids, problems, outliers)

    @api.model
    def _prepare_review(self, work, kind, problem):
        row, start = work.row, work.point.start
        after = problem.after if problem else (work.readings[0] if work.readings else start)
        before = problem.before if problem else start
        return {
            "installation_id": row["id"],
            "service_point_id": row["service_point_id"],
            "circuit_id": row["circuit_id"],
            "building_id": row["building_id"],
            "company_id": row["company_id"],
            "kind": kind,
            "before_at": before.at,
            "before_total": before.total,
            "reading_at": after.at,
            "reading_total": after.total,
            "proposal": problem.quantity if problem else 0,
            "quantity": problem.quantity if problem else 0,
            "limit_quantity": problem.limit if problem else 0,
        }

    @api.model
    def _invalidate(self):
        for name in ("prepaid.charge", "prepaid.cursor", "prepaid.accumulator", "prepaid.use.daily"):
            self.env[name].invalidate_model()

    @api.model
    def _go_on(self, results, charges):
        """More readings than one run takes: due again. Then the tenancies whose money moved."""
        more = [
            work.row["circuit_id"] for work, _result, problem in results if work.is_cut_off and not problem
        ]
        if more:
            self._mark_due(more)
        contract_ids = sorted({draft.contract_id for _id, _work, draft in charges if draft.contract_id})
        if contract_ids:
            self.env["contract.contract"].browse(contract_ids).sudo()._evaluate_supply("settlement")


def _plain(value):
    """A Decimal without trailing zeros beyond two places."""
    text = format(value.normalize(), "f")
    whole, _dot, places = text.partition(".")
    return f"{whole}.{places.ljust(2, '0')}"
