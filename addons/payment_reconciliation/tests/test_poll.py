"""Transactions without an answer, expiry, and what was confirmed but not booked. The crons run as they do, by commit."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..const import ALARM_POLLS, POLL_MINUTES
from .common import GatewayMixin, make_data

POLL_LOGGER = "odoo.addons.payment_reconciliation.models.payment_transaction_poll"
SWEEP_LOGGER = "odoo.addons.payment_reconciliation.models.payment_transaction_sweep"


class CronCase(GatewayMixin, TransactionCase):
    def _run_cron(self, name):
        with self.enter_registry_test_mode():
            self.env.ref(f"payment_reconciliation.payment_gateway_{name}_cron").method_direct_trigger()
        self.env.invalidate_all()

    def _raise(self, error):
        raise error


@tagged("post_install", "-at_install")
class TestPoll(CronCase):
    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()
        self.transaction._set_pending()

    def _make_due(self, transaction=None):
        (transaction or self.transaction).gateway_next_poll_at = fields.Datetime.now()

    def _make_overdue(self):
        self.transaction.gateway_expires_at = fields.Datetime.now() - timedelta(minutes=2)
        self._make_due()

    def _know(self, **changes):
        self.gateway.known[self.transaction.reference] = make_data(self.transaction, **changes)

    def test_what_is_not_due_is_not_asked_about(self):
        self._run_cron("poll")
        self.assertFalse(self.gateway.asked)

    def test_disabled_providers_are_not_asked(self):
        self._make_due()
        self.provider.state = "disabled"
        self._run_cron("poll")
        self.assertFalse(self.gateway.asked)

    def test_a_payment_the_callback_did_not_tell_of_is_confirmed(self):
        self._know()
        self._make_due()
        self._run_cron("poll")
        self.assertEqual(self.transaction.state, "done")
        self.assertFalse(self.transaction.gateway_next_poll_at)

    def test_answers_go_through_the_same_checks(self):
        self._know(fen=1)
        for _time in range(2):
            self._make_due()
            self._run_cron("poll")
            self.assertEqual(self.transaction.state, "pending")
        self.assertEqual(self._get_kinds(self.transaction), ["amount_differs"])

    def test_questions_become_rare_and_a_person_is_told(self):
        self.transaction.gateway_expires_at = False
        waits = []
        for _time in range(ALARM_POLLS):
            self.assertFalse(self._get_cases(self.transaction))
            self._make_due()
            self.transaction._poll_gateway()
            self.transaction._plan_next_poll()
            waits.append((self.transaction.gateway_next_poll_at - fields.Datetime.now()).total_seconds() / 60)
        self.assertEqual([round(wait) for wait in waits], list(POLL_MINUTES[1:]))
        case = self._get_cases(self.transaction)
        self.assertEqual(case.kind, "no_answer")
        self.assertTrue(case.activity_ids)

    def test_the_expiry_is_looked_at_when_it_is_there(self):
        self.transaction.gateway_polls = 6
        self.transaction.gateway_expires_at = fields.Datetime.now() + timedelta(minutes=3)
        self.transaction._plan_next_poll()
        wait = self.transaction.gateway_next_poll_at - fields.Datetime.now()
        self.assertEqual(round(wait.total_seconds() / 60), 4)

    def test_one_failing_question_does_not_stop_the_others(self):
        other = self._make_transaction()
        for transaction in (self.transaction, other):
            self.gateway.known[transaction.reference] = make_data(transaction)
            self._make_due(transaction)
        self.transaction.gateway_next_poll_at -= timedelta(minutes=5)

        def fail(transaction):
            if transaction.reference == self.transaction.reference:
                raise UserError("no connection")

        self.gateway.on_query = fail
        with mute_logger(POLL_LOGGER):
            self._run_cron("poll")
        self.assertEqual((self.transaction.state, other.state), ("pending", "done"))
        self.assertEqual(self.transaction.gateway_polls, 1)
        self.gateway.on_query = lambda transaction: self._raise(ZeroDivisionError())
        self._make_due()
        with mute_logger(POLL_LOGGER):
            self._run_cron("poll")
        self.assertEqual(self.transaction.gateway_polls, 2)

    def test_before_its_expiry_nothing_is_closed(self):
        self._make_due()
        self._run_cron("poll")
        self.assertNotIn("close", self.gateway.asked)
        self.assertEqual(self.transaction.state, "pending")

    def test_unpaid_at_expiry_is_closed_there_asked_about_again_and_cancelled(self):
        self._make_overdue()
        self._run_cron("poll")
        reference = self.transaction.reference
        self.assertEqual(self.gateway.asked, [reference, "close", reference])
        self.assertEqual(self.transaction.state, "cancel")

    def test_paid_just_before_the_close_is_confirmed(self):
        self._make_overdue()
        for answer in ("paid", "closed", "unknown"):
            transaction = self._make_transaction(
                gateway_expires_at=fields.Datetime.now() - timedelta(minutes=2)
            )
            self.gateway.close_answer = answer
            self.gateway.on_close = lambda tx: self.gateway.known.update({tx.reference: make_data(tx)})
            with self.subTest(answer):
                self._make_due(transaction)
                self._run_cron("poll")
                self.assertEqual(transaction.state, "done")

    def test_without_a_clear_close_nothing_is_cancelled(self):
        for answer, known in (
            ("unknown", None),
            ("paid", None),
            ("closed", "pending"),
            ("unknown", "pending"),
        ):
            self.gateway.close_answer = answer
            self.gateway.known.clear()
            if known:
                self._know(state=known, fen=..., gateway_reference=...)
            with self.subTest(answer=answer, known=known):
                self._make_overdue()
                self._run_cron("poll")
                self.assertEqual(self.transaction.state, "pending")
                self.assertTrue(self.transaction.gateway_next_poll_at)

    def test_a_paid_order_with_a_wrong_amount_is_not_cancelled(self):
        self._know(fen=1)
        self._make_overdue()
        self._run_cron("poll")
        self.assertEqual(self.transaction.state, "pending")

    def test_refunds_have_no_expiry(self):
        refund = self._make_refund(self._pay(self.transaction), 100)
        refund.gateway_expires_at = fields.Datetime.now() - timedelta(days=1)
        self._make_due(refund)
        self._run_cron("poll")
        self.assertEqual(refund.state, "draft")
        self.assertNotIn("close", self.gateway.asked)

    def test_a_refund_is_stored_first_and_sent_by_the_poller(self):
        refund = self._pay(self.transaction)._refund(40)
        self.assertEqual(refund.state, "pending")
        self.assertFalse(self.gateway.asked, "nobody is asked before the order is committed")
        cron = self.env.ref("payment_reconciliation.payment_gateway_poll_cron")
        self.assertTrue(self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)]))
        self.gateway.known[refund.reference] = make_data(refund)
        self._run_cron("poll")
        self.assertEqual(self.gateway.asked, [f"refund {refund.reference}"])
        self.assertEqual((refund.state, refund.gateway_next_poll_at), ("done", False))

    def test_a_refund_without_an_answer_is_asked_about_and_sent_again_with_the_same_number(self):
        refund = self._pay(self.transaction)._refund(40)
        self.gateway.on_refund = lambda refund: self._raise(UserError("no connection"))
        with mute_logger(POLL_LOGGER):
            self._run_cron("poll")
        self.assertEqual(refund.state, "pending")
        self.gateway.on_refund = make_data
        self._make_due(refund)
        self._run_cron("poll")
        number = refund.reference
        self.assertEqual(self.gateway.asked, [f"refund {number}", number, f"refund {number}"])
        self.assertEqual(refund.state, "done")

    def test_a_refund_the_gateway_knows_of_is_not_sent_again(self):
        refund = self._pay(self.transaction)._refund(40)
        refund.gateway_polls = 1
        self.gateway.known[refund.reference] = make_data(refund)
        self._run_cron("poll")
        self.assertEqual(self.gateway.asked, [refund.reference])
        self.assertEqual(refund.state, "done")

    def test_a_refused_refund_ends(self):
        refund = self._pay(self.transaction)._refund(40)
        refused = {"state": "refund_failed", "fen": ..., "gateway_reference": ..., "detail": "no money"}
        self.gateway.known[refund.reference] = make_data(refund, **refused)
        self._run_cron("poll")
        self.assertEqual((refund.state, refund.state_message), ("error", "no money"))
        self.assertEqual(self.transaction._refund(100).state, "pending", "its amount is free again")

    def test_real_and_test_payments_are_not_mixed(self):
        self._know()
        self.transaction.is_live = True
        self._make_due()
        with mute_logger(POLL_LOGGER):
            self._run_cron("poll")
        self.assertFalse(self.gateway.asked)
        self.assertEqual(self.transaction.state, "pending")


@tagged("post_install", "-at_install")
class TestSweep(CronCase):
    def setUp(self):
        super().setUp()
        self.transaction = self._pay(self._make_transaction())

    def _break(self):
        """A booking that cannot succeed, as when an addon's post-processing refuses."""
        self.transaction.amount = 1

    def _make_old(self, **age):
        self.transaction.last_state_change = fields.Datetime.now() - timedelta(**age)

    def test_F9_what_was_left_over_is_booked_also_after_a_month(self):
        self._make_old(days=30)
        self._run_cron("sweep")
        self.assertTrue(self.transaction.is_post_processed)
        self.assertFalse(self._get_cases(self.transaction))

    def test_what_is_fresh_is_left_to_odoo(self):
        self._run_cron("sweep")
        self.assertFalse(self.transaction.is_post_processed)

    def test_F9_what_cannot_be_booked_is_a_case_with_an_alarm(self):
        self.env.company.partner_id.lang = "en_US"  # jobs may speak the company's language
        self._break()
        self._make_old(minutes=20)
        for _time in range(2):
            with mute_logger(SWEEP_LOGGER):
                self._run_cron("sweep")
        case = self._get_cases(self.transaction)
        self.assertEqual(case.mapped("kind"), ["not_post_processed"])
        self.assertIn("not booked", case.detail)
        managers = self.env.ref("account.group_account_manager").all_user_ids
        self.assertTrue(case.activity_ids.user_id)
        self.assertLessEqual(case.activity_ids.user_id, managers)

    def test_F9_the_case_of_what_came_right_is_closed_and_opens_again_if_need_be(self):
        self._break()
        self._make_old(minutes=20)
        with mute_logger(SWEEP_LOGGER):
            self._run_cron("sweep")
        case = self._get_cases(self.transaction)
        case.resolution = "looked at"
        case.action_close()
        with mute_logger(SWEEP_LOGGER):
            self._run_cron("sweep")
        self.assertEqual((case.state, self._get_cases(self.transaction)), ("open", case))
        self.transaction.amount = 100
        self._run_cron("sweep")
        self.assertTrue(self.transaction.is_post_processed)
        self.assertEqual(case.state, "done")
        self.assertFalse(case.activity_ids)

    def test_F4_booking_twice_books_once(self):
        self.transaction._post_process()
        self.transaction._post_process()
        self.transaction.is_post_processed = False
        self._make_old(minutes=20)
        self._run_cron("sweep")
        payments = self.env["account.payment"].search([("payment_transaction_id", "=", self.transaction.id)])
        self.assertEqual(len(payments), 1)
