"""Values as codecs give and take them."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

#: What may be written into an item.
Writable = Decimal | int | str | date | datetime | time


@dataclass(frozen=True, slots=True)
class Value:
    """One value; None = not available. ``value`` is a Decimal where it is a number, else text."""

    name: str
    value: Decimal | str | None
    unit: str = ""
    #: Short word of the table, where it has one (CJ/T 188: current, settle, clock, ...).
    key: str = ""

    @property
    def text(self) -> str | None:
        """As printed, with all decimals the meter has."""
        return format(self.value, "f") if isinstance(self.value, Decimal) else self.value


@dataclass(frozen=True, slots=True)
class Reading:
    """What one data identifier said."""

    di: str
    name: str | None = None
    values: tuple[Value, ...] = ()
    #: True for blocks and records: ``name`` is then the name of the whole.
    is_block: bool = False
    #: More about it under the keys that ``decode`` prints: weekday, relay_open, bits of status words, ...
    details: dict[str, object] = field(default_factory=dict)
    #: What did not fit, for people; None = all well.
    problem: str | None = None

    def get(self, key: str) -> Decimal | str | None:
        """The value with this key of the table; None when not available or not there."""
        return next((value.value for value in self.values if value.key == key), None)

    @property
    def value(self) -> Decimal | str | None:
        """The only value of a single item; None when not available or not single."""
        return self.values[0].value if len(self.values) == 1 else None


class Part(NamedTuple):
    """One named piece of an answer, for people: a value of a block, a field of a record, a bit of a status word (1, 0 or a word)."""

    name: str
    text: str | None
    unit: str = ""


def parts_of(reading: Reading) -> tuple[Part, ...]:
    """All that a reading says by name: its values, then the bits of its status words (``relay_open``, in a block
    ``word 3 relay_open``) or of its valve."""
    parts = [Part(value.name, value.text, value.unit) for value in reading.values]
    for key, value in reading.details.items():
        if isinstance(value, dict):
            prefix = "" if key == "bits" else f"{key} "
            parts += [Part(f"{prefix}{name}", _bit(bit)) for name, bit in value.items()]
        elif key in _OF_VALVE:
            parts.append(Part(key, _bit(value)))
    return tuple(parts)


_OF_VALVE = ("valve", "battery_low")


def _bit(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
