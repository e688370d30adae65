from odoo import fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..money.fen import to_decimal
from .prepaid_topup import GROUP_COUNTER, GROUP_REFUND


class PrepaidTopup(models.Model):
    """Taking a mistaken top-up back: the same day, with a reason, within one's rights."""

    _inherit = "prepaid.topup"

    def action_open_reversal(self):
        """Ask for the reason of a reversal."""
        self.ensure_one()
        self._check_may_reverse()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Reverse Top-up"),
            "res_model": "prepaid.topup.reversal",
            "view_mode": "form",
            "target": "new",
            "context": {"default_topup_id": self.id},
        }

    def _check_may_reverse(self):
        """Only what was received today, at the counter; a cashier only their own and up to the limit."""
        self.ensure_one()
        self.check_access("read")
        topup_sudo = self.sudo()
        if topup_sudo.state != "posted" or topup_sudo.method == "online":
            raise UserError(
                self.env._("Only a top-up received at the counter can be reversed. Use a refund instead.")
            )
        contract = topup_sudo.contract_id
        if contract._get_local_date(topup_sudo.posted_at) != contract._get_local_date(fields.Datetime.now()):
            raise UserError(self.env._("Only a top-up of today can be reversed. Use a refund instead."))
        if self.env.user.has_group(GROUP_REFUND):
            return
        self._check_function(GROUP_COUNTER)
        within = to_decimal(topup_sudo.amount) <= to_decimal(topup_sudo.company_id.prepaid_reversal_limit)
        if topup_sudo.cashier_id != self.env.user or not within:
            raise AccessError(
                self.env._(
                    "You may reverse your own top-ups up to the limit only. Ask somebody with the right to refund."
                )
            )

    def _reverse(self, reason):
        """Take back a mistaken top-up: payment entry reversed in the books, reversal entry in the wallet."""
        self.ensure_one()
        if not (reason or "").strip():
            raise ValidationError(self.env._("Give the reason of the reversal."))
        self._lock_for_money()
        self._check_may_reverse()
        self.sudo()._reverse_sudo(reason.strip())

    def _reverse_sudo(self, reason):
        """As superuser: a cashier has no rights on accounts and wallets."""
        move = self.payment_id.move_id
        reversal = move._reverse_moves(
            [
                {
                    "ref": self.env._(
                        "Reversal of %(number)s: %(reason)s", number=self.number, reason=reason
                    ),
                    "date": self.contract_id._get_local_date(fields.Datetime.now()),
                    "wallet_id": self.wallet_id.id,
                    "contract_id": self.contract_id.id,
                }
            ],
            cancel=True,
        )
        before = self._get_audit_values()
        entry = self.wallet_id._post_entry(
            "reversal",
            self.env["utility.kind"],
            -to_decimal(self.amount),
            f"prepaid.topup,{self.id},reversal",
            self.env._("Reversal of top-up %(number)s: %(reason)s", number=self.number, reason=reason),
            payment_id=self.payment_id.id,
        )
        self.env["prepaid.booking"]._book_sudo(entry, reversal)
        self.write(
            {
                "state": "reversed",
                "reversed_at": fields.Datetime.now(),
                "reversed_by_id": self.env.uid,
                "reversal_reason": reason,
                "reversal_entry_id": entry.id,
                "reversal_move_id": reversal.id,
            }
        )
        self.wallet_id._reconcile_advance_sudo()
        self.env["audit.entry"]._log("topup.reverse", self, before, self._get_audit_values(), reason)
        self.contract_id._evaluate_supply("topup_reversal")
