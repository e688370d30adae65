"""The one address people open in the demo: /websocket goes to Odoo's evented port, everything else to its workers.

What a proxy does in production (docs/runbook.md), without TLS. Bytes pass as they are. Odoo closes after each answer, so that the
first line of a connection says where all of it belongs.

Usage: front.py PORT HTTP_PORT EVENTED_PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

HOST = "127.0.0.1"
HEAD_LIMIT, HEAD_TIMEOUT_S = 65536, 30
PIECE = 65536
AWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nOdoo does not answer.\n"


async def serve(port: int, http_port: int, evented_port: int) -> None:
    """Until it is cancelled."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(
                OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
            ):
                async with asyncio.timeout(HEAD_TIMEOUT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1] if head.count(b" ") >= 2 else b""
                port = evented_port if path.startswith(b"/websocket") else http_port
                await _pass_on(reader, writer, head, port)
        finally:
            await _close(writer)

    server = await asyncio.start_server(handle, HOST, port, limit=HEAD_LIMIT)
    async with server:
        await server.serve_forever()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, port: int
) -> None:
    try:
        answers, questions = await asyncio.open_connection(HOST, port)
    except OSError:
        writer.write(AWAY)
        await writer.drain()
        return
    questions.write(head)
    asking = asyncio.create_task(_copy(reader, questions))
    try:
        await _copy(answers, writer)
    finally:
        # Odoo said all it had to say, or the browser left.
        asking.cancel()
        await _close(questions)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(PIECE):
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(*map(int, sys.argv[1:4])))
