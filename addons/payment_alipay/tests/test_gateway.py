"""What the provider asks of the gateway and what it makes of the answers: real HTTP to a stand-in on loopback."""

from datetime import date, timedelta

from odoo import fields
from odoo.addons.payment_reconciliation.tests.common import send_refund
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import TRADE, AlipayHttpCase
from .standin import answer, ok, refuse
from .test_bill import make_row, make_text, make_zip

QUERY, CLOSE, REFUND = "alipay.trade.query", "alipay.trade.close", "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"
BILL = "alipay.data.dataservice.bill.downloadurl.query"


class GatewayCase(AlipayHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_standin()

    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()

    def _say_order(self, status, **values):
        node = {"out_trade_no": self.transaction.reference, "trade_no": TRADE, "total_amount": "100.00"}
        self.standin.say(ok(QUERY, **(node | {"trade_status": status} | values)))


@tagged("post_install", "-at_install")
class TestQuery(GatewayCase):
    def test_an_order_s_state_is_asked_for(self):
        for status, state in [
            ("WAIT_BUYER_PAY", "pending"),
            ("TRADE_SUCCESS", "paid"),
            ("TRADE_FINISHED", "paid"),
            ("TRADE_CLOSED", "closed"),
        ]:
            self._say_order(status, send_pay_date="2026-11-21 10:00:00")
            data = self.transaction._gateway_query()
            self.assertEqual(
                (
                    data["state"],
                    data["fen"],
                    data["currency"],
                    data["gateway_reference"],
                    data["provider_id"],
                ),
                (state, 10000, "CNY", TRADE, self.provider.id),
            )
            self.assertEqual(data["paid_at"], "2026-11-21T02:00:00+00:00")
        (asked,) = self.standin.requests
        self.assertEqual(asked["biz_content"], {"out_trade_no": self.transaction.reference})

    def test_an_order_nobody_opened_yet_is_unknown(self):
        self.standin.say(refuse(QUERY, "ACQ.TRADE_NOT_EXIST"))
        self.assertIsNone(self.transaction._gateway_query())

    def test_case_38_no_answer_about_this_order_is_no_answer(self):
        good = {"out_trade_no": self.transaction.reference, "trade_no": TRADE, "total_amount": "100.00"}
        good["trade_status"] = "TRADE_SUCCESS"
        rows = [
            ok(QUERY, **(good | {"out_trade_no": "OTHER"})),
            ok(QUERY, **(good | {"trade_status": "PAID"})),
            ok(QUERY, **(good | {"total_amount": 100.0})),
            ok(QUERY, **(good | {"total_amount": ""})),
            ok(QUERY, **(good | {"trade_no": ""})),
            answer(QUERY, {"code": "10000", **good}, owner="stranger"),
            answer(QUERY, {"code": "10000", **good}, sign=False),
            refuse(QUERY, "ACQ.SYSTEM_ERROR"),
            (502, {}, b""),
        ]
        for body in rows:
            self.standin.say(body)
            with self.assertRaises(UserError):
                self.transaction._gateway_query()
        self.assertEqual(self.transaction.state, "draft")

    def test_a_query_s_amount_is_checked_like_a_notice_s(self):
        self._say_order("TRADE_SUCCESS", total_amount="1.00")
        self.transaction._process("alipay", self.transaction._gateway_query())
        self.assertNotEqual(self.transaction.state, "done")
        self._say_order("TRADE_SUCCESS")
        self.transaction._process("alipay", self.transaction._gateway_query())
        self.assertPaid(self.transaction)

    def test_closing(self):
        self.standin.say(ok(CLOSE, out_trade_no=self.transaction.reference))
        self.assertEqual(self.transaction._gateway_close(), "closed")
        paid = ok(
            QUERY,
            out_trade_no=self.transaction.reference,
            trade_no=TRADE,
            total_amount="100.00",
            trade_status="TRADE_SUCCESS",
        )
        self.standin.say(refuse(CLOSE, "ACQ.TRADE_STATUS_ERROR"), paid)
        self.assertEqual(self.transaction._gateway_close(), "paid")
        for reply in (
            refuse(CLOSE, "ACQ.SYSTEM_ERROR"),
            (500, {}, b""),
            answer(CLOSE, {"code": "10000"}, sign=False),
        ):
            self.standin.say(reply)
            self.assertEqual(self.transaction._gateway_close(), "unknown")

    def test_an_order_nobody_opened_is_closed_only_after_its_time(self):
        """Until then the payer's form would still begin it."""
        self.standin.say(refuse(CLOSE, "ACQ.TRADE_NOT_EXIST"))
        self.assertEqual(self.transaction._gateway_close(), "unknown")
        self.transaction.gateway_expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(self.transaction._gateway_close(), "closed")

    def test_the_connection_is_tested_by_a_signed_no(self):
        self.standin.say(refuse(QUERY, "ACQ.TRADE_NOT_EXIST"))
        self.assertIn("type", self.provider.action_gateway_test())
        error = b'{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}'
        for reply in (refuse(QUERY, "isv.invalid-signature", "40002"), error, (500, {}, b"")):
            self.standin.say(reply)
            with self.assertRaises(ValidationError):
                self.provider.action_gateway_test()


@tagged("post_install", "-at_install")
class TestRefund(GatewayCase):
    def setUp(self):
        super().setUp()
        self._say_order("TRADE_SUCCESS")
        self.transaction._process("alipay", self.transaction._gateway_query())
        self.assertPaid(self.transaction)

    def _refunded(self, change="Y"):
        return ok(
            REFUND,
            out_trade_no=self.transaction.reference,
            trade_no=TRADE,
            fund_change=change,
            refund_fee="30.00",
        )

    def _found(self, refund_reference, amount="30.00", **values):
        node = {"out_trade_no": self.transaction.reference, "out_request_no": refund_reference}
        node |= {"refund_amount": amount, "total_amount": "100.00", "refund_status": "REFUND_SUCCESS"}
        return ok(REFUND_QUERY, **(node | values))

    def test_a_refund_is_done_when_money_moved(self):
        self.standin.say(self._refunded())
        refund = send_refund(self.transaction, 30.0)
        self.assertEqual((refund.state, refund.amount), ("done", -30.0))
        (asked,) = self.standin.requests
        self.assertEqual(
            {
                name: asked["biz_content"][name]
                for name in ("out_trade_no", "refund_amount", "out_request_no")
            },
            {
                "out_trade_no": self.transaction.reference,
                "refund_amount": "30.00",
                "out_request_no": refund.reference,
            },
        )
        self.assertRegex(refund.reference, r"\A[0-9A-Za-z_]{1,64}\Z")
        self.assertPaid(self.transaction)

    def test_many_refunds_have_numbers_of_their_own(self):
        self.standin.say(self._refunded())
        numbers = [send_refund(self.transaction, 10.0).reference for _ in range(3)]
        self.assertEqual(len(set(numbers)), 3)

    def test_case_36_and_37_an_unanswered_refund_is_repeated_with_the_same_number(self):
        self.standin.say((500, {}, b""))
        refund = send_refund(self.transaction, 30.0)
        self.assertEqual(refund.state, "pending")
        self.standin.say(ok(REFUND_QUERY), self._refunded("N"), self._found(refund.reference))
        refund._poll_gateway()
        self.assertEqual(refund.state, "done")
        numbers = {asked["biz_content"]["out_request_no"] for asked in self.standin.requests}
        self.assertEqual((numbers, len(self.standin.requests)), ({refund.reference}, 3))

    def test_case_37_a_refund_whose_transaction_was_rolled_back_gets_its_number_again(self):
        self.standin.say(self._refunded())
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            first = send_refund(self.transaction, 30.0).reference
            raise ZeroDivisionError
        self.assertEqual(send_refund(self.transaction, 30.0).reference, first)

    def test_a_repeated_number_is_done_only_by_the_query_s_word(self):
        self.standin.say(self._refunded("N"), ok(REFUND_QUERY))
        refund = send_refund(self.transaction, 30.0)
        self.assertEqual(refund.state, "pending")
        self.standin.say(self._found(refund.reference))
        refund._poll_gateway()
        self.assertEqual(refund.state, "done")

    def test_case_35_refused_refunds_end_and_answers_about_others_do_not_count(self):
        self.standin.say(refuse(REFUND, "ACQ.SELLER_BALANCE_NOT_ENOUGH"))
        refund = send_refund(self.transaction, 30.0)
        self.assertEqual(refund.state, "error")
        self.standin.say((500, {}, b""))
        refund = send_refund(self.transaction, 20.0)
        for values in ({"out_trade_no": "OTHER"}, {"out_request_no": "OTHER"}, {"refund_amount": "x"}):
            self.standin.say(self._found(refund.reference, "20.00", **values))
            with self.assertRaises(UserError):
                refund._gateway_query()
        self.standin.say(self._found(refund.reference, "19.99"))
        refund._poll_gateway()
        self.assertNotEqual(refund.state, "done")

    def test_case_36_more_than_was_paid_is_not_refunded(self):
        self.standin.say(self._refunded())
        send_refund(self.transaction, 70.0)
        self.standin.requests.clear()
        with self.assertRaises(UserError):
            self.transaction._refund(30.01)
        self.assertFalse(self.standin.requests, "the gateway was not even asked")

    def test_a_notice_of_the_refund_wakes_who_waits_for_it(self):
        self.standin.say((500, {}, b""))
        refund = send_refund(self.transaction, 30.0)
        refund.gateway_next_poll_at = fields.Datetime.now() + timedelta(hours=1)
        changes = {"refund_fee": "30.00", "gmt_refund": "2026-11-21 11:00:00", "out_biz_no": refund.reference}
        self.assertTaken(self._notify(self.transaction, **changes))
        self.assertLessEqual(refund.gateway_next_poll_at, fields.Datetime.now())
        self.assertEqual(refund.state, "pending")


@tagged("post_install", "-at_install")
class TestBillOfProvider(GatewayCase):
    def _fetch(self, text):
        url = self.standin.url.replace("gateway.do", "bill.zip")
        self.standin.say(ok(BILL, bill_download_url=url), make_zip(text))
        return self.provider._gateway_fetch_bill(date(2026, 11, 20))

    def test_a_day_s_bill_becomes_lines(self):
        rows = [make_row("1", "DB_1"), make_row("1", "DB_1", "退款", "-30.00", "R_DB_1", "0.18")]
        bill = self._fetch(make_text(rows))
        lines, totals = bill["lines"], bill["totals"]
        self.assertEqual(
            [(line["kind"], line["fen"], line["state"]) for line in lines],
            [("payment", 10000, "paid"), ("refund", 3000, "refunded")],
        )
        self.assertEqual([line["fee_fen_text"] for line in lines], ["60.00", "-18.00"])
        self.assertEqual(str(lines[0]["at"]), "2026-11-20 08:14:24")
        self.assertEqual((totals["payment_fen"], totals["refund_fen"]), (10000, 3000))

    def test_case_41_a_day_without_bill_and_a_bill_that_cannot_be(self):
        self.standin.say(refuse(BILL, "isp.bill_not_exist"))
        self.assertIsNone(self.provider._gateway_fetch_bill(date(2026, 11, 20)))
        with self.assertRaises(UserError):
            self._fetch(make_text([], day="2026年11月19日"))
