"""Facts of tenancies, the policy's answer, and what is done about it: the one place where money decides about supply."""

from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal

from odoo import api, fields, models

from ..exact import fetch_exact_dicts
from ..policy import Facts, decide
from ..policy.decide import get_available, get_days_left

FAR = datetime(9999, 1, 1)
HISTORY_DAYS = 7
CHECKS_PER_RUN = 500

FACTS = """
SELECT c.id, w.balance,
       coalesce((SELECT sum(f.amount) FROM prepaid_fee f WHERE f.contract_id = c.id AND f.state = 'waiting'), 0) AS fees_waiting,
       (SELECT sum(u.amount) / count(DISTINCT u.day) FROM prepaid_use_daily u
         WHERE u.contract_id = c.id AND u.day >= %(since)s AND u.day < %(today)s) AS daily_cost,
       p.reading_at, coalesce(p.has_switch, false) AS has_switch, coalesce(p.is_kept, false) AS is_kept, p.kept_until,
       EXISTS (SELECT 1 FROM prepaid_review r JOIN utility_service_point s ON s.id = r.service_point_id
                 JOIN property_occupancy o ON o.unit_id = s.unit_id AND o.contract_id = c.id AND o.end_at IS NULL
                WHERE r.state = 'open') AS is_doubtful,
       EXISTS (SELECT 1 FROM payment_transaction t WHERE t.wallet_id = w.id AND (
                 t.state IN ('pending', 'authorized') AND t.create_date > %(pending_since)s
                 OR t.state = 'draft' AND t.create_date > %(draft_since)s)) AS has_pending_payment
  FROM contract_contract c
  JOIN prepaid_wallet w ON w.contract_id = c.id
  LEFT JOIN LATERAL (
       SELECT min(l.total_at) AS reading_at, bool_or(x.id IS NOT NULL) AS has_switch,
              bool_and(x.keep_power AND coalesce(x.keep_power_until > %(now)s, true)) FILTER (WHERE x.id IS NOT NULL) AS is_kept,
              max(x.keep_power_until) AS kept_until
         FROM property_occupancy o
         JOIN utility_service_point s ON s.unit_id = o.unit_id
         JOIN utility_kind k ON k.id = s.kind_id AND k.code = 'power'
         JOIN meter_circuit mc ON mc.service_point_id = s.id
         LEFT JOIN meter_live l ON l.circuit_id = mc.id
         LEFT JOIN meter_switch x ON x.circuit_id = mc.id
        WHERE o.contract_id = c.id AND o.start_at <= %(now)s AND (o.end_at IS NULL OR o.end_at > %(now)s)) p ON true
 WHERE c.id = ANY(%(ids)s)
"""


class ContractContract(models.Model):
    _inherit = "contract.contract"

    case_ids = fields.One2many("prepaid.case", "contract_id", string="Arrears Cases")
    special_supply_until = fields.Datetime(
        tracking=True, help="Until then the tenancy is not cut off for money (special supply period)."
    )

    # --- deciding ---------------------------------------------------------------------------------------------

    def _evaluate_supply(self, trigger):
        """Decide now whether these tenancies are warned, tripped or supplied again, and act on it, all in this
        transaction: whoever pays is ordered back on before the payment commits.

        :param str trigger: what happened (topup, settlement, notice, timer, …); kept with the decision
        """
        # As superuser: tenants, cashiers and the connector cause decisions and may touch neither cases nor switches.
        contracts = self.sudo().filtered(lambda c: c.is_tenancy and c.wallet_id)
        if not contracts:
            return
        contracts.wallet_id._lock()
        now = fields.Datetime.now()
        facts = contracts._get_supply_facts(now)
        policies = self.env["prepaid.policy"].sudo()._get_for(contracts)
        for contract in contracts:
            contract._decide(facts[contract.id], policies[contract.id], now, trigger)

    def _decide(self, facts, policy, now, trigger):
        rules = policy._get_rules(self._get_tz())
        case = self._get_open_case()
        decision = decide(facts, rules, now)
        if decision.state == "trip" and not case.is_confirmed and self._is_mass(policy, now):
            decision = decide(_replaced(facts, is_mass_blocked=True), rules, now)
        case = self._update_case(case, decision, facts, now)
        self._store_decision(case, decision, facts, policy, now, trigger)
        self._act(case, decision, facts, rules)

    def _get_supply_facts(self, now):
        """{contract id: Facts}; one query for all."""
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
                "pending_since": now - timedelta(minutes=30),
                "draft_since": now - timedelta(minutes=10),
            },
        )
        return {row["id"]: self.browse(row["id"])._make_facts(row, now) for row in rows}

    def _make_facts(self, row, now):
        case = self._get_open_case()
        warned = case.notice_ids.filtered(
            lambda n: n.state == "delivered" and n.kind in ("warning_1", "warning_2")
        )
        return Facts(
            balance=row["balance"],
            fees_waiting=row["fees_waiting"],
            daily_cost=row["daily_cost"],
            reading_at=row["reading_at"],
            is_plausible=not row["is_doubtful"],
            has_pending_payment=row["has_pending_payment"],
            due_since=case.due_since or now,
            warned_at={notice.level: notice.delivered_at for notice in warned},
            is_tripped=case.state == "tripped",
            has_switch=row["has_switch"],
            keep_power_until=(row["kept_until"] or FAR) if row["is_kept"] else None,
            special_supply_until=self.special_supply_until or None,
        )

    def _get_open_case(self):
        return self.env["prepaid.case"].search(
            [("contract_id", "=", self.id), ("state", "!=", "closed")], limit=1
        )

    @api.model
    def _is_mass(self, policy, now):
        """More trips within an hour than may happen without a person."""
        recent = self.env["prepaid.decision"].search_count(
            [
                ("company_id", "=", policy.company_id.id),
                ("state", "=", "trip"),
                ("at", ">", now - timedelta(hours=1)),
            ]
        )
        return recent >= policy.mass_limit

    # --- keeping ----------------------------------------------------------------------------------------------

    def _update_case(self, case, decision, facts, now):
        if decision.state in ("normal", "reclose"):
            case.write({"state": "closed", "closed_at": now, "next_check_at": False})
            return case
        vals = {"next_check_at": decision.next_check_at or False}
        if decision.state in ("warned", "due"):
            vals["state"] = decision.state
            vals["due_since"] = facts.due_since if decision.state == "due" else False
        elif decision.state == "trip":
            vals |= {"state": "tripped", "tripped_at": now, "due_since": facts.due_since}
        if not case:
            return case.create({"contract_id": self.id, "opened_at": now, "state": "warned"} | vals)
        case.write(vals)
        return case

    def _store_decision(self, case, decision, facts, policy, now, trigger):
        """A line for each change of state or of what stands in the way; not for each reading."""
        reasons = [{"code": reason.code, "values": dict(reason.values)} for reason in decision.reasons]
        last = self.env["prepaid.decision"].search([("contract_id", "=", self.id)], limit=1)
        codes = [row["code"] for row in reasons]
        if last and last.state == decision.state and [row["code"] for row in last.reasons] == codes:
            return
        if not last and decision.state == "normal":
            return
        self.env["prepaid.decision"].create(
            {
                "contract_id": self.id,
                "case_id": case.id,
                "company_id": self.company_id.id,
                "at": now,
                "state": decision.state,
                "trigger": trigger,
                "reasons": reasons,
                "facts": _spell(facts),
                "policy_id": policy.id,
            }
        )

    # --- doing ------------------------------------------------------------------------------------------------

    def _act(self, case, decision, facts, rules):
        amounts = {
            "balance": f"{facts.balance:.2f}",
            "available": f"{get_available(facts, rules):.2f}",
            "days_left": get_days_left(facts, rules),
        }
        notices = self.env["prepaid.notice"]
        if decision.state in ("warned", "due") and decision.warn_level:
            kind = "warning_1" if decision.warn_level == 1 else "warning_2"
            notices._queue(self, case, kind, decision.warn_level, amounts)
        elif decision.state == "trip":
            self._trip(amounts)
            notices._queue(self, case, "trip", 0, amounts)
        elif decision.state == "reclose":
            self._reclose(amounts)
            notices._queue(self, case, "reclose", 0, amounts)

    def _get_power_switches(self):
        """Switches of the power meters of the units the tenancy has now. Water is never cut."""
        domain = [("service_point_id", "in", self.service_point_ids.ids), ("kind_id.code", "=", "power")]
        return self.env["meter.switch"].search(domain)

    def _trip(self, amounts):
        reason = self.env._("Money used up: ¥%s may still be used.", amounts["available"])
        for switch in self._get_power_switches().filtered(lambda s: not s._is_kept_on()):
            switch._set_desired("off", reason, "policy")

    def _reclose(self, amounts):
        """Only what the policy has cut: what an operator or a safety function has cut, a person restores."""
        reason = self.env._("Money is there again: ¥%s.", amounts["available"])
        for switch in self._get_power_switches().filtered(
            lambda s: s.desired == "off" and s._is_tripped_by_policy()
        ):
            switch._set_desired("on", reason, "policy")

    @api.model
    def _cron_check_supply(self):
        """What changes by time alone: hours, grace, leads, keep-power. And, always, whoever is dark."""
        now = fields.Datetime.now()
        domain = [("state", "!=", "closed"), "|", ("state", "=", "tripped"), ("next_check_at", "<=", now)]
        cases = self.env["prepaid.case"].search(domain, order="next_check_at", limit=CHECKS_PER_RUN)
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(cases))
        for case in cases:
            case.contract_id._evaluate_supply("timer")
            if not cron._commit_progress(1):
                break

    # --- telling ----------------------------------------------------------------------------------------------

    def _get_supply_summary(self):
        """What the portal shows of one tenancy. Money as Decimal; the caller has checked access."""
        self.ensure_one()
        contract = (
            self.sudo()
        )  # access was checked by the caller; wallets, switches and notices have no tenant rights
        now = fields.Datetime.now()
        facts = contract._get_supply_facts(now).get(self.id) or Facts(Decimal(0))
        policy = self.env["prepaid.policy"].sudo()._get_for(contract)[self.id]
        rules = policy._get_rules(contract._get_tz())
        days = get_days_left(facts, rules)
        decision = decide(facts, rules, now)
        today = contract._get_local_date(now)
        return {
            "balance": facts.balance,
            "available": get_available(facts, rules),
            "currency": contract.wallet_id.currency_id,
            "days_left": days,
            "cutoff_date": today + timedelta(days=int(days)) if days is not None else None,
            "daily_cost": facts.daily_cost,
            "state": decision.state,
            "state_text": dict(
                self.env["prepaid.decision"]._fields["state"]._description_selection(self.env)
            )[decision.state],
            "switches": [contract._describe_switch(switch) for switch in contract._get_power_switches()],
            "today": contract._get_use_of(today),
            "subaccounts": contract.wallet_id.subaccount_summary or [],
            "last_notice": contract._describe_notice(),
            "suggested_topup": _suggest(facts),
        }

    def _describe_switch(self, switch):
        return {
            "service_point": switch.service_point_id.display_name,
            "meter": switch.meter_id.serial,
            "kind": switch.kind_id.code,
            "desired": switch.desired or "on",
            "reported": switch.reported,
            "since": switch.reported_at,
        }

    def _get_use_of(self, day):
        return fetch_exact_dicts(
            self.env.cr,
            """SELECT k.code AS kind, sum(u.quantity) AS quantity, sum(u.amount) AS amount
                 FROM prepaid_use_daily u JOIN utility_kind k ON k.id = u.kind_id
                WHERE u.contract_id = %s AND u.day = %s GROUP BY k.code ORDER BY k.code""",
            [self.id, day],
        )

    def _describe_notice(self):
        notice = self.env["prepaid.notice"].search([("contract_id", "=", self.id)], limit=1)
        if not notice:
            return None
        return {
            "kind": notice.kind,
            "subject": notice.subject,
            "text": notice.text,
            "state": notice.state,
            "at": notice.delivered_at or notice.create_date,
        }


def _replaced(facts, **changes):
    return Facts(**{**{name: getattr(facts, name) for name in facts.__dataclass_fields__}, **changes})


def _spell(facts):
    """JSON-able facts."""
    return {
        name: value if isinstance(value, bool | int | type(None)) else str(value)
        for name, value in asdict(facts).items()
    }


def _suggest(facts):
    """Yuan for about a month at the usual cost, in round tens; 100 without history."""
    month = (facts.daily_cost or Decimal(0)) * 30 - max(facts.balance, Decimal(0))
    return Decimal(max(int(month / 10 + 1) * 10, 50)) if facts.daily_cost else Decimal(100)
