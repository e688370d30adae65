from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import new_test_user, tagged

from ..user_agent import choose_kind
from . import gateway
from .common import DESKTOP, IN_WECHAT, PHONE, WechatpayCase

SECRETS = (
    "wechatpay_app_secret",
    "wechatpay_api_v3_key",
    "wechatpay_private_key",
    "wechatpay_certificate",
    "wechatpay_test_url",
    "wechatpay_key_ids",
)


@tagged("post_install", "-at_install")
class TestSettings(WechatpayCase):
    def test_keys_are_checked_when_saved(self):
        stranger = gateway.to_pem(gateway.make_key("stranger"))
        rows = [
            ({"wechatpay_private_key": "hello"}, "not a private key"),
            ({"wechatpay_private_key": stranger}, "does not belong"),
            ({"wechatpay_certificate": stranger}, "not a certificate"),
            ({"wechatpay_api_v3_key": "testMchAPIv3Key0"}, "exactly 32"),
            ({"wechatpay_api_v3_key": "x" * 33}, "exactly 32"),
            ({"wechatpay_mchid": "19 00"}, "digits only"),
            ({"wechatpay_appid": "wx;drop"}, "letters and digits"),
            ({"wechatpay_expiry_minutes": 1}, "minutes"),
            ({"wechatpay_expiry_minutes": 120}, "minutes"),
        ]
        for values, text in rows:
            with (
                self.subTest(values=list(values)),
                self.assertRaisesRegex(ValidationError, text),
                self.env.cr.savepoint(),
            ):
                self.provider.with_context(lang="en_US").write(values)

    def test_a_new_pair_is_saved_together(self):
        self.provider.write(
            {
                "wechatpay_private_key": gateway.to_pem(gateway.make_key("merchant2")),
                "wechatpay_certificate": gateway.make_certificate("merchant2")[0],
            }
        )
        self.assertEqual(self.provider.wechatpay_certificate_serial, gateway.make_certificate("merchant2")[1])
        self.assertTrue(self.provider.wechatpay_certificate_until)

    def test_a_certificate_that_ends_is_told_of_until_it_is_replaced(self):
        self.provider.wechatpay_certificate = gateway.make_certificate("merchant", days=20)[0]
        self.assertTrue(self.provider.wechatpay_is_certificate_ending)
        self.provider._watch_gateway_certificate()
        case = self.env["payment.gateway.case"].search([("provider_id", "=", self.provider.id)])
        self.assertEqual((case.kind, case.state), ("certificate_ends", "open"))
        self.provider.wechatpay_certificate = gateway.make_certificate("merchant")[0]
        self.assertFalse(self.provider.wechatpay_is_certificate_ending)
        self.provider._watch_gateway_certificate()
        self.assertEqual(case.state, "done")

    def test_keys_of_wechat_are_checked_when_saved(self):
        pem = gateway.to_public_pem(gateway.make_key("wechat"))
        rows = [
            {"kind": "public_key", "serial": "PUB_KEY_ID_1", "pem": "hello"},
            {"kind": "public_key", "serial": "PUB_KEY_ID_1", "pem": gateway.make_certificate("platform")[0]},
            {"kind": "public_key", "serial": "5A5B", "pem": pem},
            {"kind": "public_key", "serial": "PUB_KEY_ID_ 1", "pem": pem},
            {"kind": "public_key", "pem": pem},
            {"kind": "platform_certificate", "pem": pem},
        ]
        for values in rows:
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.env["payment.wechatpay.key"].create({"provider_id": self.provider.id} | values)

    def test_certificate_tells_its_serial_and_end(self):
        pem, serial = gateway.make_certificate("platform")
        key = self.env["payment.wechatpay.key"].create(
            {"provider_id": self.provider.id, "kind": "platform_certificate", "pem": pem}
        )
        self.assertEqual(key.serial, serial)
        self.assertTrue(key.valid_until > key.valid_from)

    def test_case_40_test_address_only_in_test_mode_and_only_this_machine(self):
        self.provider.state = "test"
        for url in (
            "https://api.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "file:///etc",
        ):
            with self.subTest(url), self.assertRaises(ValidationError):
                self.provider.wechatpay_test_url = url
        self.provider.wechatpay_test_url = "http://127.0.0.1:8100"
        self.assertEqual(self.provider._get_wechatpay_url(), "http://127.0.0.1:8100")
        with self.assertRaises(ValidationError):
            self.provider.state = "enabled"
        self.provider.write({"state": "enabled", "wechatpay_test_url": False})
        with self.assertRaises(ValidationError):
            self.provider.wechatpay_test_url = "http://127.0.0.1:8100"

    def test_case_40_an_address_slipped_in_beside_the_checks_is_not_used(self):
        self.env.cr.execute(
            "UPDATE payment_provider SET wechatpay_test_url = 'http://127.0.0.1:9' WHERE id = %s",
            [self.provider.id],
        )
        self.env.invalidate_all()
        self.assertEqual(self.provider._get_wechatpay_url(), "https://api.mch.weixin.qq.com")
        self.assertFalse(self.provider._is_wechatpay_simulated())

    def test_case_40_keys_of_a_simulation_never_count_in_production(self):
        self.provider.write({"state": "test", "wechatpay_test_url": "http://127.0.0.1:8100"})
        key = self.env["payment.wechatpay.key"].create(
            {
                "provider_id": self.provider.id,
                "serial": "PUB_KEY_ID_FAKE",
                "pem": gateway.to_public_pem(gateway.make_key("fake")),
            }
        )
        self.assertTrue(key.is_test)
        self.assertEqual(self.provider._get_wechatpay_keys(), key)
        self.provider.write({"state": "enabled", "wechatpay_test_url": False})
        self.assertNotIn(key, self.provider._get_wechatpay_keys())
        transaction = self._make_transaction()
        body = gateway.make_event(gateway.make_payment(transaction.reference, 8800))
        headers = gateway.sign_headers(body, key="fake", serial="PUB_KEY_ID_FAKE")
        with self.assertLogs("odoo.addons.payment_wechatpay.controllers.notify", "WARNING"):
            self.assertEqual(self._post("/payment/wechatpay/notify", body, headers).status_code, 401)
        self.assertNotEqual(transaction.state, "done")

    def test_enabling_needs_a_key_of_wechat(self):
        provider = self._make_provider("No key", state="disabled", wechatpay_key_ids=False)
        with self.assertRaises(ValidationError):
            provider.state = "enabled"

    def test_secrets_are_for_administrators(self):
        user = new_test_user(self.env, "accountant", groups="base.group_user,account.group_account_manager")
        provider = self.provider.with_user(user)
        for name in SECRETS:
            with self.subTest(name):
                self.assertEqual(provider._fields[name].groups, "base.group_system")
                with self.assertRaises(AccessError):
                    provider.read([name])
        with self.assertRaises(AccessError):
            self.env["payment.wechatpay.key"].with_user(user).search([])
        with self.assertRaises(AccessError):
            provider.action_wechatpay_fetch_certificates()

    def test_copied_provider_has_no_secrets(self):
        copy = self.provider.copy()
        for name in SECRETS:
            self.assertFalse(copy[name], name)

    def test_neutralized_database_holds_no_secret(self):
        transaction = self._make_transaction(wechatpay_openid="oUpF8uMuAJO")
        self.env.flush_all()
        queries = list(get_neutralization_queries(["payment_wechatpay"]))
        self.assertTrue(queries)
        for query in queries:
            self.env.cr.execute(query)
        self.env.invalidate_all()
        for name in SECRETS:
            self.assertFalse(self.provider[name], name)
        self.assertEqual(self.provider.state, "disabled")
        self.assertFalse(transaction.wechatpay_openid)

    def test_reset_forgets_everything(self):
        self.provider.action_reset_credentials()
        for name in SECRETS:
            self.assertFalse(self.provider[name], name)


@tagged("post_install", "-at_install")
class TestOffer(WechatpayCase):
    def test_browsers(self):
        rows = [
            (DESKTOP, "native"),
            (PHONE, "h5"),
            (IN_WECHAT, "jsapi"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
                "h5",
            ),
            ("Mozilla/5.0 (Windows NT 10.0) WindowsWechat(0x63090a13) MicroMessenger/7.0.20", "jsapi"),
            ("", "native"),
            (None, "native"),
        ]
        for user_agent, kind in rows:
            with self.subTest(user_agent):
                self.assertEqual(choose_kind(user_agent), kind)

    def test_offered_where_it_can_be_carried_out(self):
        def is_offered(user_agent):
            response = self.url_open(
                "/payment/pay?" + f"amount=5&currency_id={self.currency.id}&partner_id={self.partner.id}"
                f"&access_token={self._make_pay_token(5.0)}",
                headers={"User-Agent": user_agent},
            )
            self.assertEqual(response.status_code, 200)
            return f'data-provider-id="{self.provider.id}"' in response.text

        self.assertEqual([is_offered(agent) for agent in (DESKTOP, PHONE, IN_WECHAT)], [True, False, False])
        self.provider.write({"wechatpay_has_h5": True, "wechatpay_has_jsapi": True})
        self.assertEqual([is_offered(agent) for agent in (DESKTOP, PHONE, IN_WECHAT)], [True, True, False])
        self.provider.wechatpay_app_secret = "0123456789abcdef0123456789abcdef"
        self.assertEqual([is_offered(agent) for agent in (DESKTOP, PHONE, IN_WECHAT)], [True, True, True])

    def _make_pay_token(self, amount):
        from odoo.addons.payment import utils as payment_utils

        return payment_utils.generate_access_token(self.partner.id, amount, self.currency.id, env=self.env)

    def test_only_yuan(self):
        self.assertEqual(self.provider._get_supported_currencies(), self.currency)


@tagged("post_install", "-at_install")
class TestConnection(WechatpayCase):
    def setUp(self):
        super().setUp()
        self.gateway = self._start_gateway()
        self._simulate(self.provider, self.gateway)

    def test_connection_proves_both_sides(self):
        self.gateway.script = lambda *_request: gateway.answer(
            {"code": "ORDER_NOT_EXIST", "message": ""}, 404
        )
        text = self.provider.with_context(lang="en_US")._gateway_test()
        self.assertIn("its signature is valid", text)
        self.assertIn("simulated", text)

    def test_connection_tells_what_is_wrong(self):
        rows = [
            (gateway.answer({"code": "SIGN_ERROR", "message": "签名错误"}, 401), "签名错误"),
            (gateway.answer(gateway.make_payment("X", 1), key="stranger"), "does not prove"),
            ((502, {}, b""), "502"),
        ]
        for answer, text in rows:
            self.gateway.script = lambda *_request, answer=answer: answer
            with self.subTest(text), self.assertRaisesRegex(UserError, text):
                self.provider.with_context(lang="en_US")._gateway_test()
        self.gateway.close()
        with self.assertRaisesRegex(UserError, "cannot be reached"):
            self.provider.with_context(lang="en_US")._gateway_test()

    def test_case_42_platform_certificates_are_fetched_and_rotate(self):
        def offer(names):
            signer = names[-1]
            entries = [
                {
                    "encrypt_certificate": gateway.encrypt(
                        gateway.make_certificate(name)[0], associated_data="certificate", is_text=True
                    )
                }
                for name in names
            ]
            answer = gateway.answer({"data": entries}, key=signer, serial=gateway.make_certificate(signer)[1])
            self.gateway.script = lambda *_request: answer

        self.provider.wechatpay_key_ids.unlink()
        offer(["platform"])
        self.provider.action_wechatpay_fetch_certificates()
        self.assertEqual(
            self.provider.wechatpay_key_ids.mapped("serial"), [gateway.make_certificate("platform")[1]]
        )
        offer(["platform", "platform2"])
        self.env.ref("payment_wechatpay.wechatpay_keys_cron").method_direct_trigger()
        self.assertEqual(
            set(self.provider.wechatpay_key_ids.mapped("serial")),
            {gateway.make_certificate("platform")[1], gateway.make_certificate("platform2")[1]},
        )
