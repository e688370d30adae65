"""Who sees what the connector promises: an outbox that notes, outside of the process, what it has answered for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from ...model import Order, Reading
from ...outbox import Outbox, orders
from ...outbox.queues import decimal_text
from ..journal import Journal
from ..meters import Meter
from ..scanners import Frame

Key = tuple[int, float]


@dataclass
class Started:
    """The disk says that this order's command may be sent from now on. `at`: true time."""

    at: float
    order: Order


@dataclass
class Witness:
    """`offered`: what the connector handed to its outbox; `acknowledged`: what counted as read from then on."""

    journal: Journal
    offered: dict[Key, dict[str, str]] = field(default_factory=dict)
    acknowledged: set[Key] = field(default_factory=set)
    started: dict[int, list[Started]] = field(default_factory=dict)
    received: dict[int, list[Started]] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    era: Callable[[], Hashable] = lambda: None
    """Differs when the connector was started anew or a connection was made meanwhile: what was under way is lost then."""
    is_calm: Callable[[Meter], bool] = lambda _meter: True
    """Is all well between this meter and the connector?"""
    _newest: dict[str, int] = field(default_factory=dict)
    _eras: dict[int, Hashable] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    def hear(self, meter: Meter, frame: Frame) -> None:
        """A meter answers a request, whatever becomes of its answer."""
        if shown := meter.shows(frame):
            self.journal.add("shown", None, meter=meter.spec.serial, **shown)
        if frame.control in meter.writes:
            self._newest[meter.spec.serial] = (
                self.journal.count
            )  # its command, which it has just written down
            self._eras[self.journal.count] = self.era()

    def hear_whole(self, meter: Meter, frame: Frame) -> None:
        """The answer to it has left undamaged and at once; `is_calm`: nothing on its way could lose it."""
        if frame.control in meter.writes and self.is_calm(meter):
            self._told.add(self._newest[meter.spec.serial])

    def had_its_answer(self, command: int, later: int) -> bool:
        """Did the connector, when it sent the `later` command, have the answer to the first one? Numbers of the journal."""
        return command in self._told and self._eras[command] == self._eras[later]

    def offer(self, readings: Sequence[Reading]) -> None:
        """Not yet on the disk."""
        for reading in readings:
            values = {key: decimal_text(value) or "" for key, value in reading.values.items()}
            key = reading.circuit_id, reading.at
            if self.offered.setdefault(key, values) != values:
                self.conflicts.append(f"circuit {key[0]} was read twice at {key[1]!r}, differently")

    def acknowledge(self, readings: Sequence[Reading]) -> None:
        """The disk has them."""
        self.acknowledged.update((reading.circuit_id, reading.at) for reading in readings)
        self.journal.add("stored", readings=[[reading.circuit_id, reading.at] for reading in readings])

    def start(self, order: Order) -> None:
        """It may be sent."""
        entry = self.journal.add("started", order=order.id, generation=order.generation)
        self.started.setdefault(order.meter_id, []).append(Started(entry["at"], order))

    def receive(self, order: Order) -> None:
        """The connector has it on its disk."""
        entry = self.journal.add("received", order=order.id, generation=order.generation)
        self.received.setdefault(order.circuit_id, []).append(Started(entry["at"], order))


class WitnessedOutbox(Outbox):
    """Nothing but the real one, looked over the shoulder."""

    witness: Witness

    async def put_readings(self, readings: Sequence[Reading]) -> None:
        """See Outbox."""
        self.witness.offer(readings)
        await super().put_readings(readings)
        self.witness.acknowledge(readings)

    async def start_order(self, order: Order) -> bool:
        """See Outbox."""
        may_start = await super().start_order(order)
        if may_start:
            self.witness.start(order)
        return may_start

    async def receive_orders(self, received: Sequence[Order]) -> list[Order]:
        """See Outbox."""
        wanted = await super().receive_orders(received)
        rows = await self._writer.run(lambda db: [orders.find(db, order) for order in received])
        for order, row in zip(received, rows, strict=True):
            if row is None or row.state != "failed":  # what a plan or a lock holds back takes nobody's place
                self.witness.receive(order)
        return wanted
