from odoo import api, models


class PaymentTransaction(models.Model):
    """Confirmed but not post-processed: tried again without end, and a person is told."""

    _inherit = "payment.transaction"

    @api.model
    def _cron_gateway_sweep(self):
        """Post-process what was left over."""
