from odoo import models


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _compute_account_id(self):
        """Invoices of a wallet are owed out of the tenants' advances, not the partner's receivable account."""
        result = super()._compute_account_id()
        for line in self:
            move = line.move_id
            if (
                line.display_type == "payment_term"
                and move.wallet_id
                and move.is_sale_document(include_receipts=True)
            ):
                line.account_id = move.company_id._get_prepaid_setting_sudo("prepaid_advance_account_id")
        return result
