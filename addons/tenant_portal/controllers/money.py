import json
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from odoo import http
from odoo.http import content_disposition, request

from .access import get_own_sudo, get_pager, get_tenancy_sudo, parse_day, parse_page, render

#: What the filter of the ledger offers: key -> kinds of entries.
FILTERS = {
    "all": None,
    "topup": ("topup",),
    "charge": ("charge",),
    "fee": ("fee",),
    "other": ("refund", "subsidy", "adjustment", "reversal"),
}
TOPUPS_PER_PAGE = 20
NOTICES_PER_PAGE = 20
RECEIPT = "prepaid_billing.prepaid_topup_report_receipt"


class UtilityMoney(http.Controller):
    @http.route(
        "/my/utility/<int:contract_id>/ledger",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def utility_ledger(self, contract_id, kind="all", month=None, **_kwargs):
        """The account book of a month with its running balance."""
        contract_sudo = get_tenancy_sudo(contract_id)
        kind = kind if kind in FILTERS else "all"
        today = contract_sudo._get_portal_today()
        start = min(parse_day(month, today), today).replace(day=1)
        end = start + relativedelta(months=1)
        rows = contract_sudo._get_portal_ledger(start, end, FILTERS[kind])
        return render(
            "ledger",
            contract_sudo,
            "ledger",
            rows=rows,
            kind=kind,
            month=start.strftime("%Y-%m"),
            previous=(start - relativedelta(months=1)).strftime("%Y-%m"),
            following=end.strftime("%Y-%m") if end <= today else None,
            money_in=sum((row["amount"] for row in rows if row["amount"] > 0), Decimal(0)),
            money_out=sum((row["amount"] for row in rows if row["amount"] < 0), Decimal(0)),
        )

    @http.route(
        ["/my/utility/<int:contract_id>/topups", "/my/utility/<int:contract_id>/topups/page/<page>"],
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
    )
    def utility_topups(self, contract_id, page="1", **_kwargs):
        """All top-ups of the wallet with their receipts."""
        contract_sudo = get_tenancy_sudo(contract_id)
        topups = contract_sudo.env["prepaid.topup"]
        domain = [("wallet_id", "=", contract_sudo.wallet_id.id), ("state", "in", ("posted", "reversed"))]
        pager = get_pager(
            f"/my/utility/{contract_id}/topups",
            topups.search_count(domain),
            parse_page(page),
            TOPUPS_PER_PAGE,
        )
        found = topups.search(domain, offset=pager["offset"], limit=TOPUPS_PER_PAGE, order="id desc")
        year = contract_sudo._get_portal_year()
        return render(
            "topups",
            contract_sudo,
            "ledger",
            topups=found,
            pager=pager,
            year=year,
            chart=json.dumps(self._get_year_chart(contract_sudo, year)),
        )

    def _get_year_chart(self, contract_sudo, year):
        """Money in as bars, money used as a line, by month."""
        _ = contract_sudo.env._
        return {
            "labels": [row["at"].strftime("%y-%m") for row in year],
            "amount": [float(row["paid"]) for row in year],
            "amount_before": [float(row["used"]) for row in year],
            "units": {"amount": contract_sudo.wallet_id.currency_id.symbol},
            "name": _("Topped up"),
            "name_before": _("Used"),
            "axis": "",
        }

    @http.route(
        "/my/utility/<int:contract_id>/receipt/<int:topup_id>",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
    )
    def utility_receipt(self, contract_id, topup_id, **_kwargs):
        """The deposit slip of an own top-up."""
        contract_sudo = get_tenancy_sudo(contract_id)
        topup_sudo = get_own_sudo(contract_sudo, "prepaid.topup", topup_id)
        if topup_sudo.state == "draft":
            raise request.not_found()
        pdf, _kind = topup_sudo.env["ir.actions.report"]._render_qweb_pdf(RECEIPT, topup_sudo.ids)
        headers = [
            ("Content-Type", "application/pdf"),
            ("Content-Length", len(pdf)),
            (
                "Content-Disposition",
                content_disposition(f"{topup_sudo.number}.pdf", disposition_type="inline"),
            ),
            ("Cache-Control", "no-store"),
        ]
        return request.make_response(pdf, headers=headers)

    @http.route(
        ["/my/utility/<int:contract_id>/notices", "/my/utility/<int:contract_id>/notices/page/<page>"],
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def utility_notices(self, contract_id, page="1", **_kwargs):
        """What was sent to the tenant, by which channel, and whether it arrived."""
        contract_sudo = get_tenancy_sudo(contract_id)
        notices = contract_sudo.env["prepaid.notice"]
        domain = [("contract_id", "=", contract_sudo.id)]
        pager = get_pager(
            f"/my/utility/{contract_id}/notices",
            notices.search_count(domain),
            parse_page(page),
            NOTICES_PER_PAGE,
        )
        found = notices.search(domain, offset=pager["offset"], limit=NOTICES_PER_PAGE, order="id desc")
        return render("notices", contract_sudo, "notices", notices=found, pager=pager)
