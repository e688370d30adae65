from odoo import fields, models


class PaymentReconciliationLine(models.Model):
    """One line of a bill with our transaction, or our transaction that the bill lacks."""

    _name = "payment.reconciliation.line"
    _description = "Payment Reconciliation Line"
    _order = "reconciliation_id, is_different desc, at, id"

    reconciliation_id = fields.Many2one(
        "payment.reconciliation", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="reconciliation_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="reconciliation_id.currency_id")
    result = fields.Selection(
        [
            ("matched", "Matched"),
            ("missing_here", "Missing Here"),
            ("missing_there", "Missing There"),
            ("amount_differs", "Amount Differs"),
            ("state_differs", "State Differs"),
            ("duplicate", "Duplicate"),
        ],
        required=True,
        readonly=True,
        index=True,
    )
    is_different = fields.Boolean(readonly=True)
    kind = fields.Selection([("payment", "Payment"), ("refund", "Refund")], required=True, readonly=True)
    at = fields.Datetime("Time", readonly=True)
    reference = fields.Char(readonly=True)
    gateway_reference = fields.Char(readonly=True)
    bill_amount = fields.Monetary(readonly=True)
    our_amount = fields.Monetary(readonly=True)
    fee = fields.Float(digits=(16, 5), readonly=True)
    bill_state = fields.Char(readonly=True)
    our_state = fields.Char(readonly=True)
    transaction_id = fields.Many2one("payment.transaction", readonly=True, index="btree_not_null")
    case_id = fields.Many2one("payment.gateway.case", readonly=True)
    raw = fields.Text(readonly=True)

    def _is_agreeing(self):
        """Whether our transaction's state is the bill's by now."""
        self.ensure_one()
        return False
