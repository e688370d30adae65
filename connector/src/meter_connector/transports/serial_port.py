"""A serial port of this machine: RS485 adapters, and pseudo-terminals that behave like one.

pyserial opens and sets the port; reading and writing are non-blocking on its file descriptor in the event loop.
"""

from __future__ import annotations

import asyncio
import os
import re
import termios
from dataclasses import dataclass, replace

import serial

from ..errors import LinkError
from .backoff import Backoff
from .base import BaseLink, ReconnectingLink

_PSEUDO_TERMINAL = re.compile(r"/dev/pts/\d+\Z")
_CHUNK = 4096


@dataclass(frozen=True)
class SerialSettings:
    """How the port is set: `parity` N, E or O; `stopbits` 1, 1.5 or 2."""

    baudrate: int = 2400
    bytesize: int = 8
    parity: str = "E"
    stopbits: float = 1


class SerialWire:
    """An open port as a link's wire."""

    def __init__(self, port: serial.Serial, link: BaseLink) -> None:
        self._port = port
        self._fd: int = port.fileno()
        self._link = link
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        if not self._is_open:
            raise BrokenPipeError("port is closed")
        if self._unsent:
            self._unsent += data
            return
        sent = self._send(data)
        if sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def set_baudrate(self, baudrate: int) -> None:
        """From the next byte on; OSError when the port has no such speed."""
        try:
            self._port.baudrate = baudrate
        except (ValueError, termios.error) as error:
            raise OSError(f"cannot be set to {baudrate} bps: {error}") from error

    def abort(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._port.close()

    def _send(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def _writable(self) -> None:
        try:
            self._unsent = self._unsent[self._send(self._unsent) :]
        except OSError as error:
            self._fail(str(error))
            return
        if not self._unsent:
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(str(error))
            return
        if data:
            self._link.wire_fed(self, data)
        else:
            self._fail("the device is gone")

    def _fail(self, reason: str) -> None:
        self.abort()
        self._link.wire_lost(self, reason)


class SerialLink(ReconnectingLink):
    """Opens `device` and opens it again when it was unplugged."""

    can_set_baudrate = True

    def __init__(self, device: str, settings: SerialSettings, backoff: Backoff | None = None) -> None:
        super().__init__(f"serial {device}", b"", backoff or Backoff(first_s=0.5, limit_s=5.0))
        self.device = device
        self.settings = settings

    def note_timeout(self) -> None:
        """A silent port is silent meters: opening it again would help nobody."""

    def set_baudrate(self, baudrate: int) -> None:
        """See Link; kept for when the port is opened again."""
        self.settings = replace(self.settings, baudrate=baudrate)
        if isinstance(self._wire, SerialWire):
            try:
                self._wire.set_baudrate(baudrate)
            except OSError as error:
                raise LinkError(f"{self.name} {error}") from error

    async def _connect(self) -> None:
        port = open_port(self.device, self.settings)
        try:
            port.reset_input_buffer()
        except termios.error as error:
            port.close()
            raise OSError(str(error)) from error
        self.wire_attached(SerialWire(port, self))


def open_port(device: str, settings: SerialSettings) -> serial.Serial:
    """The port, set and locked for us; OSError with the reason otherwise.

    A pseudo-terminal has no parity, and the C library refuses to set one: there, and only there, it is opened without.
    """
    parity = "N" if _PSEUDO_TERMINAL.match(os.path.realpath(device)) else settings.parity
    try:
        return serial.Serial(
            device,
            baudrate=settings.baudrate,
            bytesize=settings.bytesize,
            parity=parity,
            stopbits=settings.stopbits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except termios.error as error:
        raise OSError(f"{device} cannot be set to {settings}: {error.args[-1]}") from error
    except ValueError as error:
        raise OSError(f"{device} cannot be set to {settings}: {error}") from error
