"""Notices without a database: whose they are and what they say."""

from odoo.addons.payment_alipay.alipay.client import Keys
from odoo.addons.payment_alipay.alipay.errors import NoticeProblem, SignatureProblem
from odoo.addons.payment_alipay.alipay.notification import read_notice, verify_notice
from odoo.tests import BaseCase, tagged

from . import keyring

APP_ID, SELLER_ID = "2021000000000001", "2088000000000001"
PARAMS = {
    "notify_time": "2026-11-21 10:00:05",
    "notify_type": "trade_status_sync",
    "notify_id": "2026112100222100005",
    "app_id": APP_ID,
    "auth_app_id": APP_ID,
    "charset": "utf-8",
    "version": "1.0",
    "sign_type": "RSA2",
    "trade_no": "2026112122001400001",
    "out_trade_no": "DB_1",
    "seller_id": SELLER_ID,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "100.00",
    "receipt_amount": "100.00",
    "subject": "水费 a+b",
    "gmt_create": "2026-11-21 10:00:00",
    "gmt_payment": "2026-11-21 10:00:04",
}


@tagged("post_install", "-at_install")
class TestNotice(BaseCase):
    def setUp(self):
        super().setUp()
        self.keys = Keys.of_keys(
            keyring.get_private_text(keyring.make_key("app")),
            keyring.get_public_text(keyring.make_key("alipay")),
        )

    def _verify(self, pairs):
        return verify_notice(pairs, self.keys, APP_ID, SELLER_ID)

    def _sign(self, owner="alipay", **changes):
        params = {name: value for name, value in (PARAMS | changes).items() if value is not None}
        return keyring.sign_params(params, keyring.make_key(owner))

    def test_a_notice_is_read(self):
        notice = read_notice(self._verify(self._sign().items()))
        self.assertEqual(
            (notice.reference, notice.trade_number, notice.fen), ("DB_1", "2026112122001400001", 10000)
        )
        self.assertEqual((notice.kind, notice.paid_at), ("paid", "2026-11-21T02:00:04+00:00"))

    def test_what_breaks_the_rules_is_refused_in_their_order(self):
        good = self._sign()
        rows = [
            ([], "malformed"),
            ([*good.items(), ("total_amount", "1.00")], "malformed"),
            ([*good.items(), ("total_amount", "100.00")], "malformed"),
            ([(f"n{i}", "") for i in range(200)], "malformed"),
            (self._sign(sign_type="RSA").items(), "sign_type"),
            (self._sign(sign_type=None).items(), "sign_type"),
            (self._sign(sign_type="rsa2").items(), "sign_type"),
            (self._sign(app_id="2021000000000002").items(), "app_id"),
            (self._sign(app_id=None).items(), "app_id"),
            (self._sign(seller_id="2088000000000002").items(), "seller_id"),
            (self._sign(seller_id="").items(), "seller_id"),
        ]
        for pairs, reason in rows:
            with self.subTest(reason=reason), self.assertRaises(NoticeProblem) as caught:
                self._verify(pairs)
            self.assertEqual(caught.exception.reason, reason)

    def test_the_signature_comes_before_whose_it_is(self):
        forged = [
            self._sign(owner="stranger"),
            self._sign(owner="app"),
            self._sign() | {"total_amount": "1.00"},
            self._sign() | {"extra": "1"},
            self._sign() | {"sign": ""},
            self._sign(owner="stranger", app_id="2021000000000002"),
            {name: value for name, value in self._sign().items() if name != "sign"},
            {name: value for name, value in self._sign().items() if name != "subject"},
        ]
        for params in forged:
            with self.assertRaises(SignatureProblem):
                self._verify(params.items())

    def test_parameters_without_a_value_may_be_signed_or_not_and_mean_nothing(self):
        signed = self._sign(refund_fee="", gmt_refund="")
        added = self._sign() | {"refund_fee": "", "gmt_refund": ""}
        for params in (signed, added):
            notice = read_notice(self._verify(params.items()))
            self.assertEqual((notice.kind, notice.refund_total_fen), ("paid", None))

    def test_what_a_notice_says(self):
        refund = {"refund_fee": "30.00", "gmt_refund": "2026-11-21 11:00:00.123", "out_biz_no": "R_DB_1"}
        rows = [
            ({}, "paid"),
            ({"trade_status": "TRADE_FINISHED"}, "paid"),
            ({"trade_status": "TRADE_FINISHED", "refund_fee": "0.00"}, "paid"),
            ({"trade_status": "WAIT_BUYER_PAY", "gmt_payment": None}, "pending"),
            ({"trade_status": "TRADE_CLOSED", "gmt_payment": None}, "closed"),
            ({"trade_status": "TRADE_CLOSED"}, "refund"),  # paid once, so closed by a full refund
            ({"trade_status": "TRADE_CLOSED", **refund}, "refund"),
            (refund, "refund"),
            ({"out_biz_no": "R_DB_1"}, "refund"),
            ({"gmt_refund": "2026-11-21 11:00:00"}, "refund"),
        ]
        for changes, kind in rows:
            with self.subTest(changes=changes):
                self.assertEqual(read_notice(self._verify(self._sign(**changes).items())).kind, kind)

    def test_a_notice_of_ours_that_cannot_be_read_is_refused(self):
        rows = [
            ({"out_trade_no": None}, "out_trade_no"),
            ({"trade_no": ""}, "trade_no"),
            ({"trade_status": "PAID"}, "status"),
            ({"trade_status": None}, "status"),
            *[
                ({"total_amount": text}, "amount")
                for text in (None, "abc", "1e2", "10000", "-1.00", "0x10", "1.001")
                if text != "10000"
            ],
            ({"refund_fee": "x"}, "amount"),
            ({"gmt_payment": "now"}, "amount"),
        ]
        for changes, reason in rows:
            with self.subTest(changes=changes), self.assertRaises(NoticeProblem) as caught:
                read_notice(self._verify(self._sign(**changes).items()))
            self.assertEqual(caught.exception.reason, reason)
