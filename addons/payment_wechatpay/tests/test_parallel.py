"""Copies of one callback at the same moment, on real cursors: what Odoo's test cursor cannot show."""

import json
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

from ..controllers.notify import take_facts
from ..wechatpay import notification
from . import gateway
from .test_crypto import Headers, make_merchant

COPIES = 20
LOGGERS = ("odoo.service.model", "odoo.sql_db", "odoo.addons.payment_wechatpay.controllers.notify")


@tagged("post_install", "-at_install")
class TestParallelCallbacks(TransactionCase):
    def setUp(self):
        super().setUp()
        with self._real_env() as env:
            env.ref("base.CNY").active = True
            provider = env["payment.provider"].create({"name": "Parallel", "code": "wechatpay"})
            partner = env["res.partner"].create({"name": "Parallel Payer"})
            transaction = env["payment.transaction"].create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": env.ref("payment.payment_method_wechat_pay").id,
                    "operation": "online_redirect",
                    "amount": 88.0,
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

    def _make_facts(self, **changes):
        """Facts of a callback that was opened as the route does."""
        body = gateway.make_event(gateway.make_payment(self.reference, 8800, **changes))
        headers = gateway.sign_headers(body)
        now = int(headers["Wechatpay-Timestamp"])
        return notification.open_payment(make_merchant(), Headers(headers), body, now=now)

    def _take_together(self, all_facts):
        """Statuses of the answers, each taken in a thread with its own cursor, retried as a request would be."""
        barrier, statuses = Barrier(len(all_facts)), []

        def take(env, facts):
            return take_facts(
                env["payment.provider"].browse(self.ids["provider"]), json.loads(json.dumps(facts))
            )

        def work(facts):
            with self._real_env() as env:
                env.cr.execute("SELECT 1")  # the snapshot is taken before anybody writes
                barrier.wait(timeout=30)
                statuses.append(retrying(partial(take, env, facts), env))

        with patch.object(Registry, "_lock", DummyRLock()), mute_logger(*LOGGERS):
            threads = [Thread(target=work, args=(facts,)) for facts in all_facts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sorted(statuses)

    def _read(self):
        with self._real_env() as env:
            transaction = env["payment.transaction"].browse(self.ids["transaction"])
            kinds = transaction.gateway_case_ids.mapped("kind")
            return transaction.state, transaction.provider_reference, kinds

    def test_case_10_twenty_copies_at_once_pay_once(self):
        facts = self._make_facts()
        self.assertEqual(self._take_together([facts] * COPIES), [200] * COPIES)
        self.assertEqual(self._read(), ("done", facts["gateway_reference"], []))

    def test_case_23_two_payments_at_once_pay_once_and_the_other_is_a_case(self):
        numbers = [f"42000000000000000000000000{digit}" for digit in (1, 2)]
        all_facts = [self._make_facts(transaction_id=number) for number in numbers]
        self.assertEqual(self._take_together(all_facts), [200, 409])
        state, reference, kinds = self._read()
        self.assertEqual((state, kinds), ("done", ["paid_twice"]))
        self.assertIn(reference, numbers)

    def test_case_19_wrong_amount_many_times_at_once_is_one_case(self):
        amount = {"total": 1, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"}
        facts = self._make_facts(amount=amount)
        self.assertEqual(self._take_together([facts] * 10), [409] * 10)
        self.assertEqual(self._read(), ("draft", False, ["amount_differs"]))
