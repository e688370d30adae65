import secrets
import time

from odoo import http
from odoo.addons.payment.logging import get_payment_logger
from odoo.http import request
from odoo.tools.urls import urljoin
from werkzeug.urls import url_encode

from ..const import OAUTH_ROUTE, PAY_ROUTE, SENSITIVE_KEYS
from ..wechatpay import oauth
from ..wechatpay.errors import WechatPayError

_logger = get_payment_logger(__name__, SENSITIVE_KEYS)

_STATE_KEY = "wechatpay_oauth"
#: Seconds a payer may take for WeChat's redirects.
_STATE_LIFE_S = 600


def start_oauth(tx_sudo):
    """Send the payer to WeChat, who sends them back with a code. The state binds both ways to this browser session."""
    provider_sudo = tx_sudo.provider_id
    state = secrets.token_hex(16)
    request.session[_STATE_KEY] = {"state": state, "transaction_id": tx_sudo.id, "at": time.time()}
    back = urljoin(provider_sudo.get_base_url(), OAUTH_ROUTE)
    base_url = (
        provider_sudo._get_wechatpay_url() if provider_sudo._is_wechatpay_simulated() else oauth.AUTHORIZE_URL
    )
    url = oauth.build_authorize_url(provider_sudo.wechatpay_appid, back, state, base_url)
    return request.redirect(url, code=303, local=False)


class WechatpayOauth(http.Controller):
    @http.route(OAUTH_ROUTE, type="http", auth="public", methods=["GET"], sitemap=False)
    def wechatpay_oauth(self, code=None, state=None, **_kwargs):
        """Learn the payer's openid and go on to the payment page. 403 unless this session asked for exactly this.

        Refusals are returned, not raised: only then the session is stored without the state that was used up.
        """
        expected = request.session.pop(_STATE_KEY, None) or {}
        if (
            not state
            or not secrets.compare_digest(str(state).encode(), expected.get("state", "").encode())
            or time.time() - expected["at"] > _STATE_LIFE_S
        ):
            _logger.warning("OAuth answer refused: it does not belong to this session.")
            return self._refuse()
        tx_sudo = request.env["payment.transaction"].sudo().browse(expected["transaction_id"]).exists()
        provider_sudo = tx_sudo.provider_id
        is_simulated = provider_sudo._is_wechatpay_simulated()
        try:
            openid = oauth.exchange_code(
                provider_sudo.wechatpay_appid,
                provider_sudo.wechatpay_app_secret,
                code,
                provider_sudo._get_wechatpay_url() if is_simulated else oauth.TOKEN_URL,
            )
        except WechatPayError as error:
            _logger.warning("OAuth of transaction %s failed: %s", tx_sudo.reference, error)
            return self._refuse()
        known = request.session.get("wechatpay_openids", {})
        request.session["wechatpay_openids"] = known | {provider_sudo.wechatpay_appid: openid}
        token = url_encode({"access_token": tx_sudo._get_wechatpay_token()})
        return request.redirect(f"{PAY_ROUTE}/{tx_sudo.id}?{token}", code=303)

    @staticmethod
    def _refuse():
        text = request.env._("WeChat did not tell who is paying. Please go back and try again.")
        return request.make_response(
            text, headers=[("Content-Type", "text/plain; charset=utf-8")], status=403
        )
