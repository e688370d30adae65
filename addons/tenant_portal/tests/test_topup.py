"""The server decides what is paid, for whom and into which wallet."""

from decimal import Decimal
from unittest.mock import patch

from odoo.addons.prepaid_billing.models.payment_transaction import PaymentTransaction
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PortalCase

BAD_AMOUNTS = (
    "nan", "inf", "-inf", "1e9", "1e30", "1e999999", "-5", "0", "0.00", "0.001", "0.99", "5000.01", "100,50", "abc", "0x10",
    "1_000", "100.005", "٣٥", "--1", "+5", "1 000", "9" * 5000, "<b>1</b>", "None",
)  # fmt: skip
BAD_JSON_AMOUNTS = (
    None, True, False, [], {}, [100], {"amount": 100}, float("inf"), 1e30, -5, 0, 0.001, 100.001, 5000.01, 10**40,
)  # fmt: skip


@tagged("post_install", "-at_install")
class TestTopup(PortalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enable_demo_payment()
        cls.wallet_b = cls.contract_b.wallet_id

    def setUp(self):
        super().setUp()
        self.base = f"/my/utility/{self.contract.id}"
        self.sign_in(self.alice)

    def get_token(self, amount=100, contract=None, user=None):
        contract = (contract or self.contract).with_user(user or self.alice).sudo()
        return contract._get_portal_topup_token(amount)

    def get_pay_params(self, amount=100, **changes):
        """What Odoo's payment form sends."""
        return {
            "provider_id": self.provider.id,
            "payment_method_id": self.method.id,
            "token_id": None,
            "amount": amount,
            "flow": "direct",
            "tokenization_requested": False,
            "landing_route": f"{self.base}/topup/done",
            "is_validation": False,
            "access_token": changes.get("access_token") or self.get_token(amount),
            "csrf_token": "x",
        } | changes

    def create_transaction(self, **changes):
        """(transaction or empty, error)"""
        result, error = self.call(f"{self.base}/transaction", **self.get_pay_params(**changes))
        transactions = self.env["payment.transaction"]
        return transactions.search([("reference", "=", result and result["reference"])]), error

    def simulate(self, transaction, state="done"):
        params = {"reference": transaction.reference, "payment_details": "4111", "simulated_state": state}
        _result, error = self.call("/payment/demo/simulate_payment", **params)
        self.assertFalse(error)
        transaction.invalidate_recordset()

    def assert_refused(self, code=None, **changes):
        with mute_logger("odoo.http"):
            transaction, error = self.create_transaction(**changes)
        self.assertTrue(error)
        self.assertFalse(transaction)
        self.assertFalse(self.get_topup_count())
        if code:
            self.assertEqual(error["code"], code)

    # --- the page ---------------------------------------------------------------------------------------------

    def test_the_page_offers_amounts_and_only_an_amount_opens_the_ways_to_pay(self):
        page = self.get_page(f"{self.base}/topup")
        for amount in (50, 100, 200, 500):
            self.assert_says(page, f'data-testid="amount-{amount}"')
        self.assert_silent(page, "o_payment_form")
        page = self.get_page(f"{self.base}/topup?amount=100")
        self.assert_says(page, 'data-amount="100.0"')
        self.assert_says(page, f'data-transaction-route="{self.base}/transaction"')
        self.assertRegex(page, r"Pay\s+¥\s*100\.00")

    def test_the_way_to_pay_is_chosen_already(self):
        self.assertRegex(
            self.get_page(f"{self.base}/topup?amount=100"), r'name="o_payment_radio"[^>]*checked'
        )

    def test_amounts_outside_the_limits_are_not_offered(self):
        self.company.write({"prepaid_topup_min": 60, "prepaid_topup_max": 300})
        page = self.get_page(f"{self.base}/topup")
        self.assert_silent(page, 'data-testid="amount-50"')
        self.assert_says(page, 'data-testid="amount-100"')
        self.assert_silent(page, 'data-testid="amount-500"')

    def test_bad_amounts_are_told_in_words_and_open_nothing(self):
        for amount in BAD_AMOUNTS:
            with self.subTest(amount[:20]):
                response = self.get(f"{self.base}/topup", params={"amount": amount})
                self.assertEqual(response.status_code, 200)
                self.assert_says(response.text, "tp-warning-danger")
                self.assert_silent(response.text, "o_payment_form")

    def test_amounts_as_chinese_keyboards_write_them_are_understood(self):
        for typed in ("１００", " 100 ", "¥100", "￥100", "100.0", "100．00"):
            with self.subTest(typed):
                page = self.get(f"{self.base}/topup", params={"amount": typed}).text
                self.assert_says(page, 'data-amount="100.0"')

    def test_without_a_way_to_pay_the_page_says_so(self):
        self.provider.state = "disabled"
        self.assert_says(self.get_page(f"{self.base}/topup?amount=100"), "No payment method available")

    # --- what the browser may not decide ------------------------------------------------------------------------

    def test_a_payment_is_for_the_own_wallet_partner_and_currency(self):
        transaction, error = self.create_transaction()
        self.assertFalse(error)
        self.assertEqual(transaction.wallet_id, self.contract.wallet_id)
        self.assertEqual(transaction.partner_id, self.contract.partner_id)
        self.assertEqual(transaction.currency_id, self.contract.wallet_id.currency_id)
        self.assertEqual((transaction.amount, transaction.wallet_fen), (100.0, 10000))
        self.assertEqual(transaction.landing_route, f"{self.base}/topup/done?tx={transaction.id}")

    def test_bad_amounts_make_no_payment(self):
        for amount in (*BAD_AMOUNTS, *BAD_JSON_AMOUNTS):
            with self.subTest(str(amount)[:20]):
                self.assert_refused(amount=amount, access_token=self.get_token(100))

    def test_the_token_is_for_one_amount_tenancy_and_user(self):
        tokens = {
            "none": None,
            "empty": "",
            "list": [],
            "other amount": self.get_token(1),
            "other tenancy": self.get_token(contract=self.contract_b),
            "other user": self.get_token(user=self.bob),
        }
        for name, token in tokens.items():
            with self.subTest(name):
                self.assert_refused(access_token=token)

    def test_injected_values_are_refused(self):
        injections = {
            "wallet_id": self.wallet_b.id,
            "partner_id": self.contract_b.partner_id.id,
            "currency_id": self.env.ref("base.USD").id,
            "custom_create_values": {"wallet_id": self.wallet_b.id},
            "reference_prefix": "x",
            "company_id": 1,
            "state": "done",
            "contract": self.contract_b.id,
        }
        for name, value in injections.items():
            with self.subTest(name):
                self.assert_refused(**{name: value})

    def test_what_the_form_also_sends_does_not_count(self):
        transaction, error = self.create_transaction(
            landing_route="https://evil.example.com",
            is_validation=True,
            tokenization_requested=True,
            token_id=1,
        )
        self.assertFalse(error)
        self.assertEqual(transaction.landing_route, f"{self.base}/topup/done?tx={transaction.id}")
        self.assertEqual((transaction.operation, transaction.amount), ("online_direct", 100.0))
        self.assertFalse(transaction.tokenize or transaction.token_id)

    def test_only_offered_ways_to_pay_are_taken(self):
        other = self.env["payment.provider"].search([("code", "!=", "demo")], limit=1)
        method = self.env["payment.method"].with_context(active_test=False).search([("code", "=", "card")])
        for changes in (
            {"provider_id": other.id},
            {"provider_id": None},
            {"provider_id": "1"},
            {"provider_id": [self.provider.id]},
            {"payment_method_id": method.id},
            {"payment_method_id": None},
            {"flow": "token", "token_id": 1},
            {"flow": None},
            {"flow": []},
        ):
            with self.subTest(str(changes)):
                self.assert_refused(**changes)
        self.provider.is_published = False
        self.assert_refused()

    def test_who_moved_out_cannot_top_up_but_may_pay_what_he_owes(self):
        self.sign_in(self.carol)
        self.base = f"/my/utility/{self.contract_c.id}"
        self.assert_silent(self.get_page(f"{self.base}/topup"), 'data-testid="amount-100"')
        token = self.get_token(contract=self.contract_c, user=self.carol)
        self.assert_refused(access_token=token)
        wallet = self.contract_c.wallet_id
        wallet._post_entry("adjustment", self.env["utility.kind"], Decimal("-30.00"), "test,carol", "owed")
        transaction, error = self.create_transaction(access_token=token)
        self.assertFalse(error)
        self.assertEqual(transaction.wallet_id, wallet)

    # --- after paying -------------------------------------------------------------------------------------------

    def test_a_payment_is_credited_once_whoever_asks_how_often(self):
        transaction, _error = self.create_transaction()
        self.simulate(transaction)
        self.assertEqual(self.get_balance(), 0)
        for _time in range(2):
            result, error = self.call("/payment/status/poll")
            self.assertFalse(error)
            self.assertEqual(result["landing_route"], f"{self.base}/topup/done?tx={transaction.id}")
            self.assert_says(self.get_page(result["landing_route"]), 'data-testid="paid"')
            self.call(f"{self.base}/topup/state", tx=transaction.id)
        self.env.invalidate_all()
        self.assertEqual(self.get_balance(), Decimal("100.00"))
        self.assertEqual(self.env["prepaid.entry"].search_count([("transaction_id", "=", transaction.id)]), 1)

    def test_who_comes_back_without_the_status_page_is_credited_too(self):
        transaction, _error = self.create_transaction()
        self.simulate(transaction)
        result, error = self.call(f"{self.base}/topup/state", tx=transaction.id)
        self.assertFalse(error)
        self.assertTrue(result["is_final"])
        self.assert_says(result["html"], 'data-testid="paid"')
        self.assertEqual(self.get_balance(), Decimal("100.00"))

    def test_every_end_of_a_payment_is_told(self):
        rows = (
            ("pending", "Waiting for the payment", False),
            ("cancel", "Not paid", True),
            ("error", "The payment failed", True),
        )
        for state, words, is_final in rows:
            with self.subTest(state):
                transaction, _error = self.create_transaction()
                self.simulate(transaction, state)
                page = self.get_page(f"{self.base}/topup/done?tx={transaction.id}")
                self.assert_says(page, words)
                self.assert_silent(page, 'data-testid="paid"')
                result, _error = self.call(f"{self.base}/topup/state", tx=transaction.id)
                self.assertEqual(result["is_final"], is_final)
        self.assertEqual(self.get_balance(), 0)

    def test_a_payment_that_cannot_be_credited_names_its_reference(self):
        transaction, _error = self.create_transaction()
        self.simulate(transaction)
        refusal = patch.object(
            PaymentTransaction, "_credit_wallet_sudo", side_effect=UserError("amounts differ"), autospec=True
        )
        with refusal, mute_logger("odoo.addons.tenant_portal.controllers.topup"):
            page = self.get_page(f"{self.base}/topup/done?tx={transaction.id}")
        self.assert_says(page, "ask the property office and name this reference")
        self.assert_says(page, transaction.reference)
        self.assertEqual(self.get_balance(), 0)

    def test_power_comes_back_before_the_eyes_of_who_pays(self):
        self.contract.wallet_id._post_entry(
            "adjustment", self.env["utility.kind"], Decimal("-5.00"), "test,trip", "used up"
        )
        self.env["prepaid.case"].create({"contract_id": self.contract.id, "state": "tripped"})
        switch = self.set_switch(self.point, "off", "off")
        self.assert_says(self.get_page(self.base), "Top up and it comes back by itself")
        transaction, _error = self.create_transaction()
        self.simulate(transaction)
        page = self.get_page(f"{self.base}/topup/done?tx={transaction.id}")
        self.assert_says(page, 'data-testid="supply-coming"')
        result, _error = self.call(f"{self.base}/topup/state", tx=transaction.id)
        self.assertFalse(result["is_final"])

        order = switch.order_ids.filtered(lambda o: o.kind == "switch_on")
        for state in ("received", "accepted"):
            order._move(state)
        order._finish("confirmed", "ok", transaction.last_state_change)
        switch._note_reported("on", self.env.cr.now(), order.generation)
        result, _error = self.call(f"{self.base}/topup/state", tx=transaction.id)
        self.assertTrue(result["is_final"])
        self.assert_says(result["html"], 'data-testid="supply-on"')
        self.assert_says(result["html"], "Back after")

    def test_too_little_money_leaves_it_off_and_says_so(self):
        self.contract.wallet_id._post_entry(
            "adjustment", self.env["utility.kind"], Decimal("-500.00"), "test,debt", "used up"
        )
        self.env["prepaid.case"].create({"contract_id": self.contract.id, "state": "tripped"})
        self.set_switch(self.point, "off", "off")
        transaction, _error = self.create_transaction()
        self.simulate(transaction)
        page = self.get_page(f"{self.base}/topup/done?tx={transaction.id}")
        self.assert_says(page, 'data-testid="supply-off"')
        self.assert_says(page, "Please top up more")
