from odoo import api, fields, models

from ..exact import fetch_exact

MONEY = """
SELECT (SELECT coalesce(sum(w.balance), 0) FROM prepaid_wallet w WHERE w.contract_id = ANY(%(ids)s)),
       (SELECT coalesce(sum(e.amount), 0) FROM prepaid_entry e
         WHERE e.contract_id = ANY(%(ids)s) AND e.kind = 'topup' AND e.at >= %(today)s),
       (SELECT count(*) FROM prepaid_case k WHERE k.contract_id = ANY(%(ids)s) AND k.state IN ('warned', 'due')),
       (SELECT count(*) FROM prepaid_case k WHERE k.contract_id = ANY(%(ids)s) AND k.state = 'tripped')
"""

# When the oldest reading came that nobody has charged; a chain that waits for a person has its review.
WAITING = """
SELECT min(first.received_at)
  FROM (SELECT DISTINCT value::int AS circuit_id
          FROM prepaid_settlement_due d CROSS JOIN jsonb_array_elements_text(d.circuit_ids)) AS due
  JOIN meter_installation i ON i.circuit_id = due.circuit_id AND i.end_at IS NULL AND i.building_id = ANY(%s)
  LEFT JOIN prepaid_cursor p ON p.installation_id = i.id
 CROSS JOIN LATERAL (
       SELECT r.received_at FROM meter_reading r
        WHERE r.circuit_id = due.circuit_id AND r.at > coalesce(p.at, i.start_at) AND r.total IS NOT NULL
        ORDER BY r.at LIMIT 1) AS first
 WHERE p.is_blocked IS NOT TRUE
"""
#: So long readings may wait beyond the interval of charging before a person should look.
LAG_MINUTES = 60


class MeterOverview(models.AbstractModel):
    _inherit = "meter.overview"

    @api.model
    def _get_cards(self, buildings):
        cards = super()._get_cards(buildings) + self._prepare_money_cards(buildings)
        cards.append(self._prepare_settlement_card(buildings))
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

    @api.model
    def _prepare_settlement_card(self, buildings):
        """How long the oldest reading waits for its charge."""
        self.env.cr.execute(WAITING, [buildings.ids])
        oldest = self.env.cr.fetchone()[0]
        now = fields.Datetime.now()
        minutes = max(0, int((now - oldest).total_seconds() // 60)) if oldest else 0
        # readings wait on purpose while charging has an interval
        before = self.env["prepaid.settlement"]._get_settled_before() or now
        is_late = minutes > LAG_MINUTES + (now - before).total_seconds() / 60
        return self._prepare_card(
            "settlement",
            self.env._("Oldest Reading Not Charged"),
            minutes,
            74,
            unit=self.env._("min"),
            icon="fa-calculator",
            state="warning" if is_late else "ok",
            action="prepaid_billing.prepaid_charge_action",
        )
