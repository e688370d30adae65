"""What flows through a meter: load curve to registers, exact in integers.

One register unit is 1 W·ms (water: 1 L/h·ms); 3.6e9 of them make 1 kWh (1 m³). Splitting a span at any moment gives the same sum.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .simtime import SimTime

UNIT = 3_600_000_000
CENT = UNIT // 100
STEP_MS = 30 * 60 * 1000
NOISE_PERCENT = 15
FLAT = 2
REGISTERS = ("total", "t1", "t2", "t3", "t4")
# Tariff (1 sharp 2 peak 3 flat 4 valley) from a time of day on, as in a day table of 645.
DAY_TABLE: tuple[tuple[int, int, int], ...] = (
    (0, 0, 4),
    (7, 0, 3),
    (8, 0, 2),
    (10, 0, 1),
    (12, 0, 3),
    (18, 0, 2),
    (21, 0, 3),
    (23, 0, 4),
)


def fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def to_units(value: Decimal | str) -> int:
    """kWh or m³ in register units."""
    return int(Decimal(value) * UNIT)


def tariff_at(table: Sequence[tuple[int, int, int]], hour: int, minute: int) -> int:
    """Tariff index 0..3 by a day table at a time of day."""
    tariff = table[-1][2]
    for from_hour, from_minute, number in table:
        if (from_hour, from_minute) <= (hour, minute):
            tariff = number
    return min(max(tariff, 1), 4) - 1


@dataclass(frozen=True)
class Frozen:
    """Register values of one midnight, in hundredths."""

    at_ms: int
    cents: Mapping[str, int]


class Energy:
    """Load curve, registers and freezes of one circuit. `loads` are 24 hourly W (L/h), site time."""

    def __init__(
        self,
        time: SimTime,
        key: str,
        loads: Sequence[int],
        start: Mapping[str, Decimal],
        ct_ratio: int = 1,
        is_multi_rate: bool = False,
    ) -> None:
        self.time = time
        self.key = key
        self.loads = tuple(loads) or (0,) * 24
        self.ct_ratio = ct_ratio
        self.is_multi_rate = is_multi_rate
        self.day_table = DAY_TABLE
        self.at_ms = time.physics_ms()
        self.offset_ms = 0
        self.is_stopped = False
        self.override_w: int | None = None
        self.passed = [0, 0, 0, 0]  # truly delivered, primary, by the site's tariff hours
        self.counted = [0, 0, 0, 0]  # what the meter saw of it, primary, by its own tariffs
        self.base = {name: to_units(start.get(name, Decimal(0))) for name in REGISTERS}
        self.children: list[Energy] = []
        self._children_seen = [0, 0, 0, 0]
        self.days: deque[Frozen] = deque(maxlen=62)
        self.months: deque[Frozen] = deque(maxlen=12)
        self.halves: deque[Frozen] = deque(maxlen=0)
        if not is_multi_rate and "t3" not in start:
            self.base["t3"] = self.base["total"]

    # -- flow ---------------------------------------------------------------------------------------------------------------------
    def load_at(self, ms: int) -> int:
        """W (L/h) the consumer draws when supplied."""
        if self.override_w is not None:
            return self.override_w
        moment = self.time.local(ms)
        base = self.loads[moment.hour]
        swing = fraction(self.key, moment.date(), moment.hour) * 2 - 1
        return round(base * (1 + swing * NOISE_PERCENT / 100))

    def advance(self, until_ms: int, is_closed: bool) -> None:
        """Let time pass up to a physics moment with the relay in one position."""
        while self.at_ms < until_ms:
            own_ms = self.at_ms + self.offset_ms
            edge = min(until_ms, (own_ms // STEP_MS + 1) * STEP_MS - self.offset_ms)
            self._add(self.load_at(own_ms) * (edge - self.at_ms) if is_closed else 0)
            self.at_ms = edge
            self._take_children()
            self._freeze(edge + self.offset_ms)

    def keep_profile(self, records: int) -> None:
        """Keep so many half-hourly registers (a load profile); by default none, since a big site has many meters."""
        self.halves = deque(self.halves, maxlen=records)

    def consume(self, amount: Decimal) -> None:
        """So much more (kWh, m³), at once, in the tariff of this moment."""
        self._add(to_units(amount))

    def _add(self, units: int) -> None:
        moment = self.time.local(self.at_ms)
        true_tariff = tariff_at(DAY_TABLE, moment.hour, moment.minute)
        self.passed[true_tariff] += units
        if self.is_stopped:
            return
        own = self.time.local(self.at_ms + self.offset_ms)
        self.counted[tariff_at(self.day_table, own.hour, own.minute) if self.is_multi_rate else FLAT] += units

    def _take_children(self) -> None:
        """A sum meter sees what its sub-meters let through since last time."""
        for tariff in range(4) if self.children else ():
            now = sum(child.passed[tariff] for child in self.children)
            delta, self._children_seen[tariff] = max(now - self._children_seen[tariff], 0), now
            self.passed[tariff] += delta
            if not self.is_stopped:
                self.counted[tariff if self.is_multi_rate else FLAT] += delta

    def _freeze(self, own_ms: int) -> None:
        if own_ms % STEP_MS:
            return
        if self.halves.maxlen:
            self.halves.appendleft(Frozen(own_ms, self.cents()))
        moment = self.time.local(own_ms)
        if moment.hour == moment.minute == 0:
            frozen = Frozen(own_ms, self.cents())
            self.days.appendleft(frozen)
            if moment.day == 1:
                self.months.appendleft(frozen)

    # -- registers ----------------------------------------------------------------------------------------------------------------
    def units(self, name: str) -> int:
        """A register in units, secondary side of the current transformer."""
        own = sum(self.counted) if name == "total" else self.counted[int(name[1]) - 1]
        return self.base[name] + own // self.ct_ratio

    def cents(self) -> dict[str, int]:
        """All registers in hundredths, cut off as a display does."""
        return {name: self.units(name) // CENT for name in REGISTERS}

    def exact(self, name: str) -> Decimal:
        """A register to the last digit."""
        return Decimal(self.units(name)) / UNIT

    def memory(self) -> dict[str, Any]:
        """JSON-able, for `remember`."""
        freezes = {
            name: [[frozen.at_ms, dict(frozen.cents)] for frozen in frozens]
            for name, frozens in (("days", self.days), ("months", self.months))
        }
        return {
            "at_ms": self.at_ms,
            "base": self.base,
            "passed": self.passed,
            "counted": self.counted,
            "children_seen": self._children_seen,
            **freezes,
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        """Registers as they were, and the moment they were so."""
        self.at_ms = memory["at_ms"]
        self.base.update(memory["base"])
        self.passed = list(memory["passed"])
        self.counted = list(memory["counted"])
        self._children_seen = list(memory["children_seen"])
        self.days.extend(Frozen(at_ms, cents) for at_ms, cents in memory["days"])
        self.months.extend(Frozen(at_ms, cents) for at_ms, cents in memory["months"])

    def set_register(self, name: str, value: Decimal) -> None:
        """Turn a register to a value (a repaired or exchanged meter)."""
        self.base[name] += to_units(value) - self.units(name)
