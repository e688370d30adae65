"""What every driver offers, and what it gives back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from ..errors import MeterRefusedError
from ..model import READING_COLUMNS, Circuit, Meter, MeterModel, Register, SwitchState, Value
from .line import Line

ENERGY_KEYS = frozenset({"total", "t1", "t2", "t3", "t4"})
SHARED = 0
"""Circuit number of values that belong to every circuit of a meter."""

Wanted = Literal["on", "off"]


@dataclass
class MeterValues:
    """Answers of one meter: circuit number -> key -> value (None = the meter has none at present).

    `at`: when the energy came, else the first answer; server time. `refused`: key -> why the meter would not say.
    """

    circuits: dict[int, dict[str, Value]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    at: float | None = None
    _has_energy: bool = False

    def put(self, circuit: int, key: str, value: Value, at: float) -> None:
        """One value that came at `at`."""
        self.circuits.setdefault(circuit, {})[key] = value
        is_energy = key in ENERGY_KEYS
        if self.at is None or (is_energy and not self._has_energy):
            self.at = at
        self._has_energy = self._has_energy or is_energy

    def of(self, circuit: int) -> dict[str, Value]:
        """Values of a circuit, with those shared by all."""
        return {**self.circuits.get(SHARED, {}), **self.circuits.get(circuit, {})}

    @property
    def is_empty(self) -> bool:
        """Did nothing come?"""
        return not self.circuits


class Driver(Protocol):
    """How one protocol reads and switches. Errors: WireError and its kinds (errors.py)."""

    can_broadcast_clock: bool

    async def read(self, line: Line, meter: Meter, keys: Collection[str]) -> MeterValues:
        """The values of these keys, all circuits. What the meter refuses is noted, not raised; no answer at all is raised."""

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        """Send the command once; returning means the meter acknowledged it, nothing more."""

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        """The switch as the meter shows it now."""

    async def broadcast_clock(self, line: Line, when: datetime) -> None:
        """Tell all meters of the bus the time (naive, the site's zone). Nobody answers."""

    async def set_clock(self, line: Line, meter: Meter, when: datetime) -> None:
        """Tell one meter the time."""

    async def read_clock(self, line: Line, meter: Meter) -> datetime | None:
        """The meter's clock (naive); None when it has none or it shows nonsense."""

    async def read_address(self, line: Line) -> str | None:
        """The address of the only meter on the line; None when the protocol cannot ask."""


@dataclass(frozen=True)
class Block:
    """Several values in one answer, in this order."""

    di: str
    keys: tuple[str, ...]
    circuit: int = 1


@dataclass(frozen=True)
class Item:
    """One request by data identifier, and the registers it fills."""

    di: str
    registers: tuple[Register, ...]


def blocks_of(model: MeterModel) -> list[Block]:
    """The block reads of a model: one object or a list of {"di", "keys", "circuit"?}."""
    raw = model.block
    entries: Iterable[Any] = raw if isinstance(raw, list | tuple) else [raw] if raw else []
    found = []
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("di") and entry.get("keys"):
            circuit = int(entry.get("circuit") or 1)
            found.append(Block(str(entry["di"]).upper(), tuple(map(str, entry["keys"])), circuit))
    return found


def plan_items(model: MeterModel, keys: Collection[str], unusable: Collection[str] = ()) -> list[Item]:
    """Few requests that bring `keys`: blocks where they save at least one request, registers of one identifier together.

    Energy comes first: its arrival is the moment of the reading. `unusable`: identifiers this meter does not know.
    """
    wanted = [register for register in model.registers if register.key in keys and register.di]
    items: list[Item] = []
    for block in blocks_of(model):
        inside = {(block.circuit, key) for key in block.keys}
        covered = [register for register in wanted if (register.circuit, register.key) in inside]
        if len(covered) > 1 and block.di not in unusable:
            registers = tuple(
                Register(key, block.di, block.circuit, {"index": i}) for i, key in enumerate(block.keys)
            )
            items.append(Item(block.di, registers))
            wanted = [register for register in wanted if register not in covered]
    by_di: dict[str, list[Register]] = {}
    for register in wanted:
        if register.di and register.di not in unusable:
            by_di.setdefault(register.di, []).append(register)
    items += [Item(di, tuple(registers)) for di, registers in by_di.items()]
    return sorted(items, key=lambda item: not any(register.key in ENERGY_KEYS for register in item.registers))


def keys_of(model: MeterModel) -> dict[str, frozenset[str]]:
    """The model's keys by the period they are read at: energy, live, switch."""
    keys = {register.key for register in model.registers}
    energy = frozenset(keys & ENERGY_KEYS)
    switch = frozenset(keys & {"switch"})
    return {"energy": energy, "live": frozenset(keys) - energy - switch, "switch": switch}


def is_column(key: str) -> bool:
    """Is this key a column of a reading, or an extra?"""
    return key in READING_COLUMNS


def refuse_switch(meter: Meter) -> MeterRefusedError:
    """The error for a meter whose model says nothing of a switch."""
    return MeterRefusedError(
        f"meter {meter.serial}: its model {meter.model.code} has no switch that can be commanded"
    )
