from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..money.fen import to_decimal
from .prepaid_topup import GROUP_REFUND, METHOD_JOURNAL


class PrepaidRefund(models.Model):
    """Life of a refund: draft -> (above the limit) to_approve -> paid, or refused. A second person approves."""

    _name = "prepaid.refund"
    _description = "Refund"
    _inherit = ["mail.thread", "mail.activity.mixin", "property.facts.mixin"]
    _order = "id desc"
    _rec_name = "number"

    number = fields.Char(required=True, readonly=True, copy=False, default="/")
    wallet_id = fields.Many2one("prepaid.wallet", required=True, index=True, ondelete="restrict")
    contract_id = fields.Many2one(related="wallet_id.contract_id", store=True, index=True, string="Tenancy")
    partner_id = fields.Many2one(related="wallet_id.partner_id", store=True, string="Tenant")
    company_id = fields.Many2one(related="wallet_id.company_id", store=True)
    currency_id = fields.Many2one(related="wallet_id.currency_id")
    balance = fields.Monetary(related="wallet_id.balance")
    amount = fields.Monetary(required=True, tracking=True)
    method = fields.Selection(
        [("cash", "Cash"), ("transfer", "Bank Transfer"), ("original", "To the Original Payment")],
        required=True,
        default="cash",
    )
    topup_id = fields.Many2one(
        "prepaid.topup",
        string="Original Top-up",
        domain="[('wallet_id', '=', wallet_id), ('method', '=', 'online'), ('state', '=', 'posted')]",
    )
    reason = fields.Char(required=True)
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("to_approve", "To Approve"),
            ("sent", "Sent to Provider"),
            ("paid", "Paid"),
            ("refused", "Refused"),
        ],
        default="draft",
        required=True,
        readonly=True,
        tracking=True,
        copy=False,
        index=True,
    )
    requested_by_id = fields.Many2one(
        "res.users", readonly=True, required=True, default=lambda self: self.env.user
    )
    approved_by_id = fields.Many2one("res.users", readonly=True, copy=False)
    paid_at = fields.Datetime(readonly=True, copy=False)
    payment_id = fields.Many2one("account.payment", readonly=True, copy=False, ondelete="restrict")
    transaction_id = fields.Many2one("payment.transaction", readonly=True, copy=False, ondelete="restrict")
    entry_id = fields.Many2one("prepaid.entry", readonly=True, copy=False, ondelete="restrict")

    _amount_positive = models.Constraint("CHECK (amount > 0)", "A refund must be above zero.")
    _number_uniq = models.UniqueIndex(
        "(company_id, number) WHERE number <> '/'", "A refund with this number exists already."
    )

    @api.model_create_multi
    def create(self, vals_list):
        refunds = super().create(vals_list)
        for refund in refunds.sudo():  # numbers have no writer of their own
            sequence = self.env["ir.sequence"].sudo().with_company(refund.company_id)
            refund.number = sequence.next_by_code("prepaid.refund")
        return refunds

    def write(self, vals):
        if not self.env.su and any(refund.state != "draft" for refund in self):
            raise UserError(self.env._("A refund is changed in the draft state only."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_draft(self):
        if any(refund.state != "draft" for refund in self):
            raise UserError(self.env._("Only a draft refund can be deleted."))

    @api.constrains("method", "topup_id", "amount")
    def _check_original(self):
        for refund in self.filtered(lambda refund: refund.method == "original"):
            if refund.topup_id.wallet_id != refund.wallet_id or not refund.topup_id.transaction_id:
                raise ValidationError(self.env._("Choose the online top-up that is paid back."))

    # --- actions ----------------------------------------------------------------------------------------------

    def action_request(self):
        """Pay at once up to the company's limit, ask for approval above it."""
        self._check_refund_function()
        for refund in self:
            refund._lock_for_money()
            if refund.state != "draft":
                raise UserError(self.env._("Refund %s has been requested already.", refund.number))
            refund.contract_id.check_access("read")
            refund._check_balance()
            limit = to_decimal(refund.company_id.sudo().prepaid_refund_limit)
            if to_decimal(refund.amount) <= limit:
                refund.sudo()._pay_sudo()
            else:
                refund.sudo().state = "to_approve"
        return True

    def action_approve(self):
        """A second person with the right to refund approves and pays."""
        self._check_refund_function()
        for refund in self:
            refund._lock_for_money()
            refund._check_to_approve()
            if refund.requested_by_id == self.env.user:
                raise AccessError(self.env._("A refund above the limit is approved by a second person."))
            refund._check_balance()
            refund.sudo().approved_by_id = self.env.uid
            refund.sudo()._pay_sudo()
        return True

    def action_refuse(self):
        self._check_refund_function()
        for refund in self:
            refund._lock_for_money()
            refund._check_to_approve()
            refund.sudo().write({"state": "refused", "approved_by_id": self.env.uid})
            self.env["audit.entry"]._log(
                "refund.refuse", refund, after=refund._get_audit_values(), reason=refund.reason
            )
        return True

    # --- paying -----------------------------------------------------------------------------------------------

    def _check_refund_function(self):
        if not self.env.user.has_group(GROUP_REFUND):
            raise AccessError(self.env._("You do not have the right to refund."))
        self.check_access("read")

    def _check_to_approve(self):
        if self.state != "to_approve":
            raise UserError(self.env._("Refund %s is not waiting for approval.", self.number))
        self.contract_id.check_access("read")

    def _check_balance(self):
        """Nobody gets back more than the wallet holds once all is charged."""
        refund = self.sudo()  # the right to refund does not include rights on companies and wallets
        refund.contract_id._check_caught_up(refund.company_id._get_prepaid_today() + timedelta(days=1))
        available = refund.wallet_id._get_balance_decimal()
        if to_decimal(self.amount) > available:
            raise UserError(
                self.env._(
                    "%(amount)s cannot be refunded, the wallet holds %(balance)s.",
                    amount=to_decimal(self.amount),
                    balance=available,
                )
            )

    def _pay_sudo(self):
        """As superuser: the right to refund does not include rights on accounts and wallets."""
        self.wallet_id._lock()
        self._check_balance()
        before = self._get_audit_values()
        if self.method == "original":
            child = self.topup_id.transaction_id._refund(self.amount)
            self.write({"state": "sent", "transaction_id": child.id})
        else:
            self._pay_counter_sudo()
        self.env["audit.entry"]._log("refund.pay", self, before, self._get_audit_values(), self.reason)

    def _pay_counter_sudo(self):
        payment = self.env["account.payment"].sudo().create(self._prepare_payment())
        payment.action_post()
        entry = self.wallet_id._post_entry(
            "refund",
            self.env["utility.kind"],
            -to_decimal(self.amount),
            f"account.payment,{payment.id}",
            self.env._("Refund %(number)s: %(reason)s", number=self.number, reason=self.reason),
            payment_id=payment.id,
        )
        self.env["prepaid.booking"]._book_sudo(entry, payment.move_id)
        self.write(
            {
                "state": "paid",
                "paid_at": fields.Datetime.now(),
                "payment_id": payment.id,
                "entry_id": entry.id,
            }
        )
        self.wallet_id._reconcile_advance_sudo()
        self.contract_id._evaluate_supply("refund")

    def _prepare_payment(self):
        company = self.company_id
        journal = company._get_prepaid_setting_sudo(METHOD_JOURNAL[self.method])
        return {
            "payment_type": "outbound",
            "partner_type": "customer",
            "partner_id": self.partner_id.commercial_partner_id.id,
            "amount": self.amount,
            "currency_id": self.currency_id.id,
            "company_id": company.id,
            "journal_id": journal.id,
            "payment_method_line_id": journal.outbound_payment_method_line_ids.filtered(
                lambda line: line.code == "manual"
            )[:1].id,
            "date": self.contract_id._get_local_date(fields.Datetime.now()),
            "memo": f"{self.number} {self.contract_id.account_number}",
            "wallet_id": self.wallet_id.id,
        }

    def _finish_online_sudo(self, transaction, entry):
        """The provider confirmed. As superuser: called while a transaction is post-processed."""
        for refund in self.sudo().search([("transaction_id", "=", transaction.id), ("state", "=", "sent")]):
            refund.write(
                {
                    "state": "paid",
                    "paid_at": fields.Datetime.now(),
                    "payment_id": transaction.payment_id.id,
                    "entry_id": entry.id,
                }
            )

    def _get_audit_values(self):
        return {
            "number": self.number,
            "amount": str(to_decimal(self.amount)),
            "method": self.method,
            "state": self.state,
        }

    def _lock_for_money(self):
        self.wallet_id._lock()
        self.env.cr.execute(
            "SELECT id FROM prepaid_refund WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [self.ids]
        )
        self.invalidate_recordset()
