import pytz
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..money.chinese_amount import to_chinese_capitals
from ..money.fen import parse_amount, to_decimal

GROUP_COUNTER = "property_utility.property_utility_group_function_counter"
GROUP_REFUND = "property_utility.property_utility_group_function_refund"
METHOD_JOURNAL = {
    "cash": "prepaid_cash_journal_id",
    "cheque": "prepaid_bank_journal_id",
    "transfer": "prepaid_bank_journal_id",
}


class PrepaidTopup(models.Model):
    _name = "prepaid.topup"
    _description = "Top-up"
    _inherit = ["mail.thread", "property.facts.mixin"]
    _order = "id desc"
    _rec_name = "number"
    _rec_names_search = ["number", "contract_id.account_number", "reference"]
    _check_company_auto = True

    number = fields.Char(required=True, readonly=True, copy=False, default="/")
    wallet_id = fields.Many2one(
        "prepaid.wallet", required=True, readonly=True, index=True, ondelete="restrict"
    )
    contract_id = fields.Many2one(related="wallet_id.contract_id", store=True, index=True, string="Tenancy")
    partner_id = fields.Many2one(related="wallet_id.partner_id", store=True, index=True, string="Tenant")
    company_id = fields.Many2one(related="wallet_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="wallet_id.currency_id")
    amount = fields.Monetary(required=True, readonly=True)
    amount_capitals = fields.Char(compute="_compute_amount_capitals", string="Amount in Words")
    method = fields.Selection(
        [("cash", "Cash"), ("cheque", "Cheque"), ("transfer", "Bank Transfer"), ("online", "Online")],
        required=True,
        readonly=True,
    )
    reference = fields.Char(readonly=True, help="Number of the cheque or of the transfer.")
    voucher = fields.Binary(attachment=True, readonly=True, help="Photo of the transfer voucher or cheque.")
    cashier_id = fields.Many2one("res.users", readonly=True, index="btree_not_null")
    posted_at = fields.Datetime(readonly=True, index=True, string="Received At")
    state = fields.Selection(
        [("draft", "To Confirm"), ("posted", "Received"), ("reversed", "Reversed")],
        default="draft",
        required=True,
        readonly=True,
        index=True,
        tracking=True,
    )
    payment_id = fields.Many2one("account.payment", readonly=True, copy=False, ondelete="restrict")
    transaction_id = fields.Many2one("payment.transaction", readonly=True, copy=False, ondelete="restrict")
    entry_id = fields.Many2one("prepaid.entry", readonly=True, copy=False, ondelete="restrict")
    balance_after = fields.Monetary(readonly=True, help="Balance of the wallet right after this top-up.")
    reversal_entry_id = fields.Many2one("prepaid.entry", readonly=True, copy=False, ondelete="restrict")
    reversal_move_id = fields.Many2one("account.move", readonly=True, copy=False, ondelete="restrict")
    reversed_at = fields.Datetime(readonly=True, copy=False)
    reversed_by_id = fields.Many2one("res.users", readonly=True, copy=False)
    reversal_reason = fields.Char(readonly=True, copy=False)
    receipt_count = fields.Integer(readonly=True, copy=False, string="Receipts Printed")
    request_key = fields.Char(
        readonly=True, copy=False, help="One key per click at the counter: two clicks, one top-up."
    )

    _amount_positive = models.Constraint("CHECK (amount > 0)", "A top-up must be above zero.")
    _number_uniq = models.UniqueIndex("(company_id, number)", "A top-up with this number exists already.")
    _request_key_uniq = models.UniqueIndex("(request_key) WHERE request_key IS NOT NULL", "Already taken.")
    _payment_uniq = models.UniqueIndex("(payment_id) WHERE payment_id IS NOT NULL", "Payment used already.")
    _transaction_uniq = models.UniqueIndex(
        "(transaction_id) WHERE transaction_id IS NOT NULL", "Transaction used already."
    )
    _cashier_idx = models.Index("(cashier_id, posted_at)")

    @api.depends("amount")
    def _compute_amount_capitals(self):
        for topup in self:
            topup.amount_capitals = to_chinese_capitals(topup.amount)

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("number", "/") == "/":
                company = self.env["prepaid.wallet"].browse(vals.get("wallet_id")).company_id
                sequence = self.env["ir.sequence"].sudo().with_company(company)
                vals["number"] = sequence.next_by_code("prepaid.topup")
        return super().create(vals_list)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_draft(self):
        if any(topup.state != "draft" for topup in self):
            raise UserError(self.env._("A received top-up stays. Reverse it instead."))

    # --- taking money ---------------------------------------------------------------------------------------

    @api.model
    def _take(self, wallet, amount, method, *, reference=None, voucher=None, request_key=None, confirm=True):
        """Take money for a wallet: top-up, customer payment, entry and supply in one database transaction.

        :param amount: yuan (str, float or Decimal), positive, at most two decimals
        :param method: cash, cheque or transfer
        :param request_key: the same key again returns the top-up of the first time
        :param confirm: False leaves it to be confirmed (a transfer voucher whose money is not seen yet)
        :raise AccessError: without the counter function, or for a tenancy the user may not see
        """
        self._check_function(GROUP_COUNTER)
        wallet.contract_id.with_env(self.env).check_access("read")
        wallet._lock()  # whoever moves money of a wallet locks it first: a second click waits here
        known = request_key and self.sudo().search([("request_key", "=", request_key)])
        if known:
            return known.sudo(False)
        value = self._parse_counter_amount(wallet, amount)
        if method not in METHOD_JOURNAL:
            raise ValidationError(self.env._("The counter does not take payments of the method %s.", method))
        # As superuser: a cashier creates top-ups here only, with the checks above.
        topup = self.sudo().create(
            {
                "wallet_id": wallet.id,
                "amount": float(value),
                "method": method,
                "reference": reference,
                "voucher": voucher,
                "cashier_id": self.env.uid,
                "request_key": request_key,
            }
        )
        if confirm:
            topup._post_counter_sudo()
        return topup.sudo(False)

    def _parse_counter_amount(self, wallet, amount):
        try:
            value = parse_amount(amount)
        except ValueError as error:
            raise ValidationError(wallet._get_amount_error(amount, str(error))) from None
        largest = to_decimal(wallet.sudo().company_id.prepaid_topup_max)
        if value > largest:
            raise ValidationError(
                self.env._("%(amount)s is above the largest top-up of %(max)s.", amount=value, max=largest)
            )
        return value

    def action_confirm(self):
        """The money of a voucher has been seen: post the top-up, power back."""
        self._check_function(GROUP_COUNTER)
        self.check_access("read")
        self.contract_id.check_access("read")
        for topup in self.sudo():
            topup._lock_for_money()
            if topup.state == "draft":
                topup._post_counter_sudo()
        return True

    def _post_counter_sudo(self):
        """Payment, entry, supply. As superuser: a cashier has no rights on accounts, wallets and switches."""
        self.ensure_one()
        payment = self.env["account.payment"].sudo().create(self._prepare_payment())
        payment.action_post()
        self._register_sudo(payment, source=f"account.payment,{payment.id}")

    def _prepare_payment(self):
        company = self.company_id
        journal = company._get_prepaid_setting_sudo(METHOD_JOURNAL[self.method])
        return {
            "payment_type": "inbound",
            "partner_type": "customer",
            "partner_id": self.partner_id.commercial_partner_id.id,
            "amount": self.amount,
            "currency_id": self.currency_id.id,
            "company_id": company.id,
            "journal_id": journal.id,
            "payment_method_line_id": journal.inbound_payment_method_line_ids.filtered(
                lambda line: line.code == "manual"
            )[:1].id,
            "date": self.contract_id._get_local_date(fields.Datetime.now()),
            "memo": f"{self.number} {self.contract_id.account_number}",
            "payment_reference": self.reference,
            "wallet_id": self.wallet_id.id,
        }

    def _register_sudo(self, payment, source):
        """The entry of a posted payment, its booking, reconciliation, and supply again. Written once by `source`."""
        self.ensure_one()
        entry = self.wallet_id._post_entry(
            "topup",
            self.env["utility.kind"],
            to_decimal(self.amount),
            source,
            self._get_entry_description(),
            payment_id=payment.id,
            transaction_id=self.transaction_id.id,
        )
        self.env["prepaid.booking"]._book_sudo(entry, payment.move_id)
        self.write(
            {
                "state": "posted",
                "posted_at": fields.Datetime.now(),
                "payment_id": payment.id,
                "entry_id": entry.id,
                "balance_after": entry.balance_after,
            }
        )
        self.wallet_id._reconcile_advance_sudo()
        self.contract_id._withhold_waiting_fees_sudo()
        self.env["audit.entry"]._log("topup.post", self, after=self._get_audit_values())
        self.contract_id._evaluate_supply("topup")

    def _get_entry_description(self):
        method = dict(self._fields["method"]._description_selection(self.env))[self.method]
        return self.env._("Top-up %(number)s (%(method)s)", number=self.number, method=method)

    def _get_audit_values(self):
        return {
            "number": self.number,
            "amount": str(to_decimal(self.amount)),
            "method": self.method,
            "account_number": self.contract_id.account_number,
            "state": self.state,
        }

    # --- receipt --------------------------------------------------------------------------------------------

    def action_print_receipt(self):
        """The deposit slip; from the second time on it is marked as a reprint."""
        self.check_access("read")
        if any(topup.state == "draft" for topup in self):
            raise UserError(self.env._("There is no receipt before the money is confirmed."))
        return self.env.ref("prepaid_billing.prepaid_topup_report_receipt").report_action(self)

    def _count_receipt_sudo(self):
        """Count one printing. As superuser: cashiers only read top-ups."""
        for topup in self.sudo():
            topup.receipt_count += 1
            if topup.receipt_count > 1:
                self.env["audit.entry"]._log("topup.reprint", topup, after={"count": topup.receipt_count})

    def _format_local(self, at=None):
        """A moment (naive UTC, now if none) as the site's clock shows it."""
        zone = pytz.timezone(self.contract_id._get_tz())
        return pytz.utc.localize(at or fields.Datetime.now()).astimezone(zone).strftime("%Y-%m-%d %H:%M")

    # --- helpers --------------------------------------------------------------------------------------------

    def _lock_for_money(self):
        self.wallet_id._lock()
        self.env.cr.execute(
            "SELECT id FROM prepaid_topup WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [self.ids]
        )
        self.invalidate_recordset()

    def _check_function(self, group):
        if not self.env.user.has_group(group):
            raise AccessError(self.env._("You do not have the right to take or give back money."))
