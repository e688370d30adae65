"""A day's bill through the real models: cases, closing, running again, the crons, Excel."""

import io
from datetime import UTC, date, datetime, timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import mute_logger
from openpyxl import load_workbook

from ..const import BEIJING
from .common import GatewayMixin, make_data

LOGGER = "odoo.addons.payment_reconciliation.models.payment_reconciliation"


class BillCase(GatewayMixin, TransactionCase):
    """Yesterday in Beijing, with a bill made of lines."""

    def setUp(self):
        super().setUp()
        self.day = datetime.now(BEIJING).date() - timedelta(days=1)
        self.at = datetime.combine(self.day, datetime.min.time(), BEIJING) + timedelta(hours=12)
        self.lines = []
        self.gateway.bill = lambda day: (
            {"lines": list(self.lines), "totals": {}} if day == self.day else {"lines": [], "totals": {}}
        )

    def _get_iso(self, at=None):
        return (at or self.at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _make_paid(self, amount=100.00, at=None):
        transaction = self._make_transaction(amount)
        self._process(transaction, paid_at=self._get_iso(at))
        return transaction

    def _make_refunded(self, transaction, amount):
        refund = self._make_refund(transaction, amount)
        self._process(refund, paid_at=self._get_iso())
        return refund

    def _bill(self, transaction, **changes):
        """Add the line that a right bill has of this transaction."""
        is_refund = transaction.operation == "refund"
        source = transaction.source_transaction_id or transaction
        self.lines.append(
            {
                "kind": "refund" if is_refund else "payment",
                "reference": source.reference,
                "gateway_reference": transaction.provider_reference or "",
                "refund_reference": transaction.reference if is_refund else "",
                "fen": abs(transaction.gateway_fen),
                "fee_fen_text": "60",
                "state": "refunded" if is_refund else "paid",
                "at": self._get_iso(),
                "raw": {"商户订单号": source.reference},
            }
            | changes
        )

    def _bill_stranger(self, reference="STRANGER", **changes):
        transaction = self._make_transaction()
        self._bill(transaction, reference=reference, gateway_reference=f"42-{reference}", **changes)
        return transaction

    def _reconcile(self, day=None):
        return self.env["payment.reconciliation"]._reconcile_sudo(self.provider, day or self.day)

    def _get_results(self, reconciliation):
        return sorted(reconciliation.line_ids.mapped("result"))


@tagged("post_install", "-at_install")
class TestReconciliation(BillCase):
    def test_a_right_bill_agrees(self):
        payment = self._make_paid(100)
        refund = self._make_refunded(payment, 30)
        self._bill(payment, fee_fen_text="60.3")
        self._bill(refund, fee_fen_text="-18.1", gateway_reference=payment.provider_reference)
        reconciliation = self._reconcile()
        self.assertEqual((reconciliation.state, self._get_results(reconciliation)), ("done", ["matched"] * 2))
        self.assertFalse(reconciliation.case_ids)
        totals = reconciliation.read(
            [
                "payment_total",
                "refund_total",
                "fee_total",
                "net_total",
                "our_payment_total",
                "our_refund_total",
            ]
        )[0]
        totals.pop("id")
        self.assertEqual(
            totals,
            {
                "payment_total": 100.0,
                "refund_total": 30.0,
                "fee_total": 0.42,
                "net_total": 69.58,
                "our_payment_total": 100.0,
                "our_refund_total": 30.0,
            },
        )
        self.assertEqual(reconciliation.line_ids.mapped("fee"), [0.603, -0.181])

    def test_each_planted_difference_has_its_case(self):
        matched, dearer, unpaid, missing, twice = (self._make_paid(amount) for amount in (1, 2, 3, 4, 5))
        pending = self._make_transaction(6)
        for transaction in (matched, unpaid, twice, twice, pending):
            self._bill(transaction)
        self.lines[-1]["gateway_reference"] = "42-pending"
        self._bill(dearer, fen=201)
        self.lines.pop(1)
        self._bill_stranger()
        reconciliation = self._reconcile()
        expected = [
            "amount_differs",
            "duplicate",
            "matched",
            "matched",
            "missing_here",
            "missing_there",
            "missing_there",
            "state_differs",
        ]
        self.assertEqual(self._get_results(reconciliation), expected)
        self.assertEqual(reconciliation.state, "differs")
        self.assertEqual(reconciliation.difference_count, 6)
        different = reconciliation.line_ids.filtered("is_different")
        self.assertEqual(
            sorted(different.case_id.mapped("kind")), sorted(name for name in expected if name != "matched")
        )
        self.assertTrue(all(case.activity_ids for case in different.case_id))
        lost = reconciliation.line_ids.filtered(lambda line: line.result == "missing_there").transaction_id
        self.assertEqual(lost, unpaid | missing)

    def test_nothing_is_confirmed_from_a_bill(self):
        pending = self._make_transaction()
        cancelled = self._make_transaction()
        cancelled._set_canceled()
        for transaction in (pending, cancelled):
            self._bill(transaction, gateway_reference=f"42-{transaction.id}")
        self._reconcile()
        self.assertEqual((pending.state, cancelled.state), ("draft", "cancel"))

    def test_a_case_is_settled_by_asking_the_gateway(self):
        cancelled = self._make_transaction()
        cancelled._set_canceled()
        data = make_data(cancelled, paid_at=self._get_iso())
        self._bill(cancelled, gateway_reference=data["gateway_reference"])
        reconciliation = self._reconcile()
        case = reconciliation.case_ids
        self.assertEqual(case.kind, "state_differs")
        self.gateway.known[cancelled.reference] = data | {"fen": 1}
        case.action_query()
        self.assertEqual((cancelled.state, case.state), ("cancel", "open"))
        self.gateway.known[cancelled.reference] = data
        case.action_query()
        self.assertEqual((cancelled.state, case.state), ("done", "done"))
        self.assertTrue(cancelled.gateway_late)
        self.assertEqual(reconciliation.state, "settled")
        reconciliation.action_run()
        self.assertEqual((reconciliation.state, self._get_results(reconciliation)), ("done", ["matched"]))

    def test_a_case_is_closed_with_a_note_and_stays_closed_when_run_again(self):
        self._bill_stranger()
        reconciliation = self._reconcile()
        case = reconciliation.case_ids
        with self.assertRaises(UserError):
            case.action_close()
        with self.assertRaises(UserError):
            case.action_query()
        case.resolution = "Paid at the counter's QR code"
        case.action_close()
        self.assertEqual((case.state, reconciliation.state), ("done", "settled"))
        self.assertFalse(case.activity_ids)
        reconciliation.action_run()
        self.assertEqual((reconciliation.case_ids, reconciliation.state), (case, "settled"))
        case.action_reopen()
        self.assertEqual(reconciliation.state, "differs")

    def test_what_matches_by_now_closes_its_case_and_a_new_difference_opens_it_again(self):
        payment = self._make_paid()
        reconciliation = self._reconcile()
        case = reconciliation.case_ids
        self.assertEqual((case.kind, case.state), ("missing_there", "open"))
        self._bill(payment)
        reconciliation.action_run()
        self.assertEqual((case.state, reconciliation.state), ("done", "done"))
        self.lines.clear()
        reconciliation.action_run()
        self.assertEqual((case.state, reconciliation.state), ("open", "differs"))

    def test_days_are_those_of_beijing(self):
        midnight = datetime.combine(self.day, datetime.min.time(), BEIJING)
        seconds = timedelta(seconds=1)
        inside = [self._make_paid(at=midnight), self._make_paid(at=midnight + timedelta(days=1) - seconds)]
        self._make_paid(at=midnight - seconds)
        self._make_paid(at=midnight + timedelta(days=1))
        reconciliation = self._reconcile()
        self.assertEqual(reconciliation.line_ids.transaction_id, inside[0] | inside[1])

    def test_a_payment_at_midnight_is_missing_on_neither_day(self):
        late = self._make_paid(at=self.at.replace(hour=23, minute=59, second=59))
        first = self._reconcile()
        self.assertEqual(first.case_ids.kind, "missing_there")
        self._bill(late)
        day, self.day = self.day, self.day + timedelta(days=1)
        self._reconcile()
        self.assertEqual(first.case_ids.state, "done")
        first.action_run()
        self.assertEqual((first.date, first.state, len(first.line_ids)), (day, "done", 0))

    def test_real_and_test_payments_are_not_mixed(self):
        self._make_paid().is_live = True
        self.assertEqual(self._reconcile().state, "done")

    def test_a_bill_that_is_not_there_is_waited_for_and_then_a_case(self):
        self._make_paid()
        self.gateway.bill = lambda day: None
        reconciliation = self._reconcile()
        self.assertEqual((reconciliation.state, reconciliation.line_ids.ids), ("waiting", []))
        self.assertFalse(reconciliation.case_ids)
        empty = self._reconcile(self.day - timedelta(days=1))
        self.assertEqual(empty.state, "waiting", "its bill may still come")
        old = self._reconcile(self.day - timedelta(days=5))
        self.assertEqual(old.state, "done", "a day without movement has no bill")
        with mute_logger(LOGGER):
            self.gateway.bill = self._refuse
            old = self._reconcile(self.day - timedelta(days=6))
        self.assertEqual((old.state, old.case_ids.kind), ("waiting", "bill_missing"))
        self.assertIn("creating", old.message)
        self.gateway.bill = lambda day: {"lines": [], "totals": {}}
        old.action_run()
        self.assertEqual((old.state, old.case_ids.state), ("done", "done"))

    def _refuse(self, day):
        raise UserError("statement creating")

    def test_what_was_compared_stays_when_the_gateway_is_away(self):
        self._bill_stranger()
        reconciliation = self._reconcile()
        self.gateway.bill = self._refuse
        with self.assertRaises(UserError):
            reconciliation.action_run()
        self.assertEqual((reconciliation.state, len(reconciliation.line_ids)), ("differs", 1))

    def test_totals_of_the_bill_that_do_not_fit_are_shown(self):
        self.gateway.bill = lambda day: {"lines": [], "totals": {"differs": ["payment_fen"]}}
        self.assertIn("payment_fen", self._reconcile().message)

    def test_bills_are_looked_for_after_ten(self):
        get_days = self.env["payment.reconciliation"]._get_days_with_bill
        before = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
        after = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
        self.assertEqual(get_days(before)[-1], date(2026, 11, 19))
        self.assertEqual(get_days(after), [date(2026, 11, day) for day in (18, 19, 20)])

    def test_the_cron_compares_each_provider_and_day_once(self):
        asked = []
        broken = datetime.now(BEIJING).date() - timedelta(days=3)

        def bill(day):
            asked.append(day)
            if day == broken:
                raise ZeroDivisionError
            return {"lines": [], "totals": {}}

        self.gateway.bill = bill
        for _time in range(2):
            with self.enter_registry_test_mode(), mute_logger(LOGGER):
                self.env.ref("payment_reconciliation.payment_reconciliation_cron").method_direct_trigger()
        self.env.invalidate_all()
        done = self.env["payment.reconciliation"].search([("provider_id", "=", self.provider.id)])
        self.assertEqual(set(done.mapped("state")), {"done"})
        self.assertEqual(sorted(done.mapped("date")), sorted(set(asked) - {broken}))
        self.assertEqual(len([day for day in asked if day != broken]), len(set(asked) - {broken}))

    def test_by_hand_for_a_day(self):
        self._bill_stranger()
        form = Form(self.env["payment.reconciliation.run"])
        self.assertEqual(form.date, self.day)
        form.provider_key = str(self.provider.id)
        action = form.save().action_run()
        reconciliation = self.env[action["res_model"]].browse(action["res_id"])
        self.assertEqual((reconciliation.provider_id, reconciliation.state), (self.provider, "differs"))
        form = Form(self.env["payment.reconciliation.run"])
        form.provider_key = str(self.provider.id)
        form.date = fields.Date.today() + timedelta(days=2)
        with self.assertRaises(UserError):
            form.save().action_run()

    def test_excel_holds_totals_and_lines_and_no_formula_of_a_bill(self):
        payment = self._make_paid()
        self._bill(payment)
        self._bill_stranger(reference='=HYPERLINK("http://evil")')
        reconciliation = self._reconcile()
        report = self.env["ir.actions.report"]
        content, kind = report._render_xlsx(
            "payment_reconciliation.report_reconciliation_xlsx", reconciliation.ids, {}
        )
        self.assertEqual(kind, "xlsx")
        totals, lines = load_workbook(io.BytesIO(content)).worksheets
        self.assertEqual([cell.value for cell in totals[2]][3:6], [2, 200, 0])
        self.assertEqual(lines.max_row, 3)
        by_reference = {row[4].value: row for row in lines.iter_rows(min_row=2)}
        self.assertEqual(by_reference[payment.reference][3].value, f"{self.day} 12:00:00")
        evil = by_reference['=HYPERLINK("http://evil")'][4]
        self.assertEqual(evil.data_type, "s")

    def test_cost_does_not_grow_with_the_lines(self):
        transactions = [self._make_paid(amount) for amount in range(1, 31)]
        for transaction in transactions[:5]:
            self._bill(transaction)
            transaction.gateway_paid_at = False
        for transaction in transactions[5:]:
            transaction.gateway_paid_at = False
        self._reconcile()
        few = self._count_queries()
        for transaction in transactions[5:]:
            self._bill(transaction)
        many = self._count_queries()
        self.assertLess(many, few + 10)

    def _count_queries(self):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self._reconcile()
        self.env.flush_all()
        return self.env.cr.sql_log_count - before
