"""The client against a server on loopback, without a database. Only what Alipay signed is believed."""

import gzip
import time
from datetime import UTC, date, datetime
from unittest.mock import patch
from urllib.parse import urlsplit

from odoo.addons.payment_alipay.alipay import client as client_module
from odoo.addons.payment_alipay.alipay.client import Client, Config, Keys, split_members
from odoo.addons.payment_alipay.alipay.errors import (
    BillNotReady,
    NotSent,
    OutcomeUnknown,
    Refused,
    SignatureProblem,
)
from odoo.addons.payment_alipay.alipay.signing import get_request_text, verify
from odoo.tests import BaseCase, tagged
from odoo.tests.common import _super_send

from . import keyring
from .standin import Standin, answer, ok, refuse

QUERY = "alipay.trade.query"
BILL = "alipay.data.dataservice.bill.downloadurl.query"
NOW = datetime(2026, 11, 20, 18, 30, 5, tzinfo=UTC)


def make_keys():
    return Keys.of_keys(
        keyring.get_private_text(keyring.make_key("app")), keyring.get_public_text(keyring.make_key("alipay"))
    )


@tagged("post_install", "-at_install")
class TestClient(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.standin = Standin()
        cls.addClassCleanup(cls.standin.close)

    @classmethod
    def _request_handler(cls, session, request, /, **options):
        """Odoo's tests lengthen short time limits; here they are what is tested."""
        assert urlsplit(request.url).hostname == "127.0.0.1"
        return _super_send(session, request, **options)

    def setUp(self):
        super().setUp()
        self.client = Client(Config("2021", make_keys(), self.standin.url, loopback=True), now=lambda: NOW)

    def _call(self):
        return self.client.call(QUERY, {"out_trade_no": "DB_1"})

    def test_a_request_is_signed_as_sent_and_dated_in_beijing(self):
        self.standin.say(ok(QUERY, trade_status="TRADE_SUCCESS"))
        self.assertEqual(self._call()["trade_status"], "TRADE_SUCCESS")
        (params,) = self.standin.requests
        self.assertEqual(params["timestamp"], "2026-11-21 02:30:05")
        self.assertEqual(params["biz_content"], {"out_trade_no": "DB_1"})
        self.assertEqual(
            (params["sign_type"], params["charset"], params["version"]), ("RSA2", "utf-8", "1.0")
        )
        sent = params | {"biz_content": '{"out_trade_no":"DB_1"}'}
        verify(get_request_text(sent), params["sign"], [keyring.make_key("app").public_key()])

    def test_case_45_the_server_s_zone_changes_nothing(self):
        for zone in ("UTC", "America/New_York", "Asia/Shanghai", "Asia/Kolkata"):
            self.addCleanup(time.tzset)
            with patch.dict("os.environ", {"TZ": zone}):
                time.tzset()
                self.standin.say(ok(QUERY))
                self._call()
                self.assertEqual(self.standin.requests[0]["timestamp"], "2026-11-21 02:30:05")

    def test_a_form_is_signed_with_both_addresses(self):
        url, fields = self.client.build_form(
            "alipay.trade.page.pay", {"subject": "水费"}, notify_url="https://a/n", return_url="https://a/r"
        )
        self.assertEqual(url, f"{self.standin.url}?charset=utf-8")
        self.assertEqual((fields["notify_url"], fields["return_url"]), ("https://a/n", "https://a/r"))
        verify(get_request_text(fields), fields["sign"], [keyring.make_key("app").public_key()])

    def test_a_signed_no_is_a_fact(self):
        self.standin.say(refuse(QUERY, "ACQ.TRADE_NOT_EXIST"))
        with self.assertRaises(Refused) as caught:
            self._call()
        self.assertEqual((caught.exception.code, caught.exception.sub_code), ("40004", "ACQ.TRADE_NOT_EXIST"))
        self.assertFalse(caught.exception.is_outcome_unknown)
        for code, sub_code in (("20000", "isp.unknow-error"), ("40004", "ACQ.SYSTEM_ERROR")):
            self.standin.say(refuse(QUERY, sub_code, code))
            with self.assertRaises(Refused) as caught:
                self._call()
            self.assertTrue(caught.exception.is_outcome_unknown)

    def test_the_signature_covers_the_characters_not_their_meaning(self):
        odd = '{ "code" : "10000","url":"https:\\/\\/qr.alipay.com\\/x", "msg":"\\u6210\\u529f \\"} , {", "n": [1, {"a": {}}] }'
        self.standin.say(answer(QUERY, None, node_text=odd))
        self.assertEqual(self._call()["url"], "https://qr.alipay.com/x")

    def test_case_38_what_is_not_signed_by_alipay_is_no_answer(self):
        paid = {"code": "10000", "trade_status": "TRADE_SUCCESS", "total_amount": "100.00"}
        good = answer(QUERY, paid)
        name = b'"alipay_trade_query_response"'
        rows = {
            "unsigned": answer(QUERY, paid, sign=False),
            "empty signature": answer(QUERY, paid, sign=False, extra={"sign": ""}),
            "signature no text": answer(QUERY, paid, sign=False, extra={"sign": 1}),
            "stranger's": answer(QUERY, paid, owner="stranger"),
            "our own": answer(QUERY, paid, owner="app"),
            "one character changed": good.replace(b"100.00", b"900.00"),
            "a space added": good.replace(b'"code":', b'"code": '),
            "another method's": answer("alipay.trade.close", paid),
            "an error, unsigned": b'{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}',
            "an error, signed": answer("error", paid),
            "twice": good[:-1] + b"," + name + b':{"code":"10000"}}',
            "twice inside": answer(QUERY, None, node_text='{"code":"10000","code":"10000"}'),
            "two signatures": good[:-1] + b',"sign":"x"}',
            "no object": answer(QUERY, "10000"),
            "a list": b"[]",
            "a word": b"success",
            "nothing": b"",
            "half": good[:-10],
            "more": good + b"{}",
            "not UTF-8": good.replace(b"10000", b"1000\xff"),
            "deep": b'{"a":' + b"[" * 100_000,
        }
        for title, body in rows.items():
            self.standin.say(body)
            with self.subTest(title), self.assertRaises(SignatureProblem):
                self._call()

    def test_case_38_redirects_compression_and_oversize_are_refused(self):
        good = ok(QUERY, trade_status="TRADE_SUCCESS")
        bomb = gzip.compress(b"0" * 50_000_000)
        rows = {
            "redirect": (302, {"Location": self.standin.url}, b""),
            "redirect with body": (307, {"Location": "http://127.0.0.1:1/"}, good),
            "gzip bomb": (200, {"Content-Encoding": "gzip"}, bomb),
            "gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(good)),
            "oversize": (200, {}, b" " * 300_000),
            "created": (201, {}, good),
            "server error": (500, {}, good),
            "busy": (503, {}, b""),
        }
        for title, reply in rows.items():
            self.standin.say(reply)
            with self.subTest(title), self.assertRaises(OutcomeUnknown):
                self._call()
            self.assertEqual(len(self.standin.requests), 1, "nothing was followed or repeated")

    def test_case_37_after_sending_the_outcome_is_unknown_and_before_nothing_happened(self):
        def drop(handler):
            handler.connection.close()

        def half(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        def hang(handler):
            time.sleep(0.6)

        def drip(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(20):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.05)

        with patch.object(client_module, "SILENCE_S", 0.3), patch.object(client_module, "TOTAL_S", 0.4):
            for fault in (drop, half, hang, drip):
                self.standin.say(fault)
                with self.subTest(fault.__name__), self.assertRaises(OutcomeUnknown):
                    self._call()
        closed = Standin()
        closed.close()
        with self.assertRaises(NotSent):
            Client(Config("2021", make_keys(), closed.url)).call(QUERY, {})

    def test_case_43_the_log_holds_neither_bodies_nor_keys(self):
        self.standin.say(ok(QUERY, buyer_logon_id="yan***@163.com", buyer_user_id="2088123"))
        with self.assertLogs("odoo.addons.payment_alipay", "DEBUG") as logs:
            self._call()
        self.standin.say(b"{}")
        with (
            self.assertLogs("odoo.addons.payment_alipay", "DEBUG") as more,
            self.assertRaises(SignatureProblem),
        ):
            self._call()
        text = "\n".join(logs.output + more.output)
        self.assertIn("DB_1", text)
        for secret in ("163.com", "2088123", "biz_content", "sign", "BEGIN"):
            self.assertNotIn(secret, text.replace("SignatureProblem", ""))

    def test_a_bill_comes_only_from_alipay(self):
        here = self.standin.url.replace("gateway.do", "bill.zip")
        self.standin.say(ok(BILL, bill_download_url=here), b"PK")
        self.assertEqual(self.client.fetch_bill("trade", date(2026, 11, 20)), b"PK")
        self.assertEqual(
            self.standin.requests[0]["biz_content"], {"bill_type": "trade", "bill_date": "2026-11-20"}
        )
        elsewhere = [
            "http://example.com/x",
            "file:///etc/passwd",
            "",
            "http://[",
            "http://127.0.0.1.example.com/",
        ]
        for url in elsewhere:
            self.standin.say(ok(BILL, bill_download_url=url))
            with self.subTest(url=url), self.assertRaises(SignatureProblem):
                self.client.fetch_bill("trade", date(2026, 11, 20))
        production = Client(Config("2021", make_keys()))
        production._check_bill_url("https://dwbillcenter.alipay.com/downloadBillFile.resource?x=1")
        for url in (
            here,
            "http://dwbillcenter.alipay.com/",
            "https://alipay.com.evil.cn/",
            "https://notalipay.com/",
        ):
            with self.subTest(url=url), self.assertRaises(SignatureProblem):
                production._check_bill_url(url)
        for sub_code in ("isp.bill_not_exist", "BILL_NOT_EXIST", "isv.NO_BILL_DATA"):
            self.standin.say(refuse(BILL, sub_code))
            with self.assertRaises(BillNotReady):
                self.client.fetch_bill("trade", date(2026, 11, 20))

    def test_case_42_certificate_mode_names_its_certificates_and_knows_only_ours(self):
        keys = Keys.of_certificates(
            keyring.get_private_text(keyring.make_key("app")),
            keyring.make_certificate("app"),
            keyring.make_certificate("alipay") + keyring.make_certificate("alipay_next"),
            keyring.make_certificate("authority", ca=True),
        )
        client = Client(Config("2021", keys, self.standin.url))
        numbers = dict(zip(("alipay", "alipay_next"), keys.by_number, strict=True))
        for owner, named, fine in [
            ("alipay", "alipay", True),
            ("alipay_next", "alipay_next", True),
            ("alipay", "alipay_next", False),
            ("stranger", "alipay", False),
        ]:
            self.standin.say(
                answer(QUERY, {"code": "10000"}, owner=owner, extra={"alipay_cert_sn": numbers[named]})
            )
            with self.subTest(owner=owner, named=named):
                if fine:
                    client.call(QUERY, {})
                else:
                    with self.assertRaises(SignatureProblem):
                        client.call(QUERY, {})
        self.assertEqual(len(self.standin.requests[0]["app_cert_sn"]), 32)
        self.assertEqual(len(self.standin.requests[0]["alipay_root_cert_sn"]), 32)
        self.standin.say(answer(QUERY, {"code": "10000"}, extra={"alipay_cert_sn": "0" * 32}))
        with self.assertRaises(SignatureProblem):
            client.call(QUERY, {})
        self.assertEqual(len(self.standin.requests), 1, "no certificate was fetched")


@tagged("post_install", "-at_install")
class TestMembers(BaseCase):
    def test_members_keep_their_characters(self):
        members = split_members(' { "a" : { "x" : 1 } ,\n"b":"c" } ')
        self.assertEqual(members["a"], ({"x": 1}, '{ "x" : 1 }'))
        self.assertEqual(members["b"], ("c", '"c"'))

    def test_every_cut_is_refused(self):
        text = '{"a":{"x":"}"},"b":[1,2]}'
        for at in range(len(text)):
            with self.subTest(at=at), self.assertRaises(SignatureProblem):
                split_members(text[:at])
        for wrong in ("{}", "null", '{"a":1,}', '{"a" 1}', "{1:2}", '{"a":1 "b":2}', '{"a":NaN2}'):
            with self.subTest(wrong), self.assertRaises(SignatureProblem):
                split_members(wrong)
