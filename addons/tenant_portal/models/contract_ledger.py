"""The account book as a tenant reads it: consumption of a day in one line, everything else as it was entered."""

from datetime import timedelta
from decimal import Decimal

from odoo import models
from odoo.addons.prepaid_billing.exact import fetch_exact_dicts

ZERO = Decimal(0)
ONE_DAY = timedelta(days=1)
MAX_ROWS = 500

#: Runs of consumption between other entries, one line per day and run: the running balance of the lines adds up.
#: Consumption that was read at midnight belongs to the day that ended then.
LEDGER = """
WITH timed AS (
    SELECT *, at - CASE WHEN kind = 'charge' THEN interval '1 microsecond' ELSE interval '0' END AS moment
      FROM prepaid_entry WHERE contract_id = %(contract)s AND at >= %(start)s AND at <= %(end)s
), entry AS (
    SELECT id, sequence, at, kind, coalesce(subaccount_id, 0) AS subaccount, amount, balance_after, description,
           (moment AT TIME ZONE 'UTC' AT TIME ZONE %(tz)s)::date AS day,
           sum(CASE WHEN kind = 'charge' THEN 0 ELSE 1 END) OVER (ORDER BY sequence) AS run
      FROM timed WHERE moment >= %(start)s AND moment < %(end)s
), line AS (
    SELECT kind, day, run, CASE WHEN kind = 'charge' THEN 0 ELSE sequence END AS single, subaccount,
           sum(amount) AS amount, count(*) AS count, max(sequence) AS sequence, max(at) AS at,
           (array_agg(balance_after ORDER BY sequence DESC))[1] AS balance,
           (array_agg(description ORDER BY sequence DESC))[1] AS description,
           (array_agg(id ORDER BY sequence DESC))[1] AS entry_id
      FROM entry WHERE %(kinds)s::varchar[] IS NULL OR kind = ANY(%(kinds)s)
     GROUP BY kind, day, run, single, subaccount
)
SELECT kind, day, run, single, sum(amount) AS amount, sum(count)::int AS count, max(sequence) AS sequence, max(at) AS at,
       (array_agg(balance ORDER BY sequence DESC))[1] AS balance,
       (array_agg(description ORDER BY sequence DESC))[1] AS description,
       (array_agg(entry_id ORDER BY sequence DESC))[1] AS entry_id,
       array_agg(subaccount ORDER BY subaccount) AS subaccounts, array_agg(amount ORDER BY subaccount) AS amounts
  FROM line GROUP BY kind, day, run, single
 ORDER BY max(sequence) DESC LIMIT %(limit)s
"""

KIND_ICONS = {
    "topup": "fa-plus-circle",
    "charge": "fa-bolt",
    "fee": "fa-building-o",
    "refund": "fa-reply",
    "subsidy": "fa-gift",
    "adjustment": "fa-pencil",
    "reversal": "fa-undo",
}


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_portal_ledger(self, start, end, kinds=None, limit=MAX_ROWS):
        """[{kind, label, icon, text, at, day, amount, balance, parts, topup_id}] newest first.

        :param start, end: days of the site, end not included
        :param kinds: list of entry kinds, None for all
        """
        self.ensure_one()
        params = {
            "contract": self.id,
            "tz": self._get_tz(),
            "start": self._get_portal_utc(start),
            "end": self._get_portal_utc(end),
            "kinds": list(kinds) if kinds else None,
            "limit": limit,
        }
        rows = fetch_exact_dicts(self.env.cr, LEDGER, params)
        topups = self._get_portal_topups_of([row["entry_id"] for row in rows if row["kind"] == "topup"])
        return [self._get_portal_ledger_line(row, topups) for row in rows]

    def _get_portal_topups_of(self, entry_ids):
        """{entry id: top-up that has a receipt}"""
        topups = self.env["prepaid.topup"].search([("entry_id", "in", entry_ids)]) if entry_ids else []
        return {topup.entry_id.id: topup for topup in topups}

    def _get_portal_ledger_line(self, row, topups):
        labels = self._get_portal_kind_labels()
        is_use = row["kind"] == "charge"
        kinds = self.env["utility.kind"].browse(filter(None, row["subaccounts"]))
        names = {kind.id: kind.name for kind in kinds}
        topup = topups.get(row["entry_id"])
        parts = [
            {"name": names.get(subaccount) or labels[row["kind"]], "amount": amount}
            for subaccount, amount in zip(row["subaccounts"], row["amounts"], strict=True)
        ]
        return row | {
            "is_use": is_use,
            "label": labels[row["kind"]],
            "icon": KIND_ICONS[row["kind"]],
            "text": "" if is_use or topup else row["description"] or "",
            "parts": parts if is_use else [],
            "subaccount_name": "" if is_use else ", ".join(names.values()),
            "topup": topup,
            "method": topup and self._get_portal_method(topup),
        }

    def _get_portal_method(self, topup):
        return dict(topup._fields["method"]._description_selection(self.env))[topup.method]

    def _get_portal_kind_labels(self):
        return dict(self.env["prepaid.entry"]._fields["kind"]._description_selection(self.env))

    def _get_portal_recent(self):
        """The newest lines for the home page: this month and the one before are enough."""
        today = self._get_portal_today()
        from_day = today.replace(day=1) if today.day > 7 else (today.replace(day=1) - ONE_DAY).replace(day=1)
        return self._get_portal_ledger(from_day, today + ONE_DAY, limit=5)
