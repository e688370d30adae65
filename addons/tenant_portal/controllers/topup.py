import logging

from odoo import http
from odoo.addons.payment import utils as payment_utils
from odoo.addons.payment.controllers.portal import PaymentPortal
from odoo.exceptions import UserError, ValidationError
from odoo.http import request
from werkzeug.exceptions import BadRequest, Forbidden

from .access import get_context, get_own_sudo, get_tenancy_sudo, render

_logger = logging.getLogger(__name__)


class UtilityTopup(PaymentPortal):
    """Three taps: top up, an amount, pay. The server decides what is paid, for whom and into which wallet."""

    @http.route(
        "/my/utility/<int:contract_id>/topup", type="http", auth="user", website=True, methods=["GET"]
    )
    def utility_topup(self, contract_id, amount=None, **_kwargs):
        """Amounts to choose from; with an amount, the ways to pay it."""
        contract_sudo = get_tenancy_sudo(contract_id)
        values = {
            "title": contract_sudo._get_portal_title(),
            "summary": contract_sudo._get_portal_summary(),
            "presets": contract_sudo._get_portal_presets(),
            "limits": contract_sudo._get_portal_topup_limits(),
            "amount_text": str(amount or "")[:20],
        }
        if amount:
            try:
                values |= self._get_payment_values(contract_sudo, amount)
            except ValidationError as error:
                values["error"] = error.args[0]
        return render("topup", contract_sudo, "home", **values)

    def _get_payment_values(self, contract_sudo, amount):
        """Context of Odoo's payment form for an amount the server has checked."""
        prepared = contract_sudo._prepare_portal_topup(amount)
        value = prepared["amount"]
        providers_sudo, methods_sudo = contract_sudo._get_portal_payment_options(value)
        currency = contract_sudo.wallet_id.currency_id
        return {
            "amount": value,
            "amount_text": f"{value:.2f}",
            "submit_button_label": contract_sudo.env._("Pay %s", currency.format(value)),
            "partner_id": contract_sudo.partner_id.id,
            "providers_sudo": providers_sudo,
            "payment_methods_sudo": methods_sudo,
            "preselected_method_id": contract_sudo._get_portal_last_method(methods_sudo).id,
            "tokens_sudo": contract_sudo.env["payment.token"],
            "show_tokenize_input_mapping": dict.fromkeys(providers_sudo.ids, False),
            "reference_prefix": prepared["reference_prefix"],
            "transaction_route": f"/my/utility/{contract_sudo.id}/transaction",
            "landing_route": f"/my/utility/{contract_sudo.id}/topup/done",
            "access_token": contract_sudo._get_portal_topup_token(value),
        }

    @http.route("/my/utility/<int:contract_id>/transaction", type="jsonrpc", auth="user", website=True)
    def utility_transaction(
        self, contract_id, amount=None, access_token=None, provider_id=None, payment_method_id=None, **kwargs
    ):
        """Create the payment and return what the browser needs to carry it out.

        Of what the browser says only the way to pay counts, and the amount if the token of the page confirms it.
        """
        contract_sudo = get_tenancy_sudo(contract_id)
        self._validate_transaction_kwargs(kwargs)
        prepared = contract_sudo._prepare_portal_topup(amount)
        if not payment_utils.check_access_token(
            str(access_token or ""), *contract_sudo._get_portal_token_values(prepared["amount"])
        ):
            raise Forbidden
        flow = kwargs.get("flow")
        self._check_way_to_pay(contract_sudo, prepared["amount"], provider_id, payment_method_id, flow)
        tx_sudo = self._create_transaction(
            provider_id=provider_id,
            payment_method_id=payment_method_id,
            token_id=None,
            flow=flow,
            tokenization_requested=False,
            landing_route=f"/my/utility/{contract_id}/topup/done",
            **prepared,
        )
        tx_sudo.landing_route = f"/my/utility/{contract_id}/topup/done?tx={tx_sudo.id}"
        return tx_sudo._get_processing_values()

    def _check_way_to_pay(self, contract_sudo, amount, provider_id, payment_method_id, flow):
        """Only what the page offered: published providers of this company, their active methods, no stored cards."""
        providers_sudo, methods_sudo = contract_sudo._get_portal_payment_options(amount)
        provider_sudo = providers_sudo.filtered(lambda provider: provider.id == provider_id)
        method_sudo = methods_sudo.filtered(lambda method: method.id == payment_method_id)
        if flow not in ("direct", "redirect") or not provider_sudo & method_sudo.provider_ids:
            raise BadRequest(contract_sudo.env._("This way to pay is not offered."))

    # --- after paying -----------------------------------------------------------------------------------------

    @http.route(
        "/my/utility/<int:contract_id>/topup/done", type="http", auth="user", website=True, methods=["GET"]
    )
    def utility_topup_done(self, contract_id, tx="", **_kwargs):
        """Paid or not, and the supply coming back. Credits what is paid but not credited yet, as Odoo's status page does."""
        contract_sudo = get_tenancy_sudo(contract_id)
        tx_sudo = get_own_sudo(contract_sudo, "payment.transaction", self._cast_as_int(tx) or 0)
        self._credit(tx_sudo)
        payment = contract_sudo._get_portal_payment(tx_sudo)
        return render("topup_done", contract_sudo, "home", tx=tx_sudo, **self._get_done_values(payment))

    @http.route("/my/utility/<int:contract_id>/topup/state", type="jsonrpc", auth="user", website=True)
    def utility_topup_state(self, contract_id, tx=0, **_kwargs):
        """The changing part of the page after paying: {html, is_final}."""
        contract_sudo = get_tenancy_sudo(contract_id)
        tx_sudo = get_own_sudo(contract_sudo, "payment.transaction", self._cast_as_int(tx) or 0)
        self._credit(tx_sudo)
        values = self._get_done_values(contract_sudo._get_portal_payment(tx_sudo))
        context = values | get_context(contract_sudo) | {"tx": tx_sudo}
        html = request.env["ir.qweb"]._render("tenant_portal.topup_state", context)
        return {"html": html, "is_final": values["is_final"]}

    def _get_done_values(self, payment):
        is_over = payment["state"] in ("failed", "cancelled")
        is_done = payment["state"] == "paid" and payment["is_credited"] and payment["supply"] != "coming"
        return {"payment": payment, "is_final": is_over or is_done}

    def _credit(self, tx_sudo):
        """Enter a confirmed payment into the wallet if nobody has yet; a conflict with the cron makes Odoo try again."""
        if tx_sudo.state != "done" or tx_sudo.is_post_processed:
            return
        try:
            with request.env.cr.savepoint():
                tx_sudo._post_process()
        except UserError:  # the amounts differ: a person has to look; the books check lists it
            _logger.exception("payment %s is confirmed and was not credited", tx_sudo.reference)
