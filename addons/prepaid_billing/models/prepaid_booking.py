from odoo import fields, models


class PrepaidBooking(models.Model):
    _name = "prepaid.booking"
    _description = "Booking of a Wallet Entry"
    _order = "id desc"

    entry_id = fields.Many2one("prepaid.entry", required=True, index=True, ondelete="restrict")
    wallet_id = fields.Many2one(related="entry_id.wallet_id", store=True, index=True)
    company_id = fields.Many2one(related="wallet_id.company_id", store=True)
    move_id = fields.Many2one(
        "account.move", string="Journal Entry", index=True, ondelete="cascade", required=True
    )
    move_line_id = fields.Many2one("account.move.line", string="Journal Item", index=True, ondelete="cascade")

    _entry_uniq = models.UniqueIndex("(entry_id)", "This wallet entry is booked already.")

    def _book_sudo(self, entries, move, move_line=None):
        """Note that `move` is the accounting side of `entries`. As superuser: only this method writes bookings."""
        known = self.sudo().search([("entry_id", "in", entries.ids)]).entry_id
        return self.sudo().create(
            [
                {
                    "entry_id": entry.id,
                    "move_id": move.id,
                    "move_line_id": move_line.id if move_line else False,
                }
                for entry in entries - known
            ]
        )
