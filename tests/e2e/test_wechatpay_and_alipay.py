"""Both gateways from the payer's browser to the books, against simulated gateways that know nothing of the addons."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from . import browser
from .timeline import wait_for
from .world import World

ACCOUNT = "100010"
AMOUNT, REFUND = "50", 20
BEIJING = ZoneInfo("Asia/Shanghai")
WAITING_PAGE = re.compile(r"/payment/(wechatpay|alipay)/")

pytestmark = pytest.mark.parametrize("code", ["wechatpay", "alipay"])


def topups(world: World) -> int:
    return world.database.value(
        """SELECT count(*) FROM prepaid_entry e JOIN prepaid_wallet w ON w.id = e.wallet_id
             JOIN contract_contract c ON c.id = w.contract_id
            WHERE c.account_number = %s AND e.source LIKE 'payment.transaction,%%' AND e.amount = 50""",
        ACCOUNT,
    )


def newest_transaction(world: World, code: str) -> dict[str, object]:
    rows = world.database.rows(
        """SELECT t.id, t.reference, t.state FROM payment_transaction t JOIN payment_provider p ON p.id = t.provider_id
            WHERE p.code = %s AND t.operation != 'refund' ORDER BY t.id DESC LIMIT 1""",
        code,
    )
    return rows[0]


def wait_at_code(page: Page, world: World, code: str) -> None:
    """Sign in, choose the gateway, and be where the QR code is shown."""
    email = next(row["email"] for row in world.document["tenancies"] if row["account"] == ACCOUNT)
    browser.sign_in(page, email, world.site.password)
    browser.choose_payment(page, AMOUNT, code)
    page.click("button[name=o_payment_submit_button]")
    page.wait_for_url(WAITING_PAGE)


def test_a_code_is_shown_paid_and_noticed(world: World, code: str) -> None:
    before = topups(world)
    with browser.desk(world.site.url) as page:
        wait_at_code(page, world, code)
        with page.expect_popup() as popup:
            page.locator(f"a[href^='{world.site.pay_gateways[code].config['base_url']}']").click()
        payer = popup.value
        payer.get_by_role("button", name="支付").click()
        browser.paid(page)
    assert topups(world) == before + 1
    assert newest_transaction(world, code)["state"] == "done"


def test_a_refund_from_the_backend_arrives_at_the_payer(world: World, code: str) -> None:
    supervisor = world.user("supervisor")
    transaction = newest_transaction(world, code)
    topup = supervisor.call(
        "prepaid.topup", "search_read", [("transaction_id", "=", transaction["id"])], fields=["wallet_id"]
    )[0]
    refund = supervisor.call(
        "prepaid.refund",
        "create",
        {
            "wallet_id": topup["wallet_id"][0],
            "topup_id": topup["id"],
            "method": "original",
            "amount": REFUND,
            "reason": "too much",
        },
    )
    before = world.balance(ACCOUNT)
    with browser.back_office(world.site.url, "supervisor", world.site.password) as page:
        page.goto(f"/odoo/action-prepaid_billing.prepaid_refund_action/{refund}")
        page.click("button[name=action_request]")
        state = "SELECT state FROM prepaid_refund WHERE id = %s"
        wait_for(lambda: world.database.value(state, refund) == "paid", "the refund to be confirmed", 90)
        page.reload()
        expect(page.locator(".o_statusbar_status .o_arrow_button_current")).to_have_attribute(
            "data-value", "paid"
        )
    assert world.balance(ACCOUNT) <= before - REFUND
    asked = world.site.pay_gateways[code].command("order", out_trade_no=transaction["reference"])
    assert str(REFUND * 100) in str(asked)


def test_a_planted_difference_is_shown_by_the_reconciliation(world: World, code: str) -> None:
    gateway = world.site.pay_gateways[code]
    yesterday = datetime.now(BEIJING) - timedelta(days=1)
    with browser.desk(world.site.url) as page:
        wait_at_code(page, world, code)
        reference = newest_transaction(world, code)["reference"]
        gateway.command("pay", out_trade_no=reference, at=yesterday.replace(hour=12).isoformat())
        browser.paid(page)
    gateway.command("bill_edit", date=yesterday.date().isoformat(), op="amount", number=reference, fen=4999)
    provider = world.database.value("SELECT id FROM payment_provider WHERE code = %s", code)
    accountant = world.user("accountant")
    run = accountant.call(
        "payment.reconciliation.run",
        "create",
        {"provider_key": str(provider), "date": yesterday.date().isoformat()},
    )
    action = accountant.call("payment.reconciliation.run", "action_run", [run])
    with browser.back_office(world.site.url, "accountant", world.site.password) as page:
        page.goto(f"/odoo/action-payment_reconciliation.payment_reconciliation_action/{action['res_id']}")
        expect(page.locator(".o_form_view")).to_contain_text("49.99")
        expect(page.locator(".o_form_view")).to_contain_text(str(reference))
    gateway.command("clear_bill_edits")
