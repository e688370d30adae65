from datetime import timedelta

from odoo import api, fields, models
from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.logging import get_payment_logger
from odoo.exceptions import UserError, ValidationError
from odoo.http import request
from odoo.tools.urls import urljoin

from ..const import (
    CODE,
    CURRENCY,
    H5_LINK_MIN,
    NOTIFY_ROUTE,
    PAY_ROUTE,
    REFUND_NOTIFY_ROUTE,
    SENSITIVE_KEYS,
)
from ..reference import is_refund_prefix, make_order_prefix
from ..wechatpay.errors import ApiError, MessageError, WechatPayError
from ..wechatpay.messages import format_time

_logger = get_payment_logger(__name__, SENSITIVE_KEYS)

#: Errors after which the same refund, with the same number, is asked for again.
RETRY_CODES = ("SYSTEM_ERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "FREQUENCY_LIMIT_EXCEED")


class PaymentTransaction(models.Model):
    """Life of a WeChat payment:

    created (the kind of payment chosen by the browser) -> the payment page places the order at WeChat Pay, as often as
    needed with the same values -> paid: a callback, a query from the open page or the poller brings the same facts to
    `_process` -> refunds are children with a number of their own, kept for every repetition.
    """

    _inherit = "payment.transaction"

    wechatpay_kind = fields.Selection(
        [("native", "QR code"), ("jsapi", "Inside WeChat"), ("h5", "Phone outside WeChat")],
        "Way of Paying",
        readonly=True,
    )
    wechatpay_code = fields.Char(
        readonly=True,
        groups="base.group_system",
        help="What the browser needs to pay: code_url, prepay_id or h5_url.",
    )
    wechatpay_code_at = fields.Datetime(readonly=True, groups="base.group_system")
    wechatpay_openid = fields.Char(
        readonly=True, groups="base.group_system", help="Who pays, for our App ID."
    )
    wechatpay_client_ip = fields.Char(readonly=True, groups="base.group_system")

    # --- reference ------------------------------------------------------------------------------------------------

    @api.model
    def _compute_reference(self, provider_code, prefix=None, separator="-", **kwargs):
        """Legal for WeChat Pay and made by no other database of the merchant; a given prefix cannot change that."""
        if provider_code == CODE and not is_refund_prefix(prefix):
            database_uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
            prefix = make_order_prefix(database_uuid, fields.Datetime.now())
        return super()._compute_reference(provider_code, prefix=prefix, separator=separator, **kwargs)

    # --- the way to the payment page ------------------------------------------------------------------------------

    def _get_specific_rendering_values(self, processing_values):
        """To our own page, where the order is placed once this transaction is safely stored."""
        if self.provider_code != CODE:
            return super()._get_specific_rendering_values(processing_values)
        self.wechatpay_kind = self.provider_id._get_wechatpay_kind()
        return {
            "api_url": f"{PAY_ROUTE}/{self.id}",
            "access_token": self._get_wechatpay_token(),
        }

    def _get_wechatpay_token(self):
        return payment_utils.generate_access_token(CODE, self.id, self.reference, env=self.env)

    def _get_wechat_openid(self):
        """The payer's openid for the provider's App ID, from the server's own knowledge, or False.

        From this browser session's OAuth with WeChat. Addons that know their customers' openids extend this.
        """
        self.ensure_one()
        transaction = self.sudo()
        if transaction.wechatpay_openid:
            return transaction.wechatpay_openid
        known = request.session.get("wechatpay_openids", {}) if request else {}
        return known.get(transaction.provider_id.wechatpay_appid) or False

    # --- order ----------------------------------------------------------------------------------------------------

    def _place_wechatpay_order(self, client_ip):
        """The code the browser needs. Repeating is safe: the same number with the same values is the same order.

        ValidationError with a text for the payer when there is none.
        """
        self.ensure_one()
        transaction = self.sudo()
        if transaction.state not in ("draft", "pending") or transaction._is_wechatpay_expired():
            raise ValidationError(self.env._("This payment can no longer be made. Please start again."))
        if transaction.wechatpay_code and not transaction._is_wechatpay_code_stale():
            return transaction.wechatpay_code
        transaction.wechatpay_client_ip = transaction.wechatpay_client_ip or client_ip
        transaction.wechatpay_openid = transaction._get_wechat_openid()
        client = transaction.provider_id._get_wechatpay_client()
        try:
            code = client.create_order(transaction.wechatpay_kind, transaction._prepare_wechatpay_order())
        except WechatPayError as error:
            _logger.warning("Order %s was not placed: %s", transaction.reference, error)
            raise ValidationError(transaction.provider_id._get_wechatpay_error_text(error)) from None
        transaction.write({"wechatpay_code": code, "wechatpay_code_at": fields.Datetime.now()})
        if transaction.state == "draft":
            transaction._set_pending()
        return code

    def _is_wechatpay_expired(self):
        return bool(self.gateway_expires_at and self.gateway_expires_at <= fields.Datetime.now())

    def _is_wechatpay_code_stale(self):
        limit = fields.Datetime.now() - timedelta(minutes=H5_LINK_MIN)
        return self.wechatpay_kind == "h5" and (not self.wechatpay_code_at or self.wechatpay_code_at < limit)

    def _prepare_wechatpay_order(self):
        """Values of the order; the same whenever it is repeated."""
        order = {
            "description": self._get_wechatpay_description(),
            "out_trade_no": self.reference,
            "notify_url": self._get_wechatpay_notify_url(NOTIFY_ROUTE),
            "amount": {"total": self.gateway_fen, "currency": CURRENCY},
        }
        if self.gateway_expires_at:
            order["time_expire"] = format_time(self.gateway_expires_at)
        if self.wechatpay_kind == "jsapi":
            if not self.wechatpay_openid:
                raise ValidationError(
                    self.env._("WeChat did not tell who is paying. Open this page in WeChat.")
                )
            order["payer"] = {"openid": self.wechatpay_openid}
        elif self.wechatpay_kind == "h5":
            order["scene_info"] = {"payer_client_ip": self.wechatpay_client_ip, "h5_info": {"type": "Wap"}}
        return order

    def _get_wechatpay_description(self):
        """What the payer reads in WeChat, at most 127 characters."""
        return f"{self.company_id.name} {self.reference}"[-127:]

    def _get_wechatpay_notify_url(self, route):
        return urljoin(self.provider_id.get_base_url(), f"{route}/{self.provider_id.id}")

    # --- facts ----------------------------------------------------------------------------------------------------

    def _normalize_wechatpay(self, facts):
        """Facts (wechatpay.messages) of this transaction as the payment data of `_process`.

        MessageError when a refund's facts are about another payment than ours.
        """
        self.ensure_one()
        data = {"provider_id": self.provider_id.id, "currency": CURRENCY} | facts
        if self.operation == "refund":
            source = self.source_transaction_id
            ours = (source.reference, source.provider_reference, source.gateway_fen)
            if (facts["reference"], facts["payment_gateway_reference"], facts["total_fen"]) != ours:
                raise MessageError("refund of another payment")
        return data

    def _process(self, provider_code, payment_data):
        transaction = super()._process(provider_code, payment_data)
        if provider_code == CODE and payment_data.get("detail") == "ABNORMAL" and transaction.state != "done":
            transaction._open_gateway_case(
                "state_differs",
                payment_data,
                self.env._(
                    "The payer's card took nothing back: finish this refund on WeChat's merchant platform."
                ),
            )
        return transaction

    def _gateway_query(self):
        if self.provider_code != CODE:
            return super()._gateway_query()
        try:
            facts = self._query_wechatpay()
            return facts and self._normalize_wechatpay(facts)
        except WechatPayError as error:
            raise UserError(self.provider_id._get_wechatpay_error_text(error)) from None

    def _query_wechatpay(self):
        client = self.provider_id._get_wechatpay_client()
        if self.operation == "refund":
            return client.query_refund(self.reference)
        return client.query_order(self.reference)

    def _gateway_close(self):
        """Close the order: closed, paid (the payer was faster) or unknown (ask again later)."""
        if self.provider_code != CODE:
            return super()._gateway_close()
        try:
            return self.provider_id._get_wechatpay_client().close_order(self.reference)
        except WechatPayError as error:
            _logger.warning("Order %s was not closed: %s", self.reference, error)
            return "unknown"

    # --- refunds --------------------------------------------------------------------------------------------------

    def _gateway_refund(self):
        """Ask for the refund: the same number with the same values is the same refund, however often it is sent."""
        if self.provider_code != CODE:
            return super()._gateway_refund()
        try:
            facts = self.provider_id._get_wechatpay_client().refund(self._prepare_wechatpay_refund())
            return self._normalize_wechatpay(facts)
        except WechatPayError as error:
            _logger.warning("Refund %s was answered with: %s", self.reference, error)
            text = self.provider_id._get_wechatpay_error_text(error)
            if not self._is_wechatpay_refusal(error):
                raise UserError(text) from None
        return {
            "provider_id": self.provider_id.id,
            "refund_reference": self.reference,
            "state": "refund_failed",
            "detail": text,
        }

    def _is_wechatpay_refusal(self, error):
        """Whether this is WeChat Pay's signed and final no."""
        return (
            isinstance(error, ApiError)
            and error.is_verified
            and error.status < 500
            and error.code not in RETRY_CODES
        )

    def _prepare_wechatpay_refund(self):
        source = self.source_transaction_id
        return {
            "transaction_id": source.provider_reference,
            "out_refund_no": self.reference,
            "notify_url": self._get_wechatpay_notify_url(REFUND_NOTIFY_ROUTE),
            "amount": {"refund": abs(self.gateway_fen), "total": source.gateway_fen, "currency": CURRENCY},
        }
