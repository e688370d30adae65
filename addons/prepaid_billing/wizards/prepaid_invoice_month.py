from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import UserError

from ..money.fen import ZERO

PREVIEW_LIMIT = 200


class PrepaidInvoiceMonth(models.TransientModel):
    _name = "prepaid.invoice.month"
    _description = "Invoice a Month"

    company_id = fields.Many2one("res.company", default=lambda self: self.env.company, required=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    month = fields.Date(default=lambda self: self._get_last_month(), required=True)
    contract_ids = fields.Many2many(
        "contract.contract", string="Only These Tenancies", domain=[("is_tenancy", "=", True)]
    )
    is_open_month = fields.Boolean(compute="_compute_is_open_month")
    is_open_accepted = fields.Boolean(string="Invoice the Month Before It Is Over")
    incomplete_count = fields.Integer(compute="_compute_incomplete_count")
    is_incomplete_accepted = fields.Boolean(string="Invoice in Spite of Missing Readings")
    tenancy_count = fields.Integer(compute="_compute_tenancy_count", string="Tenancies to Invoice")
    line_ids = fields.One2many("prepaid.invoice.month.line", "wizard_id", readonly=True)
    amount_total = fields.Monetary(compute="_compute_amount_total", string="Total")

    @api.model
    def _get_last_month(self):
        return fields.Date.context_today(self).replace(day=1) - relativedelta(months=1)

    @api.depends("month")
    def _compute_is_open_month(self):
        today = fields.Date.context_today(self)
        for wizard in self:
            wizard.is_open_month = bool(wizard.month) and wizard.month.replace(day=1) >= today.replace(day=1)

    @api.depends("month", "contract_ids", "company_id")
    def _compute_tenancy_count(self):
        for wizard in self:
            wizard.tenancy_count = len(wizard._get_contracts()) if wizard.month else 0

    @api.depends("line_ids.percent", "company_id")
    def _compute_incomplete_count(self):
        for wizard in self:
            limit = wizard.company_id.sudo().prepaid_invoice_completeness  # a setting, not a secret
            wizard.incomplete_count = len(
                wizard.line_ids.filtered(lambda line, limit=limit: line.percent < limit)
            )

    @api.depends("line_ids.amount")
    def _compute_amount_total(self):
        for wizard in self:
            wizard.amount_total = sum(wizard.line_ids.mapped("amount"))

    def _get_contracts(self):
        month = self.month.replace(day=1)
        ids = self.env["contract.contract"]._get_contract_ids_to_invoice(self.company_id, month)
        chosen = set(self.contract_ids.ids)
        return self.env["contract.contract"].browse([i for i in ids if not chosen or i in chosen])

    def action_preview(self):
        """What the invoices will come to; writes nothing but this preview."""
        self.ensure_one()
        self.line_ids.unlink()
        month = self.month.replace(day=1)
        self.line_ids = [
            fields.Command.create(self._prepare_line(contract, month))
            for contract in self._get_contracts()[:PREVIEW_LIMIT]
        ]
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Invoice a Month"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }

    def _prepare_line(self, contract, month):
        parts = contract._get_invoice_parts(month)
        charges = sum((part["amount"] for part in parts if not part.get("fee")), ZERO)
        fees = sum((part["amount"] for part in parts if part.get("fee")), ZERO)
        return {
            "contract_id": contract.id,
            "charge_amount": float(charges),
            "fee_amount": float(fees),
            "amount": float(charges + fees),
            "percent": min(contract._get_month_completeness(month).values(), default=100.0),
            "invoice_id": contract._get_month_invoice(month)[:1].id,
        }

    def action_invoice(self):
        """Start the run; its page shows the progress."""
        self.ensure_one()
        self.env["prepaid.invoice.batch"].check_access("create")
        if self.is_open_month and not self.is_open_accepted:
            raise UserError(
                self.env._("The month is not over yet. Tick the box to invoice what it has so far.")
            )
        batch = self.env["prepaid.invoice.batch"]._start(
            self.company_id,
            self.month,
            self._get_contracts() if self.contract_ids else None,
            self.is_incomplete_accepted,
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": "prepaid.invoice.batch",
            "res_id": batch.id,
            "view_mode": "form",
            "target": "current",
        }


class PrepaidInvoiceMonthLine(models.TransientModel):
    _name = "prepaid.invoice.month.line"
    _description = "Preview of an Invoice"

    wizard_id = fields.Many2one("prepaid.invoice.month", required=True, ondelete="cascade")
    currency_id = fields.Many2one(related="wizard_id.currency_id")
    contract_id = fields.Many2one("contract.contract", string="Tenancy")
    charge_amount = fields.Monetary(string="Consumption")
    fee_amount = fields.Monetary(string="Fees")
    amount = fields.Monetary(string="Total")
    percent = fields.Float(string="Readings (%)", digits=(5, 1), help="Of the meter that misses most.")
    invoice_id = fields.Many2one("account.move", string="Invoiced Already")
