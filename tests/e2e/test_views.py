"""Every screen of every role opens, on what the story has left behind."""

from __future__ import annotations

import pytest
import yaml
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect
from stack.site import SITE_FILE

from .browser import back_office
from .timeline import wait_for
from .webclient import WebClient
from .world import World

APP = "property_utility.menu_root"
SHOWN_WITHIN_MS = 15_000
ANSWERED_WITHIN_MS = 60_000
WINDOW = "ir.actions.act_window"
# What there is once a screen has its data, or has failed to get it.
SHOWN = ", ".join(
    (
        ".o_view_controller .o_renderer",
        ".o_view_controller .o_form_renderer",
        ".o_view_controller .o_pivot",
        ".o_view_controller .o_graph_renderer",
        ".o_view_nocontent",
        ".o_meter_overview",
        ".o_meter_completeness",
        ".modal-dialog",
    )
)
LOGINS = [user["login"] for user in yaml.safe_load(SITE_FILE.read_text())["users"]]


@pytest.mark.parametrize("login", LOGINS)
def test_whatever_a_menu_offers_may_be_seen(world: World, login: str) -> None:
    client = WebClient(world.site.url, world.site.options.database, login, world.site.password)
    problems, rows = [], 0
    for screen in client.screens(APP):
        if screen.action["type"] == WINDOW:
            try:
                rows += len(client.open(screen.action))
            except AssertionError as error:
                problems.append(f"{screen.menu}: {error}")
    assert not problems, "\n".join(problems)
    assert rows, "no screen with anything on it"


def test_every_screen_opens_in_a_browser(world: World) -> None:
    login = "supervisor"  # who is offered most
    client = WebClient(world.site.url, world.site.options.database, login, world.site.password)
    problems = []
    with back_office(world.site.url, login, world.site.password) as page:
        for screen in client.screens(APP):
            paths = [f"/odoo/action-{screen.action['id']}"]
            if screen.action["type"] == WINDOW and "form" in dict(map(reversed, screen.action["views"])):
                paths += [f"{paths[0]}/{record_id}" for record_id in client.open(screen.action)[:1]]
            for path in paths:
                page.goto(path)
                try:
                    page.wait_for_selector(SHOWN, timeout=SHOWN_WITHIN_MS)
                except PlaywrightTimeoutError:
                    problems.append(f"{screen.menu} {path} shows nothing")
                if page.locator(".o_error_dialog").count():
                    problems.append(
                        f"{screen.menu} {path}: {page.locator('.o_error_dialog').inner_text()[:300]}"
                    )
    assert not problems, "\n".join(problems)


def test_what_a_meter_answers_comes_to_the_page_by_itself(world: World) -> None:
    """Ordered by one click, read on the bus, shown without another one."""
    login = "power"
    client = WebClient(world.site.url, world.site.options.database, login, world.site.password)
    domain = [("model_id.code", "=", "ddsy315"), ("state", "=", "online")]
    (meter,) = wait_for(
        lambda: client.call("meter.meter", "search", domain, limit=1), "a meter online", 120, 1
    )
    with back_office(world.site.url, login, world.site.password) as page:
        page.goto(f"/odoo/action-meter_gateway.meter_meter_action/{meter}")
        page.click(".nav-link[name=orders]")
        page.click("button[name=action_read_items]")
        page.locator(".modal [name=items] input, .modal [name=items] textarea").fill("voltage_a, frequency")
        page.click(".modal button[name=action_read]")
        expect(page.locator(".modal [name=answer]")).to_contain_text("Hz", timeout=ANSWERED_WITHIN_MS)
