"""What the portal shows of a tenancy's supply: money, days left, switches, the last message."""

from datetime import timedelta
from decimal import Decimal

from odoo import fields, models

from ..exact import fetch_exact_dicts
from ..policy import Facts, decide
from ..policy.decide import get_available, get_days_left


class ContractContract(models.Model):
    _inherit = "contract.contract"

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


def _suggest(facts):
    """Yuan for about a month at the usual cost, in round tens; 100 without history."""
    month = (facts.daily_cost or Decimal(0)) * 30 - max(facts.balance, Decimal(0))
    return Decimal(max(int(month / 10 + 1) * 10, 50)) if facts.daily_cost else Decimal(100)
