"""F1 to F7: what a gateway says is compared before anything changes. `_process`, `_apply_updates`, `_set_done` are real."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import TransactionCase, new_test_user, tagged

from .common import CODE, GatewayMixin, make_data, make_provider, make_transaction


@tagged("post_install", "-at_install")
class TestGuard(GatewayMixin, TransactionCase):
    def _assert_refused(self, transaction, kind, **changes):
        """Refused once, twice and as a retry, without a trace on the transaction; one case."""
        facts = self._read_facts(transaction)
        for _time in range(3):
            self._process(transaction, **changes)
            self.assertEqual(self._read_facts(transaction), facts)
        self.assertEqual(self._get_kinds(transaction), [kind])
        self._get_cases(transaction).unlink()

    def _read_facts(self, transaction):
        self.env.flush_all()
        self.env.invalidate_all()
        names = ("state", "provider_reference", "amount", "gateway_fen", "is_post_processed", "gateway_late")
        return [transaction[name] for name in names]

    def test_right_data_confirms_and_starts_post_processing(self):
        cron = self.env.ref("payment.cron_post_process_payment_tx")
        self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]).unlink()
        transaction = self._make_transaction(88.01)
        self.assertEqual(transaction.gateway_fen, 8801)
        self._process(transaction, paid_at="2026-11-20T16:30:00Z")
        self.assertEqual(transaction.state, "done")
        self.assertEqual(transaction.gateway_paid_at.isoformat(), "2026-11-20T16:30:00")
        self.assertFalse(transaction.gateway_next_poll_at)
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))
        self.assertFalse(self._get_cases(transaction))

    def test_F1_a_wrong_amount_never_becomes_paid(self):
        transaction = self._make_transaction()
        for fen in (
            9999,
            10001,
            0,
            -10000,
            100,
            1000000,
            10000.0,
            "10000",
            "100.00",
            None,
            ...,
            True,
            [10000],
        ):
            with self.subTest(fen=fen):
                self._assert_refused(transaction, "amount_differs", fen=fen)

    def test_F1_a_wrong_currency_never_becomes_paid(self):
        transaction = self._make_transaction()
        for currency in ("USD", "", None, ..., "cny", ["CNY"]):
            with self.subTest(currency=currency):
                self._assert_refused(transaction, "amount_differs", currency=currency)

    def test_F1_the_right_amount_after_a_wrong_one_is_taken(self):
        transaction = self._make_transaction()
        self._process(transaction, fen=1)
        self.assertEqual(self._process(transaction).state, "done")

    def test_F1_each_way_in_refuses(self):
        transaction = self._make_transaction()
        data = make_data(transaction, fen=1)
        transaction._validate_amount(data)
        transaction._apply_updates(data)
        self.assertEqual(transaction.state, "draft")
        self.assertEqual(self._get_kinds(transaction), ["amount_differs"])

    def test_F1_an_amount_changed_after_creation_is_refused(self):
        transaction = self._make_transaction()
        transaction.amount = 1
        self._assert_refused(transaction, "amount_differs")
        self._assert_refused(transaction, "amount_differs", fen=100)

    def test_amount_in_fen_is_fixed_at_creation(self):
        transaction = self._make_transaction(gateway_fen=1)
        self.assertEqual(transaction.gateway_fen, 10000)
        with self.assertRaises(UserError):
            transaction.gateway_fen = 1

    def test_a_changed_amount_is_not_booked(self):
        transaction = self._pay(self._make_transaction())
        transaction.amount = 1000
        with self.assertRaises(UserError):
            transaction._post_process()

    def test_F2_a_confirmed_transaction_keeps_its_reference(self):
        transaction = self._pay(self._make_transaction())
        self._assert_refused(transaction, "paid_twice", gateway_reference="another")
        self._process(transaction)
        self.assertFalse(self._get_cases(transaction))

    def test_F2_wrong_data_after_confirmation_changes_nothing(self):
        transaction = self._pay(self._make_transaction())
        self._assert_refused(transaction, "amount_differs", fen=1, gateway_reference="another")

    def test_F3_paid_after_cancellation_or_error_is_confirmed_and_marked(self):
        for end in ("_set_canceled", "_set_error"):
            transaction = self._make_transaction()
            getattr(transaction, end)("too late")
            with self.subTest(end):
                self._assert_refused(transaction, "amount_differs", fen=1)
                self._pay(transaction)
                self.assertTrue(transaction.gateway_late)
                self.assertFalse(transaction.is_post_processed)

    def test_states_out_of_order_change_nothing_of_a_confirmed_transaction(self):
        transaction = self._pay(self._make_transaction())
        for state in ("pending", "closed", "failed"):
            self._process(transaction, state=state)
            self.assertEqual(transaction.state, "done")
        self.assertFalse(self._get_cases(transaction))

    def test_unpaid_states_need_no_amount_but_a_wrong_one_is_refused(self):
        rows = [("pending", "pending"), ("closed", "cancel"), ("failed", "error")]
        for told, state in rows:
            transaction = self._make_transaction()
            self._assert_refused(transaction, "amount_differs", state=told, fen=1)
            self._process(transaction, state=told, fen=..., gateway_reference=...)
            self.assertEqual(transaction.state, state)

    def test_impossible_states_are_refused(self):
        transaction = self._make_transaction()
        for state in ("refunded", "refunding", "done", "", None, ["paid"]):
            with self.subTest(state=state):
                self._assert_refused(transaction, "state_differs", state=state)

    def test_gateway_reference_must_be_there_and_nobody_elses(self):
        other = self._pay(self._make_transaction())
        transaction = self._make_transaction()
        for missing in ("", None, ..., 5, "x" * 200):
            with self.subTest(missing=missing):
                self._assert_refused(transaction, "wrong_reference", gateway_reference=missing)
        self._assert_refused(transaction, "reference_reused", gateway_reference=other.provider_reference)

    def test_F6_data_of_another_provider_is_refused(self):
        transaction = self._make_transaction()
        other = make_provider(self.env, "Other")
        self._assert_refused(transaction, "wrong_provider", provider_id=other.id)
        self._assert_refused(transaction, "wrong_provider", provider_id=...)
        transaction._process("demo", make_data(transaction))
        self.assertEqual(transaction.state, "draft")

    def test_F6_data_of_another_transaction_is_refused(self):
        self._assert_refused(self._make_transaction(), "wrong_reference", reference="tx-other")

    def test_the_transaction_is_found_by_its_reference(self):
        transaction = self._make_transaction()
        self.env["payment.transaction"]._process(CODE, make_data(transaction))
        self.assertEqual(transaction.state, "done")

    def test_nobody_confirms_a_payment_by_hand(self):
        user = new_test_user(
            self.env, "billing", groups="account.group_account_invoice,account.group_account_manager"
        )
        transaction = self._make_transaction()
        self.env.flush_all()
        for values in ({"state": "done"}, {"provider_reference": "x"}, {"gateway_paid_at": "2026-01-01"}):
            with self.subTest(values), self.assertRaises(AccessError):
                transaction.with_user(user).write(values)
        with self.assertRaises(AccessError):
            transaction.with_user(user).copy({"reference": "by-hand", "state": "done"})

    def test_other_providers_are_left_alone(self):
        custom = make_provider(self.env, "Unguarded")
        self.patch(self.registry["payment.provider"], "_get_guarded_codes", lambda self: set())
        self.env.invalidate_all()
        self.assertFalse(custom.is_gateway_guarded)
        self.assertFalse(self.env["payment.provider"].search([("is_gateway_guarded", "=", True)]))
        self.assertIn(custom, self.env["payment.provider"].search([("is_gateway_guarded", "=", False)]))
        transaction = make_transaction(custom)
        self.assertFalse(transaction.gateway_fen)
        self.assertFalse(transaction.gateway_expires_at)


@tagged("post_install", "-at_install")
class TestRefundGuard(GatewayMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.payment = self._pay(self._make_transaction())

    def test_F7_refunds_never_exceed_what_was_paid(self):
        self._make_refund(self.payment, 60)
        for amount in (40.01, 100, 0, -1):
            with self.subTest(amount), self.assertRaises(UserError):
                self._make_refund(self.payment, amount)
        self._make_refund(self.payment, 40)
        with self.assertRaises(UserError):
            self._make_refund(self.payment, 0.01)

    def test_F7_the_button_refuses_too(self):
        with self.assertRaises(UserError):
            self.payment.action_refund(amount_to_refund=400)
        self.assertFalse(self.payment.child_transaction_ids)

    def test_F7_only_what_is_confirmed_can_be_refunded(self):
        with self.assertRaises(UserError):
            self._make_refund(self._make_transaction(), 1)

    def test_a_failed_refund_can_be_repeated(self):
        refund = self._make_refund(self.payment, 100)
        self._process(refund, state="refund_failed")
        self.assertEqual(refund.state, "error")
        self._make_refund(self.payment, 100)

    def test_refund_under_way_then_confirmed(self):
        refund = self._make_refund(self.payment, 30)
        self.assertEqual(refund.gateway_fen, -3000)
        self.assertFalse(refund.gateway_expires_at)
        self._process(refund, state="refunding")
        self.assertEqual(refund.state, "pending")
        self._process(refund)
        self.assertEqual(refund.state, "done")
        self._process(refund, state="refunding")
        self.assertEqual(refund.state, "done")
        self.assertFalse(self._get_cases(refund))

    def test_wrong_refund_amount_never_becomes_done(self):
        refund = self._make_refund(self.payment, 30)
        for fen in (2999, 3001, -3000, 10000, "3000", ...):
            for _time in range(2):
                self._process(refund, fen=fen)
                self.assertEqual(refund.state, "draft")
        self.assertEqual(set(self._get_kinds(refund)), {"amount_differs"})

    def test_a_confirmed_refund_that_failed_is_a_case(self):
        refund = self._make_refund(self.payment, 30)
        self._process(refund)
        self._process(refund, state="refund_failed")
        self.assertEqual(refund.state, "done")
        self.assertEqual(self._get_kinds(refund), ["state_differs"])

    def test_F7_late_refunds_beyond_what_was_paid_are_a_case(self):
        first = self._make_refund(self.payment, 100)
        self._process(first, state="refund_failed")
        second = self._make_refund(self.payment, 100)
        self._process(second)
        self._process(first)
        self.assertEqual((first.state, second.state), ("error", "done"))
        self.assertEqual(self._get_kinds(first), ["refund_exceeds"])

    def test_payment_data_does_not_confirm_a_refund(self):
        refund = self._make_refund(self.payment, 100)
        self._process(refund, state="paid")
        self._process(refund, refund_reference=...)
        self.assertEqual(refund.state, "draft")
