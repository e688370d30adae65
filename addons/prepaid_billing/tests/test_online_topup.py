from decimal import Decimal
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged

from .money_common import MoneyCase


class OnlineCase(MoneyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract = cls._make_tenancy("Book Store")
        cls.wallet = cls.contract.wallet_id
        cls.provider = cls.env["payment.provider"].search(
            [("code", "=", "demo"), ("company_id", "=", cls.company.id)], limit=1
        )
        if not cls.provider:
            cls.provider = cls.env.ref("payment.payment_provider_demo")
        cls.provider.write({"state": "test", "is_published": True})
        cls.method = cls.provider.payment_method_ids[:1] or cls.env["payment.method"].search(
            [("code", "=", "demo")], limit=1
        )

    @classmethod
    def _make_transaction(cls, amount, contract=None, **values):
        contract = contract or cls.contract
        prepared = contract._prepare_topup_transaction_values(amount)
        custom = prepared.pop("custom_create_values")
        prepared["reference"] = cls.env["payment.transaction"]._compute_reference(
            "demo", prefix=prepared.pop("reference_prefix")
        )
        return cls.env["payment.transaction"].create(
            {
                "provider_id": cls.provider.id,
                "payment_method_id": cls.method.id,
                "operation": "online_direct",
                **prepared,
                **custom,
                **values,
            }
        )

    def _pay(self, transaction):
        transaction._process("demo", {"reference": transaction.reference, "simulated_state": "done"})
        transaction._post_process()


@tagged("post_install", "-at_install")
class TestOnlineTopup(OnlineCase):
    def test_a_confirmed_payment_is_credited_with_payment_topup_and_supply(self):
        transaction = self._make_transaction("88.80")
        with patch.object(type(self.contract), "_evaluate_supply", autospec=True) as evaluate:
            self._pay(transaction)
        topup = transaction.topup_id
        self.assertEqual(
            (topup.method, topup.state, topup.entry_id.source),
            ("online", "posted", f"payment.transaction,{transaction.id}"),
        )
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("88.80"))
        self.assertEqual(transaction.payment_id.wallet_id, self.wallet)
        self.assertEqual(
            transaction.payment_id.destination_account_id, self.company.prepaid_advance_account_id
        )
        self.assertEqual(self._get_advance_balance(self.contract), Decimal("88.80"))
        self.assertEqual([call.args[1] for call in evaluate.call_args_list], ["topup"])
        self.assertEqual(self._run_check().state, "ok")

    def test_an_accountant_makes_no_money_by_hand(self):
        transaction = self._make_transaction(50)
        mine = transaction.with_user(self.accountant)
        for vals in ({"state": "done"}, {"amount": 500}, {"wallet_fen": 50000}, {"wallet_id": False}):
            with self.subTest(vals=vals), self.assertRaises(AccessError):
                mine.write(vals)
        vals = {
            "provider_id": self.provider.id,
            "payment_method_id": transaction.payment_method_id.id,
            "reference": "by hand",
            "amount": 500,
            "currency_id": transaction.currency_id.id,
            "partner_id": transaction.partner_id.id,
        }
        self.accountant.sudo().group_ids += self.env.ref(
            "base.group_system"
        )  # who may read providers may create
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            mine.create(vals | {"wallet_id": self.wallet.id, "state": "done"})
        other = mine.create(vals | {"reference": "another"})
        with self.assertRaises(AccessError):
            other.wallet_id = self.wallet

    def test_post_processing_again_credits_nothing_more(self):
        transaction = self._make_transaction(50)
        self._pay(transaction)
        for _time in range(3):
            transaction._post_process()
            transaction.is_post_processed = False
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("50.00"))
        self.assertEqual(len(self.wallet.entry_ids), 1)
        self.assertEqual(
            self.env["account.payment"].search_count([("payment_transaction_id", "=", transaction.id)]), 1
        )
        self.assertEqual(len(self.wallet.topup_ids), 1)

    def test_only_done_credits(self):
        transaction = self._make_transaction(50)
        for state in ("draft", "pending", "cancel", "error"):
            transaction.state = state
            transaction._post_process()
            with self.subTest(state):
                self.assertFalse(self.wallet.entry_ids)

    def test_an_amount_changed_after_creation_is_not_credited(self):
        transaction = self._make_transaction(50)
        transaction.amount = 500
        transaction._process("demo", {"reference": transaction.reference, "simulated_state": "done"})
        with self.assertRaisesRegex(UserError, "not credited"), self.env.cr.savepoint():
            transaction._post_process()
        self.assertEqual(self.wallet._get_balance_decimal(), 0)
        self.assertEqual(self._run_check().uncredited_count, 1)
        self.assertEqual(self._run_check().state, "different")

    def test_the_same_wrong_notification_twice_never_confirms(self):
        transaction = self._make_transaction(50)
        wrong = {"amount": 0.5, "currency_code": "CNY"}
        data = {"reference": transaction.reference, "simulated_state": "done"}
        with patch.object(type(transaction), "_extract_amount_data", return_value=wrong):
            for _time in range(2):
                transaction._process("demo", data)
                self.assertEqual(transaction.state, "error")
        with patch.object(
            type(transaction), "_extract_amount_data", return_value={"amount": 50, "currency_code": "USD"}
        ):
            transaction._process("demo", data)
            self.assertEqual(transaction.state, "error")

    def test_a_foreign_currency_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "USD"):
            self._make_transaction(50, currency_id=self.env.ref("base.USD").id)

    def test_amounts_outside_the_limits_are_refused_in_words(self):
        rows = [
            ("0.99", "between"),
            ("5000.01", "between"),
            ("-3", "above zero"),
            ("1.234", "two decimals"),
            ("", "not an amount"),
        ]
        for amount, rule in rows:
            with self.subTest(amount), self.assertRaisesRegex(ValidationError, rule):
                self.contract._prepare_topup_transaction_values(amount)

    def test_a_payment_credited_by_nobody_is_found_and_credited(self):
        transaction = self._make_transaction(50)
        transaction._process("demo", {"reference": transaction.reference, "simulated_state": "done"})
        transaction.is_post_processed = True
        self.assertEqual(self.env["payment.transaction"]._get_uncredited_ids(), transaction.ids)
        transaction._post_process()
        self.assertEqual(self.env["payment.transaction"]._get_uncredited_ids(), [])
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("50.00"))

    def test_a_payer_who_closes_the_browser_is_credited_by_the_cron_at_once(self):
        transaction = self._make_transaction(50)
        cron = self.env.ref("payment.cron_post_process_payment_tx")
        before = self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])
        transaction._process("demo", {"reference": transaction.reference, "simulated_state": "done"})
        self.assertEqual(self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)]), before + 1)

    def test_a_transaction_of_something_else_is_left_alone(self):
        transaction = self._make_transaction(50, wallet_id=False)
        self._pay(transaction)
        self.assertTrue(transaction.payment_id)
        self.assertFalse(transaction.payment_id.wallet_id)
        self.assertFalse(self.wallet.entry_ids)

    def test_a_portal_user_calls_none_of_it(self):
        portal = new_test_user(self.env, "portal_t", groups="base.group_portal")
        self._pay(self._make_transaction(50))
        for model in (
            "prepaid.topup",
            "prepaid.refund",
            "prepaid.counter",
            "prepaid.books.check",
            "prepaid.invoice.batch",
            "prepaid.booking",
            "prepaid.fee",
        ):
            with self.subTest(model):
                records = self.env[model].with_user(portal)
                with self.assertRaises(AccessError):
                    records.check_access("read")
                with self.assertRaises(AccessError):
                    records.create({})
        topup = self.wallet.topup_ids.with_user(portal)
        for action in (topup.action_confirm, topup.action_print_receipt, topup.action_open_reversal):
            with self.subTest(action.__name__), self.assertRaises(AccessError):
                action()
        with self.assertRaises(AccessError):
            self.env["prepaid.books.check"].with_user(portal).action_run()


@tagged("post_install", "-at_install")
class TestOnlineRefund(OnlineCase):
    def test_a_refund_to_the_original_payment_leaves_the_wallet_once(self):
        transaction = self._make_transaction(100)
        self._pay(transaction)
        child = transaction._refund(30)
        for _time in range(2):
            child._post_process()
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("70.00"))
        self.assertEqual(self._get_advance_balance(self.contract), Decimal("70.00"))
        self.assertEqual(self.wallet.entry_ids.mapped("kind"), ["refund", "topup"])
        self.assertEqual(self._run_check().state, "ok")

    def test_refunds_never_exceed_the_payment_or_the_wallet(self):
        transaction = self._make_transaction(100)
        self._pay(transaction)
        self._topup(self.contract, 500)
        transaction._refund(60)
        with self.assertRaisesRegex(UserError, "40.00 of this payment"):
            transaction._refund(50)
        self.wallet._post_entry("adjustment", self.kind_power, Decimal("-520.00"), "test,1", "spent")
        with self.assertRaisesRegex(UserError, "20.00 in the wallet"):
            transaction._refund(30)
        transaction._refund(20)

    def test_a_refund_request_to_the_original_payment_ends_paid(self):
        transaction = self._make_transaction(100)
        self._pay(transaction)
        refund = (
            self.env["prepaid.refund"]
            .with_user(self.accountant)
            .create(
                {
                    "wallet_id": self.wallet.id,
                    "amount": 40,
                    "reason": "overpaid",
                    "method": "original",
                    "topup_id": transaction.topup_id.id,
                }
            )
        )
        refund.action_request()
        self.assertEqual(refund.state, "sent")
        refund.sudo().transaction_id._post_process()
        self.assertEqual(refund.state, "paid")
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("60.00"))
