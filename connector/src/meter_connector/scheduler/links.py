"""The links of a site: one for each gateway connection or port, shared by the buses that lie behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from ..errors import LinkError
from ..model import Bus
from ..transports import BaseLink, DialInLink, DialInListener, SerialLink, SerialSettings, TcpClientLink

_logger = logging.getLogger(__name__)


def link_key(bus: Bus) -> Hashable:
    """Equal for buses that share a link."""
    link = bus.link
    if link.kind == "serial":
        return (link.kind, link.device, settings_of(bus))
    if link.kind == "tcp_client":
        return (link.kind, link.host, link.port)
    return (link.kind, link.registration)


def settings_of(bus: Bus) -> SerialSettings:
    """How a serial port is set for a bus."""
    return SerialSettings(bus.baudrate, bus.bytesize, bus.parity, bus.stopbits)


def make_link(bus: Bus, listener: DialInListener) -> BaseLink:
    """The link of a bus, not yet open."""
    link = bus.link
    if link.kind == "serial":
        return SerialLink(link.device, settings_of(bus))
    if link.kind == "tcp_client":
        return TcpClientLink(link.host, link.port)
    return DialInLink(listener, link.registration, link.heartbeat)


class LinkPool:
    """Opens what is needed, closes what is not."""

    def __init__(
        self, listener: DialInListener, make: Callable[[Bus, DialInListener], BaseLink] = make_link
    ) -> None:
        self._listener = listener
        self._make = make
        self._links: dict[Hashable, BaseLink] = {}
        self._opened: set[Hashable] = set()

    def get(self, bus: Bus) -> BaseLink:
        """The link of a bus; made when it is new."""
        key = link_key(bus)
        if key not in self._links:
            self._links[key] = self._make(bus, self._listener)
        return self._links[key]

    async def open(self) -> None:
        """Open those that are new; one that cannot be opened keeps no other from it, and is tried again with the next configuration."""
        for key, link in self._links.items():
            if key in self._opened:
                continue
            try:
                await link.open()
            except LinkError as error:
                _logger.error("%s cannot be opened: %s", link.name, error)
            else:
                self._opened.add(key)

    async def keep_only(self, keys: set[Hashable]) -> None:
        """Close the others."""
        for key in [key for key in self._links if key not in keys]:
            self._opened.discard(key)
            await self._links.pop(key).close()
