"""Register maps: raw 16-bit words <-> exact decimals. A map is data (a list of dictionaries, as meter models carry it)."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from .. import bcd
from ..base import CodecError
from ..items import load_table

#: Words of each kind.
KINDS = {
    "uint16": 1,
    "int16": 1,
    "uint32": 2,
    "int32": 2,
    "uint64": 4,
    "int64": 4,
    "float32": 2,
    "bcd16": 1,
    "bcd32": 2,
}
#: Maps that come with the connector.
MAPS = ("acrel_ddsy1352", "acrel_dtsd1352", "acrel_dtsy1352", "hiking_dds238")
MAX_COUNT = 125
#: A float32 has about seven figures; more would be invented.
_FLOAT_FIGURES = 7


@dataclass(frozen=True, slots=True)
class Register:
    """One value: ``address`` of its first word, ``function`` 3 or 4 (1 and 2: coils), ``kind`` a key of KINDS.

    Value = raw * ``scale`` + ``offset``; ``is_low_word_first`` for 32 and 64 bits; ``is_byte_swapped``: low byte first within a word;
    ``none`` = raw words that mean "not available".
    ``mask`` and ``shift`` cut bits out of an unsigned value first.
    """

    key: str
    address: int
    kind: str = "uint16"
    scale: Decimal = Decimal(1)
    unit: str = ""
    function: int = 3
    is_low_word_first: bool = False
    offset: Decimal = Decimal(0)
    none: int | None = None
    mask: int | None = None
    shift: int = 0
    is_byte_swapped: bool = False

    @property
    def count(self) -> int:
        """Number of words."""
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read in one request."""

    function: int
    start: int
    count: int
    registers: tuple[Register, ...]


def load_register(item: Mapping[str, Any]) -> Register:
    """One entry of a model; raises CodecError naming key and fault.

    Keys: key, address (int or "0x000B"), type, scale (text), unit, function, word_order ("high" or "low" first), offset, none, mask,
    shift, byte_order ("high" or "low" byte first within a word); ``count`` may be given and must then agree with the type.
    """
    key = str(item.get("key") or "?")
    kind = str(item.get("type", "uint16"))
    if kind not in KINDS:
        raise CodecError(f"register {key}: type {kind!r} is not one of {', '.join(KINDS)}")
    count = _integer(item, "count", KINDS[kind], 1, MAX_COUNT)
    if count != KINDS[kind]:
        raise CodecError(f"register {key}: count {count}, but {kind} has {KINDS[kind]} words")
    order = str(item.get("word_order", "high"))
    if order not in _WORD_ORDERS:
        raise CodecError(f"register {key}: word_order {order!r} is not high or low")
    byte_order = str(item.get("byte_order", "high"))
    if byte_order not in _WORD_ORDERS:
        raise CodecError(f"register {key}: byte_order {byte_order!r} is not high or low")
    none = item.get("none")
    mask = item.get("mask")
    return Register(
        key=key,
        address=_integer(item, "address", None, 0, 0xFFFF),
        kind=kind,
        scale=_decimal(item, "scale", "1"),
        unit=str(item.get("unit", "")),
        function=_integer(item, "function", 3, 1, 4),
        is_low_word_first=_WORD_ORDERS[order],
        offset=_decimal(item, "offset", "0"),
        none=None if none is None else _integer(item, "none", None, 0, 2**64 - 1),
        mask=None if mask is None else _integer(item, "mask", None, 1, 2**64 - 1),
        shift=_integer(item, "shift", 0, 0, 63),
        is_byte_swapped=_WORD_ORDERS[byte_order],
    )


_WORD_ORDERS = {
    "high": False,
    "high_first": False,
    "big": False,
    "low": True,
    "low_first": True,
    "little": True,
}


def load_map(items: Iterable[Mapping[str, Any]]) -> list[Register]:
    """All entries; raises CodecError for the first wrong one."""
    return [load_register(item) for item in items]


def plan(registers: Iterable[Register], *, max_count: int = 100, max_gap: int = 8) -> list[Block]:
    """Group registers into few reads: up to ``max_count`` words, bridging at most ``max_gap`` words that nobody asked for.

    Meters that refuse to read undefined registers need ``max_gap=0``.
    """
    blocks: list[Block] = []
    for register in sorted(registers, key=lambda item: (item.function, item.address)):
        last = blocks[-1] if blocks else None
        end = register.address + register.count
        if (
            last is not None
            and last.function == register.function
            and register.address - (last.start + last.count) <= max_gap
            and end - last.start <= max_count
        ):
            count = max(last.count, end - last.start)
            blocks[-1] = Block(last.function, last.start, count, (*last.registers, register))
        else:
            blocks.append(Block(register.function, register.address, register.count, (register,)))
    return blocks


def decode(register: Register, words: Sequence[int]) -> Decimal | None:
    """Words of this register -> scaled value; None for NaN, "not available" and wrong BCD; raises CodecError for too few words."""
    if len(words) != register.count:
        raise CodecError(f"register {register.key}: {len(words)} words, {register.count} expected")
    ordered = tuple(reversed(words)) if register.is_low_word_first else tuple(words)
    raw = b"".join(word.to_bytes(2, "little" if register.is_byte_swapped else "big") for word in ordered)
    number = _decode_raw(register, raw)
    return None if number is None else number * register.scale + register.offset


def encode(register: Register, value: Decimal) -> list[int]:
    """The reverse (settings, simulator); raises CodecError where the register cannot hold it exactly."""
    scaled = (value - register.offset) / register.scale
    size = 2 * register.count
    if register.kind == "float32":
        raw = struct.pack(">f", float(scaled))
    elif scaled != scaled.to_integral_value():
        raise CodecError(f"register {register.key}: {value} does not fit its scale {register.scale}")
    elif register.kind.startswith("bcd"):
        raw = bcd.from_digits(str(int(scaled)), size)[::-1]
    else:
        raw = _encode_integer(register, int(scaled), size)
    order: Literal["little", "big"] = "little" if register.is_byte_swapped else "big"
    words = [int.from_bytes(raw[at : at + 2], order) for at in range(0, size, 2)]
    return words[::-1] if register.is_low_word_first else words


def decode_block(block: Block, words: Sequence[int]) -> dict[str, Decimal | None]:
    """All values of one read by key; raises CodecError when the answer has another length than asked for."""
    if len(words) != block.count:
        raise CodecError(f"{len(words)} words answered, {block.count} asked for")
    values = {}
    for register in block.registers:
        at = register.address - block.start
        values[register.key] = decode(register, words[at : at + register.count])
    return values


def _decode_raw(register: Register, raw: bytes) -> Decimal | None:
    unsigned = int.from_bytes(raw, "big")
    if register.none is not None and unsigned == register.none:
        return None
    if register.mask is not None:
        return Decimal((unsigned & register.mask) >> register.shift)
    if register.kind == "float32":
        (number,) = struct.unpack(">f", raw)
        text = f"{number:.{_FLOAT_FIGURES}g}"
        return Decimal(text) if Decimal(text).is_finite() else None
    if register.kind.startswith("bcd"):
        return bcd.to_decimal(raw[::-1], 0)
    return Decimal(int.from_bytes(raw, "big", signed=register.kind.startswith("int")) >> register.shift)


def _encode_integer(register: Register, value: int, size: int) -> bytes:
    try:
        return (value << register.shift).to_bytes(size, "big", signed=register.kind.startswith("int"))
    except OverflowError:
        raise CodecError(f"register {register.key}: {value} does not fit {register.kind}") from None


def _integer(item: Mapping[str, Any], key: str, default: int | None, low: int, high: int) -> int:
    value = item.get(key, default)
    try:
        number = int(value, 0) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise ValueError
    except ValueError:
        name = item.get("key") or "?"
        raise CodecError(f"register {name}: {key} {value!r} is not a number from {low} to {high}") from None
    return number


def _decimal(item: Mapping[str, Any], key: str, default: str) -> Decimal:
    value = item.get(key, default)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or (key == "scale" and not number):
        raise CodecError(f"register {item.get('key') or '?'}: {key} {value!r} is not a usable number")
    return number


def named_map(name: str) -> dict[str, Any]:
    """A map that comes with the connector (one of MAPS): name, registers (``optional``: not among
    those that a model reads all the time), switch where it is known, ``unknown`` keys that no source tells; raises CodecError."""
    if name not in MAPS:
        raise CodecError(f"register map {name!r} is not one of {', '.join(MAPS)}")
    return load_table(__package__, f"maps/{name}.toml")
