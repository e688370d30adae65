from odoo import fields, models


class PrepaidBooksCheckLine(models.Model):
    _name = "prepaid.books.check.line"
    _description = "Tenancy That Differs"
    _order = "id"

    check_id = fields.Many2one("prepaid.books.check", required=True, index=True, ondelete="cascade")
    wallet_id = fields.Many2one("prepaid.wallet", required=True, ondelete="restrict")
    contract_id = fields.Many2one(related="wallet_id.contract_id", store=True, string="Tenancy")
    currency_id = fields.Many2one(related="check_id.currency_id")
    balance = fields.Monetary(string="Wallet Balance")
    ledger_amount = fields.Monetary(string="Sum of Entries")
    advance_amount = fields.Monetary(string="Advance Account")
    charge_amount = fields.Monetary(string="Charges Not Invoiced")
    fee_amount = fields.Monetary(string="Fees Not Invoiced")
    subsidy_amount = fields.Monetary(string="Subsidies Not Booked")
    difference = fields.Monetary()
