"""All targets with hypothesis: a bounded number of examples in every run; atheris_run.py goes on for as long as one likes (docs/fuzzing.md)."""

from __future__ import annotations

import asyncio
import hashlib

import nbhelp as nb
import pytest
import targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meter_connector.nbiot.endpoint import Endpoint, EndpointLimits, EndpointSettings
from wirehelp import really

EXAMPLES = {"dial-in": 60}
PARTS = [*targets.SEEDS, b"\x68", b"\x16", b"{{\x84", b"}}", b'{"msg":', b'"', b"\\u0000", b"[["]
#: Bytes that look like parts of what is expected come more often than others.
noise = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(PARTS),
        st.sampled_from(PARTS).map(lambda part: part[: len(part) // 2]),
    ),
    max_size=12,
).map(b"".join)


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_the_promises_hold_for_any_bytes(name: str) -> None:
    @settings(max_examples=EXAMPLES.get(name, 120), deadline=None, suppress_health_check=list(HealthCheck))
    @given(noise)
    def check(data: bytes) -> None:
        targets.TARGETS[name](data)

    check()


requests = st.tuples(
    st.sampled_from([b"POST", b"GET", b"\x16\x03\x01", b"POST POST"]),
    st.sampled_from(
        [f"/nbiot/{nb.TOKEN}/ctwing".encode(), f"/nbiot/{nb.TOKEN}/onenet".encode(), b"/", b"/%00/\xff"]
    ),
    st.sampled_from(
        [
            b"Content-Length: 10",
            b"Content-Length: -1",
            b"Content-Length: 99999999999",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue",
            b"X: \0",
        ]
    ),
    noise,
).map(lambda each: each[0] + b" " + each[1] + b" HTTP/1.1\r\nHost: x\r\n" + each[2] + b"\r\n\r\n" + each[3])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(requests, noise), min_size=1, max_size=12))
def test_the_endpoint_lives_through_any_bytes_and_takes_the_next_good_push(streams: list[bytes]) -> None:
    async def main() -> None:
        kept: list[object] = []

        async def take(pushes: list[object]) -> int:
            kept.extend(pushes)
            return len(pushes)

        digest = hashlib.sha256(nb.TOKEN.encode()).hexdigest()
        limits = EndpointLimits(header_s=0.5, body_s=0.2, idle_s=0.5)
        endpoint = Endpoint(EndpointSettings(token_sha256=digest, onenet_token="t"), take, limits)  # type: ignore[arg-type]
        await endpoint.open()
        try:
            await asyncio.gather(*(_say(endpoint.port, stream, is_ended=True) for stream in streams))
            kept.clear()
            body = nb.ctwing(nb.water_frame())
            head = f"POST /nbiot/{nb.TOKEN}/ctwing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            assert (await _say(endpoint.port, head.encode() + body)).startswith(b"HTTP/1.1 200")
            assert len(kept) == 1
        finally:
            await endpoint.close()
            await asyncio.sleep(0.02)

    really(main)


async def _say(port: int, stream: bytes, *, is_ended: bool = False) -> bytes:
    """Say it, hear what comes for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(stream)
        if is_ended:
            writer.write_eof()
        async with asyncio.timeout(3):
            return await reader.read()
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.close()
