"""Every screen of every role opens, on what the story has left behind."""

from __future__ import annotations

import pytest
import yaml
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from stack.site import SITE_FILE

from .browser import back_office
from .webclient import WebClient
from .world import World

APP = "property_utility.menu_root"
SHOWN_WITHIN_MS = 15_000
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
