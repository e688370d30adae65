from odoo import api, fields, models

from ..const import CASE_KINDS


class PaymentGatewayCase(models.Model):
    """Something about money that a person has to look at. Opened once, worked on, closed with a note."""

    _name = "payment.gateway.case"
    _description = "Payment Case"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "state desc, id desc"
    _rec_name = "reference"

    kind = fields.Selection(CASE_KINDS, required=True, readonly=True, index=True)
    state = fields.Selection(
        [("open", "Open"), ("done", "Done")],
        default="open",
        required=True,
        readonly=True,
        index=True,
        tracking=True,
    )
    provider_id = fields.Many2one("payment.provider", required=True, readonly=True, index=True)
    company_id = fields.Many2one(related="provider_id.company_id", store=True, index=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    transaction_id = fields.Many2one("payment.transaction", readonly=True, index="btree_not_null")
    reconciliation_id = fields.Many2one("payment.reconciliation", readonly=True, index="btree_not_null")
    reference = fields.Char(readonly=True)
    gateway_reference = fields.Char(readonly=True)
    expected_amount = fields.Monetary(readonly=True)
    reported_amount = fields.Monetary(readonly=True)
    detail = fields.Text(readonly=True)
    resolution = fields.Text(help="What was done about it, for whoever asks later.")
    closed_by_id = fields.Many2one("res.users", readonly=True)
    closed_at = fields.Datetime(readonly=True)
    dedup_key = fields.Char(required=True, readonly=True, help="The same facts open one case only.")

    _dedup_key_unique = models.Constraint("UNIQUE(dedup_key)", "This case exists already.")

    @api.model
    def _open_sudo(self, vals, *, reopen=False):
        """The case of these facts (vals["dedup_key"]): the one that exists, or a new one with its alarm."""

    def action_query(self):
        """Ask the gateway, and take its answer through all checks."""

    def action_post_process(self):
        """Try the booking again."""

    def action_close(self):
        """Done, with a note."""

    def action_reopen(self):
        """Not done after all."""
