"""The health page: true to the facts, in both languages, and safe to look at."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fake_buses import FakeBuses
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from meter_connector import health
from meter_connector.app import App
from meter_connector.config import Settings
from meter_connector.health_page import WORDS, duration, language_of, render, size
from meter_connector.odoo.client import OdooSettings
from meter_connector.outbox.room import Room
from meter_connector.ports import BusStatus
from processes import free_port
from site_documents import document

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

LOOK: dict[str, Any] = {
    "version": "1.0.0",
    "up_s": 3.0,
    "odoo": {"reached": True, "last_contact_s": 1.0, "problem": ""},
    "config": {"version": 4, "code": "HX", "problem": ""},
    "outbox": {"readings": 12, "events": 1, "results": 0, "orders_open": 2, "bytes": 5000},
    "problems": [],
    "stale_buses": [],
    "silent_serials": [],
    "healthy": True,
    "rows": [
        {
            "id": 1, "gateway": "GW1", "number": 1, "link": "tcp h:1", "connected": True, "age_s": 1.0, "queue": 0,
            "reads_ok": 5, "reads_failed": 0, "dropped_bytes": 0,
        }
    ],
}  # fmt: skip


def test_both_languages_have_the_same_words_and_places() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    for key, text in WORDS["en"].items():
        assert text.count("{") == WORDS["zh"][key].count("{"), key


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("zh-CN,zh;q=0.9", "zh"), ("ZH", "zh"), ("en-US,zh;q=0.1", "en"), ("", "en"), ("de", "en")],
)
def test_the_reader_gets_their_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language
    assert f'<html lang="{language}">' in render(LOOK, language)


def test_names_from_outside_cannot_bring_markup() -> None:
    evil = "<script>alert(1)</script>"
    look = copy.deepcopy(LOOK)
    look["rows"][0].update(gateway=evil, link=evil)
    look["config"]["code"] = evil
    look["problems"] = [evil]
    look["silent_serials"] = [evil]
    assert "<script" not in render(look, "en")


def test_what_is_wrong_is_seen() -> None:
    look = copy.deepcopy(LOOK)
    look.update(healthy=False, stale_buses=[1], silent_serials=["S5"])
    look["rows"][0].update(connected=False, age_s=-1.0)
    look["odoo"].update(reached=False, last_contact_s=None)
    look["problems"] = ["certificate refused"]
    page = render(look, "en")
    for text in (
        "needs a look",
        "class=bad",
        "no connection",
        "never reached",
        "certificate refused",
        "S5",
        "–",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (42, "42 s"), (600, "10 min"), (10_000, "3 h"), (400_000, "5 d")]
)
def test_durations_are_for_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_are_for_a_glance() -> None:
    assert (size(5000), size(5_000_000)) == ("5 kB", "4.8 MB")


@pytest.fixture
def odoo() -> Iterator[FakeOdoo]:
    with FakeOdoo(document=document()) as server:
        yield server


async def looked(
    odoo: FakeOdoo,
    folder: Path,
    status: BusStatus,
    change: Callable[[App], None] = lambda _app: None,
    metrics: list[str] | None = None,
) -> Mapping[str, Any]:
    """One look over HTTP at an app whose bus says `status`, after a `change`; `metrics` gets their lines."""
    account = OdooSettings(odoo.url, DATABASE, LOGIN, KEY, timeout_s=5)
    settings = Settings(None, account, folder, 0, "127.0.0.1", 0, "127.0.0.1", free_port(), "info", "json")
    app = App(settings, lambda recorder, _clock, _settings: FakeBuses(recorder))
    task = asyncio.create_task(app.run())
    await app.running.wait()
    await odoo.until(lambda: odoo.count("api_config"))
    app.buses.bus_statuses = lambda: [status]  # type: ignore[method-assign]
    try:
        async with aiohttp.ClientSession() as session:
            look: Mapping[str, Any] = {"rows": []}
            while not look["rows"]:  # until the configuration is in force
                async with session.get(f"http://127.0.0.1:{settings.health_port}/health.json") as answer:
                    look = await answer.json()
            change(app)
            async with session.get(f"http://127.0.0.1:{settings.health_port}/health.json") as answer:
                look = await answer.json()
            async with session.get(f"http://127.0.0.1:{settings.health_port}/metrics") as page:
                (metrics if metrics is not None else []).extend((await page.text()).splitlines())
            assert answer.status == (200 if look["healthy"] else 503)
            return look
    finally:
        app.stop()
        await task


async def test_a_bus_with_fresh_data_is_healthy_and_named(odoo: FakeOdoo, tmp_path: Path) -> None:
    look = await looked(odoo, tmp_path, BusStatus(2, age_s=5.0))
    assert look["healthy"]
    assert (look["rows"][0]["gateway"], look["silent_serials"]) == ("G1", ["S5"])


async def test_a_bus_with_old_data_needs_a_look(odoo: FakeOdoo, tmp_path: Path) -> None:
    look = await looked(odoo, tmp_path, BusStatus(2, age_s=181.0))
    assert (look["healthy"], look["stale_buses"]) == (False, [2])


async def test_a_bus_that_has_not_answered_yet_is_given_its_time(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await looked(odoo, tmp_path, BusStatus(2, age_s=-1.0)))["healthy"]
    monkeypatch.setattr(health, "STALE_S", 0.0)
    assert not (await looked(odoo, tmp_path, BusStatus(2, age_s=-1.0)))["healthy"]


def said(part: str, **found: Any) -> Callable[[App], None]:
    """The buses tell this of a part of theirs."""

    def change(app: App) -> None:
        app.buses.details = lambda: {part: found}  # type: ignore[method-assign]

    return change


def filled(level: int) -> Callable[[App], None]:
    def change(app: App) -> None:
        app.room = Room(60, 100, 10, level)

    return change


def forgotten(app: App) -> None:
    app.clock.guess(1.0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (said("recording", problem="no space left"), "no space left"),
        (said("dial_in", problem="port 9000 is in use"), "port 9000"),
        (said("nbiot", problem="port 9001 is in use"), "port 9001"),
        (filled(1), "60% of the outbox's room is used, 4 days are left"),
        (forgotten, "the time is not known"),
    ],
)
async def test_what_hinders_the_work_needs_a_look(
    odoo: FakeOdoo, tmp_path: Path, change: Callable[[App], None], text: str
) -> None:
    look = await looked(odoo, tmp_path, BusStatus(2, age_s=5.0), change)
    assert not look["healthy"]
    assert text in look["problems"][0]


async def test_lost_events_are_told_and_a_full_look_has_figures_for_all(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    lines: list[str] = []
    look = await looked(
        odoo, tmp_path, BusStatus(2, age_s=5.0), said("recording", events_dropped=7), metrics=lines
    )
    assert look["healthy"]
    assert look["problems"] == ["7 events were lost since the start: the disk did not take them"]
    assert look["outbox"]["events_dropped"] == 7
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(figures["meter_connector_events_dropped_total"]) == 7
    assert float(figures['meter_connector_gateway_online{gateway="1"}']) == 1
    assert float(figures["meter_connector_outbox_share"]) == look["outbox"]["share"]
    assert "meter_connector_outbox_days_left" in figures
