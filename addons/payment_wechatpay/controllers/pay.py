import json
import time

from odoo import fields, http
from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.payment.logging import get_payment_logger
from odoo.exceptions import UserError, ValidationError
from odoo.http import request
from odoo.tools.urls import urljoin
from werkzeug.exceptions import NotFound
from werkzeug.urls import url_encode

from ..const import ASK_AGAIN_S, CODE, PAY_ROUTE, SENSITIVE_KEYS, STATUS_ROUTE
from ..qr import make_data_uri
from .oauth import start_oauth

_logger = get_payment_logger(__name__, SENSITIVE_KEYS)

FINAL_STATES = ("done", "cancel", "error")


class WechatpayPay(http.Controller):
    """The page a payer looks at until WeChat Pay has the money: a QR code, a button inside WeChat, a link to the app.

    It shows nothing but the amount and its way of paying, and leads to Odoo's own status page when the state is final.
    """

    @http.route(
        f"{PAY_ROUTE}/<int:transaction_id>",
        type="http",
        auth="public",
        website=True,
        multilang=False,  # WeChat pays only on pages below a registered path
        sitemap=False,
        methods=["GET"],
    )
    def wechatpay_pay(self, transaction_id, access_token=None, **_kwargs):
        tx_sudo = _get_transaction_sudo(transaction_id, access_token)
        PaymentPostProcessing.monitor_transaction(tx_sudo)
        if tx_sudo.state in FINAL_STATES:
            return request.redirect("/payment/status")
        if tx_sudo.wechatpay_kind == "jsapi" and not tx_sudo._get_wechat_openid():
            return start_oauth(tx_sudo)
        values = self._get_values(tx_sudo, access_token)
        response = request.render("payment_wechatpay.pay", values)
        response.headers["Cache-Control"] = "no-store"
        # WeChat checks which site a phone comes from; the rest of the address is nobody's business.
        response.headers["Referrer-Policy"] = "origin"
        return response

    def _get_values(self, tx_sudo, access_token):
        values = {
            "tx": tx_sudo,
            "access_token": access_token,
            "kind": tx_sudo.wechatpay_kind,
            "status_route": STATUS_ROUTE,
            "seconds_left": _get_seconds_left(tx_sudo),
            "simulated_url": "",
            "error": "",
        }
        try:
            code = tx_sudo._place_wechatpay_order(request.httprequest.remote_addr)
        except ValidationError as error:
            return values | {"error": error.args[0]}
        if values["kind"] == "h5":
            return values | {"h5_url": self._get_h5_url(tx_sudo, code, access_token)}
        if values["kind"] == "jsapi":
            client = tx_sudo.provider_id._get_wechatpay_client()
            arguments = client.get_jsapi_values(code)
            simulated = self._get_simulated_url(tx_sudo, f"/jsapi?{url_encode(arguments)}")
            return values | {"jsapi": json.dumps(arguments), "simulated_url": simulated}
        return values | {
            "qr_code": make_data_uri(code),
            "simulated_url": self._get_simulated_url(tx_sudo, code),
        }

    @staticmethod
    def _get_simulated_url(tx_sudo, address):
        """Where a simulated gateway on this machine lets its payer pay: no phone can scan that. Never in production."""
        if not tx_sudo.provider_id._is_wechatpay_simulated():
            return ""
        base_url = tx_sudo.provider_id._get_wechatpay_url().rstrip("/")
        url = urljoin(base_url, address) if address.startswith("/") else address
        return url if url.startswith(f"{base_url}/") else ""

    def _get_h5_url(self, tx_sudo, code, access_token):
        """The app comes back to this page, which then asks what became of the payment."""
        back = urljoin(
            tx_sudo.provider_id.get_base_url(),
            f"{PAY_ROUTE}/{tx_sudo.id}?{url_encode({'access_token': access_token})}",
        )
        return f"{code}{'&' if '?' in code else '?'}{url_encode({'redirect_url': back})}"

    @http.route(f"{STATUS_ROUTE}/<int:transaction_id>", type="jsonrpc", auth="public")
    def wechatpay_status(self, transaction_id, access_token=None, **_kwargs):
        """{state, is_final, seconds_left}. Asks WeChat Pay itself now and then, should its callback not reach us."""
        tx_sudo = _get_transaction_sudo(transaction_id, access_token)
        if tx_sudo.state not in FINAL_STATES and self._may_ask(tx_sudo):
            self._ask(tx_sudo)
        return {
            "state": tx_sudo.state,
            "is_final": tx_sudo.state in FINAL_STATES,
            "seconds_left": _get_seconds_left(tx_sudo),
        }

    @staticmethod
    def _may_ask(tx_sudo):
        """Once every few seconds of one browser session, and only after an order was placed."""
        asked = request.session.get("wechatpay_asked", {})
        now = time.time()
        if not tx_sudo.wechatpay_code or now - asked.get(str(tx_sudo.id), 0) < ASK_AGAIN_S:
            return False
        request.session["wechatpay_asked"] = {str(tx_sudo.id): now}
        return True

    @staticmethod
    def _ask(tx_sudo):
        try:
            data = tx_sudo._gateway_query()
        except UserError as error:
            _logger.info("Transaction %s: WeChat Pay was asked in vain: %s", tx_sudo.reference, error)
            return
        if data and data["state"] == "paid":
            tx_sudo._process(CODE, data)


def _get_transaction_sudo(transaction_id, access_token):
    """The WeChat transaction whose page this is; 404 without its token."""
    tx_sudo = request.env["payment.transaction"].sudo().browse(transaction_id).exists()
    is_ours = tx_sudo and tx_sudo.provider_code == CODE and tx_sudo.operation != "refund"
    if not is_ours or not payment_utils.check_access_token(
        str(access_token or ""), CODE, tx_sudo.id, tx_sudo.reference
    ):
        raise NotFound
    return tx_sudo


def _get_seconds_left(tx_sudo):
    if not tx_sudo.gateway_expires_at:
        return 0
    return max(0, int((tx_sudo.gateway_expires_at - fields.Datetime.now()).total_seconds()))
