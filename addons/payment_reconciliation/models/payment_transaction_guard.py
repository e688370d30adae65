from datetime import UTC, datetime

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import mute_logger
from psycopg2.errors import UniqueViolation

from ..const import MONEY_STATES, PAYMENT_STATES, REFUND_STATES
from ..fen import to_fen, to_yuan


class PaymentTransaction(models.Model):
    """What a gateway says is compared before anything changes.

    Payment data with an objection opens a case and changes neither state nor reference, however often it comes. That
    holds on each way in: `_process`, and the two methods it is made of.
    """

    _inherit = "payment.transaction"

    # --- the ways in ------------------------------------------------------------------------------------------------

    def _process(self, provider_code, payment_data):
        transaction = self or self._search_by_reference(provider_code, payment_data)
        if not transaction or not transaction._is_gateway_guarded():
            return super(PaymentTransaction, transaction)._process(provider_code, payment_data)
        if transaction._is_gateway_data_refused(payment_data, provider_code):
            return transaction
        return super(PaymentTransaction, transaction)._process(provider_code, payment_data)

    def _extract_reference(self, provider_code, payment_data):
        if provider_code not in self.env["payment.provider"]._get_guarded_codes():
            return super()._extract_reference(provider_code, payment_data)
        return payment_data.get("refund_reference") or payment_data.get("reference")

    def _extract_amount_data(self, payment_data):
        if not self._is_gateway_guarded():
            return super()._extract_amount_data(payment_data)
        fen = payment_data.get("fen")
        if fen is None and payment_data.get("state") not in MONEY_STATES:
            return None  # unpaid orders come without an amount
        return {
            "amount": to_yuan(fen) if type(fen) is int else None,
            "currency_code": payment_data.get("currency"),
        }

    def _validate_amount(self, payment_data):
        """Odoo would set an error here, which the next notification may overwrite: ours stays as it is."""
        if not self._is_gateway_guarded():
            return super()._validate_amount(payment_data)
        self._is_gateway_data_refused(payment_data)
        return None

    def _apply_updates(self, payment_data):
        if not self._is_gateway_guarded():
            return super()._apply_updates(payment_data)
        if not self._is_gateway_data_refused(payment_data):
            self._apply_gateway_state(payment_data)
        return None

    # --- objections -------------------------------------------------------------------------------------------------

    def _is_gateway_data_refused(self, payment_data, provider_code=None):
        """Whether there is an objection to this data; it then has its case."""
        self.ensure_one()
        self._lock_gateway()
        objection = self._find_gateway_objection(payment_data, provider_code or self.provider_code)
        if objection:
            kind, detail = objection
            self._open_gateway_case(kind, payment_data, detail)
        return bool(objection)

    def _lock_gateway(self):
        """Wait for whoever works on these transactions and what they are refunds of. Who comes second to a row that was
        changed has an old view of it, and is sent back by the database to try again.
        """
        ids = sorted({*self.ids, *self.source_transaction_id.ids})
        self.env.cr.execute(
            "SELECT id FROM payment_transaction WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids]
        )

    def _find_gateway_objection(self, data, provider_code):
        """(kind of case, text) of the first thing that does not fit, or None. Writes nothing."""
        return (
            self._object_to_origin(data, provider_code)
            or self._object_to_amount(data)
            or self._object_to_reference(data)
            or self._object_to_refund(data)
        )

    def _object_to_origin(self, data, provider_code):
        if data.get("provider_id") != self.provider_id.id or provider_code != self.provider_code:
            return "wrong_provider", self.env._("The data came in for another provider.")
        if self._extract_reference(self.provider_code, data) != self.reference:
            return "wrong_reference", self.env._("The data is about another transaction.")
        allowed = REFUND_STATES if self.operation == "refund" else PAYMENT_STATES
        if data.get("state") not in allowed:
            return "state_differs", self.env._("This state is impossible: %s", str(data.get("state"))[:64])
        if self.state == "done" and data["state"] == "refund_failed":
            return "state_differs", self.env._("The gateway says that this confirmed refund failed.")
        return None

    def _object_to_amount(self, data):
        """Integer fen and currency, against those of the creation and those of the transaction as it is now."""
        fen = data.get("fen")
        if fen is None and data["state"] not in MONEY_STATES:
            return None
        if self.gateway_fen != to_fen(self.amount):
            return "amount_differs", self.env._("The transaction's amount was changed after its creation.")
        if type(fen) is not int or fen != abs(self.gateway_fen):
            return "amount_differs", self.env._("The gateway speaks of %s fen.", str(fen)[:64])
        if data.get("currency") != self.currency_id.name:
            return "amount_differs", self.env._(
                "The gateway speaks of currency %s.", str(data.get("currency"))[:64]
            )
        return None

    def _object_to_reference(self, data):
        gateway_reference = data.get("gateway_reference")
        if not gateway_reference and data["state"] not in MONEY_STATES:
            return None
        if not isinstance(gateway_reference, str) or not 0 < len(gateway_reference) <= 128:
            return "wrong_reference", self.env._("The gateway gave no number of its own.")
        if self.state == "done" and self.provider_reference != gateway_reference:
            return "paid_twice", self.env._("Confirmed with number %s before.", self.provider_reference or "")
        if other := self._find_gateway_reference_owner(gateway_reference):
            return "reference_reused", self.env._(
                "This number belongs to transaction %(reference)s.", reference=other.reference
            )
        return None

    def _find_gateway_reference_owner(self, gateway_reference):
        """Another transaction of this provider with this number, whoever may see it."""
        return self.sudo().search(
            [
                ("provider_id", "=", self.provider_id.id),
                ("provider_reference", "=", gateway_reference),
                ("id", "!=", self.id),
            ],
            limit=1,
        )

    def _object_to_refund(self, data):
        if data["state"] == "refunded" and self.state != "done":
            source = self.source_transaction_id
            if abs(self.gateway_fen) > source._get_gateway_paid_fen() - source._get_gateway_refund_fen(
                ("done",)
            ):
                return "refund_exceeds", self.env._(
                    "With this refund more goes back than %s paid.", source.reference
                )
        return None

    # --- what data without objection does ---------------------------------------------------------------------------

    def _apply_gateway_state(self, data):
        state = data["state"]
        if state in MONEY_STATES:
            self._confirm_gateway(data)
        elif state == "pending" and self.state == "draft":
            self._set_pending()
        elif state == "closed" and self.state in ("draft", "pending"):
            self._set_canceled(state_message=data.get("detail"))
        elif state == "failed" and self.state in ("draft", "pending"):
            self._set_error(data.get("detail") or self.env._("The payment failed at the gateway."))
        elif state == "refunding" and self.state in ("draft", "pending"):
            self.provider_reference = data.get("gateway_reference")
            self._set_pending()
        elif state == "refund_failed" and self.state in ("draft", "pending"):
            self.provider_reference = data.get("gateway_reference")
            self._set_error(data.get("detail") or self.env._("The refund failed at the gateway."))

    def _confirm_gateway(self, data):
        """Money moved, all of it compared. From any state: what was paid after our cancellation is still paid."""
        if self.state == "done":
            return
        values = {
            "provider_reference": data["gateway_reference"],
            "gateway_paid_at": self._parse_gateway_time(data.get("paid_at")),
            "gateway_late": self.state in ("cancel", "error"),
            "gateway_next_poll_at": False,
        }
        try:
            with mute_logger("odoo.sql_db"), self.env.cr.savepoint():
                self.write(values)
                self.flush_recordset()
        except UniqueViolation:
            # Somebody took this number a moment ago; we cannot see them yet.
            self._open_gateway_case("reference_reused", data)
            return
        if self.operation == "refund":
            self.source_transaction_id._count_gateway_refund_step()
        self._set_done(extra_allowed_states=("cancel",))

    def _parse_gateway_time(self, text):
        try:
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            return fields.Datetime.now()
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment.replace(microsecond=0)

    def _set_done(self, **kwargs):
        """Post-process at once, also when the payer's browser never comes back."""
        done = super()._set_done(**kwargs)
        if any(transaction._is_gateway_guarded() for transaction in done):
            self.env.ref("payment.cron_post_process_payment_tx")._trigger()
        return done

    # --- refunds: never more than was paid --------------------------------------------------------------------------

    def _get_gateway_paid_fen(self):
        return self.gateway_fen if self.state == "done" else 0

    def _get_gateway_refund_fen(self, states):
        """Positive fen of refunds in these states."""
        refunds = self.child_transaction_ids.filtered(
            lambda child: child.operation == "refund" and child.state in states
        )
        return -sum(refunds.mapped("gateway_fen"))

    def _check_gateway_refund(self, refund_fen):
        """Refunds without a known end count like paid ones: they may still arrive."""
        self._lock_gateway()
        left = self._get_gateway_paid_fen() - self._get_gateway_refund_fen(
            ("draft", "pending", "authorized", "done")
        )
        if not 0 < refund_fen <= left:
            raise UserError(
                self.env._(
                    "%(amount)s cannot be refunded: %(left)s of %(reference)s are left.",
                    amount=f"{to_yuan(refund_fen):.2f}",
                    left=f"{to_yuan(left):.2f}",
                    reference=self.reference,
                )
            )
        self._count_gateway_refund_step()

    def _count_gateway_refund_step(self):
        """Two refunds of one payment do not see each other: changing the payment's row makes them meet.

        As superuser: it is bookkeeping of ours, whoever refunds.
        """
        payment = self.sudo()
        payment.gateway_refund_count += 1
        payment.flush_recordset(["gateway_refund_count"])

    # --- booking ----------------------------------------------------------------------------------------------------

    def _post_process(self):
        guarded = self.filtered(lambda transaction: transaction._is_gateway_guarded())
        if guarded:
            guarded._lock_gateway()
        for transaction in guarded.filtered(lambda transaction: transaction.state == "done"):
            if transaction.gateway_fen and transaction.gateway_fen != to_fen(transaction.amount):
                raise UserError(
                    self.env._(
                        "Transaction %(reference)s is not booked: its amount was changed after its creation.",
                        reference=transaction.reference,
                    )
                )
        return super()._post_process()

    # --- cases ------------------------------------------------------------------------------------------------------

    def _open_gateway_case(self, kind, payment_data=None, detail="", *, reopen=False):
        """Open a case a person works on, once for the same facts. Changes nothing else of the transaction."""
        self.ensure_one()
        values = self._prepare_gateway_case(kind, payment_data or {}, detail)
        case, is_alarm = self.env["payment.gateway.case"]._open_sudo(values, reopen=reopen)
        if is_alarm:
            self.gateway_case_count += 1
        return case

    def _prepare_gateway_case(self, kind, data, detail):
        fen = data.get("fen")
        told = [
            str(data.get(name, ""))[:64] for name in ("provider_id", "gateway_reference", "fen", "currency")
        ]
        if kind == "state_differs":
            told.append(str(data.get("state"))[:64])
        return {
            "kind": kind,
            "provider_id": self.provider_id.id,
            "transaction_id": self.id,
            "currency_id": self.currency_id.id,
            "reference": self.reference,
            "gateway_reference": str(data.get("gateway_reference") or "")[:128],
            "expected_amount": to_yuan(self.gateway_fen),
            "reported_amount": to_yuan(fen) if type(fen) is int and abs(fen) < 10**12 else 0,
            "detail": detail,
            "dedup_key": "|".join([kind, str(self.id), *told]),
        }
