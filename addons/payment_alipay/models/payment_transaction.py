import hashlib
import re
import secrets
from datetime import UTC

from odoo import api, fields, models
from odoo.addons.payment import utils as payment_utils
from odoo.exceptions import UserError, ValidationError
from odoo.tools.urls import urljoin

from .. import const
from ..alipay.errors import AlipayError, Refused
from ..alipay.values import format_beijing, format_yuan, parse_beijing, parse_yuan

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class PaymentTransaction(models.Model):
    """Life of a payment with Alipay:

    created with a reference that no other database has -> the payer goes to Alipay by page, phone page or QR code
    -> Alipay's notice, or the poller's query, becomes the dict that `_process` takes -> done, or closed at expiry.
    Refunds are transactions of their own; their reference is the number Alipay knows them by, so that a repetition
    is recognised there.
    """

    _inherit = "payment.transaction"

    alipay_product = fields.Selection(
        [("page", "Page"), ("wap", "Phone page"), ("qr", "QR code")], string="Alipay Product", readonly=True
    )
    alipay_qr_text = fields.Char("Alipay QR Code", readonly=True, copy=False, groups="base.group_system")

    # --- references -----------------------------------------------------------------------------------------------

    @api.model
    def _compute_reference(self, provider_code, prefix=None, separator="-", **kwargs):
        """Letters, digits, underscores, at most 64; new in each database and on each try.

        Orders get a part from the database's identity and a random one: a copy or an older back-up of the database
        must not use a number again that the merchant account already knows. Refunds must not be random: who repeats
        an interrupted refund has to arrive at the same number, and Alipay then pays once.
        """
        if provider_code != const.PROVIDER_CODE:
            return super()._compute_reference(provider_code, prefix=prefix, separator=separator, **kwargs)
        if self._alipay_is_refund_of_ours(prefix):
            prefix = _legal(prefix)
        else:
            prefix = prefix or self.sudo()._compute_reference_prefix(separator, **kwargs) or "tx"
            tail = "".join(secrets.choice(ALPHABET) for _ in range(8))
            prefix = f"{self._alipay_get_database_mark()}_{_legal(prefix)[:36]}_{tail}"
        return super()._compute_reference(provider_code, prefix=prefix, separator="_", **kwargs)

    @api.model
    def _alipay_is_refund_of_ours(self, prefix):
        """ "R-" and the reference of an order is what Odoo proposes for its refunds."""
        if not (prefix or "").startswith("R-"):
            return False
        domain = [("reference", "=", prefix[2:]), ("provider_code", "=", const.PROVIDER_CODE)]
        return bool(self.sudo().search_count(domain, limit=1))

    @api.model
    def _alipay_get_database_mark(self):
        """8 characters that differ between databases: Odoo gives each, and each copy, a uuid of its own."""
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid") or self.env.cr.dbname
        return hashlib.sha256(uuid.encode()).hexdigest()[:8].upper()

    # --- the payer's way to Alipay --------------------------------------------------------------------------------

    def _get_specific_rendering_values(self, processing_values):
        """Action, method and fields of the form that takes the payer to Alipay or to our QR page."""
        if self.provider_code != const.PROVIDER_CODE:
            return super()._get_specific_rendering_values(processing_values)
        self.alipay_product = self.provider_id._alipay_get_product() or "page"
        if self.alipay_product == "qr":
            values = {"access_token": self._alipay_get_access_token()}
            return {"api_url": f"/payment/alipay/qr/{self.id}", "method": "get", "values": values}
        method, product = const.PRODUCTS[self.alipay_product]
        return_url = urljoin(self.provider_id.get_base_url(), "/payment/alipay/return")
        order = self._alipay_prepare_order() | {"product_code": product}
        if self.alipay_product == "wap":
            order["quit_url"] = return_url  # for who turns back on the phone
        url, values = self.provider_id._alipay_get_client().build_form(
            method, order, notify_url=self._alipay_get_notify_url(), return_url=return_url
        )
        return {"api_url": url, "method": "post", "values": values}

    def _alipay_prepare_order(self):
        """Order as Alipay wants it. The same each time it is asked for, so that it can be sent twice."""
        if self.currency_id.name != "CNY":
            raise ValidationError(self.env._("Alipay takes payments in CNY only."))
        return {
            "out_trade_no": self.reference,
            "total_amount": format_yuan(self.gateway_fen),
            "subject": self._alipay_get_subject(),
            "time_expire": format_beijing(self.gateway_expires_at.replace(tzinfo=UTC)),
        }

    def _alipay_get_subject(self):
        """What the payer reads on the phone. Alipay allows no `/`, `=`, `&`."""
        text = f"{self.company_id.name} {self.reference.split('_', 1)[-1]}"
        return re.sub(r"[/=&\s]+", " ", text)[: const.MAX_SUBJECT]

    def _alipay_get_notify_url(self):
        path = f"/payment/alipay/notify/{self.provider_id.id}"
        return urljoin(self.provider_id.get_base_url(), path)

    def _alipay_get_access_token(self):
        return payment_utils.generate_access_token("alipay_qr", self.id, self.reference, env=self.env)

    def _alipay_get_qr_text(self):
        """Text of the QR code; asked for once. Repeating it with the same order does no harm. Raises ValidationError."""
        transaction = self.sudo()
        if not transaction.alipay_qr_text:
            method, product = const.PRODUCTS["qr"]
            order = transaction._alipay_prepare_order() | {"product_code": product}
            try:
                node = transaction.provider_id._alipay_call(
                    method, order, notify_url=transaction._alipay_get_notify_url()
                )
            except AlipayError as error:
                raise ValidationError(transaction.provider_id._alipay_get_error_text(error)) from error
            if node.get("out_trade_no") != transaction.reference or not node.get("qr_code"):
                raise ValidationError(self.env._("Alipay's answer is about another order."))
            transaction.alipay_qr_text = str(node["qr_code"])[:1024]
        return transaction.alipay_qr_text

    def _alipay_get_seconds_left(self):
        if not self.gateway_expires_at:
            return 0
        return max(0, int((self.gateway_expires_at - fields.Datetime.now()).total_seconds()))

    # --- asking the gateway ---------------------------------------------------------------------------------------

    def _gateway_query(self):
        """Payment data of this transaction as Alipay knows it, None if it knows nothing. Raises UserError."""
        self.ensure_one()
        if self.provider_code != const.PROVIDER_CODE:
            return super()._gateway_query()
        try:
            return self._alipay_find_refund() if self.operation == "refund" else self._alipay_query_order()
        except AlipayError as error:
            raise UserError(self.provider_id._alipay_get_error_text(error)) from error

    def _alipay_query_order(self):
        try:
            node = self.provider_id._alipay_call("alipay.trade.query", {"out_trade_no": self.reference})
        except Refused as refused:
            if refused.sub_code == const.NOT_THERE:
                return None
            raise
        return self._alipay_read_order(node)

    def _alipay_read_order(self, node):
        """Payment data of a query's answer. Raises UserError when it is about something else or unreadable."""
        state = const.TRADE_STATES.get(node.get("trade_status"))
        try:
            fen = parse_yuan(node.get("total_amount"))
            paid_at = node.get("send_pay_date") and parse_beijing(node["send_pay_date"]).isoformat()
        except ValueError:
            fen = None
        if node.get("out_trade_no") != self.reference or not state or fen is None or not node.get("trade_no"):
            raise UserError(self.env._("Alipay's answer is about another order or cannot be read."))
        return self._alipay_prepare_data(state, str(node["trade_no"]), fen, paid_at=paid_at)

    def _alipay_prepare_data(self, state, gateway_reference, fen, **values):
        """The dict that `_process` takes."""
        return {
            "reference": self.reference,
            "provider_id": self.provider_id.id,
            "gateway_reference": gateway_reference,
            "fen": fen,
            "currency": "CNY",
            "state": state,
            **{name: value for name, value in values.items() if value},
        }

    def _gateway_close(self):
        """Close the order at Alipay: "closed", "paid" (too late), "unknown" (ask again)."""
        self.ensure_one()
        if self.provider_code != const.PROVIDER_CODE:
            return super()._gateway_close()
        try:
            self.provider_id._alipay_call("alipay.trade.close", {"out_trade_no": self.reference})
        except Refused as refused:
            return self._alipay_get_state_after_close(refused)
        except AlipayError:
            return "unknown"
        return "closed"

    def _alipay_get_state_after_close(self, refused):
        """An order that Alipay does not know can still be begun until it expires: only then it is closed."""
        if refused.sub_code == const.NOT_THERE:
            return "unknown" if self._alipay_get_seconds_left() else "closed"
        if refused.sub_code not in const.NOT_OPEN:
            return "unknown"
        try:
            data = self._gateway_query()
        except UserError:
            return "unknown"
        return data["state"] if data and data["state"] in ("paid", "closed") else "unknown"

    # --- notices --------------------------------------------------------------------------------------------------

    def _alipay_take_notice(self, notice):
        """Whether a verified notice's word is now the transaction's too, so that it need not be repeated."""
        self.ensure_one()
        if notice.kind == "refund":
            self._alipay_hear_of_refund(notice)
            return True
        was_done = self.state == "done"
        data = self._alipay_prepare_data(notice.kind, notice.trade_number, notice.fen, paid_at=notice.paid_at)
        self._process(const.PROVIDER_CODE, data)
        if was_done and not self.is_post_processed:
            # Confirming wakes post-processing by itself; a repeated notice wakes it again if it did not get there.
            self.env.ref("payment.cron_post_process_payment_tx")._trigger()
        return notice.kind != "paid" or (
            self.state == "done" and self.provider_reference == notice.trade_number
        )

    def _alipay_hear_of_refund(self, notice):
        """Money went back. That neither pays nor cancels; whoever waits for an answer asks the gateway soon: refunds
        under way, and the order itself if the notice of its payment never came. What we know nothing of is a case.
        """
        refunds = self.child_transaction_ids.filtered(lambda tx: tx.operation == "refund")
        waiting = (self | refunds).filtered(lambda tx: tx.state in ("draft", "pending"))
        waiting.gateway_next_poll_at = fields.Datetime.now()
        is_unknown = notice.refund_reference and notice.refund_reference not in refunds.mapped("reference")
        if is_unknown or self.state in ("cancel", "error"):
            number = notice.refund_reference or notice.trade_number
            data = self._alipay_prepare_data("refunded", number, notice.refund_total_fen or 0)
            detail = self.env._("Alipay paid money back that was not asked for here.")
            if self.state in ("cancel", "error"):
                detail = self.env._("Alipay paid money back of an order that is not confirmed here.")
            self._open_gateway_case("state_differs", data, detail)

    # --- refunds --------------------------------------------------------------------------------------------------

    def _gateway_refund(self):
        """Ask Alipay to pay back. Money moved: refunded. Refused: refund_failed. No certain answer: refunding, and it is
        asked again with the same number, which Alipay pays once.
        """
        if self.provider_code != const.PROVIDER_CODE:
            return super()._gateway_refund()
        source = self.source_transaction_id
        content = {
            "out_trade_no": source.reference,
            "refund_amount": format_yuan(abs(self.gateway_fen)),
            "out_request_no": self.reference,
            "refund_reason": self.env._("Refund %(reference)s", reference=source.reference),
        }
        try:
            node = self.provider_id._alipay_call("alipay.trade.refund", content)
        except Refused as refused:
            text = self.provider_id._alipay_get_error_text(refused)
            state = "refunding" if refused.is_outcome_unknown else "refund_failed"
            return self._alipay_prepare_refund(state, detail=text)
        except AlipayError as error:
            return self._alipay_prepare_refund(
                "refunding", detail=self.provider_id._alipay_get_error_text(error)
            )
        if node.get("out_trade_no") == source.reference and node.get("fund_change") == "Y":
            return self._alipay_prepare_refund("refunded")
        return self._alipay_ask_refund_again()

    def _alipay_ask_refund_again(self):
        """fund_change is not Y when this number was refunded before: the query tells."""
        try:
            data = self._alipay_find_refund()
        except (AlipayError, UserError):
            data = None
        return data or self._alipay_prepare_refund("refunding")

    def _alipay_find_refund(self):
        """Payment data of a finished refund, None while Alipay knows none of this number."""
        source = self.source_transaction_id
        content = {"out_trade_no": source.reference, "out_request_no": self.reference}
        try:
            node = self.provider_id._alipay_call("alipay.trade.fastpay.refund.query", content)
        except Refused as refused:
            if refused.sub_code == const.NOT_THERE:
                return None
            raise
        if node.get("refund_status") != "REFUND_SUCCESS":
            return None  # 10000 alone only says that the question was understood
        try:
            fen = parse_yuan(node.get("refund_amount"))
        except ValueError:
            fen = None
        same = node.get("out_trade_no") == source.reference and node.get("out_request_no") == self.reference
        if not same or fen is None:
            raise UserError(self.env._("Alipay's answer is about another refund or cannot be read."))
        return self._alipay_prepare_refund("refunded", fen=fen)

    def _alipay_prepare_refund(self, state, fen=None, **values):
        """Alipay has no number of its own for a refund: ours stands for it."""
        fen = abs(self.gateway_fen) if fen is None else fen
        return self._alipay_prepare_data(
            state, self.reference, fen, refund_reference=self.reference, **values
        )


def _legal(text):
    return re.sub(r"[^0-9A-Za-z]+", "_", text.encode("ascii", "ignore").decode()).strip("_")
