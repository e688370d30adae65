from odoo import api, fields, models

from ..exact import fetch_exact
from ..money.fen import to_decimal

BOOKED_BY_MOVE = {
    # entry kind: company setting with the account that stands against the advance account
    "subsidy": "prepaid_subsidy_account_id",
    "adjustment": "prepaid_adjustment_account_id",
    "reversal": "prepaid_adjustment_account_id",
    "topup": "prepaid_adjustment_account_id",
    "refund": "prepaid_adjustment_account_id",
}


class PrepaidEntry(models.Model):
    _inherit = "prepaid.entry"

    booking_ids = fields.One2many("prepaid.booking", "entry_id", string="Bookings")

    def _get_amounts(self):
        """{entry id: Decimal}, exact, from the database."""
        return dict(
            fetch_exact(self.env.cr, "SELECT id, amount FROM prepaid_entry WHERE id = ANY(%s)", [self.ids])
        )

    def _get_amount_decimal(self):
        self.ensure_one()
        return self._get_amounts()[self.id]

    # --- subsidies and adjustments into the books -------------------------------------------------------------

    @api.model
    def _get_unbooked(self, company, limit=None):
        """Entries that neither a payment nor an invoice stands for, or will: subsidies, adjustments, their reversals."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT entry.id FROM prepaid_entry entry
               WHERE entry.company_id = %s AND entry.charge_id IS NULL AND entry.payment_id IS NULL
                 AND entry.transaction_id IS NULL AND entry.kind NOT IN ('charge', 'fee')
                 AND NOT EXISTS (SELECT 1 FROM prepaid_booking booking WHERE booking.entry_id = entry.id)
               ORDER BY entry.id LIMIT %s""",
            [company.id, limit],
        )
        return self.browse([row[0] for row in self.env.cr.fetchall()])

    def _book_moves_sudo(self):
        """One journal entry per entry: the advance account against the subsidy or adjustment account.

        As superuser: runs in a cron and in other people's operations.
        """
        for entry in self.sudo():
            move = self.env["account.move"].sudo().create(entry._prepare_booking_move())
            move.action_post()
            self.env["prepaid.booking"]._book_sudo(entry, move)
        self.wallet_id._reconcile_advance_sudo()

    def _prepare_booking_move(self):
        company = self.company_id
        amount = self._get_amount_decimal()
        accounts = ("prepaid_advance_account_id", BOOKED_BY_MOVE[self.kind])
        partner = self.wallet_id.partner_id.commercial_partner_id
        return {
            "move_type": "entry",
            "company_id": company.id,
            "journal_id": company._get_prepaid_setting_sudo("prepaid_misc_journal_id").id,
            "date": self.contract_id._get_local_date(self.at),
            "ref": self.description,
            "wallet_id": self.wallet_id.id,
            "contract_id": self.contract_id.id,
            "line_ids": [
                fields.Command.create(
                    {
                        "account_id": company._get_prepaid_setting_sudo(setting).id,
                        "partner_id": partner.id,
                        "name": self.description,
                        "balance": float(to_decimal(sign * amount)),
                    }
                )
                for setting, sign in zip(accounts, (-1, 1), strict=True)
            ],
        }

    @api.model
    def _cron_book(self):
        """Subsidies and adjustments get their journal entries."""
        for company in self.env["res.company"].search([("prepaid_advance_account_id", "!=", False)]):
            entries = self._get_unbooked(company, limit=1000)
            self.env["ir.cron"]._commit_progress(remaining=len(entries))
            for entry in entries:
                entry._book_moves_sudo()
                if not self.env["ir.cron"]._commit_progress(1):
                    return
