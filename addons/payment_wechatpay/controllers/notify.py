import json
import time

from odoo import http
from odoo.addons.payment.logging import get_payment_logger
from odoo.http import request

from ..const import CODE, NOTIFY_ROUTE, REFUND_NOTIFY_ROUTE, SENSITIVE_KEYS
from ..wechatpay import notification
from ..wechatpay.errors import KeyMaterialError, MessageError, VerificationError

_logger = get_payment_logger(__name__, SENSITIVE_KEYS)


class _Refused(Exception):
    """Answered with this HTTP status; WeChat Pay tells us again later."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class WechatpayNotify(http.Controller):
    """What WeChat Pay tells us. Nobody is called from here: the facts are proven, compared, stored, and that is all.

    Any answer but 200 means: not taken, tell us again (15 times within a day). The provider is in the address, because
    the reference is encrypted with that provider's key.
    """

    @http.route(
        f"{NOTIFY_ROUTE}/<int:provider_id>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        save_session=False,
    )
    def wechatpay_notify(self, provider_id, **_kwargs):
        return self._answer(provider_id, notification.open_payment)

    @http.route(
        f"{REFUND_NOTIFY_ROUTE}/<int:provider_id>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        save_session=False,
    )
    def wechatpay_refund_notify(self, provider_id, **_kwargs):
        return self._answer(provider_id, notification.open_refund)

    def _answer(self, provider_id, open_message):
        try:
            provider_sudo = self._get_provider_sudo(provider_id)
            facts = self._get_facts(provider_sudo, open_message)
        except _Refused as error:
            _logger.warning("Callback for provider %s refused: %s", provider_id, error)
            return self._respond(error.status)
        return self._respond(take_facts(provider_sudo, facts))

    def _get_provider_sudo(self, provider_id):
        provider_sudo = request.env["payment.provider"].sudo().browse(provider_id).exists()
        if not provider_sudo or provider_sudo.code != CODE:
            raise _Refused(404, "no such provider")
        if provider_sudo.state == "disabled":
            raise _Refused(403, "the provider is disabled")
        return provider_sudo

    def _get_facts(self, provider_sudo, open_message):
        """Proven facts of the request's body. _Refused: 401 not proven, 400 not understood or of somebody else."""
        http_request = request.httprequest
        if (http_request.content_length or 0) > notification.LARGEST_BODY:
            raise _Refused(413, "callback is too large")
        body = http_request.get_data(cache=False)
        try:
            merchant = provider_sudo._get_wechatpay_merchant(is_signing=False)
            return open_message(merchant, http_request.headers, body, now=time.time())
        except VerificationError as error:
            raise _Refused(401, str(error)) from None
        except MessageError as error:
            raise _Refused(400, str(error)) from None
        except KeyMaterialError:
            raise _Refused(503, "the provider's settings are incomplete") from None

    @staticmethod
    def _respond(status):
        body = {"code": "SUCCESS", "message": ""} if status == 200 else {"code": "FAIL", "message": "refused"}
        return request.make_response(
            json.dumps(body), headers=[("Content-Type", "application/json")], status=status
        )


def take_facts(provider_sudo, facts):
    """Hand proven facts to the transaction they are about. The HTTP status: 200 taken, 4xx not.

    Whatever is refused here has its line in the log, and where money is concerned its case.
    """
    try:
        transaction_sudo = _get_transaction_sudo(provider_sudo, facts)
        _process_facts(transaction_sudo, facts)
    except _Refused as error:
        _logger.warning("Callback for provider %s refused: %s", provider_sudo.id, error)
        return error.status
    return 200


def _get_transaction_sudo(provider_sudo, facts):
    """The transaction of this provider, made in the mode the provider is in now."""
    reference = facts.get("refund_reference") or facts["reference"]
    transaction_sudo = provider_sudo.env["payment.transaction"].search(
        [("reference", "=", reference), ("provider_id", "=", provider_sudo.id)]
    )
    if not transaction_sudo:
        raise _Refused(404, "no such transaction with this provider")
    if (transaction_sudo.operation == "refund") != ("refund_reference" in facts):
        raise _Refused(400, "payments and refunds are not the same")
    if transaction_sudo.is_live != (provider_sudo.state == "enabled"):
        raise _Refused(403, "test and production are not mixed")
    return transaction_sudo


def _process_facts(transaction_sudo, facts):
    try:
        data = transaction_sudo._normalize_wechatpay(facts)
    except MessageError as error:
        raise _Refused(400, str(error)) from None
    transaction_sudo._process(CODE, data)
    if not _is_taken(transaction_sudo, facts):
        raise _Refused(409, f"transaction {transaction_sudo.reference} does not agree")
    transaction_sudo.env.ref("payment.cron_post_process_payment_tx")._trigger()


def _is_taken(transaction_sudo, facts):
    """Whether the transaction now says what WeChat Pay says; a contradiction is a case for a person."""
    if facts["state"] == "refunding":
        return True
    if transaction_sudo.provider_reference != facts["gateway_reference"]:
        return False
    return transaction_sudo.state == ("error" if facts["state"] == "refund_failed" else "done")
