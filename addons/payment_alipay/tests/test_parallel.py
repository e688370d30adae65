"""Copies of one notice at the same moment, on real cursors: what Odoo's test cursor cannot show."""

from contextlib import contextmanager
from functools import partial
from threading import Barrier, Thread
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import DummyRLock, Registry
from odoo.service.model import retrying
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..alipay.notification import Notice

COPIES = 20
TRADE = "2026112122001777777"


@tagged("post_install", "-at_install")
class TestParallelNotices(TransactionCase):
    def setUp(self):
        super().setUp()
        with self._real_env() as env:
            env.ref("base.CNY").active = True
            provider = env["payment.provider"].create({"name": "Parallel", "code": "alipay"})
            partner = env["res.partner"].create({"name": "Parallel Payer"})
            transaction = env["payment.transaction"].create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": env.ref("payment.payment_method_alipay").id,
                    "operation": "online_redirect",
                    "amount": 100.0,
                    "currency_id": env.ref("base.CNY").id,
                    "partner_id": partner.id,
                }
            )
            self.ids = {"provider": provider.id, "partner": partner.id, "transaction": transaction.id}
            self.reference = transaction.reference
            self.addCleanup(self._delete)

    @contextmanager
    def _real_env(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _delete(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            cr.execute("DELETE FROM payment_gateway_case WHERE transaction_id = %(transaction)s", self.ids)
            cr.execute("DELETE FROM payment_transaction WHERE id = %(transaction)s", self.ids)
            cr.execute("DELETE FROM payment_provider WHERE id = %(provider)s", self.ids)
            cr.execute("DELETE FROM res_partner WHERE id = %(partner)s", self.ids)

    def _take_together(self, notices):
        """Answers to the notices, each taken in a thread with a cursor of its own, retried as a request would be."""
        barrier, answers = Barrier(len(notices)), []

        def take(env, notice):
            return env["payment.transaction"].browse(self.ids["transaction"])._alipay_take_notice(notice)

        def work(notice):
            with self._real_env() as env:
                env.cr.execute("SELECT 1")  # the snapshot is taken before anybody writes
                barrier.wait(timeout=30)
                answers.append(retrying(partial(take, env, notice), env))

        with patch.object(Registry, "_lock", DummyRLock()), mute_logger("odoo.service.model", "odoo.sql_db"):
            threads = [Thread(target=work, args=(notice,)) for notice in notices]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return answers

    def _make_notice(self, trade_number=TRADE, fen=10000):
        return Notice(self.reference, trade_number, fen, "paid", "TRADE_SUCCESS", None, "", None)

    def test_case_10_twenty_copies_at_once_are_all_taken_and_pay_once(self):
        self.assertEqual(self._take_together([self._make_notice()] * COPIES), [True] * COPIES)
        with self._real_env() as env:
            transaction = env["payment.transaction"].browse(self.ids["transaction"])
            self.assertEqual((transaction.state, transaction.provider_reference), ("done", TRADE))
            self.assertFalse(transaction.gateway_case_ids)

    def test_case_23_two_trades_at_once_pay_once_and_the_other_is_a_case(self):
        answers = self._take_together([self._make_notice("1"), self._make_notice("2")])
        self.assertEqual(sorted(answers), [False, True])
        with self._real_env() as env:
            transaction = env["payment.transaction"].browse(self.ids["transaction"])
            self.assertEqual(transaction.state, "done")
            self.assertEqual(transaction.gateway_case_ids.mapped("kind"), ["paid_twice"])
