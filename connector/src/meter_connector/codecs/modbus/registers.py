"""Register maps: raw 16-bit words <-> exact decimals. A map is data (a list of dictionaries, as meter models carry it)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Register:
    """One value: ``address`` of its first word, ``function`` 3 or 4, ``kind`` uint16/int16/uint32/int32/float32/bcd32/..."""

    key: str
    address: int
    kind: str = "uint16"
    scale: Decimal = Decimal(1)
    unit: str = ""
    function: int = 3
    is_low_word_first: bool = False

    @property
    def count(self) -> int:
        """Number of words."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read in one request."""

    function: int
    start: int
    count: int
    registers: tuple[Register, ...]


def load_register(item: Mapping[str, Any]) -> Register:
    """One entry of a model: key, address, type, scale (text), unit, function, word_order high/low; raises CodecError."""
    raise NotImplementedError


def load_map(items: Iterable[Mapping[str, Any]]) -> list[Register]:
    """All entries."""
    raise NotImplementedError


def plan(registers: Iterable[Register], *, max_count: int = 100, max_gap: int = 8) -> list[Block]:
    """Group registers into few reads."""
    raise NotImplementedError


def decode(register: Register, words: Sequence[int]) -> Decimal | None:
    """Words of this register -> scaled value; None for NaN."""
    raise NotImplementedError


def encode(register: Register, value: Decimal) -> list[int]:
    """The reverse; raises CodecError."""
    raise NotImplementedError


def decode_block(block: Block, words: Sequence[int]) -> dict[str, Decimal | None]:
    """All values of one read by key."""
    raise NotImplementedError
