"""Settings: what is checked when saved, who may read it, and where it must not go."""

import re
from pathlib import Path

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import new_test_user, tagged

from .. import const
from ..alipay.client import PRODUCTION_URL, SANDBOX_URL
from . import keyring
from .common import AlipayHttpCase


@tagged("post_install", "-at_install")
class TestSettings(AlipayHttpCase):
    def _assertRefused(self, **values):
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.provider.write(values)

    def _use_certificates(self, **values):
        self.provider.write(
            {
                "alipay_key_mode": "certificate",
                "alipay_app_certificate": keyring.make_certificate("app"),
                "alipay_gateway_certificate": keyring.make_certificate("alipay"),
                "alipay_root_certificate": keyring.make_certificate("authority", ca=True),
                **values,
            }
        )

    def test_keys_are_checked_when_saved(self):
        public = keyring.get_public_text
        rows = [
            {"alipay_private_key": "nonsense"},
            {"alipay_private_key": keyring.get_private_text(keyring.make_key("short", 1024))},
            {"alipay_private_key": keyring.get_private_text(keyring.make_curve_key())},
            {"alipay_private_key": public(keyring.make_key("app"))},
            {"alipay_private_key": False},
            {"alipay_public_key": "nonsense"},
            {"alipay_public_key": public(keyring.make_key("short", 1024))},
            {"alipay_public_key": public(keyring.make_key("app"))},
            {"alipay_public_key": False},
            {"alipay_app_id": "20210000 1"},
            {"alipay_seller_id": "208800000000001"},
            {"alipay_seller_id": False},
            {"alipay_expiry_minutes": 0},
            {"alipay_expiry_minutes": 100_000},
        ]
        for values in rows:
            with self.subTest(values=str(values)[:60]):
                self._assertRefused(**values)

    def test_certificates_are_checked_when_saved(self):
        self._assertRefused(alipay_key_mode="certificate")
        self._use_certificates()
        rows = [
            {"alipay_app_certificate": "nonsense"},
            {"alipay_app_certificate": keyring.make_certificate("stranger")},
            {"alipay_app_certificate": keyring.make_certificate("app", days=-1)},
            {"alipay_gateway_certificate": keyring.make_certificate("app")},
            {"alipay_gateway_certificate": keyring.make_certificate("alipay", days=-1)},
            {"alipay_gateway_certificate": keyring.make_certificate("authority", ca=True)},
            {"alipay_root_certificate": "nonsense"},
            {"alipay_root_certificate": False},
            {"alipay_private_key": keyring.get_private_text(keyring.make_key("stranger"))},
        ]
        for values in rows:
            with self.subTest(values=str(values)[:60]):
                self._assertRefused(**values)

    def test_facts_about_keys_are_shown(self):
        self.assertEqual(self.provider.alipay_key_bits, 2048)
        own = keyring.get_public_text(keyring.make_key("app"), pem=False)
        self.assertEqual(self.provider.alipay_own_public_key, own)
        self.assertFalse(self.provider.alipay_certificate_ends_at)
        self._use_certificates(alipay_app_certificate=keyring.make_certificate("app", days=20))
        self.assertTrue(self.provider.alipay_certificate_ends_soon)
        self.provider._watch_gateway_certificate()
        case = self.env["payment.gateway.case"].search([("provider_id", "=", self.provider.id)])
        self.assertEqual((case.kind, case.state), ("certificate_ends", "open"))
        self._use_certificates()
        self.assertFalse(self.provider.alipay_certificate_ends_soon)
        self.provider._watch_gateway_certificate()
        self.assertEqual(case.state, "done")
        self.assertTrue(self.provider.alipay_certificate_ends_at)

    def test_a_disabled_provider_may_be_filled_in_step_by_step(self):
        self.provider.write({"state": "disabled", "alipay_public_key": False, "alipay_private_key": False})
        self._assertRefused(alipay_private_key="nonsense")
        self._assertRefused(state="test")

    def test_case_40_a_stand_in_is_for_tests_on_this_machine_only(self):
        for url in ("http://127.0.0.1:8088/gateway.do", "https://localhost/x", "http://[::1]:1/"):
            self.provider.alipay_base_url = url
            self.assertEqual(self.provider._alipay_get_gateway(), (url, True))
        self._assertRefused(state="enabled")
        for url in (
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1@example.com/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "//127.0.0.1/",
            "127.0.0.1",
            "http://[",
        ):
            with self.subTest(url=url):
                self._assertRefused(alipay_base_url=url)
        self.provider.alipay_base_url = False
        self.assertEqual(self.provider._alipay_get_gateway(), (SANDBOX_URL, False))
        self.provider.state = "enabled"
        self.assertEqual(self.provider._alipay_get_gateway(), (PRODUCTION_URL, False))
        self._assertRefused(alipay_base_url="http://127.0.0.1:8088/")

    def test_case_40_even_written_past_the_checks_it_is_not_used_while_enabled(self):
        self.provider.state = "enabled"
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE payment_provider SET alipay_base_url = 'http://127.0.0.1:1/' WHERE id = %s",
            [self.provider.id],
        )
        self.env.invalidate_all()
        self.assertEqual(self.provider._alipay_get_gateway(), (PRODUCTION_URL, False))
        self.provider.env.cr.execute(
            "UPDATE payment_provider SET state = 'test', alipay_base_url = 'http://example.com/' WHERE id = %s",
            [self.provider.id],
        )
        self.env.invalidate_all()
        with self.assertRaises(ValidationError):
            self.provider._alipay_get_gateway()

    def test_secrets_are_the_system_group_s_only(self):
        accountant = new_test_user(self.env, "alipay_accountant", groups="account.group_account_manager")
        provider = self.provider.with_user(accountant)
        for name in (*const.SECRET_FIELDS, "alipay_base_url", "alipay_own_public_key"):
            with self.subTest(name), self.assertRaises(AccessError):
                provider.read([name])
        transaction = self._make_transaction()
        with self.assertRaises(AccessError):
            transaction.with_user(accountant).read(["alipay_qr_text"])
        copy = self.provider.copy()
        self.assertFalse(any(copy[name] for name in const.SECRET_FIELDS))

    def test_neutralizing_wipes_every_secret(self):
        self._use_certificates(alipay_base_url="http://127.0.0.1:1/")
        self.env.flush_all()
        self.env.cr.execute((Path(__file__).parents[1] / "data" / "neutralize.sql").read_text())
        self.env.invalidate_all()
        for name in (*const.SECRET_FIELDS, "alipay_app_id", "alipay_seller_id", "alipay_base_url"):
            self.assertFalse(self.provider[name], name)

    def test_references_are_legal_and_no_other_database_s(self):
        make = self.env["payment.transaction"]._compute_reference
        mark = self.env["payment.transaction"]._alipay_get_database_mark()
        seen = set()
        for prefix in (None, "INV/2026/00001", "水费-tx", "a" * 200, "x & y = z", "--"):
            reference = make("alipay", prefix=prefix)
            self.assertRegex(reference, r"\A[0-9A-Za-z_]{1,64}\Z")
            self.assertTrue(reference.startswith(f"{mark}_"))
            seen |= {reference, make("alipay", prefix=prefix)}
        self.assertEqual(len(seen), 12, "each try has a number of its own")
        self.env["ir.config_parameter"].sudo().set_param("database.uuid", "another-database")
        self.assertNotEqual(self.env["payment.transaction"]._alipay_get_database_mark(), mark)
        order = self._make_transaction()
        refunds = [make("alipay", prefix=f"R-{order.reference}") for _ in range(2)]
        self.assertEqual(*refunds)
        self.assertEqual(refunds[0], f"R_{order.reference}")
        self.assertNotEqual(make("alipay", prefix="R-NOBODY"), make("alipay", prefix="R-NOBODY"))
        self.assertRegex(refunds[0], r"\A[0-9A-Za-z_]{1,64}\Z")

    def test_no_text_of_the_addon_names_a_key(self):
        """A key pasted into a file by mistake would be in every copy of the addon."""
        root = Path(__file__).parents[1]
        texts = [
            path.read_text()
            for path in root.rglob("*")
            if path.suffix in (".py", ".xml", ".md", ".crt", ".po")
        ]
        self.assertFalse([text for text in texts if re.search(r"PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}", text)])
