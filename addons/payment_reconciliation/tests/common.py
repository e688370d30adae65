"""A gateway of dictionaries for Odoo's provider code 'none': it answers the hooks, all the rest is the real thing."""

import contextlib

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command

CODE = "none"


class Gateway:
    """What the gateway knows: {reference: payment data}, and what it does when it is asked or told to close."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.known = {}
        self.close_answer = "closed"
        self.on_query = lambda transaction: None
        self.on_refund = lambda refund: self.known.get(refund.reference)
        self.on_close = lambda transaction: None
        self.bill = None
        self.asked = []

    def query(self, transaction):
        self.asked.append(transaction.reference)
        self.on_query(transaction)
        return self.known.get(transaction.reference)

    def refund(self, refund):
        self.asked.append(f"refund {refund.reference}")
        return self.on_refund(refund)

    def close(self, transaction):
        self.asked.append("close")
        self.on_close(transaction)
        return self.close_answer


def install_gateway(registry, patch):
    """Guard provider code 'none' by the hooks that provider addons extend. `patch(owner, name, value)`."""
    gateway = Gateway()
    provider_class, transaction_class = registry["payment.provider"], registry["payment.transaction"]
    codes = provider_class._get_guarded_codes
    patch(provider_class, "_get_guarded_codes", lambda self: codes(self) | {CODE})
    patch(provider_class, "_gateway_fetch_bill", lambda self, day: gateway.bill(day))
    patch(transaction_class, "_gateway_query", lambda self: gateway.query(self))
    patch(transaction_class, "_gateway_refund", lambda self: gateway.refund(self))
    patch(transaction_class, "_gateway_close", lambda self: gateway.close(self))
    return gateway


def make_provider(env, name="Gateway", **values):
    env.ref("base.CNY").active = True
    method = env.ref("payment.payment_method_wechat_pay")
    provider = env["payment.provider"].create(
        {
            "name": name,
            "code": CODE,
            "state": "test",
            "support_refund": "partial",
            "payment_method_ids": [Command.set(method.ids)],
        }
        | values
    )
    # Odoo sets this up for installed providers; confirmed payments are booked with it.
    env["account.payment.method.line"].create(
        {
            "name": name,
            "payment_method_id": env.ref("account.account_payment_method_manual_in").id,
            "journal_id": env["account.journal"]
            .search([("type", "=", "bank"), ("company_id", "=", provider.company_id.id)], limit=1)
            .id,
            "payment_provider_id": provider.id,
        }
    )
    provider.invalidate_recordset(["journal_id"])
    return provider


def make_transaction(provider, amount=100.00, **values):
    env = provider.env
    return env["payment.transaction"].create(
        {
            "provider_id": provider.id,
            "payment_method_id": provider.with_context(active_test=False).payment_method_ids[:1].id,
            "amount": amount,
            "currency_id": env.ref("base.CNY").id,
            "partner_id": env.ref("base.partner_admin").id,
            "operation": "online_redirect",
        }
        | values
    )


def send_refund(transaction, amount):
    """A refund, ordered as a person does it and sent as the poller does it; pending when there was no clear answer."""
    refund = transaction._refund(amount)
    assert refund.state == "pending", "nothing is sent before the order is stored"
    with contextlib.suppress(UserError):
        refund._poll_gateway()
    refund._plan_next_poll()
    return refund


def make_data(transaction, **changes):
    """Payment data that says the transaction was paid (or refunded). A change to ... leaves the entry out."""
    is_refund = transaction.operation == "refund"
    data = {
        "reference": transaction.source_transaction_id.reference if is_refund else transaction.reference,
        "provider_id": transaction.provider_id.id,
        "gateway_reference": f"42000{transaction.id:09}",
        "fen": abs(transaction.gateway_fen),
        "currency": "CNY",
        "state": "refunded" if is_refund else "paid",
        "paid_at": fields.Datetime.now().isoformat() + "Z",
    }
    if is_refund:
        data["refund_reference"] = transaction.reference
    return {name: value for name, value in (data | changes).items() if value is not ...}


class GatewayMixin:
    """Test cases with a guarded provider and its gateway."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = install_gateway(cls.registry, cls.classPatch)
        cls.provider = make_provider(cls.env)

    def setUp(self):
        super().setUp()
        self.gateway.reset()

    def _make_transaction(self, amount=100.00, **values):
        return make_transaction(self.provider, amount, **values)

    def _make_refund(self, transaction, amount):
        return transaction._create_child_transaction(amount, is_refund=True)

    def _process(self, transaction, **changes):
        """As a provider's controller does it."""
        return transaction._process(CODE, make_data(transaction, **changes))

    def _pay(self, transaction):
        self._process(transaction)
        self.assertEqual(transaction.state, "done")
        return transaction

    def _get_cases(self, transaction):
        return self.env["payment.gateway.case"].search([("transaction_id", "=", transaction.id)])

    def _get_kinds(self, transaction):
        return self._get_cases(transaction).mapped("kind")
