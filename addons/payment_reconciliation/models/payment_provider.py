from odoo import api, fields, models
from odoo.exceptions import UserError


class PaymentProvider(models.Model):
    """Gateways under guard: their addons name their code and implement the `_gateway_` hooks."""

    _inherit = "payment.provider"

    is_gateway_guarded = fields.Boolean(
        compute="_compute_is_gateway_guarded",
        search="_search_is_gateway_guarded",
        help="Payment data is compared in fen before anything changes; bills are reconciled daily.",
    )

    @api.depends("code")
    def _compute_is_gateway_guarded(self):
        codes = self._get_guarded_codes()
        for provider in self:
            provider.is_gateway_guarded = provider.code in codes

    @api.model
    def _search_is_gateway_guarded(self, operator, value):
        if operator != "in":
            return NotImplemented
        codes = list(self._get_guarded_codes())
        return [("code", "in" if True in value else "not in", codes)]

    # --- hooks of a provider addon --------------------------------------------------------------------------------

    @api.model
    def _get_guarded_codes(self):
        """Codes of providers whose payment data is the normalized dict of `payment.transaction._process`:

        {"reference", "provider_id": int, "gateway_reference", "fen": int, "currency": "CNY", "state",
        "refund_reference"?, "paid_at"? (ISO 8601, UTC), "detail"?}. State: paid, pending, closed, failed for payments;
        refunding, refunded, refund_failed for refunds. Fen may be left out where no money moved.
        """
        return set()

    def _get_gateway_expiry_minutes(self):
        """Minutes a payer has; an unpaid transaction is closed at the gateway and cancelled here after them."""
        return 30

    def _gateway_fetch_bill(self, day):
        """Bill of a date (Beijing), or None when the gateway has none (yet). UserError when it cannot be had.

        {"lines": [...], "totals": {...}}. line: {"kind": "payment" | "refund", "reference", "gateway_reference",
        "refund_reference", "fen": int > 0, "fee_fen_text": exact decimal text, "state": "paid" | "refunded" |
        "refunding" | "refund_failed" | "closed", "at": ISO 8601 UTC or naive UTC datetime, "raw": dict or text}.
        totals may hold "differs": names of the bill's own totals that its lines do not add up to.
        """
        raise UserError(self.env._("Provider %(name)s has no bills.", name=self.name))

    def _gateway_test(self):
        """Text for the person who pressed "Test this connection". UserError when it does not work."""
        raise UserError(self.env._("Provider %(name)s has no test.", name=self.name))

    # --- buttons --------------------------------------------------------------------------------------------------

    def action_gateway_test(self):
        self.ensure_one()
        self.check_access("write")
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": "success", "message": self._gateway_test(), "sticky": True},
        }
