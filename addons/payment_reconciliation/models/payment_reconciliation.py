from odoo import api, fields, models


class PaymentReconciliation(models.Model):
    """One provider's bill of one day, compared line by line with what is here."""

    _name = "payment.reconciliation"
    _description = "Payment Reconciliation"
    _inherit = ["mail.thread"]
    _order = "date desc, id desc"

    provider_id = fields.Many2one("payment.provider", required=True, readonly=True, index=True)
    company_id = fields.Many2one(related="provider_id.company_id", store=True, index=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    date = fields.Date(required=True, readonly=True, help="Day in Beijing.")
    state = fields.Selection(
        [("waiting", "Waiting for the Bill"), ("differs", "Differences"), ("done", "Agrees")],
        default="waiting",
        required=True,
        readonly=True,
        index=True,
    )
    line_ids = fields.One2many("payment.reconciliation.line", "reconciliation_id", readonly=True)
    case_ids = fields.One2many("payment.gateway.case", "reconciliation_id", readonly=True)

    _provider_date_unique = models.Constraint(
        "UNIQUE(provider_id, date)", "A day of a provider is reconciled once; run it again instead."
    )

    @api.model
    def _reconcile_sudo(self, provider, day):
        """The reconciliation of a provider's day, fetched and compared now."""

    @api.model
    def _cron_reconcile(self):
        """Reconcile the last days that are still open, once their bills are there."""

    def _update_state_sudo(self):
        """Differences whose cases are all closed are settled."""

    def action_run(self):
        """Fetch the bill again and compare anew."""
