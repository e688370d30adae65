from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models

from ..money.fen import CENT
from ..money.proration import periods_between


class ContractLine(models.Model):
    _inherit = "contract.line"

    is_withheld = fields.Boolean(
        string="Withhold from Wallet",
        compute="_compute_is_withheld",
        store=True,
        readonly=False,
        precompute=True,
        help="The fee is taken from the tenant's wallet on its due date and comes with the monthly utility invoice. "
        "Otherwise the contract invoices it on its own.",
    )
    utility_kind_id = fields.Many2one(
        "utility.kind",
        string="Sub-account",
        domain=[("is_metered", "=", False)],
        compute="_compute_utility_kind_id",
        store=True,
        readonly=False,
        help="Sub-account of the wallet that this fee is counted under.",
    )
    fee_ids = fields.One2many("prepaid.fee", "contract_line_id", string="Withheld Fees")

    @api.depends("contract_id.is_tenancy")
    def _compute_is_withheld(self):
        for line in self:
            line.is_withheld = line.contract_id.is_tenancy and not line.display_type

    @api.depends("is_withheld")
    def _compute_utility_kind_id(self):
        default = self.env.ref("property_utility.utility_kind_property_fee", raise_if_not_found=False)
        for line in self:
            line.utility_kind_id = line.utility_kind_id or (line.is_withheld and default)

    def _get_quantity_to_invoice(self, period_first_date, period_last_date, invoice_date):
        """Tenants pay a broken period by the day."""
        quantity = super()._get_quantity_to_invoice(period_first_date, period_last_date, invoice_date)
        if not self.contract_id.is_tenancy or not period_first_date or not period_last_date:
            return quantity
        return quantity * float(self._get_periods(period_first_date, period_last_date))

    def _get_periods(self, first, last):
        """Nominal periods of the line in first..last, as an exact Fraction."""
        return periods_between(first, last, self.recurring_rule_type, self.recurring_interval or 1)

    def _get_fee_amount(self, first, last):
        """Yuan for first..last, exact until the one rounding to the fen."""
        self.ensure_one()
        exact = (
            Fraction(repr(self.price_unit)) * Fraction(repr(self.quantity)) * self._get_periods(first, last)
        )
        exact *= 1 - Fraction(repr(self.discount or 0.0)) / 100
        return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(CENT, rounding=ROUND_HALF_UP)

    def _get_next_fee_period(self):
        """(first day, last day, due date) of the period after the last one, or None after the end."""
        first = (
            self.last_date_invoiced + relativedelta(days=1) if self.last_date_invoiced else self.date_start
        )
        if not first or (self.date_end and first > self.date_end):
            return None
        rule = (self.recurring_rule_type, self.recurring_interval)
        timing = (self.recurring_invoicing_type, self.recurring_invoicing_offset)
        if self.contract_id.line_recurrence and self.recurring_next_date:
            last = self._get_period_to_invoice(self.last_date_invoiced, self.recurring_next_date)[1]
            return first, last, self.recurring_next_date
        last = self.get_next_period_date_end(first, *rule, max_date_end=self.date_end)
        return first, last, self.get_next_invoice_date(first, *timing, *rule, max_date_end=self.date_end)

    def _make_due_fees(self, day):
        """Fees of all periods whose due date has come; moves the line's date chain."""
        self.ensure_one()
        while (period := self._get_next_fee_period()) and period[2] <= day:
            first, last, due = period
            amount = self._get_fee_amount(first, last)
            if amount > 0:
                self.env["prepaid.fee"].create(self._prepare_fee(first, last, due, amount))
            self.last_date_invoiced = last

    def _prepare_fee(self, first, last, due, amount):
        text = self._insert_markers(first, last)
        return {
            "contract_line_id": self.id,
            "wallet_id": self.contract_id.wallet_id.id,
            "kind_id": (
                self.utility_kind_id or self.env.ref("property_utility.utility_kind_property_fee")
            ).id,
            "description": text if text != self.name else f"{text} {first} – {last}",
            "period_start": first,
            "period_end": last,
            "due_date": due,
            "amount": float(amount),
        }
