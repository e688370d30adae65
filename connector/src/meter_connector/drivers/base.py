"""What every driver offers, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from ..codecs.base import CodecError
from ..codecs.dlt645_2007.load_profile import Record as ProfileRecord
from ..errors import GarbledError, MeterRefusedError, NoAnswerError
from ..model import READING_COLUMNS, Circuit, Meter, MeterModel, Register, SwitchState, Value
from .line import Line
from .operations import ItemValues, ParameterValues, Prepayment, Purchase, PurchaseResult

ENERGY_KEYS = frozenset({"total", "t1", "t2", "t3", "t4"})
SHARED = 0
"""Circuit number of values that belong to every circuit of a meter."""

Wanted = Literal["on", "off"]


@dataclass
class MeterValues:
    """Answers of one meter: circuit number -> key -> value (None = the meter has none at present).

    `at`: when the energy came, else the first answer; server time. `refused`: item -> why the meter would not say; `unanswered`: item
    -> error, where the meter was silent to this item but not to others.
    """

    circuits: dict[int, dict[str, Value]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
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


ItemT = TypeVar("ItemT", bound=Hashable)


class Shunned:
    """What a meter refused or ignored again and again: not asked for a while, since each time costs the bus a time-out.

    Energy is always asked. After PAUSE_S it gets another chance.
    """

    LIMIT = 3
    PAUSE_S = 3600.0

    def __init__(self) -> None:
        self._counts: dict[tuple[int, Hashable], tuple[int, float]] = {}

    def note(self, meter_id: int, item: Hashable, now: float) -> None:
        """It was refused or ignored once more."""
        count, _ = self._counts.get((meter_id, item), (0, 0.0))
        self._counts[meter_id, item] = (count + 1, now + self.PAUSE_S)

    def clear(self, meter_id: int, item: Hashable) -> None:
        """It was answered."""
        self._counts.pop((meter_id, item), None)

    def is_shunned(self, meter_id: int, item: Hashable, now: float) -> bool:
        """Leave it alone for now?"""
        count, until = self._counts.get((meter_id, item), (0, 0.0))
        return count >= self.LIMIT and now < until


async def read_items(
    items: Iterable[tuple[ItemT, bool]],
    read_one: Callable[[ItemT], Awaitable[None]],
    meter: Meter,
    shunned: Shunned,
    values: MeterValues,
    now: float,
) -> None:
    """Read the (item, is energy) pairs one after another into `values`.

    A refusal or a silence of one item does not end the sweep of a meter that answers others; two silences in a row do.
    Raises what the first item raised when nothing came at all.
    """
    silences = 0
    for item, is_energy in items:
        if not is_energy and shunned.is_shunned(meter.id, item, now):
            continue
        try:
            await read_one(item)
        except MeterRefusedError as error:
            values.refused[str(item)] = str(error)
            silences = 0
        except (NoAnswerError, GarbledError) as error:
            values.unanswered[str(item)] = str(error)
            silences += 1
            if values.is_empty and not values.refused:
                raise
            if silences == 2:
                return
        else:
            shunned.clear(meter.id, item)
            silences = 0
            continue
        shunned.note(meter.id, item, now)


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

    # -- operations.py says how each behaves; MeterRefusedError where the model cannot ---------------------------------------------
    async def read_items(self, line: Line, meter: Meter, names: Sequence[str]) -> ItemValues:
        """Single items by name."""

    async def read_load_profile(
        self, line: Line, meter: Meter, since: datetime, count: int = 1
    ) -> list[ProfileRecord]:
        """What the meter kept from a moment on."""

    async def read_parameters(self, line: Line, meter: Meter, names: Collection[str] = ()) -> ParameterValues:
        """Settings, by default all of the model's profile."""

    async def write_parameters(self, line: Line, meter: Meter, values: Mapping[str, str]) -> ParameterValues:
        """Write settings and read them back."""

    async def read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        """Purchase count, remaining, overdraft."""

    async def purchase(self, line: Line, meter: Meter, purchase: Purchase) -> PurchaseResult:
        """Put an amount into the meter, at most once."""

    async def keep_power(self, line: Line, meter: Meter, circuit: Circuit, is_on: bool) -> None:
        """Keep power on whatever trips are sent, or no longer."""

    async def read_keep_power(self, line: Line, meter: Meter, circuit: Circuit) -> bool | None:
        """Is power kept? None = the meter does not show it."""

    async def alarm(self, line: Line, meter: Meter, is_on: bool) -> None:
        """Lamp or buzzer on or off."""


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

    @property
    def has_energy(self) -> bool:
        """Does it bring the registers that bills are made of?"""
        return any(register.key in ENERGY_KEYS for register in self.registers)


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


def plan_items(
    model: MeterModel, keys: Collection[str], is_unusable: Callable[[str], bool] = lambda di: False
) -> list[Item]:
    """Few requests that bring `keys`: blocks where they save at least one request, registers of one identifier together.

    What shares an identifier with a wanted key costs nothing and comes along. Energy comes first: its arrival is the moment of the reading. `is_unusable`: blocks that this meter does not know, whose
    registers are then read one by one.
    """
    wanted = [register for register in model.registers if register.key in keys and register.di]
    items: list[Item] = []
    for block in blocks_of(model):
        inside = {(block.circuit, key) for key in block.keys}
        covered = [register for register in wanted if (register.circuit, register.key) in inside]
        if len(covered) > 1 and not is_unusable(block.di):
            registers = tuple(
                Register(key, block.di, block.circuit, {"index": i}) for i, key in enumerate(block.keys)
            )
            items.append(Item(block.di, registers))
            wanted = [register for register in wanted if register not in covered]
    by_di: dict[str, list[Register]] = {register.di: [] for register in wanted if register.di}
    for register in model.registers:
        if register.di in by_di:
            by_di[register.di].append(register)
    items += [Item(di, tuple(registers)) for di, registers in by_di.items()]
    return sorted(items, key=lambda item: not item.has_energy)


def keys_of(model: MeterModel) -> dict[str, frozenset[str]]:
    """The model's keys by the period they are read at: energy, live, switch."""
    keys = {register.key for register in model.registers}
    energy = frozenset(keys & ENERGY_KEYS)
    switch = frozenset(keys & {"switch"})
    return {"energy": energy, "live": frozenset(keys) - energy - switch, "switch": switch}


def is_column(key: str) -> bool:
    """Is this key a column of a reading, or an extra?"""
    return key in READING_COLUMNS


@contextmanager
def model_data(meter: Meter) -> Iterator[None]:
    """What the codec cannot put into a frame is a fault of the configuration, told with the meter's name."""
    try:
        yield
    except CodecError as error:
        raise MeterRefusedError(f"meter {meter.serial}, model {meter.model.code}: {error}") from error


def switch_register(meter: Meter, circuit: Circuit) -> Register | None:
    """The register that shows the switch of a circuit."""
    for register in meter.model.registers:
        if register.key == "switch" and register.circuit in (SHARED, circuit.number):
            return register
    return None


def check_only_circuit(meter: Meter, circuit: Circuit) -> None:
    """645 and 188 have one switch a meter: a command for another circuit would cut off the wrong customer."""
    if circuit.number != 1:
        raise MeterRefusedError(
            f"meter {meter.serial}: circuit {circuit.number} has no switch of its own in {meter.model.protocol}"
        )


def refuse_switch(meter: Meter) -> MeterRefusedError:
    """The error for a meter whose model says nothing of a switch."""
    return MeterRefusedError(
        f"meter {meter.serial}: its model {meter.model.code} has no switch that can be commanded"
    )
