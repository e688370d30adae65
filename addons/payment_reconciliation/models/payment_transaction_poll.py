import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import ALARM_POLLS, EXPIRY_MARGIN_MINUTES, POLL_MINUTES

_logger = logging.getLogger(__name__)

OPEN_STATES = ("draft", "pending")
#: Transactions asked about in one run; the rest follows in the next.
BATCH = 200


class PaymentTransaction(models.Model):
    """Transactions without a final answer are asked about, less often each time, and end at their expiry:

    asked about -> closed at the gateway -> asked about again -> cancelled here. Only a gateway that closed the order, or
    says so, lets us cancel: a payer who is faster is confirmed, and one we do not know about is asked for again.

    Refunds are stored first and sent from here: whatever breaks after the gateway took one, its number is known and goes
    out again.
    """

    _inherit = "payment.transaction"

    def _send_refund_request(self):
        if not self._is_gateway_guarded():
            return super()._send_refund_request()
        self._set_pending()
        self.gateway_next_poll_at = fields.Datetime.now()
        self.env.ref("payment_reconciliation.payment_gateway_poll_cron")._trigger()
        return None

    @api.model
    def _cron_gateway_poll(self):
        """Ask about what is due. One that fails does not keep the others waiting."""
        due = self.search(self._get_gateway_poll_domain(), order="gateway_next_poll_at", limit=BATCH)
        cron = self.env["ir.cron"]
        time_left = cron._commit_progress(remaining=len(due))
        for transaction in due:
            if not time_left:
                break
            transaction._poll_gateway_guarded()
            time_left = cron._commit_progress(1)

    @api.model
    def _get_gateway_poll_domain(self):
        return [
            ("provider_id.code", "in", list(self.env["payment.provider"]._get_guarded_codes())),
            ("provider_id.state", "!=", "disabled"),
            ("state", "in", OPEN_STATES),
            ("gateway_fen", "!=", 0),
            ("gateway_next_poll_at", "<=", fields.Datetime.now()),
        ]

    def _poll_gateway_guarded(self):
        """Ask about one transaction and plan the next question, whatever comes of this one."""
        try:
            self._poll_gateway()
            self.env.flush_all()
        except UserError as error:
            self.env.cr.rollback()
            _logger.warning("Transaction %s: the gateway was asked in vain: %s", self.reference, error)
        except Exception:
            self.env.cr.rollback()
            _logger.exception("Transaction %s could not be asked about.", self.reference)
        self._plan_next_poll()

    def _poll_gateway(self):
        """Ask about one transaction now; closes and cancels it when its time is over. Raises what the hooks raise."""
        self.ensure_one()
        if self.is_live != (self.provider_id.state == "enabled"):
            raise UserError(self.env._("Made in another mode than the provider is in now."))
        self._query_gateway()
        if self.state in OPEN_STATES and self._is_gateway_overdue():
            self._settle_gateway_overdue()

    def _query_gateway(self):
        """The gateway's word after it went through all checks, or None."""
        data = self._ask_gateway()
        if data:
            self._process(self.provider_code, data)
        return data

    def _ask_gateway(self):
        """Payment data, None when the gateway knows nothing. A refund it knows nothing of never arrived: it is sent."""
        if self.operation != "refund" or self.state != "pending":
            return self._gateway_query()
        is_asked_before = bool(self.gateway_polls)
        return (is_asked_before and self._gateway_query()) or self._gateway_refund()

    def _is_gateway_overdue(self):
        limit = fields.Datetime.now() - timedelta(minutes=EXPIRY_MARGIN_MINUTES)
        return self.operation != "refund" and bool(
            self.gateway_expires_at and self.gateway_expires_at <= limit
        )

    def _settle_gateway_overdue(self):
        outcome = self._gateway_close()
        # The payer may have been faster than the close, whatever it says.
        data = self._query_gateway()
        is_unpaid = data is None or data["state"] in ("closed", "failed")
        if self.state in OPEN_STATES and outcome == "closed" and is_unpaid:
            self._lock_gateway()
            self._set_canceled(state_message=self.env._("Not paid in time."))

    def _plan_next_poll(self):
        """Later each time, but soon after the expiry; a person is told when it takes too long."""
        if self.state not in OPEN_STATES:
            self.gateway_next_poll_at = False
            return
        now = fields.Datetime.now()
        self.gateway_polls += 1
        minutes = POLL_MINUTES[min(self.gateway_polls, len(POLL_MINUTES) - 1)]
        next_at = now + timedelta(minutes=minutes)
        if self.gateway_expires_at and not self._is_gateway_overdue():
            next_at = min(next_at, self.gateway_expires_at + timedelta(minutes=EXPIRY_MARGIN_MINUTES))
        self.gateway_next_poll_at = max(next_at, now + timedelta(minutes=POLL_MINUTES[0]))
        if self.gateway_polls >= ALARM_POLLS:
            self._open_gateway_case(
                "no_answer", detail=self.env._("Asked %s times without a final answer.", ALARM_POLLS)
            )
