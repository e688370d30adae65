"""Refunds over real HTTP: partial, many, without a clear answer, refused."""

from odoo.addons.payment_reconciliation.tests.common import send_refund
from odoo.tests import tagged
from odoo.tools import mute_logger

from . import gateway
from .common import WechatpayCase, parse_order

LOGGER = "odoo.addons.payment_wechatpay.models.payment_transaction"


@tagged("post_install", "-at_install")
class TestRefund(WechatpayCase):
    def setUp(self):
        super().setUp()
        self.gateway = self._start_gateway(self._serve)
        self._simulate(self.provider, self.gateway)
        self.transaction = self._make_transaction()
        self._pay(self.transaction)
        self.status = "PROCESSING"
        self.known = {}

    def _serve(self, method, path, _headers, body):
        if method == "POST":
            order = parse_order((0, 0, 0, body))
            self.known[order["out_refund_no"]] = order
        number = order["out_refund_no"] if method == "POST" else path.rpartition("/")[2]
        if number not in self.known:
            return gateway.answer({"code": "RESOURCE_NOT_EXISTS", "message": ""}, 404)
        order = self.known[number]
        refund = gateway.make_refund(
            self.transaction.reference, number, order["amount"]["total"], order["amount"]["refund"]
        )
        refund = refund | {"status": self.status, "transaction_id": order["transaction_id"]}
        del refund["refund_status"], refund["mchid"]
        refund["amount"]["currency"] = "CNY"
        return gateway.answer(refund)

    def _lose_answers(self, answer=(502, {}, b"")):
        serve = self._serve

        def script(*request):
            serve(*request)
            return answer

        self.gateway.script = script

    def test_parts_with_numbers_of_their_own(self):
        refunds = [send_refund(self.transaction, amount) for amount in (10.00, 20.50)]
        orders = [parse_order(request) for request in self.gateway.requests]
        self.assertEqual(
            [
                (order["out_refund_no"], order["amount"]["refund"], order["amount"]["total"])
                for order in orders
            ],
            [(refunds[0].reference, 1000, 8800), (refunds[1].reference, 2050, 8800)],
        )
        self.assertTrue(
            orders[0]["notify_url"].endswith(f"/payment/wechatpay/refund_notify/{self.provider.id}")
        )
        self.assertEqual([refund.state for refund in refunds], ["pending", "pending"])

    def test_immediate_success(self):
        self.status = "SUCCESS"
        self.assertEqual(send_refund(self.transaction, 88.00).state, "done")

    def test_case_36_answer_lost_is_asked_again_with_the_same_number(self):
        for answer in ((502, {}, b""), (200, {}, b"{}"), (302, {"Location": "/"}, b"")):
            self._lose_answers(answer)
            with mute_logger(LOGGER):
                refund = send_refund(self.transaction, 10.00)
            self.assertEqual(refund.state, "pending")
            self.gateway.script = self._serve
            self.status = "SUCCESS"
            refund._poll_gateway()
            self.assertEqual(refund.state, "done")
            self.assertIn(refund.reference, self.known)
        self.assertEqual(len(self.known), 3)

    def test_case_36_request_that_never_arrived_is_sent_again_with_the_same_number(self):
        self.gateway.script = lambda *_request: (503, {}, b"")
        with mute_logger(LOGGER):
            refund = send_refund(self.transaction, 10.00)
        self.gateway.script = self._serve
        refund._poll_gateway()
        self.assertEqual(refund.state, "pending")
        self.assertIn(refund.reference, self.known)
        numbers = {
            parse_order(request)["out_refund_no"] for request in self.gateway.requests if request[0] == "POST"
        }
        self.assertEqual(numbers, {refund.reference})

    def test_case_36_more_than_was_paid_is_refused_before_anybody_is_asked(self):
        send_refund(self.transaction, 50.00)
        asked = len(self.gateway.requests)
        for amount in (38.01, 88.00):
            with self.subTest(amount), self.assertRaises(Exception):  # noqa: B017 - UserError or ValidationError
                self.transaction._refund(amount)
        self.assertEqual(len(self.gateway.requests), asked)

    def test_refusal_is_told(self):
        self.gateway.script = lambda *_request: gateway.answer(
            {"code": "NOT_ENOUGH", "message": "基本账户余额不足，请充值后重新发起"}, 403
        )
        with mute_logger(LOGGER):
            refund = send_refund(self.transaction, 10.00)
        self.assertEqual(refund.state, "error")
        self.assertIn("余额不足", refund.state_message)

    def test_unsigned_refusal_is_no_refusal(self):
        self.gateway.script = lambda *_request: (403, {}, b'{"code":"NOT_ENOUGH","message":"x"}')
        with mute_logger(LOGGER):
            self.assertEqual(send_refund(self.transaction, 10.00).state, "pending")
