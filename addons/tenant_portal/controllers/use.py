import csv
import io
import json
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from odoo import http
from odoo.http import content_disposition, request

from .access import get_tenancy_sudo, parse_day, render

STEPS = ("day", "month")


class UtilityUse(http.Controller):
    @http.route(
        "/my/utility/<int:contract_id>/use",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def utility_use(self, contract_id, kind=None, step=None, period=None, **_kwargs):
        """Use and money of a month by day or of a year by month, as chart and list, beside the period before."""
        contract_sudo = get_tenancy_sudo(contract_id)
        values = self._get_use_values(contract_sudo, kind, step, period)
        return render("use", contract_sudo, "use", **values)

    @http.route(
        "/my/utility/<int:contract_id>/use.csv",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
        multilang=False,
    )
    def utility_use_csv(self, contract_id, kind=None, step=None, period=None, **_kwargs):
        """The list of the page as a file. Numbers and dates only: nothing a spreadsheet would run."""
        contract_sudo = get_tenancy_sudo(contract_id)
        values = self._get_use_values(contract_sudo, kind, step, period)
        name = f"{contract_sudo.account_number}-{values['period']}.csv"
        if not values["kind"]:
            return request.redirect(f"/my/utility/{contract_id}/use")
        name = f"{values['kind'].code}-{name}"
        headers = [
            ("Content-Type", "text/csv; charset=utf-8"),
            ("Content-Disposition", content_disposition(name)),
            ("Cache-Control", "no-store"),
        ]
        return request.make_response(self._make_csv(contract_sudo, values), headers=headers)

    def _make_csv(self, contract_sudo, values):
        _ = contract_sudo.env._
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([_("Date"), f"{_('Use')} ({values['uom']})", f"{_('Cost')} ({values['symbol']})"])
        for row in values["use"]["rows"]:
            writer.writerow([row["label"], format(row["quantity"], "f"), format(row["amount"], "f")])
        return ("\ufeff" + buffer.getvalue()).encode()  # the mark makes Excel read UTF-8

    def _get_use_values(self, contract_sudo, kind, step, period):
        kinds = contract_sudo._get_portal_kinds()
        kind_sudo = kinds.filtered(lambda k: k.code == kind)[:1] or kinds[:1]
        step = step if step in STEPS else "day"
        today = contract_sudo._get_portal_today()
        start = _get_start(step, parse_day(period, today))
        length = relativedelta(months=1) if step == "day" else relativedelta(years=1)
        pattern = "%Y-%m" if step == "day" else "%Y"
        use = contract_sudo._get_portal_use(kind_sudo, step, start) if kind_sudo else None
        values = {
            "kinds": kinds,
            "kind": kind_sudo,
            "uom": kind_sudo.uom_name or "",
            "symbol": contract_sudo.wallet_id.currency_id.symbol,
            "step": step,
            "period": start.strftime(pattern),
            "previous": (start - length).strftime(pattern),
            "following": (start + length).strftime(pattern) if start + length <= today else None,
            "use": use,
            "today": today,
        }
        if use:
            self._add_labels(contract_sudo, use, step)
            values["change"] = _get_change(use["amount"], use["before_amount"])
            values["change_quantity"] = _get_change(use["quantity"], use["before_quantity"])
            values["chart"] = json.dumps(self._get_chart(contract_sudo, values))
        return values

    def _add_labels(self, contract_sudo, use, step):
        for row in use["rows"]:
            row["label"] = row["at"].strftime("%Y-%m-%d" if step == "day" else "%Y-%m")
            row["day_text"] = contract_sudo._get_portal_day_text(row["at"]) if step == "day" else ""

    def _get_chart(self, contract_sudo, values):
        _ = contract_sudo.env._
        use, step = values["use"], values["step"]
        count = max(len(use["before"]), _count_steps(use, step))
        return {
            "labels": [str(number) for number in range(1, count + 1)],
            "quantity": [float(row["quantity"]) for row in use["rows"]],
            "amount": [float(row["amount"]) for row in use["rows"]],
            "quantity_before": [float(quantity) for quantity, _amount in use["before"]],
            "amount_before": [float(amount) for _quantity, amount in use["before"]],
            "units": {"quantity": values["uom"], "amount": values["symbol"]},
            "name": values["period"],
            "name_before": values["previous"],
            "axis": _("Day") if step == "day" else _("Month"),
        }


def _get_start(step, day):
    return day.replace(day=1) if step == "day" else day.replace(month=1, day=1)


def _count_steps(use, step):
    first = use["rows"][0]["at"] if use["rows"] else None
    if step == "month" or not first:
        return 12 if step == "month" else 28
    return ((first.replace(day=28) + timedelta(days=4)).replace(day=1) - first).days


def _get_change(now, before):
    """{sign: up|down|same, percent, difference} or None when there is nothing to compare with."""
    if not before:
        return None
    difference = now - before
    percent = (abs(difference) * 100 / before).quantize(Decimal("0.1"))
    sign = "same" if not difference else "up" if difference > 0 else "down"
    return {"sign": sign, "percent": percent, "difference": abs(difference)}
