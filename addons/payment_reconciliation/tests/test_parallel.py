"""Real connections that overlap: what the lock, REPEATABLE READ and the unique index do to copies of one callback."""

import uuid
from contextlib import ExitStack
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from .common import CODE, install_gateway, make_data, make_provider, make_transaction


@tagged("post_install", "-at_install")
class TestParallel(BaseCase):
    """Works with committed transactions, so it makes its own records and takes them away again."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.gateway = install_gateway(self.registry, self._patch)
        self.mark = uuid.uuid4().hex[:8]
        with self._connect() as env:
            provider = make_provider(env, self.mark)
            transactions = [make_transaction(provider, reference=f"{self.mark}{i}") for i in range(2)]
            self.provider_id = provider.id
            self.ids = [transaction.id for transaction in transactions]
        self.addCleanup(self._clean)

    def _patch(self, owner, name, value):
        patcher = patch.object(owner, name, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def _connect(self):
        return _Connection(self.registry)

    def _clean(self):
        with self._connect() as env:
            env["payment.gateway.case"].search([("provider_id", "=", self.provider_id)]).unlink()
            transactions = env["payment.transaction"].search([("provider_id", "=", self.provider_id)])
            transactions.sorted("id", reverse=True).unlink()
            env["payment.provider"].browse(self.provider_id).state = "disabled"
            env["account.payment.method.line"].search(
                [("payment_provider_id", "=", self.provider_id)]
            ).unlink()
            env["payment.provider"].browse(self.provider_id).unlink()

    def _run_overlapping(self, *works):
        """Transactions whose views of the database are all taken before any of them works; they commit one after the
        other, and one that PostgreSQL sends back is tried again, as a request is. Returns what each returned, or the
        error it ended with.
        """
        with ExitStack() as stack:
            cursors = [stack.enter_context(self.registry.cursor()) for _work in works]
            envs = [api.Environment(cursor, SUPERUSER_ID, {"tracking_disable": True}) for cursor in cursors]
            for cursor in cursors:
                cursor.execute("SELECT 1 FROM payment_transaction LIMIT 1")
            return [self._run(work, env) for work, env in zip(works, envs, strict=True)]

    def _run(self, work, env):
        try:
            return retrying(lambda: work(env), env)
        except UserError as error:
            env.cr.rollback()
            return error

    def _notify(self, transaction_id, **changes):
        def work(env):
            transaction = env["payment.transaction"].browse(transaction_id)
            transaction._process(CODE, make_data(transaction, **changes))
            return transaction.state

        return work

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_copies_of_one_callback_confirm_once(self):
        answers = self._run_overlapping(*[self._notify(self.ids[0])] * 3)
        self.assertEqual(answers, ["done"] * 3)
        with self._connect() as env:
            transaction = env["payment.transaction"].browse(self.ids[0])
            self.assertFalse(transaction.gateway_case_ids)

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_two_payments_for_one_transaction_leave_one_and_a_case(self):
        works = [self._notify(self.ids[0], gateway_reference=f"{self.mark}-{i}") for i in range(2)]
        self._run_overlapping(*works)
        with self._connect() as env:
            transaction = env["payment.transaction"].browse(self.ids[0])
            self.assertEqual(transaction.gateway_case_ids.mapped("kind"), ["paid_twice"])
            case = transaction.gateway_case_ids
            self.assertNotEqual(case.gateway_reference, transaction.provider_reference)

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_one_payment_for_two_transactions_confirms_one(self):
        works = [self._notify(one, gateway_reference=self.mark) for one in self.ids]
        answers = self._run_overlapping(*works)
        self.assertEqual(sorted(answers), ["done", "draft"])
        with self._connect() as env:
            cases = env["payment.gateway.case"].search([("provider_id", "=", self.provider_id)])
            self.assertEqual(cases.mapped("kind"), ["reference_reused"])

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_copies_of_one_wrong_callback_open_one_case(self):
        answers = self._run_overlapping(*[self._notify(self.ids[0], fen=1)] * 3)
        self.assertEqual(answers, ["draft"] * 3)
        with self._connect() as env:
            self.assertEqual(len(env["payment.transaction"].browse(self.ids[0]).gateway_case_ids), 1)

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_F7_two_refunds_at_once_do_not_exceed_what_was_paid(self):
        with self._connect() as env:
            self._notify(self.ids[0])(env)

        def refund(number):
            def work(env):
                source = env["payment.transaction"].browse(self.ids[0])
                # Numbers of their own: it must not be the reference that makes them meet.
                reference = f"{self.mark}R{number}"
                return source._create_child_transaction(60, is_refund=True, reference=reference).id

            return work

        answers = self._run_overlapping(refund(1), refund(2))
        self.assertEqual(sum(isinstance(answer, UserError) for answer in answers), 1, answers)
        with self._connect() as env:
            source = env["payment.transaction"].browse(self.ids[0])
            self.assertEqual(sum(source.child_transaction_ids.mapped("gateway_fen")), -6000)

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_F7_two_late_refunds_at_once_do_not_exceed_what_was_paid(self):
        refund_ids = []
        with self._connect() as env:
            self._notify(self.ids[0])(env)
            source = env["payment.transaction"].browse(self.ids[0])
            for number in range(2):
                reference = f"{self.mark}R{number}"
                refund = source._create_child_transaction(60, is_refund=True, reference=reference)
                refund._set_error("no answer")
                refund_ids.append(refund.id)
        answers = self._run_overlapping(*[self._notify(refund_id) for refund_id in refund_ids])
        self.assertEqual(answers, ["done", "error"])

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_F3_a_callback_at_the_moment_of_our_cancellation_is_confirmed(self):
        def cancel(env):
            transaction = env["payment.transaction"].browse(self.ids[0])
            transaction._settle_gateway_overdue()
            return transaction.state

        for _time in range(3):
            self._run_overlapping(cancel, self._notify(self.ids[0]))
            with self._connect() as env:
                self.assertEqual(env["payment.transaction"].browse(self.ids[0]).state, "done")

    @mute_logger("odoo.sql_db", "odoo.service.model", "odoo.addons.payment.models.payment_transaction")
    def test_F5_booking_by_two_workers_books_once(self):
        with self._connect() as env:
            self._notify(self.ids[0])(env)

        def book(env):
            env["payment.transaction"].browse(self.ids[0])._post_process()

        self._run_overlapping(book, book)
        with self._connect() as env:
            payments = env["account.payment"].search([("payment_transaction_id", "=", self.ids[0])])
            self.addCleanup(self._remove_payments, payments.ids)
            self.assertEqual(len(payments), 1)

    def _remove_payments(self, payment_ids):
        with self._connect() as env:
            payments = env["account.payment"].browse(payment_ids)
            env["payment.transaction"].browse(self.ids).payment_id = False
            payments.action_draft()
            payments.move_id.with_context(force_delete=True).unlink()
            payments.exists().unlink()


class _Connection:
    """A cursor of its own, committed when all went well."""

    def __init__(self, registry):
        self.registry = registry

    def __enter__(self):
        self.cursor = self.registry.cursor()
        return api.Environment(self.cursor, SUPERUSER_ID, {"tracking_disable": True})

    def __exit__(self, kind, *_args):
        try:
            if kind is None:
                self.cursor.commit()
        finally:
            self.cursor.close()
