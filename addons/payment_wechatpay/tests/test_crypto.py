import base64
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..wechatpay import aead, errors, keys, notification, signing
from ..wechatpay.client import Merchant
from . import gateway

VECTORS = json.loads((Path(__file__).parent / "vectors" / "official.json").read_text())


def make_merchant(**changes):
    """A merchant that trusts the test key 'wechat'."""
    values = {
        "mchid": gateway.MCHID,
        "appid": gateway.APPID,
        "serial": gateway.make_certificate("merchant")[1],
        "private_key": gateway.make_key("merchant"),
        "api_v3_key": gateway.API_V3_KEY.encode(),
        "key_ring": keys.KeyRing(
            {gateway.PUBLIC_KEY_ID: keys.TrustedKey(gateway.make_key("wechat").public_key())}
        ),
        "public_key_id": gateway.PUBLIC_KEY_ID,
    }
    return Merchant(**values | changes)


class Headers(dict):
    """Mapping with a case-insensitive get, as werkzeug and requests have."""

    def get(self, name, default=None):
        found = [value for key, value in self.items() if key.lower() == name.lower()]
        return found[0] if found else default


@tagged("post_install", "-at_install")
class TestOfficialVectors(BaseCase):
    """Published by WeChat Pay, not made here."""

    def setUp(self):
        super().setUp()
        self.vector = VECTORS["notification"]
        certificate = keys.load_certificate(self.vector["certificate"])
        serial = keys.normalize_serial(keys.get_certificate_serial(certificate))
        self.ring = keys.KeyRing({serial: keys.TrustedKey.from_certificate(certificate)})
        self.now = int(self.vector["headers"]["Wechatpay-Timestamp"])
        self.body = self.vector["body"].encode()

    def test_signature_of_a_notification_verifies(self):
        self.assertEqual(len(self.vector["body"]), 560)
        signing.verify(self.ring, Headers(self.vector["headers"]), self.body, now=self.now)

    def test_one_changed_bit_of_a_notification_is_refused(self):
        for position in range(0, len(self.body), 37):
            body = bytearray(self.body)
            body[position] ^= 1
            with self.subTest(position=position), self.assertRaises(errors.BadSignature):
                signing.verify(self.ring, Headers(self.vector["headers"]), bytes(body), now=self.now)

    def test_resource_of_a_notification_decrypts(self):
        resource = json.loads(self.body)["resource"]
        plain = aead.decrypt_resource(self.vector["api_v3_key"].encode(), resource)
        self.assertEqual(plain.decode(), self.vector["plain"])

    def test_aes_gcm_vector_decrypts(self):
        vector = VECTORS["aes_gcm"]
        plain = aead.decrypt(
            vector["key"].encode(), vector["nonce"], vector["associated_data"], vector["ciphertext"]
        )
        self.assertEqual(plain.decode(), vector["plain"])

    def test_keys_of_the_vectors_are_too_short_for_a_merchant(self):
        for key in (self.vector["api_v3_key"], VECTORS["aes_gcm"]["key"]):
            with self.assertRaises(errors.KeyMaterialError) as raised:
                keys.check_api_v3_key(key)
            self.assertEqual(raised.exception.reason, "api_v3_key_length")


@tagged("post_install", "-at_install")
class TestSigning(BaseCase):
    def test_authorization_signs_what_is_sent(self):
        header = signing.build_authorization(
            gateway.make_key("merchant"), "190", "5A", "post", "/v3/x?a=1", b'{"a":1}', timestamp=7, nonce="N"
        )
        scheme, _blank, rest = header.partition(" ")
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        self.assertEqual(scheme, "WECHATPAY2-SHA256-RSA2048")
        self.assertEqual(
            {name: values[name] for name in ("mchid", "nonce_str", "timestamp", "serial_no")},
            {"mchid": "190", "nonce_str": "N", "timestamp": "7", "serial_no": "5A"},
        )
        message = signing.build_request_message("post", "/v3/x?a=1", 7, "N", b'{"a":1}')
        self.assertEqual(message, b'POST\n/v3/x?a=1\n7\nN\n{"a":1}\n')
        self.assertEqual(values["signature"], signing.sign(gateway.make_key("merchant"), message))

    def test_pay_sign_leaves_out_the_sign_type(self):
        key = gateway.make_key("merchant")
        value = signing.build_pay_sign(key, "wx1", "7", "N", "prepay_id=p")
        self.assertEqual(value, signing.sign(key, b"wx1\n7\nN\nprepay_id=p\n"))

    def test_messages_outside_the_window_are_refused(self):
        ring = make_merchant().key_ring
        rows = [
            (-299, True),
            (299, True),
            (-300, False),
            (300, False),
            (-301, False),
            (301, False),
            (-86400, False),
        ]
        for offset, accepted in rows:
            headers = Headers(gateway.sign_headers(b"x", timestamp=1000000 + offset))
            with self.subTest(offset=offset):
                if accepted:
                    signing.verify(ring, headers, b"x", now=1000000)
                else:
                    with self.assertRaises(errors.StaleMessage):
                        signing.verify(ring, headers, b"x", now=1000000)

    def test_broken_headers_are_refused_not_crashed_upon(self):
        ring = make_merchant().key_ring
        good = gateway.sign_headers(b"x")
        rows = [
            {"Wechatpay-Timestamp": ""},
            {"Wechatpay-Timestamp": "soon"},
            {"Wechatpay-Timestamp": "９９"},
            {"Wechatpay-Timestamp": "1e9"},
            {"Wechatpay-Nonce": ""},
            {"Wechatpay-Nonce": "x" * 1000},
            {"Wechatpay-Signature": ""},
            {"Wechatpay-Signature": "%%%"},
            {"Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + good["Wechatpay-Signature"]},
            {"Wechatpay-Signature": base64.b64encode(b"short").decode()},
            {"Wechatpay-Signature": "A" * 100000},
            {"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"},
            {"Wechatpay-Serial": ""},
            {"Wechatpay-Serial": "not hex"},
            {"Wechatpay-Serial": "F" * 100000},
            {"Wechatpay-Serial": "PUB_KEY_ID_"},
            {"Wechatpay-Serial": "PUB_KEY_ID_../../etc"},
            {"Wechatpay-Serial": "pub_key_id_0119000001092026112100000000000001"},
            {"Wechatpay-Serial": "٣"},
            {"Wechatpay-Serial": "0"},
        ]
        for row in rows:
            with self.subTest(row=str(row)[:60]), self.assertRaises(errors.VerificationError):
                signing.verify(ring, Headers(good | row), b"x", now=time.time())


@tagged("post_install", "-at_install")
class TestKeys(BaseCase):
    def test_reasons_why_keys_are_refused(self):
        short = gateway.rsa.generate_private_key(public_exponent=65537, key_size=1024)
        rows = [
            (keys.load_private_key, "", "not_a_private_key"),
            (keys.load_private_key, "hello", "not_a_private_key"),
            (keys.load_private_key, gateway.to_public_pem(gateway.make_key("wechat")), "not_a_private_key"),
            (keys.load_private_key, gateway.to_pem(short), "key_too_short"),
            (keys.load_certificate, gateway.to_pem(gateway.make_key("merchant")), "not_a_certificate"),
            (keys.load_public_key, gateway.make_certificate("merchant")[0], "not_a_public_key"),
            (keys.load_public_key, gateway.to_public_pem(short), "key_too_short"),
            (keys.check_api_v3_key, "x" * 31, "api_v3_key_length"),
            (keys.check_api_v3_key, "x" * 33, "api_v3_key_length"),
            (keys.check_api_v3_key, "钥" * 32, "api_v3_key_length"),
            (keys.check_api_v3_key, None, "api_v3_key_length"),
        ]
        for load, text, reason in rows:
            with self.subTest(load=load.__name__, reason=reason):
                with self.assertRaises(errors.KeyMaterialError) as raised:
                    load(text)
                self.assertEqual(raised.exception.reason, reason)

    def test_pair_must_match(self):
        certificate = keys.load_certificate(gateway.make_certificate("merchant")[0])
        keys.check_pair(gateway.make_key("merchant"), certificate)
        with self.assertRaises(errors.KeyMaterialError):
            keys.check_pair(gateway.make_key("stranger"), certificate)

    def test_serials_have_one_spelling(self):
        self.assertEqual(keys.normalize_serial("0a1B"), "A1B")
        self.assertEqual(keys.normalize_serial(gateway.PUBLIC_KEY_ID), gateway.PUBLIC_KEY_ID)

    def test_ring_holds_both_kinds_and_knows_their_validity(self):
        certificate = keys.load_certificate(gateway.make_certificate("platform")[0])
        ring = keys.KeyRing(
            {
                gateway.PUBLIC_KEY_ID: keys.TrustedKey(gateway.make_key("wechat").public_key()),
                keys.normalize_serial(
                    keys.get_certificate_serial(certificate)
                ): keys.TrustedKey.from_certificate(certificate),
            }
        )
        serial = gateway.make_certificate("platform")[1]
        for spelling in (serial, serial.lower(), f"00{serial}"):
            self.assertTrue(ring.get(spelling))
        self.assertTrue(ring.get(gateway.PUBLIC_KEY_ID, datetime.now(UTC) + timedelta(days=9999)))
        with self.assertRaises(errors.UnknownSerial):
            ring.get(serial, datetime.now(UTC) + timedelta(days=9999))

    def test_no_secret_in_what_is_printed(self):
        self.assertEqual(repr(make_merchant()), f"Merchant('{gateway.MCHID}')")


@tagged("post_install", "-at_install")
class TestNotification(BaseCase):
    def _open(self, body, opener=notification.open_payment, **signing_values):
        headers = Headers(gateway.sign_headers(body, **signing_values))
        return opener(make_merchant(), headers, body, now=time.time())

    def test_payment_becomes_plain_facts(self):
        payment = gateway.make_payment("REF1234", 8800)
        facts = self._open(gateway.make_event(payment))
        self.assertEqual(
            facts,
            {
                "reference": "REF1234",
                "gateway_reference": payment["transaction_id"],
                "fen": 8800,
                "currency": "CNY",
                "state": "paid",
                "paid_at": "2026-11-21T02:00:00Z",
                "detail": "SUCCESS",
            },
        )

    def test_coupons_do_not_change_the_amount(self):
        amount = {"total": 8800, "payer_total": 8000, "currency": "CNY", "payer_currency": "CNY"}
        facts = self._open(gateway.make_event(gateway.make_payment("REF1234", 1, amount=amount)))
        self.assertEqual(facts["fen"], 8800)

    def test_resource_must_be_readable_and_of_the_agreed_kind(self):
        payment = gateway.make_payment("REF1234", 8800)
        rows = [
            {"key": "x" * 32},
            {"associated_data": "a", "changes": {"associated_data": "b"}},
            {"changes": {"algorithm": "AEAD_SM4_GCM"}},
            {"changes": {"ciphertext": "AAAA"}},
            {"changes": {"ciphertext": 5}},
            {"changes": {"nonce": ""}},
            {"changes": {"nonce": None}},
            {"changes": {"associated_data": 5}},
        ]
        for row in rows:
            with self.subTest(row=row), self.assertRaises(errors.MessageError):
                self._open(gateway.make_event(payment, **row))

    def test_null_associated_data_means_empty(self):
        body = gateway.make_event(gateway.make_payment("REF1234", 8800), associated_data=None)
        self.assertEqual(self._open(body)["fen"], 8800)

    def test_payloads_that_are_not_what_they_claim(self):
        rows = [
            {"mchid": "1900000110"},
            {"appid": "wxother"},
            {"trade_state": "NOTPAY"},
            {"trade_state": "CLOSED"},
            {"trade_state": "REFUND"},
            {"trade_state": "DONE"},
            {"transaction_id": ""},
            {"out_trade_no": 5},
            {"out_trade_no": "x" * 33},
            {"success_time": "yesterday"},
            {"amount": None},
            *(
                {"amount": {"total": total, "currency": "CNY"}}
                for total in (0, -1, "8800", 8800.0, True, None, 10**15)
            ),
            {"amount": {"total": 8800}},
            {"amount": {"total": 8800, "currency": None}},
        ]
        for row in rows:
            with self.subTest(row=row), self.assertRaises(errors.MessageError):
                self._open(gateway.make_event(gateway.make_payment("REF1234", 8800, **row)))

    def test_kinds_are_not_mixed_up(self):
        payment = gateway.make_payment("REF1234", 8800)
        refund = gateway.make_refund("REF1234", "R-REF1234", 8800, 100)
        rows = [
            (notification.open_payment, refund, "REFUND.SUCCESS"),
            (notification.open_payment, refund, "TRANSACTION.SUCCESS"),
            (notification.open_refund, payment, "TRANSACTION.SUCCESS"),
            (notification.open_refund, payment, "REFUND.SUCCESS"),
            (notification.open_refund, refund, "REFUND.CLOSED"),
            (notification.open_payment, payment, "PAYSCORE.USER_OPEN_SERVICE"),
        ]
        for opener, plain, event in rows:
            with (
                self.subTest(opener=opener.__name__, event=event),
                self.assertRaises(errors.MessageError),
            ):
                self._open(gateway.make_event(plain, event), opener)

    def test_refund_becomes_plain_facts(self):
        refund = gateway.make_refund("REF1234", "R-REF1234", 8800, 100, "ABNORMAL")
        facts = self._open(gateway.make_event(refund, "REFUND.ABNORMAL"), notification.open_refund)
        self.assertEqual(
            {name: facts[name] for name in ("refund_reference", "fen", "total_fen", "state", "detail")},
            {
                "refund_reference": "R-REF1234",
                "fen": 100,
                "total_fen": 8800,
                "state": "refunding",
                "detail": "ABNORMAL",
            },
        )

    def test_bodies_that_are_no_callback(self):
        rows = [
            b"",
            b"[]",
            b"null",
            b"{",
            b"\xff",
            b"{}",
            b'{"event_type":"TRANSACTION.SUCCESS","event_type":"X"}',
            b'{"event_type":"TRANSACTION.SUCCESS","resource":{}}',
            b'{"event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":[]}',
            b"[" * 60000,
            b" " * (notification.LARGEST_BODY + 1),
        ]
        for body in rows:
            with self.subTest(body=body[:40]), self.assertRaises(errors.MessageError):
                self._open(body)


@tagged("post_install", "-at_install")
class TestPackage(BaseCase):
    def test_package_knows_nothing_of_odoo(self):
        files = sorted((Path(__file__).parents[1] / "wechatpay").glob("*.py"))
        self.assertGreater(len(files), 6)
        for path in files:
            self.assertFalse(
                re.search(r"^\s*(from|import) odoo\b", path.read_text(), re.MULTILINE), path.name
            )
