"""Keys, certificates, signatures, amounts and times, without a database."""

from datetime import UTC, datetime, timedelta, timezone

from odoo.addons.payment_alipay.alipay import certificates, signing, values
from odoo.addons.payment_alipay.alipay.client import Keys
from odoo.addons.payment_alipay.alipay.errors import KeyProblem, SignatureProblem
from odoo.tests import BaseCase, tagged

from . import keyring

#: Numbers of the published test certificates, as python-alipay-sdk 3.4.0 computes them.
APP_NUMBER = "75852781c31e6a29e6551915a592dcb3"
ALIPAY_NUMBER = "abe4af5e686f52544fcd9d5592fce1f3"
ROOT_NUMBER = "6bc29aa3b4d406c43483ffea81e08d22"


@tagged("post_install", "-at_install")
class TestKeys(BaseCase):
    def test_a_private_key_is_read_in_every_way_people_paste_it(self):
        key = keyring.make_key("app")
        for layout in ("PKCS8", "TraditionalOpenSSL"):
            pem = keyring.get_private_text(key, layout=layout)
            bare = keyring.get_private_text(key, layout=layout, pem=False)
            for text in (pem, pem.replace("\n", ""), pem.replace("\n", "\r\n"), bare, f"  {bare}\n"):
                with self.subTest(layout=layout, start=text[:20]):
                    self.assertTrue(signing.is_same_key(signing.load_private_key(text), key))

    def test_what_is_no_private_key_is_refused_with_a_reason(self):
        public = keyring.get_public_text(keyring.make_key("app"), pem=False)
        curve = keyring.get_private_text(keyring.make_curve_key())
        short = keyring.get_private_text(keyring.make_key("short", 1024))
        rows = [
            ("", "not_a_private_key"),
            ("hello", "not_a_private_key"),
            ("????", "not_a_private_key"),
            ("QUJD", "not_a_private_key"),
            (public, "not_a_private_key"),
            ("A" * 30_000, "not_a_private_key"),
            (curve, "not_rsa"),
            (short, "key_length"),
        ]
        for text, reason in rows:
            with self.subTest(text=text[:20]), self.assertRaises(KeyProblem) as caught:
                signing.load_private_key(text)
            self.assertEqual(caught.exception.reason, reason)
            self.assertNotIn(text[:40] or "-", str(caught.exception))

    def test_public_keys_may_be_several_while_one_is_exchanged(self):
        texts = [keyring.get_public_text(keyring.make_key(owner)) for owner in ("alipay", "alipay_next")]
        self.assertEqual(len(signing.load_public_keys("\n".join(texts))), 2)
        self.assertEqual(
            len(signing.load_public_keys(keyring.get_public_text(keyring.make_key("alipay"), pem=False))), 1
        )
        for text in ("", "hello", "QUJD", keyring.get_public_text(keyring.make_key("short", 1024))):
            with self.subTest(text=text[:20]), self.assertRaises(KeyProblem):
                signing.load_public_keys(text)

    def test_a_signature_is_one_key_s_one_text_s(self):
        app, stranger = keyring.make_key("app"), keyring.make_key("stranger")
        signature = signing.sign("a=1&b=支付", app)
        self.assertEqual(signature, keyring.sign("a=1&b=支付", app))
        signing.verify("a=1&b=支付", signature, [stranger.public_key(), app.public_key()])
        flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
        rows = [
            ("a=1&b=支付 ", signature, [app]),
            ("a=1&b=支付", signature, [stranger]),
            ("a=1&b=支付", signature, []),
            ("a=1&b=支付", flipped, [app]),
            ("a=1&b=支付", signature[:-4], [app]),
            ("a=1&b=支付", "", [app]),
            ("a=1&b=支付", "***", [app]),
            ("a=1&b=支付", "签名", [app]),
            ("a=1&b=\ud800", signature, [app]),
        ]
        for text, sign, keys in rows:
            with self.subTest(text=ascii(text), sign=sign[:10]), self.assertRaises(SignatureProblem):
                signing.verify(text, sign, [key.public_key() for key in keys])

    def test_a_request_signs_what_has_a_value_and_a_notice_all_but_two(self):
        params = {"b": "2", "a": "1", "c": "", "sign": "x", "sign_type": "RSA2"}
        self.assertEqual(signing.get_request_text(params), "a=1&b=2&sign_type=RSA2")
        self.assertEqual(signing.get_notice_text(params), "a=1&b=2&c=")
        self.assertEqual(signing.get_notice_text(params, with_empty=False), "a=1&b=2")


@tagged("post_install", "-at_install")
class TestCertificates(BaseCase):
    def _read(self, name):
        return (keyring.VECTORS / name).read_text()

    def test_the_numbers_are_those_of_an_independent_library(self):
        (app,) = certificates.load_leaf_certificates(self._read("app_public_key_cert.crt"))
        (alipay,) = certificates.load_leaf_certificates(self._read("alipay_public_key_cert.crt"))
        self.assertEqual(app.number, APP_NUMBER)
        self.assertEqual(alipay.number, ALIPAY_NUMBER)
        self.assertEqual(certificates.get_root_number(self._read("alipay_root_cert.crt")), ROOT_NUMBER)
        self.assertEqual(alipay.ends_at, datetime(2022, 11, 27, 7, 41, 46, tzinfo=UTC))
        self.assertIn("2088102179417464-2016101300678256", app.subject)

    def test_line_ends_and_surrounding_text_do_not_matter(self):
        text = self._read("alipay_root_cert.crt")
        for other in (text.replace("\n", "\r\n"), "Bag Attributes\n" + text, text.replace("\n\n", "\n")):
            self.assertEqual(certificates.get_root_number(other), ROOT_NUMBER)

    def test_several_roots_are_joined_in_their_order(self):
        one, two = (keyring.make_certificate("authority", ca=True, serial=serial) for serial in (11, 12))
        numbers = [certificates.get_root_number(text) for text in (one, two)]
        self.assertEqual(certificates.get_root_number(one + two), "_".join(numbers))

    def test_what_is_no_certificate_is_refused(self):
        good = keyring.make_certificate("app")
        for text in (
            "",
            "hello",
            good.replace("MII", "AII", 1),
            good[:200],
            good * 30,
            keyring.make_certificate("a", ca=True),
        ):
            with self.subTest(text=text[:30]), self.assertRaises(KeyProblem):
                certificates.load_leaf_certificates(text)
        for text in ("", "hello", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"):
            with self.subTest(text=text[:30]), self.assertRaises(KeyProblem):
                certificates.get_root_number(text)

    def test_a_number_chooses_its_key_and_an_unknown_one_has_none(self):
        old, new = (keyring.make_certificate(owner) for owner in ("alipay", "alipay_next"))
        keys = Keys.of_certificates(
            keyring.get_private_text(keyring.make_key("app")),
            keyring.make_certificate("app"),
            old + new + keyring.make_certificate("authority", ca=True),
            keyring.make_certificate("authority", ca=True),
        )
        (leaf,) = certificates.load_leaf_certificates(new)
        (key,) = keys.get_verifiers(leaf.number)
        self.assertEqual(key.public_numbers(), keyring.make_key("alipay_next").public_key().public_numbers())
        self.assertEqual(keys.get_verifiers("0" * 32), ())
        self.assertEqual(len(keys.get_verifiers(None)), 2)


@tagged("post_install", "-at_install")
class TestValues(BaseCase):
    def test_yuan_are_read_only_as_they_are_written(self):
        rows = {"0.01": 1, "100.00": 10000, "88.8": 8880, "7": 700, "0.00": 0, "100000000.00": 10_000_000_000}
        for text, fen in rows.items():
            self.assertEqual(values.parse_yuan(text), fen)
        wrong = [
            "",
            "1.",
            ".5",
            "01.00",
            "1.001",
            "1,00",
            "+1.00",
            "-1.00",
            " 1.00",
            "1.00\n",
            "1e2",
            "١.٠٠",
            "NaN",
        ]
        for text in [*wrong, "100000000.01", "999999999.99", None, 1.0, 100, True, b"1.00"]:
            with self.subTest(text=text), self.assertRaises(ValueError):
                values.parse_yuan(text)

    def test_fen_are_written_with_two_decimals(self):
        for fen, text in {1: "0.01", 10: "0.10", 1230: "12.30", 10_000_000_000: "100000000.00"}.items():
            self.assertEqual(values.format_yuan(fen), text)
            self.assertEqual(values.parse_yuan(text), fen)
        for fen in (0, -1, 10_000_000_001, 1.0, "1", None):
            with self.subTest(fen=fen), self.assertRaises(ValueError):
                values.format_yuan(fen)

    def test_times_are_beijing_s_from_any_zone(self):
        utc = datetime(2026, 11, 20, 18, 30, 5, tzinfo=UTC)
        for zone in (UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9, minutes=30))):
            self.assertEqual(values.format_beijing(utc.astimezone(zone)), "2026-11-21 02:30:05")
        self.assertEqual(values.parse_beijing("2026-11-21 02:30:05"), utc)
        self.assertEqual(values.parse_beijing("2026-11-21 02:30:05.333"), utc)
        with self.assertRaises(ValueError):
            values.format_beijing(datetime(2026, 11, 20))  # noqa: DTZ001
        with self.assertRaises(ValueError):
            values.parse_beijing("yesterday")
