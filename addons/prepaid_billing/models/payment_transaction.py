from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..money.fen import to_decimal, to_fen


class PaymentTransaction(models.Model):
    """Life of an online top-up:

    created with wallet_id (amount kept as integer fen) -> the provider's signed data goes through `_process`
    -> done -> `_post_process`: account.payment on the advance account, top-up, entry, supply, all in one
    database transaction, once by the UNIQUE keys on entry source, top-up transaction and booking.
    """

    _inherit = "payment.transaction"

    wallet_id = fields.Many2one("prepaid.wallet", readonly=True, index="btree_not_null")
    wallet_fen = fields.Integer(
        readonly=True, help="Amount in fen at creation. The amount credited must equal it."
    )
    topup_id = fields.One2many("prepaid.topup", "transaction_id", string="Top-up")

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("wallet_id"):
                vals["wallet_fen"] = to_fen(vals["amount"])
        transactions = super().create(vals_list)
        transactions._check_wallet_writer()
        return transactions

    def write(self, vals):
        self._check_wallet_writer()
        result = super().write(vals)
        self._check_wallet_writer()
        return result

    def _check_wallet_writer(self):
        """Accountants may write transactions; those that pay into a wallet come from payment pages and providers, by code
        that runs as superuser, whichever provider it is."""
        forged = self.browse() if self.env.su else self.sudo().filtered("wallet_id")
        if forged:
            raise AccessError(
                self.env._("%s pays into a wallet: it is not written by hand.", forged[0].reference)
            )

    @api.constrains("wallet_id", "currency_id")
    def _check_wallet_currency(self):
        for transaction in self.filtered("wallet_id"):
            if transaction.currency_id != transaction.wallet_id.currency_id:
                raise ValidationError(
                    self.env._(
                        "Transaction %(reference)s is in %(currency)s, the wallet in %(wallet_currency)s.",
                        reference=transaction.reference,
                        currency=transaction.currency_id.name,
                        wallet_currency=transaction.wallet_id.currency_id.name,
                    )
                )

    # --- notification: the amount must be ours ----------------------------------------------------------------

    def _process(self, provider_code, payment_data):
        """Never let a second notification with a wrong amount confirm what the first one failed.

        Odoo's `_process` sets such a transaction to error, but a repetition of the same data to done.
        """
        transaction = self or self._search_by_reference(provider_code, payment_data)
        if transaction.wallet_id and transaction._is_amount_wrong(payment_data):
            transaction._validate_amount(payment_data)
            return transaction
        return super(PaymentTransaction, transaction)._process(provider_code, payment_data)

    def _is_amount_wrong(self, payment_data):
        data = self._extract_amount_data(payment_data)
        if data is None:
            return False
        sign = -1 if self.operation == "refund" else 1
        same = data.get("amount") and sign * to_fen(data["amount"]) == self.wallet_fen
        return not same or data.get("currency_code") != self.wallet_id.currency_id.name

    def _set_done(self, **kwargs):
        """Credit at once, also when the payer's browser never comes back: Odoo's notifications do not start the cron."""
        done = super()._set_done(**kwargs)
        if done.filtered("wallet_id"):
            self.env.ref("payment.cron_post_process_payment_tx")._trigger()
        return done

    # --- refunds ----------------------------------------------------------------------------------------------

    def _create_child_transaction(self, amount, is_refund=False, **custom_create_values):
        if self.wallet_id:
            if is_refund:
                self._check_wallet_refund(amount)
            custom_create_values["wallet_id"] = self.wallet_id.id
        return super()._create_child_transaction(amount, is_refund=is_refund, **custom_create_values)

    def _check_wallet_refund(self, amount):
        """A refund may neither exceed what was paid (with refunds under way) nor what the wallet still holds."""
        self._lock_for_money()
        # Who waited for the lock still has the old view, in which the other refund is not there. A change of the row
        # sends them back to look again.
        self.env.cr.execute(
            "UPDATE payment_transaction SET write_date = clock_timestamp() AT TIME ZONE 'utc' WHERE id = %s",
            [self.id],
        )
        under_way = self.child_transaction_ids.filtered(
            lambda child: child.operation == "refund" and child.state not in ("cancel", "error")
        )
        left = self.wallet_fen + sum(under_way.mapped("wallet_fen"))
        unbooked = under_way.filtered(lambda child: not child._get_wallet_entry())
        available = int(self.wallet_id._get_balance_decimal() * 100) + sum(unbooked.mapped("wallet_fen"))
        if to_fen(amount) > min(left, available):
            raise UserError(
                self.env._(
                    "%(amount)s cannot be refunded: %(left)s of this payment and %(available)s in the wallet are left.",
                    amount=to_decimal(amount),
                    left=to_decimal(left / 100),
                    available=to_decimal(available / 100),
                )
            )

    # --- post-processing: credit exactly once -----------------------------------------------------------------

    def _create_payment(self, **extra_create_values):
        if self.wallet_id:
            extra_create_values.update(
                wallet_id=self.wallet_id.id,
                partner_id=self.wallet_id.partner_id.commercial_partner_id.id,
                destination_account_id=self.company_id._get_prepaid_setting_sudo(
                    "prepaid_advance_account_id"
                ).id,
                date=self.wallet_id.contract_id._get_local_date(fields.Datetime.now()),
            )
        return super()._create_payment(**extra_create_values)

    def _post_process(self):
        self.filtered("wallet_id")._lock_for_money()
        result = super()._post_process()
        for transaction in self.filtered(lambda tx: tx.wallet_id and tx.state == "done"):
            transaction._credit_wallet_sudo()
        return result

    def _credit_wallet_sudo(self):
        """Entry, booking, top-up and supply of a confirmed transaction. As superuser: the tenant, a public
        notification or a cron may be the one who triggers it.
        """
        self.ensure_one()
        transaction = self.sudo()
        if (
            transaction._get_wallet_entry()
            or transaction.operation == "validation"
            or not transaction.payment_id
        ):
            return
        transaction._check_creditable()
        if transaction.operation == "refund":
            transaction._debit_refund_sudo()
            return
        topup = self.env["prepaid.topup"].sudo().create(transaction._prepare_topup())
        topup._register_sudo(transaction.payment_id, source=transaction._get_entry_source())

    def _check_creditable(self):
        """Only what was asked for, was paid, and is booked, all three the same fen, in the wallet's currency."""
        sign = -1 if self.operation == "refund" else 1
        amounts = {self.wallet_fen, to_fen(self.amount), sign * to_fen(self.payment_id.amount)}
        if self.state != "done" or len(amounts) != 1 or self.currency_id != self.wallet_id.currency_id:
            raise UserError(
                self.env._(
                    "Transaction %(reference)s is not credited: asked %(asked)s, paid %(paid)s, booked %(booked)s.",
                    reference=self.reference,
                    asked=to_decimal(self.wallet_fen / 100),
                    paid=f"{to_decimal(self.amount)} {self.currency_id.name}",
                    booked=to_decimal(self.payment_id.amount),
                )
            )

    def _debit_refund_sudo(self):
        """A confirmed refund leaves the wallet. More than the payment was is refused, for a person to look at."""
        source = self.source_transaction_id
        source._lock_for_money()
        done = source.child_transaction_ids.filtered(
            lambda tx: tx.operation == "refund" and tx.state == "done"
        )
        if -sum(done.mapped("wallet_fen")) > source.wallet_fen:
            raise UserError(
                self.env._("Refunds of %(reference)s exceed what was paid.", reference=source.reference)
            )
        entry = self.wallet_id._post_entry(
            "refund",
            self.env["utility.kind"],
            to_decimal(self.amount),
            self._get_entry_source(),
            self.env._("Refund %(reference)s to the original payment", reference=self.reference),
            payment_id=self.payment_id.id,
            transaction_id=self.id,
        )
        self.env["prepaid.booking"]._book_sudo(entry, self.payment_id.move_id)
        self.env["prepaid.refund"]._finish_online_sudo(self, entry)
        self.wallet_id._reconcile_advance_sudo()
        self.env["audit.entry"]._log("refund.online", self, after={"amount": str(to_decimal(self.amount))})
        self.wallet_id.contract_id._evaluate_supply("refund")

    def _prepare_topup(self):
        return {
            "wallet_id": self.wallet_id.id,
            "amount": self.amount,
            "method": "online",
            "reference": self.provider_reference or self.reference,
            "transaction_id": self.id,
        }

    def _get_entry_source(self):
        return f"payment.transaction,{self.id}"

    def _get_wallet_entry(self):
        return self.env["prepaid.entry"].sudo().search([("source", "=", self._get_entry_source())], limit=1)

    def _lock_for_money(self):
        """Wait for whoever works on these transactions; under REPEATABLE READ the loser is retried by Odoo."""
        if self:
            self.wallet_id._lock()
            self.env.cr.execute(
                "SELECT id FROM payment_transaction WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [self.ids]
            )

    # --- sweeper ----------------------------------------------------------------------------------------------

    @api.model
    def _get_uncredited_ids(self):
        """Confirmed wallet transactions without an entry. Odoo's own cron gives up after four days; this does not."""
        self.flush_model()
        self.env.cr.execute(
            """SELECT tx.id FROM payment_transaction tx
               WHERE tx.wallet_id IS NOT NULL AND tx.state = 'done' AND tx.operation != 'validation'
                 AND NOT EXISTS (SELECT 1 FROM prepaid_entry entry WHERE entry.source = 'payment.transaction,' || tx.id)
               ORDER BY tx.id"""
        )
        return [row[0] for row in self.env.cr.fetchall()]

    @api.model
    def _cron_credit_confirmed(self):
        """Credit what was paid and not yet credited; what fails is shown by the books check."""
        pending = self.browse(self._get_uncredited_ids())
        self.env["ir.cron"]._commit_progress(remaining=len(pending))
        pending._cron_post_process()
