from datetime import datetime, time

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..exact import fetch_exact_dicts
from ..models.prepaid_topup import GROUP_COUNTER, GROUP_REFUND


class PrepaidShift(models.TransientModel):
    """Hand-over at the end of a shift: what a cashier took and gave back, per method."""

    _name = "prepaid.shift"
    _description = "Shift Hand-over"

    cashier_id = fields.Many2one("res.users", default=lambda self: self.env.user, required=True)
    start_at = fields.Datetime(default=lambda self: self._get_day_start(), required=True, string="From")
    end_at = fields.Datetime(default=fields.Datetime.now, required=True, string="Until")
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company, required=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    counted_cash = fields.Monetary(string="Cash Counted")
    cash_amount = fields.Monetary(compute="_compute_cash_amount", string="Cash to Hand Over")
    topup_count = fields.Integer(compute="_compute_cash_amount", string="Top-ups")
    reversal_count = fields.Integer(compute="_compute_cash_amount", string="Reversals")
    note = fields.Char()

    @api.model
    def _get_day_start(self):
        local = fields.Datetime.context_timestamp(self, fields.Datetime.now())
        return datetime.combine(local.date(), time()) - local.utcoffset()

    @api.depends("cashier_id", "start_at", "end_at")
    def _compute_cash_amount(self):
        for shift in self:
            rows = shift._get_rows()
            cash = [row for row in rows if row["method"] == "cash"]
            shift.cash_amount = float(sum(row["net"] for row in cash))
            shift.topup_count = sum(row["count"] for row in rows)
            shift.reversal_count = sum(row["reversed_count"] for row in rows)

    def _check_cashier(self):
        """One's own shift, or anybody's with the right to refund."""
        user = self.env.user
        if not user.has_group(GROUP_COUNTER) and not user.has_group(GROUP_REFUND):
            raise AccessError(self.env._("You do not have the right to take or give back money."))
        if self.cashier_id != user and not user.has_group(GROUP_REFUND):
            raise AccessError(self.env._("You may print your own shift only."))

    def _get_topups(self):
        """Top-ups this cashier received within the shift, reversed ones too."""
        return self.env["prepaid.topup"].search(
            [
                ("cashier_id", "=", self.cashier_id.id),
                ("company_id", "=", self.company_id.id),
                ("state", "!=", "draft"),
                ("posted_at", ">=", self.start_at),
                ("posted_at", "<=", self.end_at),
            ],
            order="posted_at, id",
        )

    def _get_rows(self):
        """[{method, count, amount, reversed_count, reversed_amount, net}]; SQL sums, exact."""
        topups = self._get_topups()
        self.env["prepaid.topup"].flush_model()
        rows = fetch_exact_dicts(
            self.env.cr,
            """SELECT method, count(*) AS count, sum(amount) AS amount,
                      count(*) FILTER (WHERE state = 'reversed') AS reversed_count,
                      coalesce(sum(amount) FILTER (WHERE state = 'reversed'), 0) AS reversed_amount
               FROM prepaid_topup WHERE id = ANY(%s) GROUP BY method ORDER BY method""",
            [topups.ids],
        )
        return [row | {"net": row["amount"] - row["reversed_amount"]} for row in rows]

    def action_print(self):
        self.ensure_one()
        self._check_cashier()
        return self.env.ref("prepaid_billing.prepaid_shift_report").report_action(self)
