from odoo import api, models


class PaymentTransaction(models.Model):
    """Transactions without a final answer are asked about, less often each time."""

    _inherit = "payment.transaction"

    @api.model
    def _cron_gateway_poll(self):
        """Ask about what is due."""

    def _poll_gateway(self):
        """Ask about one transaction now; closes and cancels it when its time is over."""
