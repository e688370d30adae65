"""Event records of a 645-2007 meter: trips, closings, programming, covers, power losses; the newest ten of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .. import bits

if TYPE_CHECKING:
    from .dlt645_2007 import Dlt645Meter2007

DEPTH = 10
NEVER = bytes(6)
COUNTS = {
    "03300000": "programming",
    "03300100": "clear",
    "03300D00": "cover",
    "03300E00": "terminal_cover",
    "03110000": "power_loss",
    "1D000001": "trip",
    "1E000001": "close",
}
RECORDS = {
    "033000": "programming",
    "03300D": "cover",
    "03300E": "terminal_cover",
    "031100": "power_loss",
    "1D0001": "trip",
    "1E0001": "close",
}
ENERGY_BYTES = 24
IDENTIFIERS = 10


@dataclass
class Happening:
    """Began and, where it lasts, ended; times of the meter's clock."""

    at: datetime
    until: datetime | None = None
    operator: str = "00000000"
    total: int = 0
    identifiers: list[str] = field(default_factory=list)


class Events:
    """Counts go on for ever, records are the newest ten."""

    def __init__(self, meter: Dlt645Meter2007) -> None:
        self.meter = meter
        self.counts = dict.fromkeys(COUNTS.values(), 0)
        self.records: dict[str, deque[Happening]] = {kind: deque(maxlen=DEPTH) for kind in COUNTS.values()}

    def note(self, kind: str, operator: str = "00000000", **more: Any) -> Happening:
        """It happens now."""
        total = self.meter.energy.cents()["total"]
        happening = Happening(self.meter.clock(), operator=operator, total=total, **more)
        self.counts[kind] += 1
        self.records[kind].appendleft(happening)
        return happening

    def programmed(self, di: str, operator: str) -> None:
        """One record a session: writes of one operator within a minute belong together, newest identifier first."""
        newest = self.records["programming"][0] if self.records["programming"] else None
        now = self.meter.clock()
        is_same = (
            newest is not None and newest.operator == operator and (now - newest.at).total_seconds() < 60
        )
        if not is_same:
            newest = self.note("programming", operator)
        assert newest is not None
        newest.identifiers.insert(0, di)
        del newest.identifiers[IDENTIFIERS:]

    def item(self, di: str) -> bytes | None:
        """A count or a record; None = no such event in this meter."""
        if di in COUNTS:
            return bits.bcd(self.counts[COUNTS[di]], 3)
        kind = RECORDS.get(di[:6])
        if kind is None or not "01" <= di[6:] <= "0A":
            return None
        index = int(di[6:], 16) - 1
        records = self.records[kind]
        return self._bytes(kind, records[index] if index < len(records) else None)

    @staticmethod
    def _bytes(kind: str, happening: Happening | None) -> bytes:
        """As the standard cuts them; zeros where nothing has happened."""
        at = bits.clock_bytes(happening.at, "smhDMY") if happening else NEVER
        until = bits.clock_bytes(happening.until, "smhDMY") if happening and happening.until else NEVER
        if kind == "power_loss":
            return at + until
        energies = (bits.bcd(happening.total if happening else 0, 4)).ljust(ENERGY_BYTES, b"\0")
        if kind in ("cover", "terminal_cover"):
            return at + until + energies * 2
        operator = bits.reversed_hex(happening.operator) if happening else bytes(4)
        if kind == "programming":
            written = happening.identifiers if happening else []
            return at + operator + b"".join(map(bits.reversed_hex, written)).ljust(4 * IDENTIFIERS, b"\0")
        return at + operator + energies

    def memory(self) -> Mapping[str, int]:
        """The counts; records are not kept."""
        return dict(self.counts)

    def remember(self, memory: Mapping[str, int]) -> None:
        """As they were."""
        self.counts.update(memory)
