"""Is a gateway there? It is, when one of its links has a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..clock import Clock
from ..ports import GatewayStatus
from ..transports import BaseLink
from .notices import Notices
from .tuning import Tuning


class GatewayWatch:
    """Watches the links of one gateway and tells of its coming and going.

    Coming is told at once. Going is told after a grace time, so that a connection that is made anew is no event; a gateway that was
    never there counts as gone after the same time.
    """

    def __init__(
        self, gateway_id: int, links: list[BaseLink], clock: Clock, notices: Notices, tuning: Tuning
    ) -> None:
        self.gateway_id = gateway_id
        self.links = links
        self._clock = clock
        self._notices = notices
        self._grace_s = tuning.offline_grace_s
        self._takeovers_an_hour = tuning.takeovers_an_hour
        self._told: bool | None = None
        self._since = clock.now()
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: list[Callable[[], None]] = [link.subscribe(self._changed) for link in links]
        self._changed(is_up=False)

    @property
    def status(self) -> GatewayStatus:
        """For hello."""
        replaced = sum(link.replaced for link in self.links)
        return GatewayStatus(self.gateway_id, self._told is True, self._since, replaced)

    def tell_replaced(self, peer: str, former: str) -> None:
        """A box called by this gateway's name from another address than the one whose connection it took."""
        self._notices.tell_limited(
            ("replaced", self.gateway_id),
            self._takeovers_an_hour,
            "gateway_replaced",
            gateway_id=self.gateway_id,
            peer=peer,
            former=former,
        )

    def close(self) -> None:
        """Watch no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._stop_timer()

    def _changed(self, is_up: bool) -> None:
        if any(link.connected for link in self.links):
            self._stop_timer()
            self._tell(True)
        elif self._timer is None and self._told is not False:
            self._timer = asyncio.get_running_loop().call_later(self._grace_s, self._gone)

    def _gone(self) -> None:
        self._timer = None
        self._tell(False)

    def _tell(self, is_online: bool) -> None:
        if self._told is is_online:
            return
        self._told = is_online
        self._since = self._clock.now()
        kind = "gateway_online" if is_online else "gateway_offline"
        self._notices.tell(kind, gateway_id=self.gateway_id, links=[link.name for link in self.links])

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
