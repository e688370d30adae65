from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..const import POLL_MINUTES
from ..fen import LARGEST_FEN, to_fen, to_yuan

#: What only the gateway's word changes.
OWN_FIELDS = {
    "provider_reference",
    "gateway_expires_at",
    "gateway_paid_at",
    "gateway_late",
    "gateway_next_poll_at",
    "gateway_polls",
    "gateway_case_count",
    "gateway_refund_count",
}


class PaymentTransaction(models.Model):
    """Life of a transaction with a guarded gateway:

    created with its amount in fen, which never changes -> polled with back-off until an answer is final -> confirmed by
    `_process` after every comparison (payment_transaction_guard) -> post-processed; the sweeper tells of what is not.
    Unpaid at its expiry: asked about, closed at the gateway, asked about again, and only then cancelled here. Paid
    after that: confirmed all the same, marked late.
    """

    _inherit = "payment.transaction"

    gateway_fen = fields.Integer(
        "Amount in Fen",
        readonly=True,
        copy=False,
        help="Amount in fen at creation, negative for refunds. What the gateway says is compared with it.",
    )
    gateway_expires_at = fields.Datetime("To Be Paid Until", readonly=True, copy=False)
    gateway_paid_at = fields.Datetime(
        "Paid At", readonly=True, copy=False, help="When money moved, as the gateway tells."
    )
    gateway_next_poll_at = fields.Datetime("Next Question to the Gateway", readonly=True, copy=False)
    gateway_polls = fields.Integer("Questions to the Gateway", readonly=True, copy=False)
    gateway_late = fields.Boolean(
        "Paid Late", readonly=True, copy=False, help="Paid after it was cancelled or failed here."
    )
    # Counted so that the row changes: who works with an old view of it is sent back by the database to try again.
    gateway_case_count = fields.Integer("Cases Opened", readonly=True, copy=False)
    gateway_refund_count = fields.Integer("Refund Steps", readonly=True, copy=False)
    gateway_case_ids = fields.One2many("payment.gateway.case", "transaction_id", string="Payment Cases")

    # Two transactions can never be paid by one payment, whoever processes them at the same moment.
    _gateway_reference_unique = models.UniqueIndex(
        "(provider_id, provider_reference) WHERE gateway_fen != 0 AND provider_reference IS NOT NULL",
        "Another transaction of this provider has this gateway reference.",
    )
    _gateway_poll_index = models.Index(
        "(gateway_next_poll_at) WHERE gateway_fen != 0 AND state IN ('draft', 'pending')"
    )

    # --- creation: the amount is fixed ------------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        codes = self.env["payment.provider"]._get_guarded_codes()
        vals_list = [dict(vals) for vals in vals_list]
        for vals in vals_list:
            vals.pop("gateway_fen", None)
            # As superuser: payers and accountants make payments with providers they may not read.
            provider = self.env["payment.provider"].sudo().browse(vals["provider_id"])
            if provider.code in codes:
                self._check_gateway_writer(vals)
                vals.update(self._prepare_gateway_values(provider, vals))
        return super().create(vals_list)

    @api.model
    def _prepare_gateway_values(self, provider, vals):
        fen = to_fen(vals["amount"])
        if abs(fen) > LARGEST_FEN:
            raise ValidationError(
                self.env._("Payments of more than %(amount)s are not possible.", amount=to_yuan(LARGEST_FEN))
            )
        now = fields.Datetime.now()
        values = {"gateway_fen": fen, "gateway_next_poll_at": now + timedelta(minutes=POLL_MINUTES[0])}
        if vals.get("operation") == "refund":
            self.browse(vals.get("source_transaction_id"))._check_gateway_refund(-fen)
        elif not vals.get("gateway_expires_at"):
            lifetime = provider._get_gateway_expiry_minutes()
            values["gateway_expires_at"] = now + timedelta(minutes=lifetime)
        return values

    def write(self, vals):
        if "gateway_fen" in vals:
            raise UserError(self.env._("The amount of a transaction is fixed when it is created."))
        if any(transaction._is_gateway_guarded() for transaction in self):
            self._check_gateway_writer(vals)
        return super().write(vals)

    def _check_gateway_writer(self, vals):
        """Nobody declares a payment paid by hand, though accountants may write transactions. Code does, as superuser."""
        if not self.env.su and (vals.get("state", "draft") != "draft" or not OWN_FIELDS.isdisjoint(vals)):
            raise AccessError(self.env._("Payments are confirmed by the gateway, not by hand."))

    def _is_gateway_guarded(self):
        self.ensure_one()
        return self.provider_code in self.env["payment.provider"]._get_guarded_codes()

    # --- hooks of a provider addon ----------------------------------------------------------------------------------

    def _gateway_query(self):
        """Payment data of this transaction (see `_get_guarded_codes`) as the gateway knows it now, None when it knows
        nothing of it. UserError when there is no trustworthy answer.
        """
        self.ensure_one()
        raise UserError(
            self.env._("Transaction %(reference)s cannot be asked about.", reference=self.reference)
        )

    def _gateway_refund(self):
        """Ask the gateway to pay this refund back; its payment data, with state "refund_failed" when it refuses for good.
        UserError without a trustworthy answer. Called again with the same number until there is one, so a repetition must
        not pay twice.
        """
        self.ensure_one()
        raise UserError(self.env._("Refund %(reference)s cannot be sent.", reference=self.reference))

    def _gateway_close(self):
        """Make the order unpayable at the gateway: "closed", "paid" (too late) or "unknown" (ask again)."""
        self.ensure_one()
        return "unknown"
