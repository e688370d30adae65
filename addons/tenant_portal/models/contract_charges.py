"""One day's charges of a tenancy, explained: readings, multiplier, prices line by line."""

import json
from datetime import timedelta
from decimal import Decimal

from odoo import models
from odoo.addons.prepaid_billing.exact import fetch_exact, fetch_exact_dicts

ZERO = Decimal(0)
LONGEST_DAYS = 32  # charges are cut at month boundaries

#: Charges that end in the day, and of each meter the one that begins in or before the day and ends after it.
IDS = """
SELECT c.id FROM prepaid_charge c
 WHERE c.contract_id = %(contract)s AND c.to_reading_at > %(start)s AND c.to_reading_at <= %(end)s
UNION
SELECT n.id FROM prepaid_use_daily d
  JOIN meter_installation i ON i.service_point_id = d.service_point_id
 CROSS JOIN LATERAL (
       SELECT c.id, c.from_reading_at, c.contract_id FROM prepaid_charge c
        WHERE c.installation_id = i.id AND c.to_reading_at > %(end)s AND c.to_reading_at <= %(latest)s
        ORDER BY c.to_reading_at LIMIT 1) n
 WHERE d.contract_id = %(contract)s AND d.day = %(day)s AND n.contract_id = %(contract)s AND n.from_reading_at < %(end)s
"""

SPANS = """
SELECT service_point_id, installation_id, multiplier,
       min(from_reading_at) AS from_at, max(to_reading_at) AS to_at,
       (array_agg(from_total ORDER BY from_reading_at, id))[1] AS from_total,
       (array_agg(to_total ORDER BY to_reading_at DESC, id DESC))[1] AS to_total,
       sum(quantity) AS quantity, sum(amount) AS amount, count(*) AS count,
       array_agg(DISTINCT tariff_version_id) AS version_ids, bool_or(is_computed) AS is_computed
  FROM prepaid_charge WHERE id = ANY(%s)
 GROUP BY service_point_id, installation_id, multiplier
 ORDER BY service_point_id, from_at
"""

PRICES = """
SELECT installation_id, row->>'line' AS line, row->>'rate' AS rate, (row->>'tier')::int AS tier,
       (row->>'above')::numeric AS above, (row->>'upto')::numeric AS upto, (row->>'price')::numeric AS price,
       sum((row->>'quantity')::numeric) AS quantity, sum((row->>'amount')::numeric) AS amount
  FROM prepaid_charge charge, jsonb_array_elements(charge.explanation::jsonb) row
 WHERE charge.id = ANY(%s)
 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2 DESC, 3, 4, 7
"""


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_portal_charge_day(self, day):
        """{sections: [one per meter], charge_ids: newest first, amount} of a day of the site."""
        self.ensure_one()
        start, end = self._get_portal_utc(day), self._get_portal_utc(day + timedelta(days=1))
        params = {
            "contract": self.id,
            "day": day,
            "start": start,
            "end": end,
            "latest": end + timedelta(days=LONGEST_DAYS),
        }
        rows = fetch_exact(self.env.cr, f"SELECT id FROM ({IDS}) ids ORDER BY id DESC", params)
        ids = [row[0] for row in rows]
        shares = self._get_portal_day_shares(day)
        sections = [
            self._get_portal_section(span, shares, start, end)
            for span in fetch_exact_dicts(self.env.cr, SPANS, [ids])
        ]
        self._add_portal_prices(sections, ids)
        sections.sort(key=lambda section: (section["kind"].sequence, section["point"].code))
        return {
            "sections": sections,
            "charge_ids": ids,
            "amount": sum((amount for _quantity, amount in shares.values()), ZERO),
        }

    def _get_portal_day_shares(self, day):
        """{service point id: (quantity, amount)}: what of the charges belongs to this day."""
        rows = fetch_exact(
            self.env.cr,
            "SELECT service_point_id, quantity, amount FROM prepaid_use_daily WHERE contract_id = %s AND day = %s",
            [self.id, day],
        )
        return {point_id: (quantity, amount) for point_id, quantity, amount in rows}

    def _get_portal_section(self, span, shares, start, end):
        point = self.env["utility.service.point"].browse(span["service_point_id"])
        meter = self.env["meter.installation"].browse(span["installation_id"]).circuit_id.meter_id
        versions = self.env["utility.tariff.version"].browse(filter(None, span["version_ids"]))
        share = shares.get(point.id, (ZERO, ZERO))
        return span | {
            "point": point,
            "kind": point.kind_id,
            "uom": point.kind_id.uom_name or "",
            "unit": point.unit_id.code,
            "serial": meter.serial,
            "versions": [
                {"name": version.tariff_id.name, "summary": version.summary, "from": version.valid_from}
                for version in versions
            ],
            "prices": [],
            # a charge over several days: what of it belongs to this day
            "share": share if span["from_at"] < start or span["to_at"] > end else None,
        }

    def _add_portal_prices(self, sections, charge_ids):
        by_installation = {section["installation_id"]: section for section in sections}
        for row in fetch_exact_dicts(self.env.cr, PRICES, [charge_ids]):
            by_installation[row["installation_id"]]["prices"].append(
                row | {"label": self._get_portal_price_label(row)}
            )
        for section in sections:
            section["rounding"] = section["amount"] - sum((row["amount"] for row in section["prices"]), ZERO)

    def _get_portal_charges(self, charge_ids):
        """The single charges of a page, with their price lines, in the order of `charge_ids`."""
        charges = self.env["prepaid.charge"].browse(charge_ids)
        rows = fetch_exact_dicts(
            self.env.cr,
            """SELECT id, from_total, to_total, multiplier, quantity, amount FROM prepaid_charge WHERE id = ANY(%s)""",
            [charge_ids],
        )
        numbers = {row["id"]: row for row in rows}
        return [self._get_portal_charge(charge, numbers[charge.id]) for charge in charges]

    def _get_portal_charge(self, charge, numbers):
        explanation = charge.explanation
        rows = explanation if isinstance(explanation, list) else json.loads(explanation or "[]")
        prices = [
            {
                "label": self._get_portal_price_label(row),
                "quantity": Decimal(row["quantity"]),
                "price": Decimal(row["price"]),
                "amount": Decimal(row["amount"]),
            }
            for row in rows
        ]
        return numbers | {
            "kind": charge.kind_id,
            "uom": charge.kind_id.uom_name or "",
            "unit": charge.service_point_id.unit_id.code,
            "from_at": charge.from_reading_at,
            "to_at": charge.to_reading_at,
            "is_within": self._get_local_date(charge.from_reading_at)
            == self._get_local_date(charge.to_reading_at),
            "is_computed": charge.is_computed,
            "prices": prices,
            "rounding": numbers["amount"] - sum((row["amount"] for row in prices), ZERO),
        }

    def _get_portal_price_label(self, row):
        _ = self.env._
        if row["line"] == "rate":
            return {"t1": _("Sharp"), "t2": _("Peak"), "t3": _("Flat"), "t4": _("Valley")}[row["rate"]]
        if row["line"] == "tier":
            above, upto = _trim(row["above"]), row.get("upto")
            if upto is None:
                return _("Tier %(number)s (above %(above)s)", number=row["tier"], above=above)
            return _(
                "Tier %(number)s (%(above)s–%(upto)s)", number=row["tier"], above=above, upto=_trim(upto)
            )
        return _("Use")


def _trim(number):
    """A decimal without the zeros at its end."""
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
