"""Use and money by day or month, from the sums that the settlement keeps."""

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from odoo import models
from odoo.addons.prepaid_billing.exact import fetch_exact

ZERO = Decimal(0)

USE = """
SELECT date_trunc(%(step)s, day)::date AS at, sum(quantity), sum(amount) FROM prepaid_use_daily
 WHERE contract_id = %(contract)s AND kind_id = %(kind)s AND day >= %(start)s AND day < %(end)s
 GROUP BY 1 ORDER BY 1
"""

YEAR = """
SELECT at, sum(paid), sum(used) FROM (
    SELECT date_trunc('month', posted_at AT TIME ZONE 'UTC' AT TIME ZONE %(tz)s)::date AS at, amount AS paid, 0 AS used
      FROM prepaid_topup WHERE wallet_id = %(wallet)s AND state = 'posted' AND posted_at >= %(start_at)s
    UNION ALL
    SELECT date_trunc('month', day)::date, 0, amount FROM prepaid_use_daily
     WHERE contract_id = %(contract)s AND day >= %(start)s
) months GROUP BY at
"""


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_portal_kinds(self):
        """Metered kinds this tenancy has or had, power first."""
        self.env.cr.execute(
            """SELECT DISTINCT kind_id FROM utility_service_point point
                 JOIN property_occupancy occupancy ON occupancy.unit_id = point.unit_id
                WHERE occupancy.contract_id = %s""",
            [self.id],
        )
        ids = [row[0] for row in self.env.cr.fetchall()]
        return self.env["utility.kind"].with_context(active_test=False).browse(ids).sorted("sequence")

    def _get_portal_use_today(self):
        """[{label, icon, uom, quantity, amount}] of the site's today, one per metered kind."""
        today = self._get_portal_today()
        rows = fetch_exact(
            self.env.cr,
            """SELECT kind_id, sum(quantity), sum(amount) FROM prepaid_use_daily
                WHERE contract_id = %s AND day = %s GROUP BY kind_id""",
            [self.id, today],
        )
        sums = {kind_id: (quantity, amount) for kind_id, quantity, amount in rows}
        kinds = self.service_point_ids.kind_id | self.env["utility.kind"].browse(sums)
        return [
            {
                "label": self.env._("%s today", kind.name),
                "icon": kind.icon or "fa-tachometer",
                "uom": kind.uom_name or "",
                "quantity": sums.get(kind.id, (ZERO, ZERO))[0],
                "amount": sums.get(kind.id, (ZERO, ZERO))[1],
            }
            for kind in kinds.sorted("sequence")
        ]

    def _get_portal_use(self, kind, step, start):
        """Use of `kind` in the month (step "day") or year (step "month") that begins at `start`, with the period before.

        :return: {rows: [{at, quantity, amount, before}], quantity, amount, before_quantity, before_amount, is_partial}
            where the sums of the period before cover the same part of it as has passed of this one
        """
        length = relativedelta(months=1) if step == "day" else relativedelta(years=1)
        end, today = start + length, self._get_portal_today()
        sums = self._fetch_portal_use(kind, step, start, end)
        before = self._fetch_portal_use(kind, step, start - length, start)
        is_partial = start <= today < end
        until = _get_same_point(today, start - length, step) if is_partial else start
        totals = self._fetch_portal_use(kind, "year", start, end).values()
        totals_before = self._fetch_portal_use(kind, "year", start - length, until).values()
        steps = _get_steps(step, start, min(end, today + timedelta(days=1)))
        return {
            "rows": [
                {
                    "at": at,
                    "quantity": sums.get(at, (ZERO, ZERO))[0],
                    "amount": sums.get(at, (ZERO, ZERO))[1],
                    "is_empty": at not in sums,
                }
                for at in steps
            ],
            "before": [before.get(at, (ZERO, ZERO)) for at in _get_steps(step, start - length, start)],
            "quantity": sum((row[0] for row in totals), ZERO),
            "amount": sum((row[1] for row in totals), ZERO),
            "before_quantity": sum((row[0] for row in totals_before), ZERO),
            "before_amount": sum((row[1] for row in totals_before), ZERO),
            "is_partial": is_partial,
        }

    def _get_portal_year(self):
        """[{at, paid, used}] of the last twelve months of the site: money topped up and money used."""
        today = self._get_portal_today()
        start = today.replace(day=1) - relativedelta(months=11)
        params = {
            "contract": self.id,
            "wallet": self.wallet_id.id,
            "start": start,
            "start_at": self._get_portal_utc(start),
            "tz": self._get_tz(),
        }
        rows = {at: (paid, used) for at, paid, used in fetch_exact(self.env.cr, YEAR, params)}
        return [
            {"at": at, "paid": rows.get(at, (ZERO, ZERO))[0], "used": rows.get(at, (ZERO, ZERO))[1]}
            for at in _get_steps("month", start, today + timedelta(days=1))
        ]

    def _fetch_portal_use(self, kind, step, start, end):
        """{first day of step: (quantity, amount)}"""
        params = {"step": step, "contract": self.id, "kind": kind.id, "start": start, "end": end}
        return {at: (quantity, amount) for at, quantity, amount in fetch_exact(self.env.cr, USE, params)}


def _get_steps(step, start, end):
    """First days of the days or months in [start, end)."""
    stride = relativedelta(days=1) if step == "day" else relativedelta(months=1)
    steps, at = [], start
    while at < end:
        steps.append(at)
        at += stride
    return steps


def _get_same_point(today, start, step):
    """The day after the one in the period before that corresponds to `today` (the 31st to the last of a short month)."""
    month = start.month if step == "day" else today.month
    last = monthrange(start.year, month)[1]
    return date(start.year, month, min(today.day, last)) + timedelta(days=1)
