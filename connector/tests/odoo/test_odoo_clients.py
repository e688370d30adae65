"""Both clients against a server that speaks real HTTP and misbehaves in every way a network and a proxy can."""

from __future__ import annotations

import asyncio
import http.client
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo, Mood
from meter_connector.errors import (
    OdooAnswerError,
    OdooAuthError,
    OdooBusyError,
    OdooError,
    OdooFaultError,
    OdooForbiddenError,
    OdooUnreachableError,
    Retry,
)
from meter_connector.odoo import http as odoo_http
from meter_connector.odoo.client import OdooClient, OdooSettings, make_client

pytestmark = pytest.mark.usefixtures("nothing_left_behind")
HELLO = {"protocol": 1}


@pytest.fixture
def odoo() -> Iterator[FakeOdoo]:
    with FakeOdoo() as server:
        yield server


@pytest.fixture(params=["xmlrpc", "json2"])
def settings(request: pytest.FixtureRequest, odoo: FakeOdoo) -> OdooSettings:
    return OdooSettings(odoo.url, DATABASE, LOGIN, KEY, request.param, timeout_s=5)


@asynccontextmanager
async def opened(settings: OdooSettings) -> AsyncIterator[OdooClient]:
    client = make_client(settings)
    try:
        yield client
    finally:
        await client.close()


async def test_a_call_brings_its_dict_there_and_the_answer_back(
    settings: OdooSettings, odoo: FakeOdoo
) -> None:
    async with opened(settings) as client:
        answer = await client.call(
            "api_hello", {"status": {"name": "海星 <&> \"'", "n": 3, "x": 1.5, "l": [True, []]}}
        )
    assert answer["connector"]["code"] == "c1"
    assert odoo.calls == [
        ("api_hello", {"status": {"name": "海星 <&> \"'", "n": 3, "x": 1.5, "l": [True, []]}})
    ]


async def test_one_connection_serves_many_calls(settings: OdooSettings, odoo: FakeOdoo) -> None:
    async with opened(settings) as client:
        for _ in range(20):
            await client.call("api_hello", HELLO)
    assert odoo.connections == 1


async def test_a_server_that_closes_after_each_answer_is_no_error(
    settings: OdooSettings, odoo: FakeOdoo
) -> None:
    odoo.is_closing_idle = True  # without announcing it, as prefork workers do
    async with opened(settings) as client:
        for _ in range(5):
            await client.call("api_hello", HELLO)
    assert odoo.count("api_hello") == 5


async def test_what_no_wire_can_carry_does_not_spoil_the_batch(
    settings: OdooSettings, odoo: FakeOdoo
) -> None:
    data = {
        "text": "a\x00b\x1fc\ud800d\ufffe",
        "big": 2**40,
        "nan": float("nan"),
        "none": None,
        5: {"x": None},
        "t": (1, 2),
    }
    async with opened(settings) as client:
        await client.call("api_events", {"batch": "b", "events": [{"key": "k", "data": data}]})
    kept = odoo.events["k"]["data"]
    assert kept["text"] == "abcd"
    assert kept["big"] == 2**40
    assert (kept["nan"], kept["5"], kept["t"]) == ("", {}, [1, 2])
    assert "none" not in kept


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        pytest.param(Mood(cut_after=0), OdooUnreachableError, id="closed without an answer"),
        pytest.param(Mood(cut_after=20), OdooUnreachableError, id="closed within the answer"),
        pytest.param(
            Mood(body=b"<html>Welcome to the proxy</html>"), OdooAnswerError, id="a page instead of an answer"
        ),
        pytest.param(Mood(body=b""), OdooAnswerError, id="nothing"),
        pytest.param(Mood(body=b"\xff\xfe\x00"), OdooAnswerError, id="bytes"),
        pytest.param(Mood(answer=[1, 2]), OdooAnswerError, id="a list"),
        pytest.param(Mood(status=502, body=b"Bad Gateway"), OdooBusyError, id="502"),
        pytest.param(Mood(status=503, body=b""), OdooBusyError, id="503"),
        pytest.param(Mood(status=504, body=b"<html>"), OdooBusyError, id="504"),
        pytest.param(Mood(status=429, body=b"slowly"), OdooBusyError, id="429"),
        pytest.param(Mood(status=413, body=b"too large"), OdooAnswerError, id="413"),
        pytest.param(
            Mood(status=301, body=b"elsewhere"), OdooAnswerError, id="a redirection is not followed"
        ),
        pytest.param(Mood(status=404, body=b"no such page"), OdooAnswerError, id="404"),
        pytest.param(Mood(fault=(1, "Traceback:\nValueError: oops")), OdooFaultError, id="Odoo raised"),
        pytest.param(Mood(fault=(3, "Access Denied")), OdooAuthError, id="user refused"),
        pytest.param(Mood(fault=(4, "You are not allowed")), OdooForbiddenError, id="rights refused"),
        pytest.param(
            Mood(fault=(1, "psycopg2: could not serialize access due to concurrent update")),
            OdooBusyError,
            id="lost the race",
        ),
    ],
)
async def test_each_trouble_has_its_error_and_the_next_call_works(
    settings: OdooSettings, odoo: FakeOdoo, mood: Mood, expected: type[OdooError]
) -> None:
    async with opened(settings) as client:
        await client.call("api_hello", HELLO)  # a live connection, so that its loss is really tried again
        if mood.cut_after == 0:
            odoo.mood("api_hello", mood)  # the silent second try on a fresh connection meets it too
        odoo.mood("api_hello", mood)
        with pytest.raises(OdooError) as caught:
            await client.call("api_hello", HELLO)
        assert type(caught.value) is expected, caught.value
        assert caught.value.retry is Retry.LATER
        assert KEY not in str(caught.value)
        assert (await client.call("api_hello", HELLO))["config_version"] == 1


async def test_a_server_that_does_not_answer_is_given_up_in_time(
    settings: OdooSettings, odoo: FakeOdoo
) -> None:
    odoo.mood("api_hello", Mood(delay_s=3))
    async with opened(settings) as client:
        started = time.monotonic()
        with pytest.raises(OdooUnreachableError):
            await client.call("api_hello", HELLO, timeout_s=0.3)
        assert time.monotonic() - started < 2


async def test_a_server_that_drips_is_given_up_in_time(settings: OdooSettings, odoo: FakeOdoo) -> None:
    odoo.mood("api_hello", Mood(drip_s=0.05))
    async with opened(settings) as client:
        started = time.monotonic()
        with pytest.raises(OdooUnreachableError):
            await client.call("api_hello", HELLO, timeout_s=0.5)
        assert time.monotonic() - started < 2.5


async def test_an_answer_without_end_is_refused(
    settings: OdooSettings, odoo: FakeOdoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odoo_http, "MAX_ANSWER_BYTES", 100_000)
    odoo.mood("api_hello", Mood(body=b"x" * 2_000_000))
    async with opened(settings) as client:
        with pytest.raises(OdooAnswerError, match="more than 100000 bytes"):
            await client.call("api_hello", HELLO)


async def test_nobody_listening_is_an_outage_and_over_when_somebody_does(
    settings: OdooSettings, odoo: FakeOdoo
) -> None:
    async with opened(settings) as client:
        await client.call("api_hello", HELLO)
        odoo.stop()
        for _ in range(3):
            with pytest.raises(OdooUnreachableError, match="127.0.0.1"):
                await client.call("api_hello", HELLO)
        odoo.start()
        await client.call("api_hello", HELLO)


async def test_a_wrong_key_is_refused_and_not_shown(
    settings: OdooSettings, odoo: FakeOdoo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(replace(settings, key="wrong-key-0000000000")) as client:
        with pytest.raises(OdooAuthError) as caught:
            await client.call("api_hello", HELLO)
    assert "wrong-key" not in str(caught.value)
    assert "wrong-key" not in caplog.text
    assert "wrong-key" not in repr(client.__dict__)


async def test_a_slow_call_holds_up_no_other(settings: OdooSettings, odoo: FakeOdoo) -> None:
    odoo.mood("api_ingest", Mood(delay_s=1.5, answer={"accepted": 0, "exceptions": []}))
    async with opened(settings) as client:
        slow = asyncio.create_task(client.call("api_ingest", {}))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        for _ in range(10):
            await client.call("api_hello", HELLO)
        assert time.monotonic() - started < 1
        assert not slow.done()
        await slow


async def test_closing_breaks_off_what_hangs(settings: OdooSettings, odoo: FakeOdoo) -> None:
    odoo.mood("api_hello", Mood(delay_s=4))
    client = make_client(settings)
    hanging = asyncio.create_task(client.call("api_hello", HELLO))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await client.close()
    with pytest.raises(OdooUnreachableError):
        await hanging
    assert time.monotonic() - started < 2
    with pytest.raises(OdooUnreachableError, match="closed"):
        await client.call("api_hello", HELLO)


async def test_a_cancelled_call_leaves_no_thread_busy(settings: OdooSettings, odoo: FakeOdoo) -> None:
    async with opened(settings) as client:
        for _ in range(8):  # more than there are threads
            odoo.mood("api_hello", Mood(delay_s=2))
            hanging = asyncio.create_task(client.call("api_hello", HELLO))
            await asyncio.sleep(0.02)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
        started = time.monotonic()
        await asyncio.wait_for(client.call("api_config", {"since": 1}), 2)
        assert time.monotonic() - started < 2


async def test_xmlrpc_signs_in_once(odoo: FakeOdoo) -> None:
    settings = OdooSettings(odoo.url, DATABASE, LOGIN, KEY)
    odoo.mood("authenticate", Mood(), Mood(fault=(1, "only once")))
    async with opened(settings) as client:
        for _ in range(3):
            await client.call("api_hello", HELLO)
    assert len(odoo.moods["authenticate"]) == 1


async def test_xmlrpc_signs_in_anew_after_the_user_was_made_anew(odoo: FakeOdoo) -> None:
    settings = OdooSettings(odoo.url, DATABASE, LOGIN, KEY)
    async with opened(settings) as client:
        await client.call("api_hello", HELLO)
        odoo.mood("api_hello", Mood(fault=(3, "Access Denied")))
        with pytest.raises(OdooAuthError):
            await client.call("api_hello", HELLO)
        odoo.mood("authenticate", Mood(status=503))
        with pytest.raises(OdooBusyError):
            await client.call("api_hello", HELLO)
        await client.call("api_hello", HELLO)


def test_what_is_broken_off_while_it_connects_leaves_no_socket(
    odoo: FakeOdoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = odoo_http.HttpConnection(odoo.url)
    connect = http.client.HTTPConnection.connect

    def connect_and_be_aborted(own: http.client.HTTPConnection) -> None:
        connect(own)
        connection.abort()  # before anybody knows of the socket

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect_and_be_aborted)
    for _again in range(2):
        with pytest.raises(OdooUnreachableError, match="broken off"):
            connection.post("/xmlrpc/2/common", b"", {}, time.monotonic() + 5)
    assert connection._connection is not None
    assert connection._connection.sock is None
