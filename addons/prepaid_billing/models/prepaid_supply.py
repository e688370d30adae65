"""The policy's answer and what is done about it: the one place where money decides about supply."""

import logging
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, NamedTuple

from odoo import api, fields, models
from psycopg2 import OperationalError

from ..policy import decide
from ..policy.decide import get_available, get_days_left

_logger = logging.getLogger(__name__)

CHECKS_PER_RUN = 500
DARK_CHECK = timedelta(minutes=1)  # who is dark is looked at so often, whatever else happens
FAILED_CHECK = timedelta(minutes=5)


class Known(NamedTuple):
    """What a decision about one tenancy is made from: facts, the policy as record and as rules, case and last decision."""

    facts: Any
    policy: Any
    rules: Any
    case: Any
    last: Any


class ContractContract(models.Model):
    _inherit = "contract.contract"

    case_ids = fields.One2many("prepaid.case", "contract_id", string="Arrears Cases")
    special_supply_until = fields.Datetime(
        tracking=True, help="Until then the tenancy is not cut off for money (special supply period)."
    )

    def write(self, vals):
        """Who is supplied without money, and until when, is in the audit."""
        before = (
            {contract: contract.special_supply_until for contract in self}
            if "special_supply_until" in vals
            else {}
        )
        result = super().write(vals)
        for contract, until in before.items():
            if until != contract.special_supply_until:
                contract._audit_special_supply(until)
        return result

    def _audit_special_supply(self, before):
        self.env["audit.entry"]._log(
            "supply.special",
            self,
            before={"until": before.isoformat() if before else None},
            after={"until": self.special_supply_until.isoformat() if self.special_supply_until else None},
        )
        # As superuser: who grants it may not write cases.
        self.case_ids.sudo()._look_again()

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
        rules = contracts._get_supply_rules()
        cases = contracts._get_open_cases()
        held = contracts._hold_mass(facts, rules, cases, now)
        lasts = contracts._get_last_decisions()
        no_case, no_decision = self.env["prepaid.case"].sudo(), self.env["prepaid.decision"].sudo()
        for contract in contracts:
            key = contract.id
            own = replace(facts[key], is_mass_blocked=contract in held)
            known = Known(own, *rules[key], cases.get(key, no_case), lasts.get(key, no_decision))
            contract._decide(known, now, trigger)

    def _decide(self, known, now, trigger):
        decision = decide(known.facts, known.rules, now)
        if decision.state == "normal" and not known.case and known.last.state in (False, "normal"):
            return  # nearly all, nearly always
        case = self._update_case(known.case, decision, known.facts, now)
        self._store_decision(case, decision, known, now, trigger)
        self._act(case, decision, known.facts, known.rules)

    def _get_supply_rules(self):
        """{contract id: (policy record, its pure Policy)}"""
        policies = self.env["prepaid.policy"].sudo()._get_for(self)
        known = {}
        rules = {}
        for contract in self:
            policy, timezone = policies[contract.id], contract._get_tz()
            if (policy, timezone) not in known:
                known[policy, timezone] = policy._get_rules(timezone)
            rules[contract.id] = (policy, known[policy, timezone])
        return rules

    def _hold_mass(self, facts, rules, cases, now):
        """Those of these tenancies whose trip waits for a person, because more would be cut off within an hour than may
        be without one. All of them wait, not those beyond the limit: a wrong price or a lost payment run cuts off nobody.
        """
        wanted = self.filtered(
            lambda c: (
                c.id in cases
                and not cases[c.id].is_confirmed
                and decide(facts[c.id], rules[c.id][1], now).state == "trip"
            )
        )
        held = self.browse()
        for company in wanted.company_id:
            own = wanted.filtered(lambda c, company=company: c.company_id == company)
            count = self._count_trips(company, own, now)
            held |= own.filtered(lambda c, count=count: count > rules[c.id][0].mass_limit)
        for contract_id, case in cases.items():
            if case.is_held_as_mass != (contract_id in held.ids):
                case.is_held_as_mass = contract_id in held.ids
        return held

    @api.model
    def _count_trips(self, company, wanted, now):
        """Trips of the last hour, those that are wanted now, and those that are held already."""
        recent = self.env["prepaid.decision"].search_count(
            [("company_id", "=", company.id), ("state", "=", "trip"), ("at", ">", now - timedelta(hours=1))]
        )
        held = self.env["prepaid.case"].search(
            [("company_id", "=", company.id), ("is_held_as_mass", "=", True), ("state", "=", "due")]
        )
        return recent + len(wanted | held.contract_id)

    # --- keeping ----------------------------------------------------------------------------------------------

    def _update_case(self, case, decision, facts, now):
        if decision.state in ("normal", "reclose"):
            case.write(
                {"state": "closed", "closed_at": now, "next_check_at": False, "is_held_as_mass": False}
            )
            return case
        vals = {"next_check_at": decision.next_check_at or False, "is_held_as_mass": facts.is_mass_blocked}
        if decision.state in ("warned", "due"):
            vals["state"] = decision.state
            vals["due_since"] = facts.due_since if decision.state == "due" else False
        else:
            vals["next_check_at"] = now + DARK_CHECK
            if case.state != "tripped":
                vals |= {"state": "tripped", "tripped_at": now, "due_since": facts.due_since}
        if not case:
            return case.create({"contract_id": self.id, "opened_at": now} | vals)
        case.write(vals)
        return case

    def _store_decision(self, case, decision, known, now, trigger):
        """A line for each change of state or of what stands in the way; not for each reading."""
        reasons = [{"code": reason.code, "values": dict(reason.values)} for reason in decision.reasons]
        codes = [row["code"] for row in reasons]
        if known.last.state == decision.state and [row["code"] for row in known.last.reasons] == codes:
            return
        if not known.last and decision.state == "normal":
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
                "facts": _spell(known.facts),
                "policy_id": known.policy.id,
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
        domain = [("state", "!=", "closed"), "|", ("next_check_at", "<=", now),
                  "&", ("state", "=", "tripped"), ("next_check_at", "=", False)]  # fmt: skip
        cases = self.env["prepaid.case"].search(domain, order="next_check_at", limit=CHECKS_PER_RUN)
        cron = self.env["ir.cron"]
        if not cases:
            return
        contracts = cases.contract_id
        # Before the first is cut off: how many would be. At nine in the morning the night's trips come together.
        rules, known = contracts._get_supply_rules(), contracts._get_open_cases()
        contracts._hold_mass(contracts._get_supply_facts(now), rules, known, now)
        cron._commit_progress(remaining=len(cases))
        for case in cases:
            if not case.contract_id._try_evaluate_supply("timer"):
                case.next_check_at = now + FAILED_CHECK
            if not cron._commit_progress(1):
                break

    def _try_evaluate_supply(self, trigger):
        """For timers: one tenancy that fails holds up nobody. False, with a log line, when it failed."""
        try:
            with self.env.cr.savepoint():
                self._evaluate_supply(trigger)
        except OperationalError:
            raise  # another writer: the whole run is tried again
        except Exception:
            _logger.exception("Supply of tenancy %s could not be decided (%s)", self.ids, trigger)
            return False
        return True


def _spell(facts):
    """JSON-able facts."""
    return {
        name: value if isinstance(value, bool | int | type(None)) else str(value)
        for name, value in asdict(facts).items()
    }
