"""Twenty writers on one wallet, each on a connection of its own: nobody's money is lost."""

from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from threading import Barrier, Thread
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import DummyRLock, Registry
from odoo.service.model import retrying
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..exact import fetch_exact

WRITERS = 20
DELETE = """
    ALTER TABLE prepaid_entry DISABLE TRIGGER property_utility_refuse_row;
    DELETE FROM prepaid_entry WHERE wallet_id = %(wallet)s;
    ALTER TABLE prepaid_entry ENABLE ALWAYS TRIGGER property_utility_refuse_row;
    DELETE FROM prepaid_wallet WHERE id = %(wallet)s;
    DELETE FROM contract_contract WHERE id = %(contract)s;
"""


@tagged("post_install", "-at_install")
class TestLedgerParallel(TransactionCase):
    def setUp(self):
        super().setUp()
        with self._real_env() as env:
            partner = env["res.partner"].create({"name": "Parallel Ledger"})
            contract = env["contract.contract"].create({"partner_id": partner.id, "is_tenancy": True})
            self.ids = {"wallet": contract.wallet_id.id, "contract": contract.id}
        self.addCleanup(self._delete)

    @contextmanager
    def _real_env(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _delete(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            cr.execute(DELETE, self.ids)

    def _run_together(self, functions):
        """Each function in a thread with its own cursor, its snapshot taken before anybody writes, retried as a request is."""
        barrier, failures = Barrier(len(functions)), []

        def work(function):
            try:
                with self._real_env() as env:
                    env.cr.execute("SELECT 1")
                    barrier.wait(timeout=30)
                    retrying(partial(function, env), env)
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                failures.append(error)

        # the test run holds the registry's lock; retries shall not sleep for seconds
        with (
            patch.object(Registry, "_lock", DummyRLock()),
            patch("odoo.service.model.time.sleep"),
            patch("odoo.service.model.MAX_TRIES_ON_CONCURRENCY_FAILURE", WRITERS + 5),
        ):
            threads = [Thread(target=work, args=(function,)) for function in functions]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=120)
        self.assertEqual(failures, [])

    def _post(self, amount, source, env):
        env["prepaid.wallet"].browse(self.ids["wallet"])._post_entry(
            "topup", env["utility.kind"], Decimal(amount), source, "parallel"
        )

    def _get_outcome(self):
        with self._real_env() as env:
            wallet = env["prepaid.wallet"].browse(self.ids["wallet"])
            self.assertEqual(wallet._find_problems(), [])
            return fetch_exact(
                env.cr,
                """SELECT count(*), count(DISTINCT sequence), max(sequence), sum(amount),
                          (SELECT balance FROM prepaid_wallet WHERE id = wallet_id)
                     FROM prepaid_entry WHERE wallet_id = %s GROUP BY wallet_id""",
                [wallet.id],
            )[0]

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_twenty_parallel_writers_lose_nothing(self):
        self._run_together([partial(self._post, f"{n}.01", f"parallel,{n}") for n in range(1, WRITERS + 1)])
        total = Decimal("210.20")
        self.assertEqual(self._get_outcome(), (WRITERS, WRITERS, WRITERS, total, total))

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_one_fact_told_twenty_times_at_once_counts_once(self):
        self._run_together([partial(self._post, "7.77", "parallel,same")] * WRITERS)
        self.assertEqual(self._get_outcome(), (1, 1, 1, Decimal("7.77"), Decimal("7.77")))
