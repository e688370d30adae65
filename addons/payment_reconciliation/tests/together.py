"""Threads with real cursors that work on one committed transaction at the same moment: what Odoo's test cursor cannot show."""

from contextlib import contextmanager
from functools import partial
from threading import Barrier, Thread
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import DummyRLock, Registry
from odoo.service.model import retrying
from odoo.sql_db import db_connect
from odoo.tools import mute_logger

#: A worker that waits longer for the others is a test that failed.
PATIENCE_S = 30


class TogetherMixin:
    """For a TransactionCase: `self.ids` ({provider, partner, transaction}) and `self.reference` are committed, and removed
    in the end.
    """

    provider_code = ""
    method = ""
    amount = 100.0
    quiet = ("odoo.service.model", "odoo.sql_db")

    def setUp(self):
        super().setUp()
        with self._real_env() as env:
            env.ref("base.CNY").active = True
            provider = env["payment.provider"].create({"name": "Parallel", "code": self.provider_code})
            partner = env["res.partner"].create({"name": "Parallel Payer"})
            transaction = env["payment.transaction"].create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": env.ref(self.method).id,
                    "operation": "online_redirect",
                    "amount": self.amount,
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

    def _run_together(self, take, items):
        """What `take(env, item)` returned for each item, in any order: a thread and a cursor each, all views of the database
        taken before anybody writes, tried again as a request would be.
        """
        barrier, answers = Barrier(len(items)), []

        def work(item):
            with self._real_env() as env:
                env.cr.execute("SELECT 1")  # takes the view
                barrier.wait(timeout=PATIENCE_S)
                answers.append(retrying(partial(take, env, item), env))

        # Odoo's tests hold the registry's lock, which each retry asks for.
        with patch.object(Registry, "_lock", DummyRLock()), mute_logger(*self.quiet):
            threads = [Thread(target=work, args=(item,)) for item in items]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return answers

    def _read_outcome(self):
        """(state, gateway's reference, kinds of cases) as committed."""
        with self._real_env() as env:
            transaction = env["payment.transaction"].browse(self.ids["transaction"])
            kinds = transaction.gateway_case_ids.mapped("kind")
            return transaction.state, transaction.provider_reference, kinds
