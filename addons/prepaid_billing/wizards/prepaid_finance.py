from datetime import datetime, time
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..exact import fetch_exact_dicts

KINDS = ("topup", "subsidy", "charge", "fee", "refund", "adjustment", "reversal")


class PrepaidFinance(models.TransientModel):
    """What each wallet opened with, what came and went by kind of entry, what it closed with."""

    _name = "prepaid.finance"
    _description = "Finance by Tenancy"

    company_id = fields.Many2one("res.company", default=lambda self: self.env.company, required=True)
    date_from = fields.Date(default=lambda self: self._get_month_start(-1), required=True, string="From")
    date_to = fields.Date(default=lambda self: self._get_month_start(0, -1), required=True, string="Until")

    @api.model
    def _get_month_start(self, months, days=0):
        today = self.env.company._get_prepaid_today()
        return today.replace(day=1) + relativedelta(months=months, days=days)

    @api.constrains("date_from", "date_to")
    def _check_dates(self):
        if any(report.date_to < report.date_from for report in self):
            raise ValidationError(self.env._("The first day must not be after the last day."))

    def _get_bounds(self):
        """The instants (naive UTC) between which entries count; days are the company's."""
        zone, utc = ZoneInfo(self.company_id.partner_id.tz or "Asia/Shanghai"), ZoneInfo("UTC")
        days = (self.date_from, self.date_to + relativedelta(days=1))
        return [datetime.combine(day, time(), zone).astimezone(utc).replace(tzinfo=None) for day in days]

    def _get_rows(self):
        """[{wallet_id, opening, topup, subsidy, charge, fee, refund, adjustment, reversal, closing}], exact.

        Wallets the user may not see are left out.
        """
        start, end = self._get_bounds()
        wallets = self.env["prepaid.wallet"].search([("company_id", "=", self.company_id.id)])
        sums = ", ".join(
            f"coalesce(sum(amount) FILTER (WHERE kind = '{kind}' AND at >= %(start)s), 0) AS {kind}"
            for kind in KINDS
        )
        return fetch_exact_dicts(
            self.env.cr,
            f"""SELECT wallet_id, coalesce(sum(amount) FILTER (WHERE at < %(start)s), 0) AS opening, {sums},
                       sum(amount) AS closing
                FROM prepaid_entry WHERE wallet_id = ANY(%(wallets)s) AND at < %(end)s
                GROUP BY wallet_id ORDER BY wallet_id""",
            {"start": start, "end": end, "wallets": wallets.ids},
        )

    def action_export(self):
        """The workbook."""
        self.ensure_one()
        self.env["prepaid.wallet"].check_access("read")
        return self.env.ref("prepaid_billing.prepaid_finance_report").report_action(self)
