from odoo import fields, models


class PrepaidTopupReversal(models.TransientModel):
    _name = "prepaid.topup.reversal"
    _description = "Reverse a Top-up"

    topup_id = fields.Many2one("prepaid.topup", required=True, readonly=True)
    amount = fields.Monetary(related="topup_id.amount")
    currency_id = fields.Many2one(related="topup_id.currency_id")
    contract_id = fields.Many2one(related="topup_id.contract_id", string="Tenancy")
    reason = fields.Char(required=True)

    def action_reverse(self):
        """Reverse; rights, day and limit are checked by the top-up."""
        self.ensure_one()
        self.topup_id._reverse(self.reason)
        return {"type": "ir.actions.act_window_close"}
