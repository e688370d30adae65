"""Charges on their way to an invoice: summed per service point, told in words, linked to the line."""

from collections import defaultdict
from decimal import Decimal
from zoneinfo import ZoneInfo

from odoo import api, models
from odoo.exceptions import UserError

from ..exact import fetch_exact, fetch_exact_dicts
from ..money.fen import ZERO

UTC = ZoneInfo("UTC")


class PrepaidCharge(models.Model):
    _inherit = "prepaid.charge"

    @api.model
    def _get_invoice_parts(self, wallet, before, zone):
        """One part per service point of the wallet's charges that began before `before` and are on no invoice."""
        self.env.flush_all()
        spans, prices = self._get_open_spans(wallet, before), self._get_open_prices(wallet, before)
        parts = []
        for point_id, rows in spans.items():
            point = self.env["utility.service.point"].browse(point_id)
            parts.append(
                {
                    "amount": sum((row["amount"] for row in rows), ZERO),
                    "name": "\n".join(self._get_line_text(point, rows, prices[point_id], zone)),
                    "kind": point.kind_id,
                    "charge_ids": [charge_id for row in rows for charge_id in row["charge_ids"]],
                }
            )
        return parts

    def _get_open_spans(self, wallet, before):
        """{service point id: [{installation_id, from_at, to_at, from_total, to_total, quantity, amount, charge_ids}]}"""
        rows = fetch_exact_dicts(
            self.env.cr,
            """SELECT service_point_id, installation_id,
                      min(from_reading_at) AS from_at, max(to_reading_at) AS to_at,
                      (array_agg(from_total ORDER BY from_reading_at, id))[1] AS from_total,
                      (array_agg(to_total ORDER BY to_reading_at DESC, id DESC))[1] AS to_total,
                      sum(quantity) AS quantity, sum(amount) AS amount, array_agg(id ORDER BY id) AS charge_ids
               FROM prepaid_charge
               WHERE wallet_id = %s AND invoice_line_id IS NULL AND from_reading_at < %s
               GROUP BY service_point_id, installation_id
               ORDER BY service_point_id, from_at""",
            [wallet.id, before],
        )
        spans = defaultdict(list)
        for row in rows:
            spans[row["service_point_id"]].append(row)
        return spans

    def _get_open_prices(self, wallet, before):
        """{service point id: [(line, rate, tier, price, quantity)]}: what the use was priced by, summed."""
        rows = fetch_exact(
            self.env.cr,
            """SELECT charge.service_point_id, row->>'line', row->>'rate', (row->>'tier')::int, (row->>'price')::numeric,
                      sum((row->>'quantity')::numeric)
               FROM prepaid_charge charge, jsonb_array_elements(charge.explanation::jsonb) row
               WHERE charge.wallet_id = %s AND charge.invoice_line_id IS NULL AND charge.from_reading_at < %s
               GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5""",
            [wallet.id, before],
        )
        prices = defaultdict(list)
        for point_id, *row in rows:
            prices[point_id].append(row)
        return prices

    def _get_line_text(self, point, spans, prices, zone):
        """Lines of text: what and where, the readings of each meter, the prices."""
        unit = point.unit_id.code or ""
        place = point.display_name if unit in point.display_name else f"{unit} {point.display_name}"
        yield f"{point.kind_id.name} {place}"
        for span in spans:
            meter = self.env["meter.installation"].browse(span["installation_id"]).circuit_id.meter_id
            yield self.env._(
                "Meter %(meter)s: %(from_at)s %(from_total)s → %(to_at)s %(to_total)s, use %(quantity)s %(unit)s",
                meter=meter.serial,
                from_at=self._format_local(span["from_at"], zone),
                to_at=self._format_local(span["to_at"], zone),
                from_total=_trim(span["from_total"]),
                to_total=_trim(span["to_total"]),
                quantity=_trim(span["quantity"]),
                unit=point.uom_name or "",
            )
        for line, rate, tier, price, quantity in prices:
            yield self.env._(
                "%(label)s: %(quantity)s %(unit)s × %(price)s",
                label=self._get_price_label(line, rate, tier),
                quantity=_trim(quantity),
                unit=point.uom_name or "",
                price=_trim(price),
            )

    @api.model
    def _get_price_label(self, line, rate, tier):
        if line == "rate":
            return self.env["utility.tariff.version"]._get_rate_names()[rate]
        return self.env._("Tier %s", tier) if line == "tier" else self.env._("Price")

    @api.model
    def _format_local(self, at, zone):
        return at.replace(tzinfo=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")

    @api.model
    def _set_invoice_line_sudo(self, charge_ids, line):
        """Link charges to their invoice line, each once. As superuser, by SQL: charges are read-only to all."""
        self.flush_model()
        self.env.cr.execute(
            "UPDATE prepaid_charge SET invoice_line_id = %s WHERE id = ANY(%s) AND invoice_line_id IS NULL",
            [line.id, charge_ids],
        )
        if self.env.cr.rowcount != len(charge_ids):
            raise UserError(self.env._("Some of these charges are on an invoice already."))
        self.invalidate_model(["invoice_line_id"])

    @api.model
    def _release_from_invoice_sudo(self, moves):
        """Charges on these invoices are open again. As superuser, by SQL: charges are read-only to all."""
        self.flush_model()
        self.env.cr.execute(
            """UPDATE prepaid_charge SET invoice_line_id = NULL FROM account_move_line line
               WHERE line.id = prepaid_charge.invoice_line_id AND line.move_id = ANY(%s)""",
            [moves.ids],
        )
        self.invalidate_model(["invoice_line_id"])


def _trim(number):
    """1234.5000 -> 1234.5, None -> '' (a charge without registers)."""
    if number is None:
        return ""
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
