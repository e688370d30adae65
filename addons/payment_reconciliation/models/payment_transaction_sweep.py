import logging
from datetime import timedelta

from odoo import api, fields, models

from ..const import SWEEP_MINUTES

_logger = logging.getLogger(__name__)


class PaymentTransaction(models.Model):
    """Confirmed but not post-processed: tried again without end (Odoo gives up after four days), and a person is told."""

    _inherit = "payment.transaction"

    @api.model
    def _cron_gateway_sweep(self):
        """Post-process what was left over; close the cases of what came right."""
        left_over = self.search(self._get_gateway_sweep_domain(), order="id")
        cron = self.env["ir.cron"]
        time_left = cron._commit_progress(remaining=len(left_over))
        for transaction in left_over:
            if not time_left:
                break
            transaction._sweep_gateway()
            time_left = cron._commit_progress(1)
        self._close_swept_cases_sudo()

    @api.model
    def _get_gateway_sweep_domain(self):
        return [
            ("provider_id.code", "in", list(self.env["payment.provider"]._get_guarded_codes())),
            ("state", "=", "done"),
            ("is_post_processed", "=", False),
            ("last_state_change", "<=", fields.Datetime.now() - timedelta(minutes=SWEEP_MINUTES)),
        ]

    def _sweep_gateway(self):
        try:
            self._post_process()
            self.env.flush_all()
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception("Confirmed transaction %s is still not booked.", self.reference)
            self._open_gateway_case("not_post_processed", detail=str(error)[:500], reopen=True)

    @api.model
    def _close_swept_cases_sudo(self):
        """As superuser: the cases of all companies."""
        cases = self.env["payment.gateway.case"].sudo()
        domain = [
            ("state", "=", "open"),
            ("kind", "=", "not_post_processed"),
            ("transaction_id.is_post_processed", "=", True),
        ]
        cases.search(domain)._close_sudo(self.env._("Booked."))
