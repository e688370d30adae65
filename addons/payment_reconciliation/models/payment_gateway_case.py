from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import CASE_KINDS

#: What a person may write on a case; the rest is facts, and changed by the buttons.
HANDWRITTEN = {"resolution"}
#: More people than this are not told of one case.
MOST_TOLD = 5


class PaymentGatewayCase(models.Model):
    """Something about money that a person has to look at: opened once for the same facts, with an alarm to accounting
    managers -> worked on with its buttons -> closed with a note, by a person or because it came right by itself.
    """

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
    line_ids = fields.One2many("payment.reconciliation.line", "case_id", readonly=True)
    reference = fields.Char(readonly=True)
    gateway_reference = fields.Char(readonly=True)
    expected_amount = fields.Monetary(readonly=True)
    reported_amount = fields.Monetary(readonly=True)
    detail = fields.Text(readonly=True)
    resolution = fields.Text(tracking=True, help="What was done about it, for whoever asks later.")
    closed_by_id = fields.Many2one("res.users", readonly=True)
    closed_at = fields.Datetime(readonly=True)
    is_closed_by_itself = fields.Boolean(readonly=True, help="Nobody closed it: the facts came to agree.")
    dedup_key = fields.Char(required=True, readonly=True, help="The same facts open one case only.")

    _dedup_key_unique = models.Constraint("UNIQUE(dedup_key)", "This case exists already.")

    def write(self, vals):
        own = {name for name in vals if name in self._fields and not self._is_mail_field(name)}
        if not self.env.su and own - HANDWRITTEN:
            raise AccessError(self.env._("A case is changed by its buttons only."))
        return super().write(vals)

    def _is_mail_field(self, name):
        return name.startswith(("message_", "activity_", "website_message_", "my_activity_"))

    # --- opening ----------------------------------------------------------------------------------------------------

    @api.model
    def _open_sudo(self, vals, *, reopen=False):
        """(case, is_alarm): the case of these facts (vals["dedup_key"]), made or with `reopen` opened again if needed.

        As superuser: a callback, a cron or a payer's page may be what finds it.
        """
        case = self.sudo().search([("dedup_key", "=", vals["dedup_key"])])
        if case and (case.state == "open" or not (reopen or case.is_closed_by_itself)):
            return case, False
        if case:
            case.write({"state": "open", "closed_by_id": False, "closed_at": False, "detail": vals["detail"]})
        else:
            case = self.sudo().create(vals)
        case._alarm()
        return case, True

    def _alarm(self):
        """Tell accounting managers. Mail is queued: whoever opens a case may have a gateway waiting for an answer."""
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for case in self.with_context(mail_notify_force_send=False):
            for user in case._get_told_users():
                case.activity_schedule(
                    "mail.mail_activity_data_warning", summary=kinds[case.kind], user_id=user.id
                )

    def _get_told_users(self):
        groups = ["account.group_account_manager", "base.group_system"]
        if self.kind == "certificate_ends":
            groups.reverse()  # who can replace it comes first
        for group in groups:
            users = self.env.ref(group).all_user_ids.filtered(
                lambda user: user.active and not user.share and self.company_id in user.company_ids
            )
            if users:
                return users[:MOST_TOLD]
        return self.env["res.users"]

    # --- closing ----------------------------------------------------------------------------------------------------

    def _close_sudo(self, resolution, *, is_by_itself=True):
        """Closed because it came right, or (after the caller's check) by the user."""
        cases = self.sudo().filtered(lambda case: case.state == "open")
        for case in cases:
            case.write(
                {
                    "state": "done",
                    "resolution": "\n".join(filter(None, [case.resolution, resolution])),
                    "closed_by_id": self.env.uid,
                    "is_closed_by_itself": is_by_itself,
                    "closed_at": fields.Datetime.now(),
                }
            )
        cases.activity_ids.unlink()
        cases.reconciliation_id._update_state_sudo()

    # --- buttons ----------------------------------------------------------------------------------------------------

    def action_close(self):
        self.check_access("write")
        if any(not (case.resolution or "").strip() for case in self):
            raise UserError(self.env._("Write down what was done before closing the case."))
        self._close_sudo("", is_by_itself=False)

    def action_reopen(self):
        self.check_access("write")
        cases = self.sudo()  # the state is not writable by hand
        cases.write({"state": "open", "closed_by_id": False, "closed_at": False})
        cases.reconciliation_id._update_state_sudo()

    def action_query(self):
        """Ask the gateway, and take its answer through all checks."""
        self.ensure_one()
        self.check_access("write")
        transaction = self.sudo().transaction_id  # the gateway's keys are not for the user's eyes
        if not transaction:
            raise UserError(self.env._("There is no transaction here to ask about."))
        data = transaction._gateway_query()
        if data:
            transaction._process(transaction.provider_code, data)
        if self._is_settled_sudo():
            self._close_sudo(self.env._("The gateway was asked: it agrees now."))
        states = dict(transaction._fields["state"]._description_selection(self.env))
        return self._notify_user(
            self.env._("The transaction is in state: %s", states[transaction.state])
            if data
            else self.env._("The gateway knows nothing of this transaction.")
        )

    def _is_settled_sudo(self):
        """Whether the transaction has come to what this case missed."""
        transaction = self.sudo().transaction_id
        if self.kind == "no_answer":
            return transaction.state not in ("draft", "pending")
        if self.kind == "not_post_processed":
            return transaction.is_post_processed
        lines = self.sudo().line_ids
        return self.kind == "state_differs" and lines and all(line._is_agreeing() for line in lines)

    def action_post_process(self):
        """Try the booking again; its error is shown."""
        self.ensure_one()
        self.check_access("write")
        self.sudo().transaction_id._post_process()  # as the cron does
        if self._is_settled_sudo():
            self._close_sudo(self.env._("Booked."))

    def action_open_transaction(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "payment.transaction",
            "res_id": self.transaction_id.id,
            "view_mode": "form",
        }

    def _notify_user(self, message):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "info",
                "message": message,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
