"""What is known of tenancies at one instant: one query for all of them."""

from datetime import datetime, timedelta

from odoo import models

from ..exact import fetch_exact_dicts
from ..policy import Facts

FAR = datetime(9999, 1, 1)
HISTORY_DAYS = 7
PENDING_GRACE = timedelta(minutes=30)  # so long a payment that the provider knows of is waited for
ATTEMPT_GRACE = timedelta(minutes=10)  # so long the first attempt to pay is; more attempts win no more time

#: Joined by sets: a query per tenancy is a query per tenancy also when it stands inside another one.
FACTS = """
WITH tenancy AS MATERIALIZED (
       SELECT c.id, w.id AS wallet_id, w.balance, k.due_since
         FROM contract_contract c
         JOIN prepaid_wallet w ON w.contract_id = c.id
         LEFT JOIN prepaid_case k ON k.contract_id = c.id AND k.state <> 'closed'
        WHERE c.id = ANY(%(ids)s)),
     point AS MATERIALIZED (
       SELECT o.contract_id, s.id, k.code
         FROM property_occupancy o
         JOIN utility_service_point s ON s.unit_id = o.unit_id
         JOIN utility_kind k ON k.id = s.kind_id
        WHERE o.contract_id = ANY(%(ids)s) AND o.start_at <= %(now)s AND (o.end_at IS NULL OR o.end_at > %(now)s)),
     fee AS (
       SELECT contract_id, sum(amount) AS waiting FROM prepaid_fee
        WHERE contract_id = ANY(%(ids)s) AND state = 'waiting' GROUP BY contract_id),
     cost AS (
       SELECT contract_id, sum(amount) / count(DISTINCT day) AS daily FROM prepaid_use_daily
        WHERE contract_id = ANY(%(ids)s) AND day >= %(since)s AND day < %(today)s GROUP BY contract_id),
     power AS (
       SELECT p.contract_id, min(coalesce(l.total_at, '-infinity')) AS reading_at, bool_or(x.id IS NOT NULL AND x.is_read_only IS NOT TRUE) AS has_switch,
              bool_or(x.desired = 'off' AND x.origin = 'policy') AS is_dark,
              bool_and(x.keep_power AND coalesce(x.keep_power_until > %(now)s, true)) FILTER (WHERE x.id IS NOT NULL) AS is_kept,
              max(x.keep_power_until) AS kept_until
         FROM point p
         JOIN meter_circuit c ON c.service_point_id = p.id
         LEFT JOIN meter_live l ON l.circuit_id = c.id
         LEFT JOIN meter_switch x ON x.circuit_id = c.id
        WHERE p.code = 'power' GROUP BY p.contract_id),
     doubt AS (
       SELECT DISTINCT p.contract_id FROM point p JOIN prepaid_review r ON r.service_point_id = p.id AND r.state = 'open'),
     attempt AS (
       SELECT t.wallet_id,
              bool_or(t.state IN ('pending', 'authorized') AND t.create_date > %(pending_since)s) AS is_pending,
              bool_or(t.state = 'draft') AND min(t.create_date) FILTER (
                WHERE t.create_date >= coalesce(y.due_since, %(now)s) - %(attempt_grace)s) > %(attempt_since)s AS is_first,
              bool_or(t.state = 'done' AND coalesce(t.operation, '') NOT IN ('refund', 'validation') AND NOT EXISTS (
                SELECT 1 FROM prepaid_entry e WHERE e.source = 'payment.transaction,' || t.id)) AS is_uncredited
         FROM payment_transaction t JOIN tenancy y ON y.wallet_id = t.wallet_id GROUP BY t.wallet_id)
SELECT y.id, y.balance, coalesce(fee.waiting, 0) AS fees_waiting, cost.daily AS daily_cost,
       nullif(power.reading_at, '-infinity') AS reading_at, coalesce(power.has_switch, false) AS has_switch,
       coalesce(power.is_dark, false) AS is_dark, coalesce(power.is_kept, false) AS is_kept, power.kept_until,
       doubt.contract_id IS NOT NULL AS is_doubtful,
       coalesce(attempt.is_pending OR attempt.is_first OR attempt.is_uncredited, false) AS has_pending_payment
  FROM tenancy y
  LEFT JOIN fee ON fee.contract_id = y.id
  LEFT JOIN cost ON cost.contract_id = y.id
  LEFT JOIN power ON power.contract_id = y.id
  LEFT JOIN doubt ON doubt.contract_id = y.id
  LEFT JOIN attempt ON attempt.wallet_id = y.wallet_id
"""

LAST_DECISIONS = """
SELECT d.id FROM unnest(%s::int[]) AS c(id)
 CROSS JOIN LATERAL (SELECT id FROM prepaid_decision WHERE contract_id = c.id ORDER BY id DESC LIMIT 1) d
"""


class ContractContract(models.Model):
    _inherit = "contract.contract"

    def _get_supply_facts(self, now):
        """{contract id: Facts} of these tenancies at `now` (naive UTC)."""
        self.env.flush_all()
        today = self[:1]._get_local_date(now)
        rows = fetch_exact_dicts(
            self.env.cr,
            FACTS,
            {
                "ids": self.ids,
                "now": now,
                "today": today,
                "since": today - timedelta(days=HISTORY_DAYS),
                "pending_since": now - PENDING_GRACE,
                "attempt_since": now - ATTEMPT_GRACE,
                "attempt_grace": ATTEMPT_GRACE,
            },
        )
        cases = self._get_open_cases()
        return {row["id"]: self.browse(row["id"])._make_facts(row, cases.get(row["id"]), now) for row in rows}

    def _make_facts(self, row, case, now):
        """Facts of one tenancy from its row of the query and its open case (or None)."""
        case = case or self.env["prepaid.case"]
        return Facts(
            balance=row["balance"],
            fees_waiting=row["fees_waiting"],
            daily_cost=row["daily_cost"],
            reading_at=row["reading_at"],
            is_plausible=not row["is_doubtful"],
            has_pending_payment=row["has_pending_payment"],
            due_since=case.due_since or now,
            warned_at=case._get_warned_at(),
            # Also who moved into a unit that was cut off for the debts of the last tenant.
            is_tripped=case.state == "tripped" or row["is_dark"],
            has_switch=row["has_switch"],
            keep_power_until=(row["kept_until"] or FAR) if row["is_kept"] else None,
            special_supply_until=self.special_supply_until or None,
        )

    def _get_open_cases(self):
        """{contract id: open case} of those that have one."""
        cases = self.env["prepaid.case"].search([("contract_id", "in", self.ids), ("state", "!=", "closed")])
        return {case.contract_id.id: case for case in cases}

    def _get_open_case(self):
        self.ensure_one()
        return self._get_open_cases().get(self.id, self.env["prepaid.case"])

    def _get_last_decisions(self):
        """{contract id: newest decision} of those that have one."""
        self.env["prepaid.decision"].flush_model()
        self.env.cr.execute(LAST_DECISIONS, [self.ids])
        decisions = self.env["prepaid.decision"].browse(row[0] for row in self.env.cr.fetchall())
        return {decision.contract_id.id: decision for decision in decisions}
