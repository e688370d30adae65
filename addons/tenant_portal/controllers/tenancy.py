from odoo import http
from odoo.http import request

from .access import get_context, get_tenancies, get_tenancy_sudo, render

CALM_S, BUSY_S = 5, 2  # how often the page asks: usually, and while something is being switched


class UtilityTenancy(http.Controller):
    @http.route("/my/utility", type="http", auth="user", website=True, methods=["GET"])
    def utility_list(self, **_kwargs):
        """The user's tenancies; who has one goes straight in."""
        tenancies = get_tenancies()
        if len(tenancies) == 1:
            return request.redirect(f"/my/utility/{tenancies.id}")
        cards = [contract._get_portal_card() for contract in tenancies.sudo()]  # own ones: see get_tenancies
        response = request.render("tenant_portal.tenancies", {"cards": cards, "page_name": "utility"})
        response.headers["Cache-Control"] = "no-store"
        return response

    @http.route("/my/utility/<int:contract_id>", type="http", auth="user", website=True, methods=["GET"])
    def utility_home(self, contract_id, **_kwargs):
        contract_sudo = get_tenancy_sudo(contract_id)
        values = contract_sudo._get_portal_live_values()
        return render(
            "tenancy",
            contract_sudo,
            "home",
            **values,
            next_s=self._get_next_s(values),
            recent=contract_sudo._get_portal_recent(),
            subaccounts=contract_sudo._get_portal_subaccounts(),
            invoice_count=self._get_invoice_count(contract_sudo),
        )

    @http.route("/my/utility/<int:contract_id>/live", type="jsonrpc", auth="user", website=True)
    def utility_live(self, contract_id, **_kwargs):
        """What changes by itself, as pieces of the page: {parts: {name: HTML}, next_s: when to ask again}."""
        contract_sudo = get_tenancy_sudo(contract_id)
        values = contract_sudo._get_portal_live_values()
        context = values | get_context(contract_sudo)
        qweb = request.env["ir.qweb"]
        parts = {
            part: qweb._render(f"tenant_portal.tenancy_{part}", context)
            for part in ("warnings", "balance", "supply")
        }
        return {"parts": parts, "next_s": self._get_next_s(values)}

    def _get_next_s(self, values):
        is_busy = any(point["state"] in ("coming", "going") for point in values["points"])
        return BUSY_S if is_busy else CALM_S

    def _get_invoice_count(self, contract_sudo):
        """Invoices of this tenancy that the user may open in the portal, by the user's own rights."""
        moves = request.env["account.move"]
        if not moves.has_access("read"):
            return 0
        domain = [("wallet_id", "=", contract_sudo.wallet_id.id), ("state", "=", "posted")]
        return moves.search_count(domain)
