"""The adapter of a site: what it is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from meter_connector.errors import LinkError, MeterRefusedError
from meter_connector.nbiot.downlink import DownlinkSettings, HttpDownlink

FRAME = bytes.fromhex("68AAAAAAAAAAAA681C00B516")


@asynccontextmanager
async def adapter(status: int = 202, text: str = "") -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """(address, what it was asked)"""
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append({**await request.json(), "authorization": request.headers.get("Authorization")})
        return web.Response(status=status, text=text)

    application = web.Application()
    application.router.add_post("/command", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/command", asked
    finally:
        await runner.cleanup()


async def test_a_command_is_one_post_with_token_frame_and_time_to_live() -> None:
    async with adapter() as (url, asked):
        await HttpDownlink(DownlinkSettings(url, "secret")).send("861234567890123", FRAME, 3600)
    assert asked == [
        {
            "imei": "861234567890123",
            "frame": FRAME.hex().upper(),
            "ttl_s": 3600,
            "authorization": "Bearer secret",
        }
    ]


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_ends_the_order_with_its_reason(status: int) -> None:
    async with adapter(status, "no such device\n" + "x" * 5000) as (url, _asked):
        with pytest.raises(MeterRefusedError, match=f"{status} no such device") as caught:
            await HttpDownlink(DownlinkSettings(url, "t")).send("86", FRAME, 1)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("status", [302, 401, 403, 408, 429, 500, 503])
async def test_anything_else_leaves_it_open(status: int) -> None:
    async with adapter(status) as (url, _asked):
        with pytest.raises(LinkError, match=str(status)):
            await HttpDownlink(DownlinkSettings(url, "t")).send("86", FRAME, 1)


async def test_nobody_there_leaves_it_open() -> None:
    async with adapter() as (url, _asked):
        pass
    with pytest.raises(LinkError):
        await HttpDownlink(DownlinkSettings(url, "t"), timeout_s=2).send("86", FRAME, 1)
