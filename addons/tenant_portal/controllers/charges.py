from datetime import timedelta

from odoo import http

from .access import get_pager, get_tenancy_sudo, parse_day, parse_page, render

CHARGES_PER_PAGE = 20


class UtilityCharges(http.Controller):
    @http.route(
        ["/my/utility/<int:contract_id>/charges", "/my/utility/<int:contract_id>/charges/page/<page>"],
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def utility_charges(self, contract_id, page="1", day=None, **_kwargs):
        """A day's consumption explained: readings, multiplier, prices; below it the single charges."""
        contract_sudo = get_tenancy_sudo(contract_id)
        today = contract_sudo._get_portal_today()
        day = min(parse_day(day, today), today)
        values = contract_sudo._get_portal_charge_day(day)
        pager = get_pager(
            f"/my/utility/{contract_id}/charges",
            len(values["charge_ids"]),
            parse_page(page),
            CHARGES_PER_PAGE,
            day=day.isoformat(),
        )
        ids = values["charge_ids"][pager["offset"] : pager["offset"] + CHARGES_PER_PAGE]
        return render(
            "charges",
            contract_sudo,
            "use",
            **values,
            day=day,
            day_text=contract_sudo._get_portal_day_text(day),
            previous=(day - timedelta(days=1)).isoformat(),
            following=(day + timedelta(days=1)).isoformat() if day < today else None,
            charges=contract_sudo._get_portal_charges(ids),
            pager=pager,
        )
