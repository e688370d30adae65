"""Values as codecs give them."""

from dataclasses import dataclass, field
from decimal import Decimal

#: What may be written into an item.
Writable = Decimal | int | str


@dataclass(frozen=True, slots=True)
class Value:
    """One value; None = not available. ``value`` is a Decimal where it is a number, else text."""

    name: str
    value: Decimal | str | None
    unit: str = ""


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

    @property
    def value(self) -> Decimal | str | None:
        """The only value of a single item; None when not available or not single."""
        return self.values[0].value if len(self.values) == 1 else None
