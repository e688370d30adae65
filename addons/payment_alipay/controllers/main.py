import logging

from odoo import http
from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.exceptions import ValidationError
from odoo.http import request
from werkzeug.exceptions import NotFound

from .. import const
from ..alipay.errors import AlipayError
from ..alipay.notification import read_notice, verify_notice
from ..alipay.qr import make_image_uri

_logger = logging.getLogger(__name__)

MAX_NOTICE = 64 * 1024
MAX_ID = 2**31 - 1
FINAL = ("done", "authorized", "cancel", "error")


class AlipayController(http.Controller):
    # --- Alipay's notices -----------------------------------------------------------------------------------------

    @http.route(
        "/payment/alipay/notify/<int:provider_id>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        save_session=False,
        max_content_length=MAX_NOTICE,
    )
    def alipay_notify(self, provider_id, **_kwargs):
        """Take a notice. Answers exactly "success" when nothing more has to come; anything else makes Alipay repeat.

        Calls nobody. Checks, in this order: form, sign_type, signature, application, merchant account (all in
        `verify_notice`), a known order of this provider, amount and state (both in `_process`).
        """
        provider = self._get_provider(provider_id)
        try:
            params = verify_notice(
                request.httprequest.form.items(multi=True),
                provider._alipay_get_keys_sudo(),
                provider.alipay_app_id,
                provider.alipay_seller_id,
            )
            notice = read_notice(params)
        except (AlipayError, ValidationError) as error:
            # Nothing of an unproven notice is logged but the reason it was refused for.
            _logger.warning("Alipay notice to provider %s refused: %s", provider.id, error)
            return self._fail(400)
        transaction = self._get_transaction(provider, notice)
        if not transaction:
            _logger.warning("Alipay notice to provider %s: no such order here", provider.id)
            return self._fail(404)
        is_taken = transaction._alipay_take_notice(notice)
        _logger.info(
            "Alipay notice for %s: %s, %s",
            transaction.reference,
            notice.status,
            "taken" if is_taken else "refused",
        )
        return (
            request.make_response("success", [("Content-Type", "text/plain")])
            if is_taken
            else self._fail(409)
        )

    def _get_provider(self, provider_id):
        """As superuser: Alipay has no user here. Disabled providers take nothing; Alipay tries again for a day."""
        provider = request.env["payment.provider"].sudo()
        if 0 < provider_id <= MAX_ID:
            provider = provider.browse(provider_id).exists()
        if not provider or provider.code != const.PROVIDER_CODE or provider.state == "disabled":
            raise NotFound
        return provider

    def _get_transaction(self, provider, notice):
        """The order, if it is this provider's and was made in the world (test or real) the provider is in now."""
        return provider.env["payment.transaction"].search(
            [
                ("reference", "=", notice.reference),
                ("provider_id", "=", provider.id),
                ("operation", "!=", "refund"),
                ("is_live", "=", provider.state == "enabled"),
            ],
            limit=1,
        )

    def _fail(self, status):
        return request.make_response("fail", [("Content-Type", "text/plain")], status=status)

    # --- the payer's pages ----------------------------------------------------------------------------------------

    @http.route("/payment/alipay/return", type="http", auth="public", methods=["GET"], sitemap=False)
    def alipay_return(self, **_kwargs):
        """The payer is back. What the address says is not looked at: it carries no state, and anybody can write it."""
        return request.redirect("/payment/status")

    @http.route(
        "/payment/alipay/qr/<int:transaction_id>",
        type="http",
        auth="public",
        methods=["GET"],
        website=True,
        multilang=False,
        sitemap=False,
    )
    def alipay_qr(self, transaction_id, access_token="", **_kwargs):
        """The QR code with the time left; the page asks for the state by itself."""
        transaction = self._get_own_transaction(transaction_id, access_token)
        PaymentPostProcessing.monitor_transaction(transaction)
        if transaction.state in FINAL:
            return request.redirect("/payment/status")
        response = request.render("payment_alipay.qr_page", self._get_qr_values(transaction, access_token))
        response.headers["Cache-Control"] = "no-store"
        return response

    def _get_qr_values(self, transaction, access_token):
        values = {
            "tx": transaction,
            "access_token": access_token,
            "seconds_left": transaction._alipay_get_seconds_left(),
            "qr_image": "",
            "stand_in_url": "",
            "problem": "",
        }
        if not values["seconds_left"]:
            return values
        try:
            text = transaction._alipay_get_qr_text()
        except ValidationError as error:
            return {**values, "problem": str(error)}
        values["qr_image"] = make_image_uri(text)
        if transaction.provider_id._alipay_get_gateway()[1]:
            values["stand_in_url"] = text  # a stand-in's code is a page to click through
        return values

    @http.route("/payment/alipay/qr/<int:transaction_id>/status", type="jsonrpc", auth="public")
    def alipay_qr_status(self, transaction_id, access_token="", **_kwargs):
        """{is_final, seconds_left} for the page that waits."""
        transaction = self._get_own_transaction(transaction_id, access_token)
        return {
            "is_final": transaction.state in FINAL,
            "seconds_left": transaction._alipay_get_seconds_left(),
        }

    def _get_own_transaction(self, transaction_id, access_token):
        """As superuser, after the token was checked: payers may be nobody's user."""
        transaction = request.env["payment.transaction"].sudo()
        if 0 < transaction_id <= MAX_ID:
            transaction = transaction.browse(transaction_id).exists()
        if (
            not transaction
            or transaction.provider_code != const.PROVIDER_CODE
            or transaction.alipay_product != "qr"
            or not isinstance(access_token, str)
            or not payment_utils.check_access_token(
                access_token, "alipay_qr", transaction.id, transaction.reference
            )
        ):
            raise NotFound
        return transaction
