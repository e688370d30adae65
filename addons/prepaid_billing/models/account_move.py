from odoo import fields, models
from odoo.exceptions import UserError

from ..money.fen import to_fen


class AccountMove(models.Model):
    _inherit = "account.move"

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", index="btree_not_null", readonly=True, copy=False
    )
    wallet_id = fields.Many2one("prepaid.wallet", index="btree_not_null", readonly=True, copy=False)
    prepaid_month = fields.Date(
        string="Billing Month", copy=False, readonly=True, help="First day of the month."
    )
    is_prepaid_reversed = fields.Boolean(string="Credited in Full", copy=False, readonly=True)
    prepaid_batch_id = fields.Many2one(
        "prepaid.invoice.batch", string="Invoicing Run", index="btree_not_null", readonly=True, copy=False
    )
    prepaid_booking_ids = fields.One2many("prepaid.booking", "move_id", string="Wallet Bookings")

    _prepaid_month_uniq = models.UniqueIndex(
        "(contract_id, prepaid_month) WHERE prepaid_month IS NOT NULL AND state != 'cancel' "
        "AND is_prepaid_reversed IS NOT TRUE",
        "This tenancy is invoiced for this month already.",
    )

    def _reverse_moves(self, default_values_list=None, cancel=False):
        """What reverses money of a wallet belongs to the wallet too."""
        values_list = default_values_list or [{} for _move in self]
        for move, values in zip(self, values_list, strict=True):
            if move.wallet_id:
                values.setdefault("wallet_id", move.wallet_id.id)
                values.setdefault("contract_id", move.contract_id.id)
        return super()._reverse_moves(values_list, cancel=cancel)

    def _post(self, soft=True):
        """A credit note over a whole utility invoice sets its charges free, to be invoiced again."""
        posted = super()._post(soft=soft)
        for move in posted:
            invoice = move.reversed_entry_id
            if invoice.prepaid_month and to_fen(move.amount_total) == to_fen(invoice.amount_total):
                invoice._release_prepaid_entries_sudo()
                invoice.is_prepaid_reversed = True
        return posted

    def button_draft(self):
        self._check_not_booked()
        return super().button_draft()

    def button_cancel(self):
        self._check_not_booked()
        result = super().button_cancel()
        self.filtered("prepaid_month")._release_prepaid_entries_sudo()
        return result

    def unlink(self):
        self._check_not_booked()
        self.filtered("prepaid_month")._release_prepaid_entries_sudo()
        return super().unlink()

    def _check_not_booked(self):
        """What stands for a wallet entry stays in the books as long as the entry does: forever."""
        booked = self.sudo().filtered(lambda move: move.prepaid_booking_ids and not move.prepaid_month)
        if booked:
            raise UserError(
                self.env._(
                    "%s stands for an entry of a wallet and cannot be taken out of the books. "
                    "Reverse or refund the top-up instead.",
                    booked[0].display_name,
                )
            )

    def _release_prepaid_entries_sudo(self):
        """Charges and fees of these invoices count as not invoiced again. As superuser: charges are read-only."""
        self.env["prepaid.charge"]._release_from_invoice_sudo(self)
        self.sudo().prepaid_booking_ids.unlink()
