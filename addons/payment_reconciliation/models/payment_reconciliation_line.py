import json
from datetime import UTC, datetime

from odoo import api, fields, models

from ..const import AGREEING_STATES
from ..fen import to_yuan
from ..matching import get_key, read_fee_fen


class PaymentReconciliationLine(models.Model):
    """One line of a bill with our transaction, or our transaction that the bill lacks."""

    _name = "payment.reconciliation.line"
    _description = "Payment Reconciliation Line"
    _order = "reconciliation_id, is_different desc, at, id"
    _rec_name = "reference"

    reconciliation_id = fields.Many2one(
        "payment.reconciliation", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="reconciliation_id.company_id", store=True, index=True)
    provider_id = fields.Many2one(related="reconciliation_id.provider_id", store=True)
    date = fields.Date(related="reconciliation_id.date", store=True)
    currency_id = fields.Many2one(related="reconciliation_id.currency_id")
    result = fields.Selection(
        [
            ("matched", "Matched"),
            ("missing_here", "Missing Here"),
            ("missing_there", "Missing There"),
            ("amount_differs", "Amount Differs"),
            ("state_differs", "State Differs"),
            ("duplicate", "Duplicate"),
        ],
        required=True,
        readonly=True,
        index=True,
    )
    is_different = fields.Boolean(readonly=True)
    kind = fields.Selection([("payment", "Payment"), ("refund", "Refund")], required=True, readonly=True)
    at = fields.Datetime("Time", readonly=True)
    reference = fields.Char(readonly=True)
    gateway_reference = fields.Char(readonly=True)
    bill_amount = fields.Monetary("Amount in the Bill", readonly=True)
    our_amount = fields.Monetary("Amount Here", readonly=True)
    fee = fields.Float(digits=(16, 5), readonly=True)
    bill_state = fields.Char("State in the Bill", readonly=True)
    our_state = fields.Char("State Here", readonly=True)
    transaction_id = fields.Many2one("payment.transaction", readonly=True, index="btree_not_null")
    case_id = fields.Many2one("payment.gateway.case", readonly=True, index="btree_not_null")
    case_state = fields.Selection(related="case_id.state")
    raw = fields.Text("Line of the Bill", readonly=True)

    @api.model
    def _prepare_lines(self, reconciliation, rows):
        return [
            {
                "result": row["result"],
                "is_different": row["result"] != "matched",
                **self._prepare_bill_side(row["line"]),
                **self._prepare_our_side(row["transaction"], row["line"]),
            }
            for row in rows
        ]

    @api.model
    def _prepare_bill_side(self, line):
        if not line:
            return {}
        return {
            "kind": line["kind"],
            "at": self._read_time(line["at"]),
            "reference": get_key(line)[1][:128],
            "gateway_reference": (line.get("gateway_reference") or "")[:128],
            "bill_amount": to_yuan(line["fen"]),
            "fee": to_yuan(read_fee_fen(line)),
            "bill_state": line["state"],
            "raw": self._read_raw(line.get("raw")),
        }

    @api.model
    def _prepare_our_side(self, transaction, line):
        if not transaction:
            return {}
        values = {
            "transaction_id": transaction["id"],
            "our_amount": to_yuan(transaction["fen"]),
            "our_state": transaction["state"],
        }
        if not line:
            ours = self.env["payment.transaction"].browse(transaction["id"])
            values |= {
                "kind": transaction["kind"],
                "reference": transaction["reference"],
                "at": ours.gateway_paid_at,
                "gateway_reference": ours.provider_reference,
            }
        return values

    @api.model
    def _read_time(self, at):
        """Naive UTC of an ISO text or a datetime."""
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(at) if at else None
        if moment and moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment and moment.replace(microsecond=0)

    @api.model
    def _read_raw(self, raw):
        return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, default=str)

    # --- difference -------------------------------------------------------------------------------------------------

    def _get_case_key(self):
        """What makes this difference the same one when the day is compared again."""
        return "|".join(
            [
                self.kind,
                self.reference or "",
                self.gateway_reference or "",
                f"{self.bill_amount:.2f}",
                self.bill_state or "",
            ]
        )

    def _prepare_case(self):
        return {
            "transaction_id": self.transaction_id.id,
            "reference": self.reference,
            "gateway_reference": self.gateway_reference,
            "expected_amount": self.our_amount,
            "reported_amount": self.bill_amount,
            "detail": self.raw or False,
        }

    def _is_agreeing(self):
        """Whether our transaction's state is the bill's by now."""
        self.ensure_one()
        return self.transaction_id.state in AGREEING_STATES.get(self.bill_state, ())

    def action_open_case(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "payment.gateway.case",
            "res_id": self.case_id.id,
            "view_mode": "form",
        }
