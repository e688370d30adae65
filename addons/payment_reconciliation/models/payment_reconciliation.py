import json
import logging
from datetime import UTC, datetime, time, timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ..const import BEIJING, BILL_ALARM_DAYS, BILL_DAYS, BILL_HOUR
from ..fen import to_fen, to_yuan
from ..matching import add_up, match

_logger = logging.getLogger(__name__)


class PaymentReconciliation(models.Model):
    """One provider's bill of one day, compared line by line with what is here:

    waiting for the bill -> compared: each line matched or with a case -> agrees, or differs until all cases are closed.
    It can be run again at any time: lines are made anew, cases stay, and close by themselves when their line matches.
    Nothing is confirmed from a bill: a case's button asks the gateway, and the answer goes through all checks.
    """

    _name = "payment.reconciliation"
    _description = "Payment Reconciliation"
    _order = "date desc, id desc"
    _rec_name = "date"

    provider_id = fields.Many2one("payment.provider", required=True, readonly=True, index=True)
    company_id = fields.Many2one(related="provider_id.company_id", store=True, index=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    date = fields.Date(required=True, readonly=True, index=True, help="Day in Beijing.")
    state = fields.Selection(
        [
            ("waiting", "Waiting for the Bill"),
            ("differs", "Differs"),
            ("settled", "Differences Settled"),
            ("done", "Agrees"),
        ],
        default="waiting",
        required=True,
        readonly=True,
        index=True,
    )
    run_at = fields.Datetime("Last Run", readonly=True)
    message = fields.Text(readonly=True)
    line_ids = fields.One2many("payment.reconciliation.line", "reconciliation_id", readonly=True)
    case_ids = fields.One2many("payment.gateway.case", "reconciliation_id", readonly=True)
    difference_count = fields.Integer("Differences", readonly=True)
    open_case_count = fields.Integer("Open Cases", compute="_compute_open_case_count")
    payment_count = fields.Integer("Payments in the Bill", readonly=True)
    payment_total = fields.Monetary("Paid", readonly=True)
    refund_count = fields.Integer("Refunds in the Bill", readonly=True)
    refund_total = fields.Monetary("Refunded", readonly=True)
    fee_total = fields.Monetary("Fees", readonly=True, help="The gateway's fees, less those it gave back.")
    net_total = fields.Monetary("Net", readonly=True, help="Paid, less refunds and fees.")
    our_payment_total = fields.Monetary("Paid Here", readonly=True)
    our_refund_total = fields.Monetary("Refunded Here", readonly=True)

    _provider_date_unique = models.Constraint(
        "UNIQUE(provider_id, date)", "A day of a provider is reconciled once; run it again instead."
    )

    @api.depends("case_ids.state")
    def _compute_open_case_count(self):
        for reconciliation in self:
            reconciliation.open_case_count = len(
                reconciliation.case_ids.filtered(lambda case: case.state == "open")
            )

    @api.depends("provider_id", "date")
    def _compute_display_name(self):
        for reconciliation in self:
            provider_name = reconciliation.sudo().provider_id.name  # accountants may not read providers
            reconciliation.display_name = f"{provider_name} {reconciliation.date}"

    # --- when -------------------------------------------------------------------------------------------------------

    @api.model
    def _cron_reconcile(self):
        """Reconcile the last days that are still open, once their bills are there."""
        providers = self.env["payment.provider"].search(
            [("is_gateway_guarded", "=", True), ("state", "!=", "disabled")]
        )
        todo = [
            (provider, day)
            for day in self._get_days_with_bill()
            for provider in providers
            if not self._is_compared(provider, day)
        ]
        cron = self.env["ir.cron"]
        time_left = cron._commit_progress(remaining=len(todo))
        for provider, day in todo:
            if not time_left:
                break
            self._reconcile_in_cron(provider, day)
            time_left = cron._commit_progress(1)

    @api.model
    def _get_days_with_bill(self, now=None):
        """The last days whose bills should be there at `now` (aware), oldest first."""
        now = (now or datetime.now(UTC)).astimezone(BEIJING)
        last = now.date() - timedelta(days=1 if now.hour >= BILL_HOUR else 2)
        return [last - timedelta(days=back) for back in reversed(range(BILL_DAYS))]

    def _is_compared(self, provider, day):
        domain = [("provider_id", "=", provider.id), ("date", "=", day), ("state", "!=", "waiting")]
        return bool(self.search_count(domain, limit=1))

    def _reconcile_in_cron(self, provider, day):
        try:
            self._reconcile_sudo(provider, day)
            self.env.flush_all()
        except Exception:
            self.env.cr.rollback()
            _logger.exception("Provider %s: the bill of %s could not be compared.", provider.id, day)

    def _check_reconciler(self):
        """Auditors read; who works with payments reconciles."""
        if not self.env.su and not self.env.user.has_group("account.group_account_invoice"):
            raise AccessError(self.env._("You may not reconcile payments."))

    def action_run(self):
        """Fetch the bill again and compare anew."""
        self.check_access("read")
        self._check_reconciler()
        for reconciliation in self:
            provider_sudo = (
                reconciliation.sudo().provider_id
            )  # the gateway's keys are not for the user's eyes
            self._reconcile_sudo(provider_sudo, reconciliation.date)

    def action_open_cases(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "payment_reconciliation.payment_gateway_case_action"
        )
        return action | {"domain": [("reconciliation_id", "=", self.id)], "context": {}}

    # --- one day ----------------------------------------------------------------------------------------------------

    @api.model
    def _reconcile_sudo(self, provider, day):
        """The reconciliation of a provider's day, fetched and compared now.

        As superuser: reconciliations are written by nobody else. Without a bill it waits, with a message.
        """
        reconciliation = self._get_or_create_sudo(provider, day)
        try:
            bill = reconciliation.provider_id._gateway_fetch_bill(day)
            message = ""
        except UserError as error:
            bill, message = None, str(error)
        if bill is None and not reconciliation._is_empty_day(message):
            reconciliation._wait(message)
        else:
            reconciliation._compare(bill or {"lines": [], "totals": {}})
        return reconciliation

    def _get_or_create_sudo(self, provider, day):
        found = self.sudo().search([("provider_id", "=", provider.id), ("date", "=", day)])
        return found or self.sudo().create(
            {
                "provider_id": provider.id,
                "date": day,
                "currency_id": self.env.ref("base.CNY").id,
            }
        )

    def _is_empty_day(self, message):
        """No bill, no error, no movement here, and no bill to be expected any more: such a day has none."""
        return not message and self._is_bill_late() and not self._get_due_transactions()

    def _is_bill_late(self):
        return (datetime.now(BEIJING).date() - self.date).days > BILL_ALARM_DAYS

    def _wait(self, message):
        if self.state != "waiting":  # what was compared once stays as it is
            raise UserError(message or self.env._("The gateway has no bill of this day now."))
        message = message or self.env._("The gateway has no bill of this day yet.")
        self.write({"message": message, "run_at": fields.Datetime.now()})
        if self._is_bill_late():
            self._open_case_sudo("bill_missing", "bill", {"detail": message}, reopen=True)

    def _compare(self, bill):
        rows = match(bill["lines"], self._prepare_transactions(bill["lines"]))
        self.line_ids.unlink()
        lines = self.env["payment.reconciliation.line"]._prepare_lines(self, rows)
        differs = (bill.get("totals") or {}).get("differs")
        self.write(
            {
                "line_ids": [Command.create(line) for line in lines],
                "difference_count": sum(line["result"] != "matched" for line in lines),
                "state": "done",
                "run_at": fields.Datetime.now(),
                "message": self.env._("The bill's own totals do not fit its lines: %s", json.dumps(differs))
                if differs
                else False,
                **self._prepare_totals(bill["lines"]),
            }
        )
        self._update_cases()
        self._update_state_sudo()

    def _prepare_totals(self, lines):
        totals = add_up(lines)
        due = self._get_due_transactions()
        payments = due.filtered(lambda transaction: transaction.operation != "refund")
        fee = to_yuan(totals["fee_fen"])
        return {
            "payment_count": totals["payment_count"],
            "payment_total": to_yuan(totals["payment_fen"]),
            "refund_count": totals["refund_count"],
            "refund_total": to_yuan(totals["refund_fen"]),
            "fee_total": fee,
            "net_total": to_yuan(totals["payment_fen"] - totals["refund_fen"] - totals["fee_fen"]),
            "our_payment_total": to_yuan(sum(payments.mapped("gateway_fen"))),
            "our_refund_total": to_yuan(-sum((due - payments).mapped("gateway_fen"))),
        }

    # --- our side ---------------------------------------------------------------------------------------------------

    def _get_due_transactions(self):
        """Confirmed transactions whose money moved on this day in Beijing, in the mode the provider is in."""
        start = datetime.combine(self.date, time(), BEIJING).astimezone(UTC).replace(tzinfo=None)
        return self.env["payment.transaction"].search(
            [
                ("provider_id", "=", self.provider_id.id),
                ("state", "=", "done"),
                ("gateway_fen", "!=", 0),
                ("is_live", "=", self.provider_id.state == "enabled"),
                ("gateway_paid_at", ">=", start),
                ("gateway_paid_at", "<", start + timedelta(days=1)),
            ]
        )

    def _prepare_transactions(self, lines):
        """Our transactions the bill speaks of or should speak of, as `matching` wants them."""
        references = {line.get("reference") for line in lines} | {
            line.get("refund_reference") for line in lines
        }
        named = self.env["payment.transaction"].search(
            [("provider_id", "=", self.provider_id.id), ("reference", "in", list(references - {"", None}))]
        )
        due = self._get_due_transactions()
        elsewhere = self._get_matched_on_other_days(due)
        return [
            self._prepare_transaction(transaction, transaction in due - elsewhere)
            for transaction in named | due
        ]

    def _get_matched_on_other_days(self, transactions):
        """The gateway's midnight is not ours to the second: what another day's bill has is not missing here."""
        lines = self.env["payment.reconciliation.line"].search(
            [
                ("transaction_id", "in", transactions.ids),
                ("reconciliation_id", "!=", self.id),
                ("result", "=", "matched"),
            ]
        )
        return lines.transaction_id

    def _prepare_transaction(self, transaction, is_due):
        is_refund = transaction.operation == "refund"
        references = {transaction.provider_reference}
        if is_refund:  # some bills name the refunded payment's number
            references.add(transaction.source_transaction_id.provider_reference)
        return {
            "id": transaction.id,
            "kind": "refund" if is_refund else "payment",
            "reference": transaction.reference,
            "fen": abs(transaction.gateway_fen or to_fen(transaction.amount)),
            "state": transaction.state,
            "gateway_references": references - {False},
            "is_due": is_due,
        }

    # --- cases ------------------------------------------------------------------------------------------------------

    def _update_cases(self):
        """A case for each difference; what matches by now closes its case."""
        for line in self.line_ids.filtered("is_different"):
            line.case_id = self._open_case_sudo(line.result, line._get_case_key(), line._prepare_case())
        current = self.line_ids.case_id
        came_right = self.case_ids - current
        transactions = self.line_ids.filtered(lambda line: line.result == "matched").transaction_id
        came_right |= self.env["payment.gateway.case"].search(
            [("kind", "=", "missing_there"), ("transaction_id", "in", transactions.ids)]
        )
        came_right._close_sudo(self.env._("The bill and our transaction agree now."))

    def _open_case_sudo(self, kind, key, vals, *, reopen=False):
        case, _is_alarm = self.env["payment.gateway.case"]._open_sudo(
            {
                "kind": kind,
                "provider_id": self.provider_id.id,
                "reconciliation_id": self.id,
                "currency_id": self.currency_id.id,
                "dedup_key": "|".join(["bill", kind, str(self.provider_id.id), str(self.date), key]),
                **vals,
            },
            reopen=reopen,
        )
        return case

    def _update_state_sudo(self):
        """Differences whose cases are all closed are settled. As superuser: closing a case is what changes it."""
        for reconciliation in self.sudo().filtered(lambda reconciliation: reconciliation.state != "waiting"):
            is_open = any(case.state == "open" for case in reconciliation.case_ids)
            if reconciliation.difference_count:
                reconciliation.state = "differs" if is_open else "settled"
            else:
                reconciliation.state = "done"
