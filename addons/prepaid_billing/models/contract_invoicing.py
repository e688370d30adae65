"""One invoice per tenancy and month: its charges by service point, and the fees withheld in that month."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..money.fen import ZERO, to_fen

UTC = ZoneInfo("UTC")


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    prepaid_invoice_count = fields.Integer(compute="_compute_prepaid_counts", compute_sudo=True)
    prepaid_payment_count = fields.Integer(compute="_compute_prepaid_counts", compute_sudo=True)

    def _compute_prepaid_counts(self):
        invoices = self.env["account.move"]._read_group(
            [("contract_id", "in", self.ids), ("move_type", "in", ("out_invoice", "out_refund"))],
            ["contract_id"],
            ["__count"],
        )
        payments = self.env["account.payment"]._read_group(
            [("wallet_id.contract_id", "in", self.ids)], ["wallet_id"], ["__count"]
        )
        invoice_counts = dict(invoices)
        payment_counts = {wallet.contract_id: count for wallet, count in payments}
        for contract in self:
            contract.prepaid_invoice_count = invoice_counts.get(contract, 0)
            contract.prepaid_payment_count = payment_counts.get(contract, 0)

    def action_view_prepaid_invoices(self):
        return self.wallet_id.action_view_invoices()

    def action_view_prepaid_payments(self):
        return self.wallet_id.action_view_payments()

    # --- what there is to invoice -----------------------------------------------------------------------------

    def _get_month_end(self, month):
        """First instant after the month at the site, naive UTC."""
        following = datetime.combine(month + relativedelta(months=1), time(), self._get_zone())
        return following.astimezone(UTC).replace(tzinfo=None)

    @api.model
    def _get_contract_ids_to_invoice(self, company, month):
        """Tenancies with charges or withheld fees up to the end of the month that are on no invoice yet."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT wallet.contract_id FROM prepaid_wallet wallet
               WHERE wallet.company_id = %(company)s
                 AND (EXISTS (SELECT 1 FROM prepaid_charge charge WHERE charge.wallet_id = wallet.id
                                AND charge.invoice_line_id IS NULL AND charge.from_reading_at < %(end)s)
                   OR EXISTS (SELECT 1 FROM prepaid_fee fee WHERE fee.wallet_id = wallet.id
                                AND fee.state = 'withheld' AND fee.due_date < %(next_month)s
                                AND NOT EXISTS (SELECT 1 FROM prepaid_booking b WHERE b.entry_id = fee.entry_id)))
               ORDER BY wallet.contract_id""",
            {
                "company": company.id,
                "end": datetime.combine(month + relativedelta(months=1), time()),
                "next_month": month + relativedelta(months=1),
            },
        )
        return [row[0] for row in self.env.cr.fetchall()]

    def _get_open_fees(self, month):
        fees = self.env["prepaid.fee"].search(
            [
                ("contract_id", "=", self.id),
                ("state", "=", "withheld"),
                ("due_date", "<", month + relativedelta(months=1)),
            ],
            order="due_date, id",
        )
        return fees.filtered(lambda fee: not fee.entry_id.booking_ids)

    # --- making the invoice -----------------------------------------------------------------------------------

    def _create_month_invoice_sudo(self, month):
        """Create, post and reconcile the invoice of a tenancy for the month (its first day).

        Nothing to invoice, or invoiced already: an empty recordset. Twice at once: the unique index of
        (contract, month) lets one through. As superuser: runs in jobs, and writes on read-only charges.
        :raise UserError: if the invoice would not come to the fen of its charges and fees
        """
        self.ensure_one()
        contract = self.sudo().with_company(self.company_id)
        contract = contract.with_context(lang=contract.partner_id.lang or self.env.lang)
        if contract._get_month_invoice(month):
            return self.env["account.move"]
        parts = contract._get_invoice_parts(month)
        total = sum((part["amount"] for part in parts), ZERO)
        if not any(part["amount"] for part in parts):
            return self.env["account.move"]
        move = self.env["account.move"].sudo().create(contract._prepare_month_invoice(month, parts, total))
        contract._link_invoice_lines(move, parts)
        contract._check_invoice_total(move, total)
        move.action_post()
        contract.wallet_id._reconcile_advance_sudo()
        return move

    def _get_month_invoice(self, month):
        return self.env["account.move"].search(
            [
                ("contract_id", "in", self.ids),
                ("prepaid_month", "=", month),
                ("state", "!=", "cancel"),
                ("is_prepaid_reversed", "=", False),
            ]
        )

    def _get_invoice_parts(self, month):
        """Invoice lines to be: [{amount, name, kind, charge_ids | fee}], amounts positive for what the tenant owes."""
        parts = self.env["prepaid.charge"]._get_invoice_parts(
            self.wallet_id, self._get_month_end(month), self._get_zone()
        )
        for fee in self._get_open_fees(month):
            amount = -fee.entry_id._get_amount_decimal()
            parts.append({"amount": amount, "name": fee.description, "kind": fee.kind_id, "fee": fee})
        return parts

    def _prepare_month_invoice(self, month, parts, total):
        company = self.company_id
        last_day = month + relativedelta(months=1, days=-1)
        date = min(last_day, self._get_local_date(fields.Datetime.now()))
        sign = -1 if total < 0 else 1
        return {
            "move_type": "out_refund" if total < 0 else "out_invoice",
            "company_id": company.id,
            "partner_id": (self.invoice_partner_id or self.partner_id).id,
            "currency_id": self.wallet_id.currency_id.id,
            "journal_id": company._get_prepaid_setting_sudo("prepaid_invoice_journal_id").id,
            "invoice_date": date,
            "invoice_date_due": date,
            "invoice_payment_term_id": False,
            "fiscal_position_id": False,
            "invoice_user_id": False,
            "ref": f"{self.account_number} {month:%Y-%m}",
            "invoice_origin": self.account_number,
            "contract_id": self.id,
            "wallet_id": self.wallet_id.id,
            "prepaid_month": month,
            "invoice_line_ids": [
                Command.create(self._prepare_month_invoice_line(part, sequence, sign))
                for sequence, part in enumerate(parts, 1)
            ],
        }

    def _prepare_month_invoice_line(self, part, sequence, sign):
        """Quantity 1: the charge has been rounded once, to the fen; quantity x price would round it again."""
        product = part["kind"]._get_product_sudo(self.company_id)
        return {
            "sequence": sequence,
            "product_id": product.id,
            "name": part["name"],
            "quantity": 1,
            "price_unit": float(sign * part["amount"]),
            "discount": 0,
            "contract_line_id": part["fee"].contract_line_id.id if part.get("fee") else False,
        }

    def _link_invoice_lines(self, move, parts):
        lines = move.invoice_line_ids.sorted("sequence")
        for line, part in zip(lines, parts, strict=True):
            if part.get("fee"):
                self.env["prepaid.booking"]._book_sudo(part["fee"].entry_id, move, line)
            else:
                self.env["prepaid.charge"]._set_invoice_line_sudo(part["charge_ids"], line)

    def _check_invoice_total(self, move, total):
        if to_fen(move.amount_total) != abs(to_fen(total)):
            raise UserError(
                self.env._(
                    "The invoice of %(tenancy)s comes to %(invoiced)s, its charges and fees to %(charged)s.",
                    tenancy=self.display_name,
                    invoiced=move.amount_total,
                    charged=abs(total),
                )
            )
