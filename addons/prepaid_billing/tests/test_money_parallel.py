"""Two workers at once, on real cursors: what Odoo's test cursor cannot show."""

from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Barrier, Thread
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError
from odoo.modules.registry import DummyRLock, Registry
from odoo.service.model import retrying
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..exact import fetch_exact

DELETE = """
    ALTER TABLE prepaid_entry DISABLE TRIGGER property_utility_refuse_row;
    DELETE FROM prepaid_booking WHERE entry_id IN (SELECT id FROM prepaid_entry WHERE wallet_id = %(wallet)s);
    DELETE FROM prepaid_topup WHERE wallet_id = %(wallet)s;
    DELETE FROM prepaid_entry WHERE wallet_id = %(wallet)s;
    ALTER TABLE prepaid_entry ENABLE ALWAYS TRIGGER property_utility_refuse_row;
    UPDATE payment_transaction SET payment_id = NULL WHERE wallet_id = %(wallet)s;
    DELETE FROM account_move WHERE wallet_id = %(wallet)s;
    DELETE FROM account_payment WHERE wallet_id = %(wallet)s;
    DELETE FROM payment_transaction WHERE wallet_id = %(wallet)s;
    ALTER TABLE prepaid_decision DISABLE TRIGGER property_utility_refuse_row;
    DELETE FROM prepaid_decision WHERE contract_id = %(contract)s;
    ALTER TABLE prepaid_decision ENABLE ALWAYS TRIGGER property_utility_refuse_row;
    DELETE FROM prepaid_notice WHERE contract_id = %(contract)s;
    DELETE FROM prepaid_case WHERE contract_id = %(contract)s;
    DELETE FROM prepaid_wallet WHERE id = %(wallet)s;
    DELETE FROM contract_contract WHERE id = %(contract)s;
"""


@tagged("post_install", "-at_install")
class TestParallel(TransactionCase):
    def setUp(self):
        super().setUp()
        with self._real_env() as env:
            provider = env.ref("payment.payment_provider_demo", raise_if_not_found=False)
            if not provider or provider.company_id != env.company:
                self.skipTest("needs payment_demo of the main company")
            env.company._prepaid_setup_accounting_sudo()
            provider.write({"state": "test"})
            partner = env["res.partner"].create({"name": "Parallel Tenant"})
            contract = env["contract.contract"].create(
                {"partner_id": partner.id, "is_tenancy": True, "contract_type": "sale"}
            )
            self.ids = {"wallet": contract.wallet_id.id, "contract": contract.id}
            self.addCleanup(self._delete)
            values = contract._prepare_topup_transaction_values("50.00")
            transaction = env["payment.transaction"].create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": env["payment.method"].search([("code", "=", "demo")], limit=1).id,
                    "operation": "online_direct",
                    "reference": f"parallel-{contract.id}",
                    "amount": values["amount"],
                    "currency_id": values["currency_id"],
                    "partner_id": partner.id,
                    **values["custom_create_values"],
                }
            )
            transaction._set_done()
            self.transaction_id = transaction.id

    @contextmanager
    def _real_env(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _delete(self):
        with db_connect(self.env.cr.dbname).cursor() as cr:
            cr.execute(DELETE, self.ids)

    def _run_together(self, *functions):
        """Each function in a thread of its own, with its own cursor, retried as an HTTP request would be."""
        barrier, failures = Barrier(len(functions)), []

        def work(function, env):
            try:
                env.cr.execute("SELECT 1")  # the snapshot is taken before anybody writes
                barrier.wait(timeout=10)
                retrying(partial(function, env), env)
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                failures.append(error)

        with ExitStack() as stack, patch.object(Registry, "_lock", DummyRLock()):
            # the test run holds the registry's lock
            environments = [stack.enter_context(self._real_env()) for _function in functions]
            threads = [Thread(target=work, args=pair) for pair in zip(functions, environments, strict=True)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        self.assertFalse(failures)
        self.assertFalse([thread for thread in threads if thread.is_alive()])

    def _count(self):
        """(entries, payments, top-ups, balance) of the wallet as committed."""
        with self._real_env() as env:
            return fetch_exact(
                env.cr,
                """SELECT (SELECT count(*) FROM prepaid_entry WHERE wallet_id = wallet.id),
                          (SELECT count(*) FROM account_payment WHERE wallet_id = wallet.id),
                          (SELECT count(*) FROM prepaid_topup WHERE wallet_id = wallet.id), wallet.balance
                   FROM prepaid_wallet wallet WHERE id = %s""",
                [self.ids["wallet"]],
            )[0]

    @mute_logger("odoo.sql_db")
    def test_two_workers_post_process_one_payment_and_it_counts_once(self):
        def post_process(env):
            env["payment.transaction"].browse(self.transaction_id)._post_process()

        self._run_together(post_process, post_process)
        self.assertEqual(self._count(), (1, 1, 1, 50))

    @mute_logger("odoo.sql_db")
    def test_a_payment_and_a_double_click_at_the_counter_lose_nothing(self):
        def post_process(env):
            env["payment.transaction"].browse(self.transaction_id)._post_process()

        def counter(env):
            wallet = env["prepaid.wallet"].browse(self.ids["wallet"])
            env["prepaid.topup"]._take(wallet, "12.34", "cash", request_key=f"parallel-{wallet.id}")

        with patch.object(self.registry["prepaid.topup"], "_check_function"):
            self._run_together(post_process, counter, counter)
        entries, payments, topups, balance = self._count()
        self.assertEqual((entries, payments, topups, str(balance)), (2, 2, 2, "62.34"))

    @mute_logger("odoo.sql_db")
    def test_two_refunds_at_once_never_exceed_the_payment(self):
        with self._real_env() as env:
            env["payment.transaction"].browse(self.transaction_id)._post_process()
        refused = []

        def refund(amount, env):
            source = env["payment.transaction"].browse(self.transaction_id)
            try:
                source._create_child_transaction(
                    amount, is_refund=True, reference=f"parallel-refund-{source.id}-{amount}"
                )
            except UserError as error:
                refused.append(error)

        self._run_together(partial(refund, 30), partial(refund, 40))
        self.assertEqual(len(refused), 1)
        with self._real_env() as env:
            source = env["payment.transaction"].browse(self.transaction_id)
            self.assertEqual(len(source.child_transaction_ids), 1)
