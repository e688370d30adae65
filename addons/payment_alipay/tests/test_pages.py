"""The payer's way: which product for which browser, the forms, the QR page."""

import re
import time
from datetime import timedelta
from html import unescape
from unittest.mock import patch

from odoo import fields
from odoo.addons.payment import utils as payment_utils
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..alipay.signing import get_request_text, verify
from . import keyring
from .common import DESKTOP, PHONE, TRADE, WECHAT, AlipayHttpCase
from .standin import ok

PRECREATE = "alipay.trade.precreate"


@tagged("post_install", "-at_install")
class TestPages(AlipayHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_standin()

    def _get_token(self, *values):
        """Access tokens of the payment page, as the server makes them."""
        return payment_utils.generate_access_token(*values, env=self.env)

    def _pay(self, agent, amount=100.0, **changes):
        """The processing values of a transaction made through Odoo's own payment route."""
        params = {
            "provider_id": self.provider.id,
            "payment_method_id": self.method.id,
            "token_id": None,
            "reference_prefix": "test/pay",
            "amount": amount,
            "currency_id": self.currency.id,
            "partner_id": self.partner.id,
            "flow": "redirect",
            "tokenization_requested": False,
            "landing_route": "/my",
            "access_token": self._get_token(self.partner.id, amount, self.currency.id),
            **changes,
        }
        response = self.url_open(
            "/payment/transaction",
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            headers={"User-Agent": agent},
        )
        self.env.invalidate_all()
        return response.json()

    def _get_transaction(self, values):
        return self.env["payment.transaction"].search([("reference", "=", values["reference"])])

    def _read_form(self, values):
        html = values["redirect_form_html"]
        fields_ = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html))
        action = re.search(r'action="([^"]*)"', html).group(1)
        return unescape(action), {name: unescape(value) for name, value in fields_.items()}

    def test_a_phone_gets_a_signed_form_for_the_phone_page(self):
        values = self._pay(PHONE)["result"]
        action, form = self._read_form(values)
        transaction = self._get_transaction(values)
        self.assertEqual(action, f"{self.standin.url}?charset=utf-8")
        self.assertEqual((form["method"], transaction.alipay_product), ("alipay.trade.wap.pay", "wap"))
        self.assertIn('"product_code":"QUICK_WAP_WAY"', form["biz_content"])
        self.assertIn('"total_amount":"100.00"', form["biz_content"])
        self.assertTrue(form["notify_url"].endswith(f"/payment/alipay/notify/{self.provider.id}"))
        self.assertTrue(form["return_url"].endswith("/payment/alipay/return"))
        verify(get_request_text(form), form["sign"], [keyring.make_key("app").public_key()])
        self.assertEqual(transaction.gateway_fen, 10000)
        self.assertFalse(self.standin.requests, "the browser goes there, not the server")

    def test_a_computer_gets_the_page_or_the_code_as_chosen(self):
        self.provider.alipay_desktop_product = "page"
        _action, form = self._read_form(self._pay(DESKTOP)["result"])
        self.assertEqual(form["method"], "alipay.trade.page.pay")
        self.assertIn('"product_code":"FAST_INSTANT_TRADE_PAY"', form["biz_content"])
        self.provider.alipay_desktop_product = "qr"
        action, form = self._read_form(self._pay(DESKTOP)["result"])
        self.assertRegex(action, r"^/payment/alipay/qr/\d+$")
        self.assertEqual(list(form), ["access_token"])

    def test_the_provider_is_offered_only_where_it_works(self):
        for agent, phone, is_offered in [
            (DESKTOP, True, True),
            (PHONE, True, True),
            (PHONE, False, False),
            (WECHAT, True, False),
        ]:
            self.provider.alipay_on_phone = phone
            token = self._get_token(self.partner.id, 100.0, self.currency.id)
            query = f"amount=100.0&currency_id={self.currency.id}&partner_id={self.partner.id}&access_token={token}"
            page = self.url_open(f"/payment/pay?{query}", headers={"User-Agent": agent}).text
            with self.subTest(agent=agent[-20:], phone=phone):
                self.assertEqual(f'data-provider-id="{self.provider.id}"' in page, is_offered)

    def test_the_code_is_asked_for_once_counts_down_and_notices_the_payment(self):
        values = self._pay(DESKTOP)["result"]
        action, form = self._read_form(values)
        transaction = self._get_transaction(values)
        url = f"{action}?access_token={form['access_token']}"
        self.standin.say(
            ok(PRECREATE, out_trade_no=transaction.reference, qr_code="https://qr.alipay.com/bax0")
        )
        for _ in range(2):
            page = self.url_open(url).text
            self.assertIn("data:image/svg+xml;base64,", page)
        (asked,) = self.standin.requests
        self.assertEqual(asked["biz_content"]["product_code"], "FACE_TO_FACE_PAYMENT")
        self.assertEqual(asked["notify_url"], transaction._alipay_get_notify_url())
        self.assertEqual(len(asked["biz_content"]["time_expire"]), 19)
        state = self._ask(action, form["access_token"])["result"]
        self.assertFalse(state["is_final"])
        self.assertGreater(state["seconds_left"], 800)
        self.assertTaken(self._notify(transaction))
        self.assertTrue(self._ask(action, form["access_token"])["result"]["is_final"])
        response = self.url_open(url, allow_redirects=False)
        self.assertEqual(response.status_code, 303)

    def _ask(self, action, token):
        body = {"jsonrpc": "2.0", "method": "call", "params": {"access_token": token}}
        return self.url_open(f"{action}/status", json=body).json()

    def test_case_32_and_34_a_page_is_only_its_payer_s(self):
        transaction = self._make_transaction(alipay_product="qr")
        other = self._make_transaction(alipay_product="qr")
        good = transaction._alipay_get_access_token()
        for token in ("", "x", other._alipay_get_access_token(), good[:-1]):
            path = f"/payment/alipay/qr/{transaction.id}"
            self.assertEqual(self.url_open(f"{path}?access_token={token}").status_code, 404)
            self.assertIn("error", self._ask(path, token))
        self.assertIn("error", self._ask(f"/payment/alipay/qr/{transaction.id}", {"a": 1}))
        self.assertIn("error", self._ask(f"/payment/alipay/qr/{transaction.id}", None))
        self.assertEqual(self.url_open("/payment/alipay/qr/99999999999?access_token=x").status_code, 404)
        wrong = self._pay(
            DESKTOP, amount=1.0, access_token=self._get_token(self.partner.id, 100.0, self.currency.id)
        )
        self.assertIn("error", wrong)
        for extra in ({"gateway_fen": 1}, {"provider_reference": TRADE}, {"state": "done"}):
            self.assertIn("error", self._pay(DESKTOP, **extra))

    def test_case_37_an_unanswered_order_can_be_asked_for_again_with_the_same_number(self):
        transaction = self._make_transaction(alipay_product="qr")
        url = f"/payment/alipay/qr/{transaction.id}?access_token={transaction._alipay_get_access_token()}"
        self.standin.say((500, {}, b""))
        page = self.url_open(url)
        self.assertEqual(page.status_code, 200)
        self.assertNotIn("data:image/svg+xml;base64,", page.text.split("o_alipay_qr", 1)[1])
        first = self.standin.requests[0]["biz_content"]
        self.standin.say(
            ok(PRECREATE, out_trade_no=transaction.reference, qr_code="https://qr.alipay.com/bax0")
        )
        self.assertIn("data:image/svg+xml;base64,", self.url_open(url).text.split("o_alipay_qr", 1)[1])
        self.assertEqual(self.standin.requests[0]["biz_content"], first)

    def test_case_45_the_time_to_pay_is_beijing_s_whatever_the_server_s_zone(self):
        transaction = self._make_transaction()
        transaction.gateway_expires_at = "2026-11-20 18:30:05"
        self.addCleanup(time.tzset)
        for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
            with patch.dict("os.environ", {"TZ": zone}):
                time.tzset()
                self.assertEqual(transaction._alipay_prepare_order()["time_expire"], "2026-11-21 02:30:05")
        changes = {"gmt_payment": "2026-11-21 00:15:00"}
        self.assertTaken(self._notify(transaction, **changes))
        self.assertEqual(str(transaction.gateway_paid_at), "2026-11-20 16:15:00")

    def test_an_order_in_another_currency_is_not_sent(self):
        self.env.ref("base.EUR").active = True
        transaction = self._make_transaction(currency_id=self.env.ref("base.EUR").id, alipay_product="qr")
        with self.assertRaises(ValidationError):
            transaction._alipay_get_qr_text()

    def test_after_its_time_no_code_is_shown(self):
        transaction = self._make_transaction(alipay_product="qr")
        transaction.gateway_expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.standin.say((500, {}, b""))
        url = f"/payment/alipay/qr/{transaction.id}?access_token={transaction._alipay_get_access_token()}"
        self.assertNotIn("o_alipay_qr_open", self.url_open(url).text)
        self.assertFalse(self.standin.requests)
