from odoo import fields, models

from ..money.fen import to_decimal


class PrepaidFee(models.Model):
    _name = "prepaid.fee"
    _description = "Withheld Fee"
    _order = "due_date desc, id desc"
    _rec_name = "description"

    contract_line_id = fields.Many2one("contract.line", required=True, index=True, ondelete="restrict")
    contract_id = fields.Many2one(
        related="contract_line_id.contract_id", store=True, index=True, string="Tenancy"
    )
    wallet_id = fields.Many2one("prepaid.wallet", required=True, index=True, ondelete="restrict")
    company_id = fields.Many2one(related="wallet_id.company_id", store=True)
    currency_id = fields.Many2one(related="wallet_id.currency_id")
    kind_id = fields.Many2one("utility.kind", required=True, ondelete="restrict", string="Sub-account")
    description = fields.Char(required=True)
    period_start = fields.Date(required=True)
    period_end = fields.Date(required=True)
    due_date = fields.Date(required=True, index=True)
    amount = fields.Monetary(required=True)
    entry_id = fields.Many2one("prepaid.entry", ondelete="restrict", index="btree_not_null")
    state = fields.Selection(
        [("waiting", "Waiting for Money"), ("withheld", "Withheld")],
        default="waiting",
        required=True,
        index=True,
    )

    _period_uniq = models.UniqueIndex(
        "(contract_line_id, period_start)", "This period of the fee exists already."
    )
    _amount_positive = models.Constraint("CHECK (amount > 0)", "A fee must be above zero.")

    def _withhold_sudo(self):
        """Take what is due out of the wallets, earliest first, each once by its entry's source.

        With the rule "keep_minimum" a fee that would leave less than the minimum waits for the next top-up.
        As superuser: runs in crons and within a cashier's or tenant's top-up.
        """
        for fee in self.sudo().sorted(lambda fee: (fee.due_date, fee.contract_line_id.sequence, fee.id)):
            if fee.state != "waiting" or not fee._is_affordable():
                continue
            fee.entry_id = fee.wallet_id._post_entry(
                "fee", fee.kind_id, -to_decimal(fee.amount), fee._get_entry_source(), fee.description
            )
            fee.state = "withheld"

    def _is_affordable(self):
        company = self.company_id
        if company.prepaid_fee_rule == "always":
            return True
        left = self.wallet_id._get_balance_decimal() - to_decimal(self.amount)
        return left >= to_decimal(company.prepaid_fee_min_left)

    def _get_entry_source(self):
        return f"contract.line,{self.contract_line_id.id},{self.period_start}"
