from odoo import api, fields, models

from ..policy import decide
from ..policy.decide import get_available, get_days_left


class PrepaidDryRun(models.TransientModel):
    """Who would be warned, cut off or supplied again right now, and why. Looks only; nothing happens."""

    _name = "prepaid.dry.run"
    _description = "Who Would Be Cut Off"
    _order = "rank, available"
    _rec_name = "contract_id"

    contract_id = fields.Many2one("contract.contract", string="Tenancy", readonly=True)
    partner_id = fields.Many2one(related="contract_id.partner_id", string="Tenant")
    company_id = fields.Many2one(related="contract_id.company_id")
    currency_id = fields.Many2one(related="company_id.currency_id")
    rank = fields.Integer(readonly=True)
    state = fields.Selection(selection="_get_states", readonly=True)
    balance = fields.Monetary(readonly=True)
    available = fields.Monetary(readonly=True)
    days_left = fields.Float(digits=(6, 1), readonly=True)
    reason_text = fields.Text("Why", readonly=True)

    @api.model
    def _get_states(self):
        return self.env["prepaid.decision"]._fields["state"]._description_selection(self.env)

    @api.model
    def action_look(self):
        """Make the list anew for the tenancies the user may see, and show it."""
        contracts = self.env["contract.contract"].search(
            [("is_tenancy", "=", True), ("tenancy_state", "=", "active")]
        )
        contracts.check_access("read")
        # As superuser: facts come from readings, wallets and payments; the tenancies are the user's own.
        lines = self.create(self.sudo()._prepare_lines(contracts.sudo()))
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_dry_run_action")
        return action | {"domain": [("id", "in", lines.ids)]}

    @api.model
    def _prepare_lines(self, contracts):
        if not contracts:
            return []
        now = fields.Datetime.now()
        facts, policies = contracts._get_supply_facts(now), self.env["prepaid.policy"]._get_for(contracts)
        return [self._prepare_line(c, facts[c.id], policies[c.id], now) for c in contracts if c.id in facts]

    @api.model
    def _prepare_line(self, contract, facts, policy, now):
        rules = policy._get_rules(contract._get_tz())
        decision = decide(facts, rules, now)
        reasons = [{"code": reason.code, "values": dict(reason.values)} for reason in decision.reasons]
        order = ("trip", "due", "tripped", "reclose", "warned", "normal")
        return {
            "contract_id": contract.id,
            "rank": order.index(decision.state),
            "state": decision.state,
            "balance": float(facts.balance),
            "available": float(get_available(facts, rules)),
            "days_left": float(get_days_left(facts, rules) or 0),
            "reason_text": "\n".join(self.env["prepaid.decision"]._get_reason_texts(reasons)),
        }
