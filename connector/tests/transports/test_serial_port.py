"""A serial link on a pseudo-terminal, as the simulator and many a test stand have it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import random
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from meter_connector.errors import LinkError
from meter_connector.transports import Backoff, SerialLink, SerialSettings, open_port
from wirehelp import really, until


@dataclass
class Terminal:
    """`master`: the meters' end; `device`: ours."""

    master: int
    device: str


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    device = os.ttyname(slave)
    os.close(slave)
    yield Terminal(master, device)
    with contextlib.suppress(OSError):
        os.close(master)


def link_to(device: str) -> SerialLink:
    return SerialLink(device, SerialSettings(2400, 8, "E", 1), Backoff(0.01, 0.05, random.Random(1)))


def read_all(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def test_bytes_of_every_value_go_both_ways_although_parity_is_asked_for(terminal: Terminal) -> None:
    async def main() -> None:
        link = link_to(terminal.device)
        await link.open()
        async with asyncio.timeout(5):
            await link.wait_connected()
        everything = bytes(range(256))
        await link.write(everything)
        await asyncio.sleep(0.02)
        assert read_all(terminal.master) == everything
        os.write(terminal.master, everything)
        got = b""
        while len(got) < 256:
            got += await link.read(5)
        assert got == everything
        assert await link.read(0.01) == b""
        await link.close()

    really(main)


def test_more_than_the_terminal_takes_at_once_is_sent_on_in_order(terminal: Terminal) -> None:
    async def main() -> None:
        link = link_to(terminal.device)
        await link.open()
        async with asyncio.timeout(5):
            await link.wait_connected()
        data = random.Random(5).randbytes(50_000)
        await link.write(data[:30_000])
        await link.write(data[30_000:])
        got = b""
        async with asyncio.timeout(10):
            while len(got) < len(data):
                got += read_all(terminal.master)
                await asyncio.sleep(0)
        assert got == data
        await link.close()

    really(main)


def test_a_port_that_goes_and_comes_is_opened_again(terminal: Terminal, tmp_path: Path) -> None:
    async def main() -> None:
        name = tmp_path / "ttyRS485"
        name.symlink_to(terminal.device)
        link = link_to(str(name))
        seen: list[bool] = []
        link.subscribe(seen.append)
        await link.open()
        async with asyncio.timeout(5):
            await link.wait_connected()
        reading = asyncio.create_task(link.read(5))
        await asyncio.sleep(0.01)
        name.unlink()
        os.close(terminal.master)
        with pytest.raises(LinkError):
            await reading
        await until(lambda: link.last_error, 5)
        master, slave = pty.openpty()
        tty.setraw(slave)
        name.symlink_to(os.ttyname(slave))
        await until(lambda: link.connected, 5)
        assert seen == [True, False, True]
        await link.close()
        os.close(master)
        os.close(slave)

    really(main)


def test_the_speed_is_set_while_open_and_kept_when_it_is_opened_again(terminal: Terminal) -> None:
    async def main() -> None:
        link = link_to(terminal.device)
        await link.open()
        async with asyncio.timeout(5):
            await link.wait_connected()
        speed = {2400: termios.B2400, 9600: termios.B9600}
        for baudrate in (9600, 2400, 9600):
            link.set_baudrate(baudrate)
            assert termios.tcgetattr(terminal.master)[5] == speed[baudrate]
        assert link.settings.baudrate == 9600
        with pytest.raises(LinkError, match="-5"):
            link.set_baudrate(-5)
        await link.close()

    really(main)


def test_a_port_is_ours_alone(terminal: Terminal) -> None:
    port = open_port(terminal.device, SerialSettings())
    with pytest.raises(OSError, match="exclusive|lock|unavailable"):
        open_port(terminal.device, SerialSettings())
    port.close()


@pytest.mark.parametrize(
    ("settings", "named"), [(SerialSettings(parity="X"), "parity|X"), (SerialSettings(bytesize=9), "9")]
)
def test_impossible_settings_are_an_error_with_their_names(
    terminal: Terminal, settings: SerialSettings, named: str
) -> None:
    if settings.parity == "X":
        device = "/dev/null"
    else:
        device = terminal.device
    with pytest.raises(OSError, match=named):
        open_port(device, settings)


def test_a_missing_device_is_an_error_not_an_exception_of_another_kind() -> None:
    with pytest.raises(OSError, match="ttyNOWHERE"):
        open_port("/dev/ttyNOWHERE", SerialSettings())
