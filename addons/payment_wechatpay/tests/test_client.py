import gzip
import hashlib
import json
import re
import time
from datetime import date

from odoo.tests import BaseCase, tagged

from ..wechatpay import errors, keys, signing
from ..wechatpay.client import Client, is_loopback_url
from . import gateway
from .test_bill import FUND_HEADER, FUND_SUMMARY, TRADE_HEADER, TRADE_SUMMARY, make_bill, make_trade_line
from .test_crypto import make_merchant

DAY = date(2026, 11, 20)


class ClientCase(BaseCase):
    """The client against a gateway on loopback that answers as it is told."""

    def setUp(self):
        super().setUp()
        self.gateway = gateway.ScriptedGateway()
        self.addCleanup(self.gateway.close)
        self.client = Client(make_merchant(), self.gateway.url)

    def _script(self, *answer):
        self.gateway.script = lambda *_request: answer

    def _answer(self, data, status=200, **signing_values):
        self._script(*gateway.answer(data, status, **signing_values))


@tagged("post_install", "-at_install")
class TestWire(ClientCase):
    def test_bytes_sent_are_the_bytes_signed(self):
        self._answer({"code_url": "weixin://wxpay/bizpayurl?pr=1"})
        order = {
            "description": "水电费",
            "out_trade_no": "REF1234",
            "amount": {"total": 1, "currency": "CNY"},
        }
        self.assertEqual(self.client.create_order("native", order), "weixin://wxpay/bizpayurl?pr=1")
        method, path, headers, body = self.gateway.requests[0]
        self.assertEqual((method, path), ("POST", "/v3/pay/transactions/native"))
        self.assertEqual(json.loads(body), {"appid": gateway.APPID, "mchid": gateway.MCHID} | order)
        values = dict(re.findall(r'(\w+)="([^"]*)"', headers["Authorization"]))
        message = signing.build_request_message(method, path, values["timestamp"], values["nonce_str"], body)
        self.assertEqual(values["signature"], signing.sign(gateway.make_key("merchant"), message))
        self.assertEqual(values["serial_no"], gateway.make_certificate("merchant")[1])
        self.assertEqual(headers["Wechatpay-Serial"], gateway.PUBLIC_KEY_ID)
        self.assertEqual(headers["Accept-Encoding"], "identity")

    def test_query_signs_the_query_string(self):
        self._answer(gateway.make_payment("REF1234", 8800))
        self.assertEqual(self.client.query_order("REF1234")["fen"], 8800)
        self.assertEqual(
            self.gateway.requests[0][1],
            f"/v3/pay/transactions/out-trade-no/REF1234?mchid={gateway.MCHID}",
        )

    def test_case_38_answers_that_prove_nothing_are_no_answers(self):
        paid = gateway.make_payment("REF1234", 8800)
        raw = json.dumps(paid).encode()
        status, headers, body = gateway.answer(paid)
        redirect = {"Location": self.gateway.url + "/elsewhere"}
        rows = [
            ("unsigned", (200, {}, raw), errors.VerificationError),
            ("another key", gateway.answer(paid, key="stranger"), errors.BadSignature),
            ("unknown serial", gateway.answer(paid, serial="5A5B"), errors.UnknownSerial),
            ("old", gateway.answer(paid, timestamp=time.time() - 301), errors.StaleMessage),
            ("changed", (status, headers, body.replace(b"8800", b"8801")), errors.BadSignature),
            ("redirect", (302, redirect, b""), errors.TransportError),
            ("signed redirect", (307, headers | redirect, body), errors.TransportError),
            ("oversize", (200, headers, b"x" * (2 * 1024 * 1024)), errors.TransportError),
            (
                "gzip bomb",
                (200, headers | {"Content-Encoding": "gzip"}, gzip.compress(b"0" * 10**7)),
                errors.TransportError,
            ),
            ("not JSON", (200, gateway.sign_headers(b"hello"), b"hello"), errors.MessageError),
            (
                "another order",
                gateway.answer(gateway.make_payment("REF9999", 8800)),
                errors.MessageError,
            ),
            (
                "another merchant",
                gateway.answer(gateway.make_payment("REF1234", 8800, mchid="1")),
                errors.MessageError,
            ),
            ("unsigned 204", (204, {}, b""), errors.VerificationError),
        ]
        for name, answer, error in rows:
            self._script(*answer)
            self.gateway.requests.clear()
            with self.subTest(name):
                with self.assertRaises(error):
                    self.client.query_order("REF1234")
                self.assertEqual(len(self.gateway.requests), 1, "nothing else is asked, no redirect followed")

    def test_unsigned_errors_are_no_facts(self):
        for code in ("ORDER_NOT_EXIST", "ORDER_PAID", "ORDER_CLOSED"):
            for answer in (
                (404, {}, json.dumps({"code": code, "message": ""}).encode()),
                gateway.answer({"code": code, "message": ""}, 404, key="stranger"),
            ):
                self._script(*answer)
                with self.subTest(code), self.assertRaises(errors.ApiError):
                    self.client.query_order("REF1234")
                with self.subTest(code), self.assertRaises(errors.ApiError):
                    self.client.close_order("REF1234")

    def test_error_answers_of_any_shape_are_errors(self):
        for body in (b"", b"<html>", b"[]", b'{"code": 5}', b'{"code":"X","message":null}'):
            self._script(502, {}, body)
            with self.subTest(body=body), self.assertRaises(errors.ApiError) as raised:
                self.client.query_order("REF1234")
            self.assertEqual((raised.exception.status, raised.exception.is_verified), (502, False))

    def test_nobody_there(self):
        client = Client(make_merchant(), "http://127.0.0.1:9")
        with self.assertRaises(errors.TransportError):
            client.query_order("REF1234")

    def test_addresses_that_lead_to_this_machine(self):
        rows = [
            ("http://127.0.0.1:8000", True),
            ("https://localhost", True),
            ("http://[::1]:8000/", True),
            ("http://127.0.0.1.example.com", False),
            ("http://127.0.0.1@example.com", False),
            ("http://example.com#127.0.0.1", False),
            ("http://user@127.0.0.1", False),
            ("http://127.0.0.1/path", False),
            ("http://127.0.0.1?x", False),
            ("ftp://127.0.0.1", False),
            ("http://127.0.0.1:port", False),
            ("https://api.mch.weixin.qq.com", False),
            ("http://0.0.0.0", False),
            ("http://[::1", False),
            ("", False),
            (None, False),
        ]
        for url, expected in rows:
            with self.subTest(url=url):
                self.assertEqual(is_loopback_url(url), expected)


@tagged("post_install", "-at_install")
class TestCalls(ClientCase):
    def test_states_of_an_order(self):
        rows = [
            ("SUCCESS", "paid"),
            ("REFUND", "paid"),
            ("NOTPAY", "pending"),
            ("USERPAYING", "pending"),
            ("CLOSED", "closed"),
            ("REVOKED", "closed"),
            ("PAYERROR", "failed"),
        ]
        for trade_state, state in rows:
            self._answer(gateway.make_payment("REF1234", 8800, trade_state=trade_state))
            with self.subTest(trade_state):
                self.assertEqual(self.client.query_order("REF1234")["state"], state)

    def test_signed_errors_are_facts(self):
        self._answer({"code": "ORDER_NOT_EXIST", "message": "订单不存在"}, 404)
        self.assertIsNone(self.client.query_order("REF1234"))
        self._answer({"code": "RESOURCE_NOT_EXISTS", "message": ""}, 404)
        self.assertIsNone(self.client.query_refund("R-REF1234"))
        for code, state in (("ORDER_PAID", "paid"), ("ORDER_CLOSED", "closed")):
            self._answer({"code": code, "message": ""}, 400)
            self.assertEqual(self.client.close_order("REF1234"), state)

    def test_close_answers_with_nothing_but_a_signature(self):
        self._answer(None, 204)
        self.assertEqual(self.client.close_order("REF1234"), "closed")

    def test_refund_object(self):
        refund = gateway.make_refund("REF1234", "R-REF1234", 8800, 100) | {"status": "PROCESSING"}
        del refund["refund_status"], refund["mchid"]
        self._answer(refund)
        request = {"out_trade_no": "REF1234", "out_refund_no": "R-REF1234"}
        facts = self.client.refund(request)
        self.assertEqual((facts["state"], facts["fen"], facts["total_fen"]), ("refunding", 100, 8800))
        with self.assertRaises(errors.MessageError):
            self.client.refund(request | {"out_refund_no": "R-REF1234-1"})

    def test_jsapi_values_are_signed_for_the_app(self):
        values = self.client.get_jsapi_values("wx2016", nonce="N")
        self.assertEqual((values["package"], values["signType"]), ("prepay_id=wx2016", "RSA"))
        message = f"{gateway.APPID}\n{values['timeStamp']}\nN\nprepay_id=wx2016\n".encode()
        self.assertEqual(values["paySign"], signing.sign(gateway.make_key("merchant"), message))


@tagged("post_install", "-at_install")
class TestBillDownload(ClientCase):
    def _serve(self, content, *, url=None, **answer):
        offer = {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "download_url": url or f"{self.gateway.url}/v3/billdownload/file?token=a%2Bb",
        } | answer

        def script(_method, path, _headers, _body):
            return (200, {}, content) if path.startswith("/v3/billdownload") else gateway.answer(offer)

        self.gateway.script = script

    def test_trade_bill(self):
        summary = ["1", "80.00", "0.00", "0.00", "0.52800", "88.00", "0.00"]
        self._serve(make_bill(TRADE_HEADER, [make_trade_line()], TRADE_SUMMARY, summary))
        result = self.client.fetch_trade_bill(DAY)
        self.assertEqual([line["fen"] for line in result["lines"]], [8800])
        self.assertEqual(
            [request[1] for request in self.gateway.requests],
            [
                "/v3/bill/tradebill?bill_date=2026-11-20&bill_type=ALL",
                "/v3/billdownload/file?token=a%2Bb",
            ],
        )

    def test_fund_bill_of_a_quiet_account(self):
        self._serve(make_bill(FUND_HEADER, [], FUND_SUMMARY, ["0", "0", "0.00", "0", "0.00"]))
        self.assertEqual(self.client.fetch_fund_bill(DAY)["lines"], [])

    def test_no_movement_is_no_error(self):
        self._answer({"code": "NO_STATEMENT_EXIST", "message": "账单文件不存在"}, 400)
        self.assertIsNone(self.client.fetch_trade_bill(DAY))

    def test_wrong_checksum_or_foreign_host_is_refused(self):
        for answer in ({"hash_value": "0" * 40}, {"hash_type": "MD5"}, {"hash_value": "ä"}):
            self._serve(b"x", **answer)
            with self.subTest(answer), self.assertRaises(errors.MessageError):
                self.client.fetch_trade_bill(DAY)
        for url in ("http://127.0.0.1:9/v3/billdownload/file", "http://169.254.169.254/latest"):
            self._serve(b"x", url=url)
            with self.subTest(url), self.assertRaises(errors.MessageError):
                self.client.fetch_trade_bill(DAY)


@tagged("post_install", "-at_install")
class TestPlatformCertificates(ClientCase):
    def _serve(self, names, signer, serial):
        entries = [
            {
                "serial_no": gateway.make_certificate(name)[1],
                "encrypt_certificate": gateway.encrypt(
                    gateway.make_certificate(name)[0], associated_data="certificate", is_text=True
                ),
            }
            for name in names
        ]
        self._answer({"data": entries}, key=signer, serial=serial)

    def test_first_certificate_proves_itself(self):
        self.client = Client(make_merchant(key_ring=keys.KeyRing(), public_key_id=""), self.gateway.url)
        self._serve(["platform", "platform2"], "platform", gateway.make_certificate("platform")[1])
        self.assertEqual(len(self.client.fetch_certificates()), 2)
        self.assertNotIn("Wechatpay-Serial", self.gateway.requests[0][2])

    def test_answer_signed_by_somebody_else_is_refused(self):
        self._serve(["platform"], "stranger", gateway.make_certificate("platform")[1])
        with self.assertRaises(errors.BadSignature):
            self.client.fetch_certificates()
        self._serve(["platform"], "stranger", gateway.make_certificate("stranger")[1])
        with self.assertRaises(errors.UnknownSerial):
            self.client.fetch_certificates()
