"""A provider with keys of its own, transactions, and callbacks that are really signed and sent."""

import json
from contextlib import contextmanager
from unittest.mock import patch

from odoo.fields import Command
from odoo.tests import HttpCase

from ..const import NOTIFY_ROUTE, REFUND_NOTIFY_ROUTE
from ..wechatpay.client import Client
from . import gateway

DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36"
IN_WECHAT = f"{PHONE} MicroMessenger/8.0.49"


class WechatpayCase(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.currency = cls.env.ref("base.CNY")
        cls.currency.active = True
        cls.method = cls.env.ref("payment.payment_method_wechat_pay")
        cls.partner = cls.env["res.partner"].create({"name": "Payer"})
        cls.provider = cls._make_provider("WeChat Pay")

    @classmethod
    def _make_provider(cls, name, state="enabled", **values):
        """A provider of test keys that trusts the key 'wechat'."""
        provider = cls.env["payment.provider"].create(
            {
                "name": name,
                "code": "wechatpay",
                "redirect_form_view_id": cls.env.ref("payment_wechatpay.redirect_form").id,
                "payment_method_ids": [Command.set(cls.method.ids)],
                "available_currency_ids": [Command.set(cls.currency.ids)],
                "wechatpay_mchid": gateway.MCHID,
                "wechatpay_appid": gateway.APPID,
                "wechatpay_api_v3_key": gateway.API_V3_KEY,
                "wechatpay_private_key": gateway.to_pem(gateway.make_key("merchant")),
                "wechatpay_certificate": gateway.make_certificate("merchant")[0],
                "wechatpay_key_ids": [
                    Command.create(
                        {
                            "kind": "public_key",
                            "serial": gateway.PUBLIC_KEY_ID,
                            "pem": gateway.to_public_pem(gateway.make_key("wechat")),
                        }
                    )
                ],
                "is_published": True,
            }
            | values
        )
        provider.state = state
        return provider

    def _make_transaction(self, amount=88.00, provider=None, **values):
        provider = provider or self.provider
        return (
            self.env["payment.transaction"]
            .sudo()
            .create(
                {
                    "provider_id": provider.id,
                    "payment_method_id": self.method.id,
                    "reference": self.env["payment.transaction"]._compute_reference("wechatpay"),
                    "amount": amount,
                    "currency_id": self.currency.id,
                    "partner_id": self.partner.id,
                    "operation": "online_redirect",
                    "wechatpay_kind": "native",
                }
                | values
            )
        )

    def _make_refund(self, transaction, amount):
        return transaction._create_child_transaction(amount, is_refund=True)

    # --- callbacks ------------------------------------------------------------------------------------------------

    def _post(self, route, body, headers, provider=None):
        """The HTTP answer to raw bytes with these headers."""
        provider = provider or self.provider
        self.env.flush_all()
        response = self.url_open(
            f"{route}/{provider.id}",
            data=body,
            headers={"Content-Type": "application/json"} | headers,
            method="POST",
        )
        self.env.invalidate_all()
        return response

    def _notify(self, payment, provider=None, event="TRANSACTION.SUCCESS", headers=None, **encryption):
        """Status of the answer to a payment callback, encrypted and signed as WeChat Pay does."""
        body = gateway.make_event(payment, event, **encryption)
        return self._post(NOTIFY_ROUTE, body, headers or gateway.sign_headers(body), provider).status_code

    def _notify_refund(self, refund, provider=None, event=None):
        event = event or f"REFUND.{refund['refund_status']}"
        body = gateway.make_event(refund, event, associated_data="refund")
        return self._post(REFUND_NOTIFY_ROUTE, body, gateway.sign_headers(body), provider).status_code

    def _pay(self, transaction):
        """A transaction paid by its callback."""
        payment = gateway.make_payment(transaction.reference, transaction.gateway_fen)
        self.assertEqual(self._notify(payment), 200)
        self.assertEqual(transaction.state, "done")
        return payment

    @contextmanager
    def _assert_nothing_changes(self, *transactions):
        """State and references of transactions stay as they are."""
        facts = [(tx.state, tx.provider_reference, tx.amount, tx.gateway_fen) for tx in transactions]
        yield
        self.env.invalidate_all()
        now = [(tx.state, tx.provider_reference, tx.amount, tx.gateway_fen) for tx in transactions]
        self.assertEqual(now, facts)

    @contextmanager
    def _assert_no_outbound_call(self):
        """Counts calls of the client while a callback is handled; patches nothing that a callback passes through."""
        calls = []
        with patch.object(Client, "_send", lambda *args, **kwargs: calls.append(args)):
            yield
        self.assertFalse(calls)

    def _get_cases(self, transaction):
        return self.env["payment.gateway.case"].search([("transaction_id", "=", transaction.id)])

    # --- a gateway that answers as it is told ---------------------------------------------------------------------

    def _start_gateway(self, script=None):
        server = gateway.ScriptedGateway(script)
        self.addCleanup(server.close)
        return server

    def _simulate(self, provider, server):
        """Lets a provider talk to a loopback gateway, which only test mode allows."""
        provider.state = "test"
        provider.wechatpay_test_url = server.url
        provider.wechatpay_key_ids.unlink()
        provider.wechatpay_key_ids = [
            Command.create(
                {
                    "kind": "public_key",
                    "serial": gateway.PUBLIC_KEY_ID,
                    "pem": gateway.to_public_pem(gateway.make_key("wechat")),
                }
            )
        ]


def parse_order(request):
    """Body of a recorded request."""
    return json.loads(request[3])
