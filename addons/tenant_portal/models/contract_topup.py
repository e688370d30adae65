"""Topping up from a phone: which amounts, whether they may be paid, and what has become of a payment."""

import re
import unicodedata
from decimal import Decimal

from odoo import fields, models
from odoo.addons.payment import utils as payment_utils
from odoo.addons.prepaid_billing.money.fen import to_decimal
from odoo.exceptions import ValidationError

PRESETS = (50, 100, 200, 500)
AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
#: Life of a payment in the tenant's words.
TX_STATES = {
    "draft": "waiting",
    "pending": "waiting",
    "authorized": "waiting",
    "done": "paid",
    "cancel": "cancelled",
    "error": "failed",
}


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_portal_topup_limits(self):
        company = self.company_id
        return to_decimal(company.prepaid_topup_min), to_decimal(company.prepaid_topup_max)

    def _get_portal_presets(self):
        """Whole yuan on the buttons, within what may be topped up."""
        smallest, largest = self._get_portal_topup_limits()
        return [amount for amount in PRESETS if smallest <= amount <= largest]

    def _prepare_portal_topup(self, amount):
        """Values for the payment of `amount` (whatever the browser sent); see `_prepare_topup_transaction_values`.

        :raise ValidationError: saying which rule the amount breaks, or that nothing may be topped up here
        """
        self.ensure_one()
        text = unicodedata.normalize("NFKC", str(amount)[:40]).strip().lstrip("¥￥").strip()
        text = text[:-2] if text.endswith(".0") else text
        if not AMOUNT.fullmatch(text):
            raise ValidationError(
                self.env._("Please enter an amount in yuan with at most two decimals, such as 100 or 66.50.")
            )
        if not self._get_portal_can_topup(
            self.wallet_id._get_balance_decimal() if self.wallet_id else Decimal(0)
        ):
            raise ValidationError(self.env._("This tenancy has ended; nothing can be topped up any more."))
        return self._prepare_topup_transaction_values(text)

    def _get_portal_topup_token(self, amount):
        """Binds a payment form to this tenancy, wallet and amount, and to the user who opened it."""
        self.ensure_one()
        return payment_utils.generate_access_token(*self._get_portal_token_values(amount), env=self.env)

    def _get_portal_token_values(self, amount):
        wallet = self.wallet_id
        return (
            "utility-topup",
            self.id,
            wallet.id,
            wallet.currency_id.id,
            self.env.uid,
            str(to_decimal(amount)),
        )

    def _get_portal_payment_options(self, amount):
        """(providers, methods, report) that can take this payment now. On a superuser record."""
        providers = self.env["payment.provider"]._get_compatible_providers(
            self.company_id.id, self.partner_id.id, amount, currency_id=self.wallet_id.currency_id.id
        )
        methods = self.env["payment.method"]._get_compatible_payment_methods(
            providers.ids, self.partner_id.id, currency_id=self.wallet_id.currency_id.id
        )
        return providers, methods

    def _get_portal_last_method(self, methods):
        """The method this wallet was topped up with last, else the first: so that paying is one tap."""
        last = self.env["payment.transaction"].search(
            [
                ("wallet_id", "=", self.wallet_id.id),
                ("payment_method_id", "in", methods.ids),
                ("state", "=", "done"),
            ],
            order="id desc",
            limit=1,
        )
        return last.payment_method_id or methods[:1]

    # --- after paying -----------------------------------------------------------------------------------------

    def _get_portal_payment(self, transaction):
        """What has become of a payment and of the supply since: {state, is_credited, supply, wait_s, points, ...}.

        supply: "on" (all is on), "coming" (being switched on), "off" (stays off: for another reason or not enough)
        wait_s: seconds from the payment to the last switch back on, as the meters reported it; None if nothing was off
        """
        points = self._get_portal_points()
        paid_at = transaction.last_state_change if transaction.state == "done" else None
        orders = self._get_portal_reclose_orders(transaction)
        return {
            "state": TX_STATES[transaction.state],
            "message": transaction.state_message,
            "is_credited": bool(transaction.topup_id.entry_id),
            "topup": transaction.topup_id[:1],
            "points": points,
            "supply": self._get_portal_supply(points),
            "elapsed_s": _get_seconds(paid_at, fields.Datetime.now()),
            "wait_s": self._get_portal_wait(orders, paid_at),
            "was_off": bool(orders),
            "balance": self.wallet_id._get_balance_decimal(),
        }

    def _get_portal_reclose_orders(self, transaction):
        """Orders to switch this tenancy's supplies on that this payment brought about."""
        circuits = self.env["meter.circuit"].search([("service_point_id", "in", self.service_point_ids.ids)])
        return self.env["meter.order"].search(
            [
                ("circuit_id", "in", circuits.ids),
                ("kind", "=", "switch_on"),
                ("created", ">=", transaction.create_date),
            ]
        )

    def _get_portal_supply(self, points):
        states = {point["state"] for point in points}
        if "coming" in states:
            return "coming"
        return "off" if states & {"off", "going"} else "on"

    def _get_portal_wait(self, orders, paid_at):
        ends = [order.done_at for order in orders if order.state == "confirmed" and order.done_at]
        return _get_seconds(paid_at, max(ends)) if paid_at and ends else None


def _get_seconds(start, end):
    return max(0, round((end - start).total_seconds())) if start else None
