from datetime import UTC, datetime

from odoo import Command
from odoo.tests import HttpCase
from odoo.tools import mute_logger

from ..alipay.values import format_beijing
from . import keyring
from .standin import Standin

APP_ID, SELLER_ID = "2021000000000001", "2088000000000001"
TRADE = "2026112122001400001"
CONTROLLER = "odoo.addons.payment_alipay.controllers.main"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148 Safari/604.1"
WECHAT = f"{PHONE} MicroMessenger/8.0.60"


class AlipayHttpCase(HttpCase):
    """A provider in test mode with keys made for the run, and notices really signed and really posted."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.currency = cls.env.ref("base.CNY")
        cls.currency.active = True
        cls.company = cls.env.company
        cls.method = cls.env.ref("payment.payment_method_alipay")
        cls.provider = cls._make_provider()
        cls.method.active = True
        cls.partner = cls.env["res.partner"].create({"name": "Payer"})

    @classmethod
    def _make_provider(cls, **values):
        defaults = {
            "name": "Alipay",
            "code": "alipay",
            "state": "test",
            "is_published": True,
            "company_id": cls.company.id,
            "payment_method_ids": [Command.set(cls.method.ids)],
            "redirect_form_view_id": cls.env.ref("payment_alipay.redirect_form").id,
            "alipay_app_id": APP_ID,
            "alipay_seller_id": SELLER_ID,
            "alipay_private_key": keyring.get_private_text(keyring.make_key("app"), pem=False),
            "alipay_public_key": keyring.get_public_text(keyring.make_key("alipay"), pem=False),
        }
        return cls.env["payment.provider"].create(defaults | values)

    @classmethod
    def _make_transaction(cls, amount=100.0, provider=None, **values):
        defaults = {
            "provider_id": (provider or cls.provider).id,
            "payment_method_id": cls.method.id,
            "operation": "online_redirect",
            "amount": amount,
            "currency_id": cls.currency.id,
            "partner_id": cls.partner.id,
        }
        return cls.env["payment.transaction"].create(defaults | values)

    @classmethod
    def _make_refund(cls, transaction, amount):
        return transaction._create_child_transaction(amount, is_refund=True)

    @classmethod
    def _start_standin(cls):
        """A web server in Alipay's place, and the provider pointed at it."""
        cls.standin = Standin()
        cls.addClassCleanup(cls.standin.close)
        cls.provider.alipay_base_url = cls.standin.url

    def _get_notice(self, transaction, owner="alipay", **changes):
        """Parameters of a signed notice that the transaction was paid; a value of None leaves a parameter out."""
        now = format_beijing(datetime.now(UTC))
        params = {
            "notify_time": now,
            "notify_type": "trade_status_sync",
            "notify_id": "2026112100222100005",
            "app_id": APP_ID,
            "auth_app_id": APP_ID,
            "charset": "utf-8",
            "version": "1.0",
            "sign_type": "RSA2",
            "trade_no": TRADE,
            "out_trade_no": transaction.reference,
            "seller_id": SELLER_ID,
            "buyer_logon_id": "yan***@163.com",
            "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{transaction.amount:.2f}",
            "subject": "水费 & 电费",
            "gmt_create": now,
            "gmt_payment": now,
        }
        params = {name: value for name, value in (params | changes).items() if value is not None}
        return keyring.sign_params(params, keyring.make_key(owner))

    def _post_notice(self, params, provider=None):
        """Status and body of the answer. `params` is a dict, a list of pairs or the body itself."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if not isinstance(params, (str, bytes)):
            params = keyring.encode(params)
        path = f"/payment/alipay/notify/{(provider or self.provider).id}"
        with mute_logger("odoo.http"):
            response = self.url_open(path, data=params, headers=headers, allow_redirects=False, method="POST")
        self.env.invalidate_all()
        return response.status_code, response.text

    def _notify(self, transaction, **changes):
        return self._post_notice(self._get_notice(transaction, **changes))

    def assertTaken(self, answer):
        self.assertEqual(answer, (200, "success"))

    def assertRefused(self, answer, status=None):
        self.assertNotEqual(answer[1].strip(), "success")
        self.assertGreaterEqual(answer[0], 400)
        self.assertLess(answer[0], 500)
        if status:
            self.assertEqual(answer[0], status)

    def assertUntouched(self, transaction, state="draft"):
        self.assertEqual(transaction.state, state)
        self.assertFalse(transaction.is_post_processed)
        if state in ("draft", "pending"):
            self.assertFalse(transaction.provider_reference)

    def assertPaid(self, transaction, trade=TRADE):
        self.assertEqual((transaction.state, transaction.provider_reference), ("done", trade))
