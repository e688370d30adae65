"""Values as codecs give and take them."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal

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
