from odoo import models


class PaymentTransaction(models.Model):
    """What a gateway says is compared before anything changes."""

    _inherit = "payment.transaction"

    def _open_gateway_case(self, kind, payment_data=None, detail="", *, reopen=False):
        """Open a case a person works on, once for the same facts. Changes nothing else of the transaction."""
        raise NotImplementedError
