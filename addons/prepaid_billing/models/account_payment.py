from odoo import api, fields, models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    wallet_id = fields.Many2one("prepaid.wallet", index="btree_not_null", copy=False, readonly=True)
    topup_id = fields.One2many("prepaid.topup", "payment_id", string="Top-up")

    @api.depends("wallet_id")
    def _compute_destination_account_id(self):
        """Tenants' money is an advance, whatever receivable account their partner has."""
        result = super()._compute_destination_account_id()
        for payment in self.filtered("wallet_id"):
            payment.destination_account_id = payment.company_id._get_prepaid_setting_sudo(
                "prepaid_advance_account_id"
            )
        return result

    def _generate_move_vals(self, *args, **kwargs):
        values = super()._generate_move_vals(*args, **kwargs)
        if self.wallet_id:
            values.update(wallet_id=self.wallet_id.id, contract_id=self.wallet_id.contract_id.id)
        return values
