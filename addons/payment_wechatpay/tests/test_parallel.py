"""Copies of one callback at the same moment."""

import json

from odoo.addons.payment_reconciliation.tests.together import TogetherMixin
from odoo.tests import TransactionCase, tagged

from ..controllers.notify import take_facts
from ..wechatpay import notification
from . import gateway
from .test_crypto import Headers, make_merchant

COPIES = 20


@tagged("post_install", "-at_install")
class TestParallelCallbacks(TogetherMixin, TransactionCase):
    provider_code = "wechatpay"
    method = "payment.payment_method_wechat_pay"
    amount = 88.0
    quiet = (*TogetherMixin.quiet, "odoo.addons.payment_wechatpay.controllers.notify")

    def _make_facts(self, **changes):
        """Facts of a callback that was opened as the route does."""
        body = gateway.make_event(gateway.make_payment(self.reference, 8800, **changes))
        headers = gateway.sign_headers(body)
        now = int(headers["Wechatpay-Timestamp"])
        return notification.open_payment(make_merchant(), Headers(headers), body, now=now)

    def _take_together(self, all_facts):
        def take(env, facts):
            return take_facts(
                env["payment.provider"].browse(self.ids["provider"]), json.loads(json.dumps(facts))
            )

        return sorted(self._run_together(take, all_facts))

    def test_case_10_twenty_copies_at_once_pay_once(self):
        facts = self._make_facts()
        self.assertEqual(self._take_together([facts] * COPIES), [200] * COPIES)
        self.assertEqual(self._read_outcome(), ("done", facts["gateway_reference"], []))

    def test_case_23_two_payments_at_once_pay_once_and_the_other_is_a_case(self):
        numbers = [f"42000000000000000000000000{digit}" for digit in (1, 2)]
        all_facts = [self._make_facts(transaction_id=number) for number in numbers]
        self.assertEqual(self._take_together(all_facts), [200, 409])
        state, reference, kinds = self._read_outcome()
        self.assertEqual((state, kinds), ("done", ["paid_twice"]))
        self.assertIn(reference, numbers)

    def test_case_19_wrong_amount_many_times_at_once_is_one_case(self):
        amount = {"total": 1, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"}
        facts = self._make_facts(amount=amount)
        self.assertEqual(self._take_together([facts] * 10), [409] * 10)
        self.assertEqual(self._read_outcome(), ("draft", False, ["amount_differs"]))
