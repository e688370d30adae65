from odoo import api, fields, models

from ..exact import fetch_exact

MONEY = """
SELECT (SELECT coalesce(sum(w.balance), 0) FROM prepaid_wallet w WHERE w.contract_id = ANY(%(ids)s)),
       (SELECT coalesce(sum(e.amount), 0) FROM prepaid_entry e
         WHERE e.contract_id = ANY(%(ids)s) AND e.kind = 'topup' AND e.at >= %(today)s),
       (SELECT count(*) FROM prepaid_case k WHERE k.contract_id = ANY(%(ids)s) AND k.state IN ('warned', 'due')),
       (SELECT count(*) FROM prepaid_case k WHERE k.contract_id = ANY(%(ids)s) AND k.state = 'tripped')
"""


class MeterOverview(models.AbstractModel):
    _inherit = "meter.overview"

    @api.model
    def _get_cards(self, buildings):
        cards = super()._get_cards(buildings) + self._prepare_money_cards(buildings)
        return sorted(cards, key=lambda card: card["sequence"])

    @api.model
    def _prepare_money_cards(self, buildings):
        contracts = self.env["contract.contract"].search(
            [("is_tenancy", "=", True), ("building_ids", "in", buildings.ids)]
        )
        midnight = fields.Datetime.to_string(
            fields.Datetime.context_timestamp(self, fields.Datetime.now())
            .replace(hour=0, minute=0, second=0)
            .astimezone(None)
            .replace(tzinfo=None)
        )
        params = {"ids": contracts.ids, "today": midnight}
        total, paid, low, tripped = fetch_exact(self.env.cr, MONEY, params)[0]
        card = self._prepare_card
        return [
            card(
                "wallets",
                self.env._("Tenants' Balances"),
                f"¥{total:,.2f}",
                70,
                icon="fa-money",
                state="info",
                action="prepaid_billing.prepaid_wallet_action",
            ),
            card(
                "topups",
                self.env._("Topped Up Today"),
                f"¥{paid:,.2f}",
                71,
                icon="fa-arrow-circle-up",
                state="ok",
                action="prepaid_billing.prepaid_topup_action",
            ),
            card(
                "low",
                self.env._("Low Balance"),
                low,
                72,
                icon="fa-exclamation-triangle",
                state="warning" if low else "ok",
                action="prepaid_billing.prepaid_case_action",
            ),
            card(
                "tripped",
                self.env._("Cut Off for Money"),
                tripped,
                73,
                icon="fa-power-off",
                state="danger" if tripped else "ok",
                action="prepaid_billing.prepaid_case_action",
            ),
        ]
