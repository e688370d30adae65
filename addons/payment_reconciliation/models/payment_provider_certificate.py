from datetime import timedelta

from odoo import api, fields, models

from ..const import CERTIFICATE_DAYS


class PaymentProvider(models.Model):
    """A certificate that ends stops payments and refunds at once: a person is told in time, and no longer once it is replaced."""

    _inherit = "payment.provider"

    def _get_gateway_certificate_end(self):
        """When the first of the certificates in use ends (naive UTC); None or False without one."""
        self.ensure_one()
        return

    def _is_gateway_certificate_ending(self):
        end = self._get_gateway_certificate_end()
        return bool(end and end < fields.Datetime.now() + timedelta(days=CERTIFICATE_DAYS))

    @api.model
    def _cron_gateway_certificates(self):
        """Daily: one case for each end, closed by itself when a newer certificate is there."""
        codes = list(self._get_guarded_codes())
        for provider in self.search([("code", "in", codes), ("state", "!=", "disabled")]):
            provider._watch_gateway_certificate()

    def _watch_gateway_certificate(self):
        cases = self.env["payment.gateway.case"]
        key = f"certificate_ends|{self.id}|"
        end = self._get_gateway_certificate_end()
        is_ending = self._is_gateway_certificate_ending()
        domain = [("kind", "=", "certificate_ends"), ("provider_id", "=", self.id), ("state", "=", "open")]
        outdated = cases.sudo().search(domain)  # whoever the cron runs as
        if is_ending:
            key += end.isoformat()
            outdated = outdated.filtered(lambda case: case.dedup_key != key)
        outdated._close_sudo(self.env._("A newer certificate is in use."))
        if is_ending:
            cases._open_sudo(
                {
                    "kind": "certificate_ends",
                    "provider_id": self.id,
                    "reference": self.name,
                    "detail": self.env._(
                        "A certificate of %(provider)s ends on %(date)s. After that nobody can pay and nothing can be"
                        " refunded. Download the new one from the gateway's merchant platform and enter it in the"
                        " provider's settings.",
                        provider=self.name,
                        date=end.date().isoformat(),
                    ),
                    "dedup_key": key,
                }
            )
