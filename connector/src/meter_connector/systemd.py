"""Tell systemd that we are ready and alive; without systemd nothing happens. https://www.freedesktop.org/software/systemd/man/sd_notify.html"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send one state, such as READY=1."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
    ):
        sock.connect(address)
        sock.sendall(state.encode())


async def watch(stop: asyncio.Event) -> None:
    """Say that the event loop turns, twice in systemd's limit; an event loop that hangs gets restarted."""
    limit_s = int(os.environ.get("WATCHDOG_USEC") or 0) / 1e6
    while not stop.is_set():
        if limit_s:
            notify("WATCHDOG=1")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s / 2 if limit_s else None):
                await stop.wait()
