"""The endpoint over real sockets: what is answered, what is counted, and what strangers cost."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import nbhelp as nb
import pytest
from meter_connector.errors import LinkError, OutboxFullError
from meter_connector.nbiot import Push, onenet
from meter_connector.nbiot.endpoint import Endpoint, EndpointLimits, EndpointSettings
from wirehelp import really, until

DIGEST = hashlib.sha256(nb.TOKEN.encode()).hexdigest()
SETTINGS = EndpointSettings(token_sha256=DIGEST, onenet_token=nb.ONENET_TOKEN)


class Stand:
    """An endpoint whose disk is a list."""

    def __init__(self, endpoint: Endpoint, kept: list[Push]) -> None:
        self.endpoint = endpoint
        self.kept = kept
        self.fail: Exception | None = None
        self.delay_s = 0.0

    def url(self, platform: str = "ctwing", token: str = nb.TOKEN) -> str:
        return f"http://127.0.0.1:{self.endpoint.port}/nbiot/{token}/{platform}"

    async def take(self, pushes: list[Push]) -> int:
        if self.fail is not None:
            raise self.fail
        await asyncio.sleep(self.delay_s)
        known = {push.key for push in self.kept}
        new = [push for push in pushes if push.key not in known]
        self.kept += new
        return len(new)

    async def raw(self, *segments: bytes, pause_s: float = 0.0) -> bytes:
        """Everything that is answered until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.endpoint.port)
        try:
            for segment in segments:
                writer.write(segment)
                await writer.drain()
                await asyncio.sleep(pause_s)
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    settings: EndpointSettings = SETTINGS, **limits: Any
) -> AsyncIterator[tuple[Stand, aiohttp.ClientSession]]:
    stand = Stand(None, [])  # type: ignore[arg-type]
    stand.endpoint = Endpoint(settings, lambda pushes: stand.take(pushes), EndpointLimits(**limits))
    await stand.endpoint.open()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        try:
            yield stand, session
        finally:
            await session.close()
            await stand.endpoint.close()
            await asyncio.sleep(0.02)


def test_good_pushes_of_both_platforms_are_kept_and_answered_with_200() -> None:
    async def main() -> None:
        async with listening() as (stand, session):
            for platform, body in (
                ("ctwing", nb.ctwing(nb.water_frame())),
                ("onenet", nb.onenet_old(nb.onenet_item(nb.water_frame()))),
                ("onenet", nb.onenet_new({"imei": nb.WATER_IMEI})),
            ):
                async with session.post(stand.url(platform), data=body) as answer:
                    assert answer.status == 200
            assert [push.platform for push in stand.kept] == ["ctwing", "onenet", "onenet"]
            assert stand.endpoint.counts["ctwing_pushes"] == 1

    really(main)


def test_a_repetition_is_answered_with_200_and_kept_once() -> None:
    async def main() -> None:
        async with listening() as (stand, session):
            for _ in range(3):
                async with session.post(stand.url(), data=nb.ctwing(nb.water_frame())) as answer:
                    assert answer.status == 200
            assert len(stand.kept) == 1
            assert stand.endpoint.counts["repeated"] == 2

    really(main)


def test_onenet_may_test_its_address() -> None:
    async def main() -> None:
        async with listening() as (stand, session):
            query = {
                "msg": "a+b",
                "nonce": "n+n",
                "signature": onenet.signature(nb.ONENET_TOKEN, "n+n", "a+b"),
            }
            async with session.get(stand.url("onenet"), params=query) as answer:
                assert (answer.status, await answer.text()) == (200, "a+b")
            async with session.get(stand.url("onenet"), params={**query, "msg": "c"}) as answer:
                assert answer.status == 401

    really(main)


WRONG: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("POST", "/", b"{}", {}, 404, "path"),
    ("POST", f"/nbiot/{nb.TOKEN}/other", b"{}", {}, 404, "path"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing/more", b"{}", {}, 404, "path"),
    ("POST", "/nbiot/wrong/ctwing", nb.ctwing(), {}, 403, "token"),
    ("POST", "/nbiot//ctwing", nb.ctwing(), {}, 403, "token"),
    ("POST", f"/nbiot/{DIGEST}/ctwing", nb.ctwing(), {}, 403, "token"),
    ("GET", f"/nbiot/{nb.TOKEN}/ctwing", b"", {}, 405, "method"),
    ("PUT", f"/nbiot/{nb.TOKEN}/ctwing", b"{}", {}, 405, "method"),
    ("GET", f"/nbiot/{nb.TOKEN}/onenet", b"", {}, 400, "bad_check"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing", b"no json", {}, 400, "not_json"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing", b"", {}, 411, "no_body"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing", b'{"a":1}', {}, 422, "not_a_report"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing", b"x", {"Content-Encoding": "gzip"}, 415, "encoding"),
    ("POST", f"/nbiot/{nb.TOKEN}/ctwing", b"x" * 300_000, {}, 413, "too_large"),
    ("POST", f"/nbiot/{nb.TOKEN}/onenet", b"{}", {}, 401, "no_signature"),
    ("POST", f"/nbiot/{nb.TOKEN}/onenet", nb.onenet_new({}, token="other"), {}, 401, "bad_signature"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "reason"), WRONG)
def test_wrong_requests_are_refused_clearly_and_counted(
    method: str, path: str, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    async def main() -> None:
        async with listening() as (stand, _):
            head = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in headers.items())]
            if body:
                head.append(f"Content-Length: {len(body)}")
            answer = await stand.raw("\r\n".join([*head, "", ""]).encode() + body)
            assert int(answer.split()[1]) == status, answer
            assert stand.endpoint.counts[f"refused_{reason}"] == 1
            assert stand.endpoint.counts["refused"] == 1
            assert not stand.kept

    really(main)


def test_a_chunked_body_is_bounded_too() -> None:
    async def main() -> None:
        async with listening(max_body=1000) as (stand, _):
            head = f"POST /nbiot/{nb.TOKEN}/ctwing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
            answer = await stand.raw(head.encode(), *([chunk] * 4))
            assert b" 413 " in answer

    really(main)


def test_strangers_that_speak_no_http_are_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with listening() as (stand, session):
            for noise in (
                b"\x16\x03\x01\x02\x00\r\n\r\n",
                b"HELO there\r\n\r\n",
                b"POST POST / HTTP/1.1\r\n\r\n",
            ):
                assert b" 400 " in await stand.raw(noise)
            assert stand.endpoint.counts["refused_not_http"] == 3
            async with session.post(stand.url(), data=nb.ctwing(nb.water_frame())) as answer:
                assert answer.status == 200

    with caplog.at_level(logging.DEBUG):
        really(main)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_who_sends_slowly_or_nothing_at_all_is_cut_off() -> None:
    async def main() -> None:
        async with listening(header_s=0.2, body_s=0.2) as (stand, _):
            counts = stand.endpoint.counts
            path = f"POST /nbiot/{nb.TOKEN}/ctwing HTTP/1.1\r\nHost: x\r\n"
            assert await stand.raw() == b""
            assert await stand.raw(*[bytes([byte]) for byte in path.encode()], pause_s=0.02) == b""
            assert counts["refused_slow_head"] == 2
            answer = await stand.raw(path.encode() + b"Content-Length: 100\r\n\r\nhalf")
            assert b" 408 " in answer
            assert counts["refused_slow_body"] == 1
            await until(lambda: stand.endpoint.connections == 0, 5)

    really(main)


def test_a_crowd_is_bounded_and_a_good_push_comes_through_afterwards() -> None:
    async def main() -> None:
        async with listening(max_connections=5, header_s=0.5) as (stand, session):
            crowd = [await asyncio.open_connection("127.0.0.1", stand.endpoint.port) for _ in range(30)]
            await until(lambda: stand.endpoint.counts["refused_crowd"] == 25, 5)
            assert stand.endpoint.connections == 5
            await until(lambda: stand.endpoint.connections == 0, 5)
            async with session.post(stand.url(), data=nb.ctwing(nb.water_frame())) as answer:
                assert answer.status == 200
            for _, writer in crowd:
                writer.close()

    really(main)


def test_guessing_the_address_meets_429_while_the_platform_still_comes_through() -> None:
    async def main() -> None:
        async with listening(wrong_a_minute=3) as (stand, session):
            statuses = []
            for number in range(6):
                async with session.post(stand.url(token=f"guess{number}"), data=b"{}") as answer:
                    statuses.append(answer.status)
            assert statuses == [403, 403, 403, 429, 429, 429]
            assert stand.endpoint.counts["refused_token"] == 6
            async with session.post(stand.url(), data=nb.ctwing(nb.water_frame())) as answer:
                assert answer.status == 200

    really(main)


def test_a_full_or_slow_disk_asks_the_platform_to_push_again() -> None:
    async def main() -> None:
        async with listening(store_s=0.1) as (stand, session):
            from pathlib import Path

            stand.fail = OutboxFullError(Path("x"), "full")
            async with session.post(stand.url(), data=nb.ctwing()) as answer:
                assert answer.status == 503
                assert answer.headers["Retry-After"]
            stand.fail, stand.delay_s = None, 1.0
            async with session.post(stand.url(), data=nb.ctwing()) as answer:
                assert answer.status == 503

    really(main)


def test_only_allowed_networks_may_push() -> None:
    async def main() -> None:
        far = EndpointSettings(token_sha256=DIGEST, allowed=(ipaddress.ip_network("192.0.2.0/24"),))
        async with (
            listening(far) as (stand, session),
            session.post(stand.url(), data=nb.ctwing()) as answer,
        ):
            assert answer.status == 403
        near = EndpointSettings(token_sha256=DIGEST, allowed=(ipaddress.ip_network("127.0.0.0/8"),))
        async with (
            listening(near) as (stand, session),
            session.post(stand.url(), data=nb.ctwing()) as answer,
        ):
            assert answer.status == 200

    really(main)


@pytest.mark.parametrize("digest", ["", "x" * 64, "0" * 63, "é" * 64])
def test_without_a_token_set_nobody_may_push(digest: str) -> None:
    async def main() -> None:
        async with listening(EndpointSettings(token_sha256=digest)) as (stand, session):
            for token in ("", nb.TOKEN):
                async with session.post(stand.url(token=token), data=nb.ctwing()) as answer:
                    assert answer.status == 403

    really(main)


def test_a_taken_port_is_an_error_that_names_it() -> None:
    async def main() -> None:
        async with listening() as (stand, _):
            other = Endpoint(EndpointSettings(port=stand.endpoint.port, token_sha256=DIGEST), stand.take)
            with pytest.raises(LinkError, match=str(stand.endpoint.port)):
                await other.open()

    really(main)


def test_kept_connections_serve_many_pushes() -> None:
    async def main() -> None:
        async with listening() as (stand, _), aiohttp.ClientSession() as session:
            for number in range(20):
                body = nb.ctwing(nb.water_frame(), at=nb.NOON + number)
                async with session.post(stand.url(), data=body) as answer:
                    assert answer.status == 200
            assert stand.endpoint.connections == 1
            assert len(stand.kept) == 20

    really(main)


def test_secrets_are_not_shown() -> None:
    assert nb.ONENET_TOKEN not in repr(SETTINGS)
    assert json.loads(nb.onenet_new({}))["msg"]
