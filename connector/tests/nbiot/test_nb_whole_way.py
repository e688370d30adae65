"""From a platform's POST to Odoo, through the whole connector: real endpoint, inbox, outbox, client; only Odoo is a fake one over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import nbhelp as nb
import pytest
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from meter_connector.app import App, make_buses
from meter_connector.config import Settings
from meter_connector.nbiot.endpoint import EndpointSettings
from meter_connector.nbiot.service import NbIotBuses
from meter_connector.odoo.client import OdooSettings
from wirehelp import until


@pytest.fixture
def odoo() -> Iterator[FakeOdoo]:
    with FakeOdoo(document=nb.document()) as server:
        yield server


@asynccontextmanager
async def running(odoo: FakeOdoo, folder: Path) -> AsyncIterator[tuple[App, NbIotBuses]]:
    account = OdooSettings(odoo.url, DATABASE, LOGIN, KEY, "xmlrpc", timeout_s=5)
    local = EndpointSettings(onenet_token=nb.ONENET_TOKEN)
    settings = Settings(None, account, folder, 0, "127.0.0.1", 0, "127.0.0.1", 0, "info", "json", nbiot=local)
    app = App(settings, make_buses)
    task = asyncio.create_task(app.run())
    async with asyncio.timeout(10):
        await app.running.wait()
    assert isinstance(app.buses, NbIotBuses)
    try:
        buses = app.buses
        await until(lambda: buses.endpoint is not None and buses.endpoint.is_open, 10)
        yield app, buses
    finally:
        app.stop()
        await task


async def push(buses: NbIotBuses, platform: str, body: bytes) -> int:
    assert buses.endpoint is not None
    url = f"http://127.0.0.1:{buses.endpoint.port}/nbiot/{nb.TOKEN}/{platform}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status


async def test_what_two_platforms_push_is_at_odoo_once_also_over_a_restart(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    at = int(time.time()) - 30.0
    water = nb.ctwing(nb.water_frame("123.45"), at=at)
    power = nb.onenet_old(nb.onenet_item(nb.power_frame("77.01"), nb.POWER_IMEI, at=at))
    async with running(odoo, tmp_path) as (app, buses):
        for _ in range(2):
            assert await push(buses, "ctwing", water) == 200
        assert await push(buses, "onenet", power) == 200
        await odoo.until(lambda: len(odoo.readings) == 2)
        look = await app.page.look()
        assert look["details"]["nbiot"]["requests"]["repeated"] == 1
        assert look["stale_buses"] == []
        assert [row["link"].split(":")[0] for row in look["rows"]] == ["nbiot 127.0.0.1"]
    async with running(odoo, tmp_path) as (_, buses):
        assert await push(buses, "ctwing", water) == 200
        assert await push(buses, "ctwing", nb.ctwing(nb.water_frame("123.46"), at=at + 10)) == 200
        await odoo.until(lambda: len(odoo.readings) == 3)
    assert odoo.duplicates == 0
    assert {key: row["total"] for key, row in odoo.readings.items()} == {
        (11, at): "123.45",
        (21, at): "77.01",
        (11, at + 10): "123.46",
    }


async def test_a_switch_order_without_a_way_to_the_platform_fails_with_its_reason(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path):
        odoo.order(1, "switch_off", meter_id=1, circuit_id=11)
        await odoo.until(lambda: "failed" in odoo.states(1))
    assert any("no way to the platform" in result["detail"] for result in odoo.results)
