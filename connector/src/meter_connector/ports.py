"""What the bus layer and the rest promise each other. `app.py` ties them together; neither imports the other."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .model import Event, Order, OrderResult, Reading, SiteConfig, SwitchState

if TYPE_CHECKING:
    from .outbox.upkeep import Upkeep


class Stage(enum.IntEnum):
    """How far an order is, on disk. What a restarted connector does with an order in that stage:

    RECEIVED  nothing was sent: carry it out.
    STARTED   the command may have reached the meter: read the state first, command only if it differs.
    ACCEPTED  the meter acknowledged: read the state; command again only if it differs and the order is not expired.
    DONE      the result is in the outbox: nothing.
    """

    RECEIVED = 0
    STARTED = 1
    ACCEPTED = 2
    DONE = 3


@dataclass(frozen=True)
class BusStatus:
    """One row of hello's `status.buses`, and of the health page. `age_s` is the age of the newest good answer, -1 = none yet."""

    id: int
    queue: int = 0
    age_s: float = -1.0
    reads_ok: int = 0
    reads_failed: int = 0
    dropped_bytes: int = 0


@dataclass(frozen=True)
class GatewayStatus:
    """One row of hello's `status.gateways`. `replaced`: connections that a newer one of the same gateway took the place of, since start."""

    id: int
    online: bool
    since: float
    replaced: int = 0


class Recorder(Protocol):
    """What the bus layer calls. Each returns only when the fact is on the disk (OutboxError otherwise)."""

    pressure: int
    """How full the disk is, see outbox/room.py: 2 = read less often, 3 = no scheduled reads."""

    async def put_reading(self, reading: Reading) -> None:
        """A reading counts as read when this returns. Many at once share one fsync: call it concurrently or as batch."""

    async def put_readings(self, readings: list[Reading]) -> None:
        """The readings of one poll of a meter, together."""

    async def put_event(self, event: Event) -> None:
        """The same key again is ignored."""

    async def start_order(self, order: Order) -> bool:
        """Ask right before the command frame is sent. False = do not send: expired, superseded or done meanwhile."""

    async def accept_order(self, order: Order, reported: SwitchState = "pending", detail: str = "") -> None:
        """The meter acknowledged the command. Reported to Odoo as `accepted`."""

    async def progress_order(self, order: Order, data: str) -> None:
        """How far a long order is (JSON object as text): `accepted` again. An older one that still waits gives way."""

    async def own_order(self, order: Order, keep: Upkeep | None = None) -> Order | None:
        """Store a switch order of the connector's own (and what it notes of the circuit, in one step): it gets an id below 0.

        None: Odoo's newest wish has the switch off, or another switch order is under way. Its end is told by the event that `data` names.
        """

    async def keep_upkeep(self, keep: Upkeep) -> None:
        """Note what we do to a switch by ourselves."""

    async def upkeeps(self) -> dict[int, Upkeep]:
        """By circuit, also from before a restart."""

    async def wish(self, circuit_id: int) -> str:
        """What Odoo's newest order wants of a switch: on, off, or "" when there was none."""

    async def contacts(self) -> dict[int, float]:
        """When the energy of each circuit was read last, also before a restart."""

    async def kept_state(self, meter_id: int) -> str:
        """What was kept of a meter by `keep_state`, also before a restart; "" = nothing."""

    async def keep_state(self, meter_id: int, text: str) -> None:
        """Keep what its events were compared with (JSON object as text)."""

    async def finish_order(self, result: OrderResult) -> None:
        """confirmed, failed, expired or superseded: the order is done and its result on its way."""


class BusLayer(Protocol):
    """What the app calls."""

    async def apply(self, site: SiteConfig) -> None:
        """Make the running buses those of `site`: unchanged ones go on, changed ones restart, gone ones stop."""

    def submit(self, order: Order, stage: Stage) -> None:
        """Carry out an order; `stage` > RECEIVED means a resumed one. Never blocks; unknown targets finish as failed."""

    def gateway_statuses(self) -> list[GatewayStatus]:
        """For hello and the health page."""

    def bus_statuses(self) -> list[BusStatus]:
        """For hello and the health page."""

    def silent_meters(self) -> list[int]:
        """Ids of meters that do not answer at present."""

    def details(self) -> Mapping[str, Any]:
        """Anything more for the health page, JSON-able."""

    async def wait_broken(self) -> None:
        """Never returns; raises what ended a task that should run for ever (a disk beyond help, a fault of ours): end the process."""

    async def stop(self) -> None:
        """Finish the frame on the wire, then close the links."""
