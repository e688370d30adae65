"""A tenant with a phone: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}
TIMEOUT_MS = 30_000


@contextmanager
def phone(url: str) -> Iterator[Page]:
    """A fresh Chinese browser of a phone's size."""
    with _browser(url, PHONE) as page:
        yield page


@contextmanager
def desk(url: str) -> Iterator[Page]:
    """A fresh Chinese browser on a desk."""
    with _browser(url, DESK) as page:
        yield page


@contextmanager
def back_office(url: str, login: str, password: str) -> Iterator[Page]:
    """A fresh Chinese browser on a desk, signed in to the backend."""
    with _browser(url, DESK) as page:
        sign_in(page, login, password, lands_at="/odoo")
        yield page


@contextmanager
def _browser(url: str, size: ViewportSize) -> Iterator[Page]:
    """A script error on any page fails the test."""
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            base_url=url, viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            context.close()
            browser.close()
    assert not errors, errors


def sign_in(page: Page, login: str, password: str, lands_at: str = "/my") -> None:
    page.goto("/web/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", password)
    page.click("form.oe_login_form button[type=submit]")
    page.wait_for_url(re.compile(re.escape(lands_at)))


def top_up(page: Page, amount: str) -> None:
    """The three taps with Odoo's demonstration provider: top up, amount, pay. Returns when the page says that it is paid."""
    choose_payment(page, amount, "demo")
    page.locator("#customer_input").first.fill("4111 1111 1111 1111")
    page.click("button[name=o_payment_submit_button]")
    paid(page)


def choose_payment(page: Page, amount: str, provider_code: str) -> None:
    """Top up, amount, how to pay: all but the last tap."""
    page.goto("/my/utility")
    page.click("[data-testid=topup]")
    page.click(f"[data-testid=amount-{amount}]")
    option = page.locator(f"input[name=o_payment_radio][data-provider-code={provider_code}]")
    if not option.is_checked():
        page.click(f"label[for={option.get_attribute('id')}]")


def paid(page: Page) -> None:
    """The page has noticed by itself that the payment is credited."""
    page.wait_for_url(re.compile(r"/topup/done"))
    expect(page.locator("[data-testid=paid]")).to_be_visible()


def picture(page: Page, directory: Path, name: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=directory / f"{name}.png", full_page=True)
