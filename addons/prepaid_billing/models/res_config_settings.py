from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    prepaid_advance_account_id = fields.Many2one(
        related="company_id.prepaid_advance_account_id", readonly=False
    )
    prepaid_subsidy_account_id = fields.Many2one(
        related="company_id.prepaid_subsidy_account_id", readonly=False
    )
    prepaid_adjustment_account_id = fields.Many2one(
        related="company_id.prepaid_adjustment_account_id", readonly=False
    )
    prepaid_cash_journal_id = fields.Many2one(related="company_id.prepaid_cash_journal_id", readonly=False)
    prepaid_bank_journal_id = fields.Many2one(related="company_id.prepaid_bank_journal_id", readonly=False)
    prepaid_invoice_journal_id = fields.Many2one(
        related="company_id.prepaid_invoice_journal_id", readonly=False
    )
    prepaid_misc_journal_id = fields.Many2one(related="company_id.prepaid_misc_journal_id", readonly=False)
    prepaid_currency_id = fields.Many2one(related="company_id.currency_id", string="Prepaid Currency")
    prepaid_topup_min = fields.Monetary(
        related="company_id.prepaid_topup_min", readonly=False, currency_field="prepaid_currency_id"
    )
    prepaid_topup_max = fields.Monetary(
        related="company_id.prepaid_topup_max", readonly=False, currency_field="prepaid_currency_id"
    )
    prepaid_reversal_limit = fields.Monetary(
        related="company_id.prepaid_reversal_limit", readonly=False, currency_field="prepaid_currency_id"
    )
    prepaid_refund_limit = fields.Monetary(
        related="company_id.prepaid_refund_limit", readonly=False, currency_field="prepaid_currency_id"
    )
    prepaid_settlement_minutes = fields.Integer(
        "Charge at Most Every (Minutes)", config_parameter="prepaid_billing.settlement_minutes"
    )
    prepaid_fee_rule = fields.Selection(related="company_id.prepaid_fee_rule", readonly=False)
    prepaid_fee_min_left = fields.Monetary(
        related="company_id.prepaid_fee_min_left", readonly=False, currency_field="prepaid_currency_id"
    )
    prepaid_invoice_day = fields.Integer(related="company_id.prepaid_invoice_day", readonly=False)
    prepaid_invoice_completeness = fields.Integer(
        related="company_id.prepaid_invoice_completeness", readonly=False
    )
    prepaid_books_user_id = fields.Many2one(related="company_id.prepaid_books_user_id", readonly=False)

    def action_prepaid_setup_accounting(self):
        """Button: create the missing accounts and journals of the current company."""
        return self.company_id.action_prepaid_setup_accounting()
