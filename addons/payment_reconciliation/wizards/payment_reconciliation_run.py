from datetime import datetime, timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import BEIJING


class PaymentReconciliationRun(models.TransientModel):
    """By hand: fetch a provider's bill of a day and compare it now."""

    _name = "payment.reconciliation.run"
    _description = "Reconcile a Day"

    provider_key = fields.Selection(
        selection="_get_provider_keys",
        string="Provider",
        required=True,
        default=lambda self: self._get_default_provider_key(),
    )
    date = fields.Date(required=True, default=lambda self: self._get_yesterday(), help="Day in Beijing.")

    @api.model
    def _get_yesterday(self):
        return datetime.now(BEIJING).date() - timedelta(days=1)

    @api.model
    def _get_providers_sudo(self):
        """Providers with bills of the user's companies. As superuser: accountants may not read providers."""
        return (
            self.env["payment.provider"]
            .sudo()
            .search(
                [
                    ("is_gateway_guarded", "=", True),
                    ("state", "!=", "disabled"),
                    ("company_id", "in", self.env.companies.ids),
                ]
            )
        )

    @api.model
    def _get_provider_keys(self):
        return [(str(provider.id), provider.name) for provider in self._get_providers_sudo()]

    @api.model
    def _get_default_provider_key(self):
        return next((key for key, _name in self._get_provider_keys()), False)

    def action_run(self):
        self.ensure_one()
        reconciliations = self.env["payment.reconciliation"]
        reconciliations._check_reconciler()
        if self.date > self._get_yesterday():
            raise UserError(self.env._("The bill of a day is there on the next day."))
        provider_sudo = self._get_providers_sudo().filtered(lambda p: str(p.id) == self.provider_key)
        if not provider_sudo:
            raise AccessError(self.env._("You may not reconcile payments."))
        reconciliation = reconciliations._reconcile_sudo(provider_sudo, self.date)
        return {
            "type": "ir.actions.act_window",
            "res_model": "payment.reconciliation",
            "res_id": reconciliation.id,
            "view_mode": "form",
        }
