"""What a tenancy owes besides its meters: fees withheld from the wallet on their due date."""

from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models

from ..exact import fetch_exact
from ..money.fen import to_decimal


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    fee_ids = fields.One2many("prepaid.fee", "contract_id", string="Withheld Fees")

    @api.model_create_multi
    def create(self, vals_list):
        """The lines of a tenancy have periods of their own: rent by the quarter, property fee by the month."""
        for vals in vals_list:
            if vals.get("is_tenancy", self.env.context.get("default_is_tenancy")):
                vals.setdefault("line_recurrence", True)
        return super().create(vals_list)

    def _get_zone(self):
        return ZoneInfo(self._get_tz())

    def _get_lines_to_invoice(self, date_ref):
        """Withheld lines come with the utility invoice, never with the contract's own."""
        return super()._get_lines_to_invoice(date_ref).filtered(lambda line: not line.is_withheld)

    def _get_fees_waiting(self):
        """Yuan of fees that are due and wait for money (Decimal): arrears of the trip policy."""
        self.env["prepaid.fee"].flush_model()
        query = "SELECT coalesce(sum(amount), 0) FROM prepaid_fee WHERE contract_id = ANY(%s) AND state = 'waiting'"
        return to_decimal(fetch_exact(self.env.cr, query, [self.ids])[0][0])

    def _withhold_fees_sudo(self, today=None):
        """Make the fees that are due by `today` (site's day) and take them from the wallets.

        As superuser: runs in crons and within a cashier's or tenant's top-up.
        """
        for contract in self.sudo().filtered("wallet_id"):
            day = today or contract._get_local_date(fields.Datetime.now())
            contract._lock_fee_lines()
            for line in contract.contract_line_ids.filtered(
                lambda line: line.is_withheld and not line.is_canceled
            ):
                line._make_due_fees(day)
            contract._withhold_waiting_fees_sudo()

    def _withhold_waiting_fees_sudo(self):
        """Try again the fees that waited for money. As superuser: see above."""
        self.env["prepaid.fee"].sudo().search(
            [("contract_id", "in", self.ids), ("state", "=", "waiting")]
        )._withhold_sudo()

    def _lock_fee_lines(self):
        self.contract_line_ids.flush_recordset()
        self.env.cr.execute(
            "SELECT id FROM contract_line WHERE contract_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [self.ids],
        )

    @api.model
    def _cron_withhold_fees(self):
        """Daily: fees that fell due, tenancy by tenancy; one that fails does not hold up the others."""
        contracts = self.search(self._get_fee_domain())
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(contracts))
        for contract in contracts:
            try:
                with self.env.cr.savepoint():
                    contract._withhold_fees_sudo()
                    contract._evaluate_supply("fee")
                contract._clear_invoice_generation_error()
            except Exception as error:  # noqa: BLE001 - kept on the tenancy, shown to a person
                contract._record_invoice_generation_error(error, "fee")
            if not cron._commit_progress(1):
                break

    @api.model
    def _get_fee_domain(self):
        tomorrow = fields.Date.today() + relativedelta(days=1)
        return fields.Domain("is_tenancy", "=", True) & (
            fields.Domain(
                "contract_line_ids",
                "any",
                [
                    ("is_withheld", "=", True),
                    ("is_canceled", "=", False),
                    ("date_start", "<=", tomorrow),
                    "|",
                    ("last_date_invoiced", "=", False),
                    ("last_date_invoiced", "<", tomorrow),
                ],
            )
            | fields.Domain("fee_ids.state", "=", "waiting")
        )
