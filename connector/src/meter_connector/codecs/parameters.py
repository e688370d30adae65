"""Settings of meters as data: name, unit, limits and where a meter keeps them. The table is ``parameters.toml`` beside this module.

A value is text, the same in Odoo, in orders and as read back: ``"12.00"``, ``"2026-12-01 00:00"``, ``"00:00 4, 07:00 3"``.
``Parameter.normal`` gives the one spelling of a value, so that what was sent and what was read back compare as texts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from . import formats
from .base import CodecError
from .cjt188 import data as data_188
from .dlt645_1997 import data as data_1997
from .dlt645_2007 import data as data_2007
from .dlt645_2007 import requests as requests_2007
from .items import load_table
from .modbus import registers as maps
from .values import Reading, Writable

KINDS = ("number", "text", "moment", "bits", "table")
#: Protocols as meter models name them -> as the table does.
_FAMILIES = {"modbus-rtu": "modbus", "modbus-tcp": "modbus"}
_CATALOGUES = {"dlt645-1997": data_1997.ITEMS, "dlt645-2007": data_2007.ITEMS}
_PARTS = re.compile(r"\s*[,;\n]\s*")
_MINUTES_OF_DAY = 24 * 60
#: Identifier, password and operator of a write of DL/T 645-2007.
_WRITE_HEAD = 12
#: Written last: the moments at which a meter takes up its other set.
SWITCH_ORDER = 4


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of one protocol (Modbus: of one register map, or of any with the map's own ``register``)."""

    name: str
    protocol: str
    kind: str = "number"
    unit: str = ""
    di: str = ""
    write_di: str = ""
    format: str = ""
    register: Mapping[str, Any] | None = None
    map: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    entries: int = 0
    order: int = 2
    is_readonly: bool = False
    set: str = ""
    in_set: int = 0

    @property
    def is_switch(self) -> bool:
        """Is it a moment at which the meter changes to what was written before it?"""
        return self.order == SWITCH_ORDER

    @property
    def where(self) -> str:
        """Where the meter keeps it, for people: ``04001401`` or ``register 0038``."""
        return self.di or f"register {_address(self.register):04X}"

    def normal(self, text: str) -> str:
        """The one spelling of a value; raises CodecError naming what is wrong with it."""
        try:
            found = self._of_bytes(self._to_bytes(text))
        except CodecError as error:
            raise CodecError(f"{self.name}: {error}") from None
        if found is None:
            raise CodecError(f"{self.name}: {text!r} is no value of this kind")
        self._check(found)
        return found

    def encode(self, text: str) -> bytes:
        """The bytes that are written: of 645 and 188 in wire order, of Modbus the words high byte first; raises CodecError."""
        return self._to_bytes(self.normal(text))

    def check_size(self, text: str, max_write: object = None) -> None:
        """Raises CodecError when no write can carry the value. ``max_write``: data bytes of the model, else the standard's 50."""
        if self.protocol != "dlt645-2007":
            return
        most = int(str(max_write or requests_2007.MAX_WRITE))
        size = _WRITE_HEAD + len(self.encode(text))
        if size > most:
            raise CodecError(f"{self.name}: {size} data bytes, a write to this meter carries at most {most}")

    def decode(self, data: bytes) -> str | None:
        """What the meter answered, None where it is not available."""
        try:
            return self._of_bytes(data)
        except CodecError:
            return None

    def is_equal(self, wanted: str, shown: str | None) -> bool:
        """Does the meter show what was sent? Tables that a meter fills up by repeating the last entry are equal."""
        if shown is None:
            return False
        left, right = self.normal(wanted), shown
        if self.protocol == "cjt188":  # A010 also writes a start day, which 8102 does not show
            return left == right or left.startswith(right + ", ")
        if self.kind != "table":
            return left == right
        return _unfilled(left) == _unfilled(right)

    def _check(self, text: str) -> None:
        if self.kind == "table":
            self._check_table(text.split(", "))
        if self.kind != "number":
            return
        number = Decimal(text)
        if self.minimum is not None and number < self.minimum:
            raise CodecError(f"{self.name}: {text} is below {self.minimum} {self.unit}".rstrip())
        if self.maximum is not None and number > self.maximum:
            raise CodecError(f"{self.name}: {text} is above {self.maximum} {self.unit}".rstrip())

    def _check_table(self, entries: Sequence[str]) -> None:
        if self.entries and len(entries) > self.entries:
            raise CodecError(f"{self.name}: {len(entries)} entries, at most {self.entries}")
        if self.protocol == "cjt188":
            return
        keys = [entry.split(" ")[0] for entry in _unfilled(", ".join(entries)).split(", ")]
        if keys != sorted(set(keys)):
            raise CodecError(f"{self.name}: entries must ascend and each begin once")
        for key in keys:
            _check_key(self.name, key)

    def _to_bytes(self, text: str) -> bytes:
        if self.register is not None:
            return _registers_of(self.register, self.kind, text)
        if self.format:
            return self._own_format().encode(_writable(self.kind, text))
        if self.protocol == "cjt188":
            return _bytes_188(self, text)
        values: list[Writable | None] = (
            [*_entries(text)] if self.kind == "table" else [_writable(self.kind, text)]
        )
        return _CATALOGUES[self.protocol].encode(self.di, values)

    def _of_bytes(self, payload: bytes) -> str | None:
        if self.register is not None:
            return _text_of_registers(self.register, self.kind, payload)
        if self.format:
            format_ = self._own_format()
            value = format_.decode(payload) if format_.size in (None, len(payload)) else None
            return format(value, "f") if isinstance(value, Decimal) else value
        if self.protocol == "cjt188":
            return _text_188(self, payload)
        return _text(_CATALOGUES[self.protocol].decode(self.di, payload))

    def _own_format(self) -> formats.Format:
        word, _, size = self.format.partition(":")
        return formats.named(word, int(size) if size else None)


def text_of(reading: Reading) -> str | None:
    """A reading as one text: the value, or several parted by "; " ("-" where one is not available); None when there is none."""
    texts = [value.text for value in reading.values]
    if not any(text is not None for text in texts):
        return None
    return texts[0] if len(texts) == 1 else "; ".join("-" if text is None else text for text in texts)


@cache
def table() -> tuple[Parameter, ...]:
    """All rows, numbered ones one by one."""
    rows = load_table(__package__, "parameters.toml")["parameter"]
    return tuple(parameter for row in rows for parameter in _read_rows(row))


def names(protocol: str, map_name: str = "") -> list[str]:
    """Names that a protocol (and register map) has, in the table's order."""
    return [each.name for each in table() if _is_of(each, protocol, map_name)]


def find(
    protocol: str, name: str, *, map_name: str = "", own: Mapping[str, Mapping[str, Any]] | None = None
) -> Parameter | None:
    """The parameter; ``own``: those that a meter model brings along, by name, which win over the table's."""
    if own and name in own:
        return read_own(protocol, name, own[name])
    for parameter in table():
        if parameter.name == name and _is_of(parameter, protocol, map_name):
            return parameter
    return None


def read_own(protocol: str, name: str, row: Mapping[str, Any]) -> Parameter:
    """A model's own parameter: di and format (a word of ``formats.named``, ``digits:6``), or register; raises CodecError."""
    parameter = _read_row({**row, "name": name, "protocol": _FAMILIES.get(protocol, protocol)})
    if parameter.kind not in KINDS:
        raise CodecError(f"parameter {name}: kind {parameter.kind!r} is not one of {', '.join(KINDS)}")
    if bool(parameter.di) == (parameter.register is not None):
        raise CodecError(f"parameter {name}: one of di and register is needed")
    if parameter.format:
        parameter._own_format()
    return parameter


def in_order(parameters: Iterable[Parameter]) -> list[Parameter]:
    """As they must be written: counts, tables, prices, and last the moments that switch to them."""
    return sorted(parameters, key=lambda each: each.order)


def _is_of(parameter: Parameter, protocol: str, map_name: str) -> bool:
    family = _FAMILIES.get(protocol, protocol)
    return parameter.protocol == family and parameter.map == (map_name if family == "modbus" else "")


def _read_rows(row: Mapping[str, Any]) -> list[Parameter]:
    parameter = _read_row(row)
    if "first" not in row:
        return [parameter]
    return [
        replace(
            parameter,
            name=parameter.name.format(n=n),
            di=parameter.di.format(n=f"{n:02X}"),
            write_di=parameter.write_di.format(n=f"{n:02X}"),
        )
        for n in range(row["first"], row["last"] + 1)
    ]


def _read_row(row: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=str(row["name"]),
        protocol=str(row["protocol"]),
        kind=str(row.get("kind", "number")),
        unit=str(row.get("unit", "")),
        di=str(row.get("di", "")).upper() if "{" not in str(row.get("di", "")) else str(row["di"]),
        write_di=str(row.get("write_di", "")),
        format=str(row.get("format", "")),
        register=row.get("register"),
        map=str(row.get("map", "")),
        minimum=_limit(row, "minimum"),
        maximum=_limit(row, "maximum"),
        entries=int(row.get("entries", 0)),
        order=int(row.get("order", 2)),
        is_readonly=bool(row.get("readonly", False)),
        set=str(row.get("set", "")),
        in_set=int(row.get("in_set", 0)),
    )


def _limit(row: Mapping[str, Any], key: str) -> Decimal | None:
    try:
        return Decimal(str(row[key])) if row.get(key) not in (None, "") else None
    except InvalidOperation:
        raise CodecError(f"parameter {row.get('name')}: {key} {row[key]!r} is not a number") from None


def _writable(kind: str, text: str) -> Writable:
    if kind != "number":
        return text.strip()
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise CodecError(f"{text!r} is not a number") from None


def _entries(text: str) -> list[str]:
    return [part for part in _PARTS.split(text.strip()) if part]


def _unfilled(text: str) -> str:
    """Without repetitions of the last entry, and without the zeros some meters fill up with."""
    entries = [entry for entry in text.split(", ") if not _is_nothing(entry)]
    while len(entries) > 1 and entries[-1] == entries[-2]:
        entries.pop()
    return ", ".join(entries)


def _is_nothing(entry: str) -> bool:
    """All zeros: no tariff 0 and no table 0 exist."""
    return not set(entry) - set("0-: ")


def _check_key(name: str, key: str) -> None:
    parts = key.split(":") if ":" in key else key.split("-")
    numbers = [int(part) for part in parts if part.isdigit()]
    is_time = ":" in key
    high = (23, 59) if is_time else (12, 31)
    low = 0 if is_time else 1
    if len(numbers) != 2 or any(not low <= n <= top for n, top in zip(numbers, high, strict=True)):
        raise CodecError(f"{name}: {key!r} is no {'time' if is_time else 'day'}")


def _text(reading: Reading) -> str | None:
    """A single value, or the entries of a table; None where any is not available."""
    texts = [value.text for value in reading.values]
    if not texts or None in texts:
        return None
    return ", ".join(text for text in texts if text is not None)


# ---- CJ/T 188 ----------------------------------------------------------------------------------------------------------------------
def _bytes_188(parameter: Parameter, text: str) -> bytes:
    di = parameter.write_di or parameter.di
    keys = data_188.field_keys(di)
    values = dict(zip(keys, _entries(text), strict=False))
    if len(_entries(text)) != len(keys):
        raise CodecError(f"{len(_entries(text))} numbers, {len(keys)} expected: {', '.join(keys)}")
    return data_188.encode_item(di, values)


def _text_188(parameter: Parameter, payload: bytes) -> str | None:
    for di in (parameter.di, parameter.write_di):
        reading = data_188.decode_item(di, payload) if di else Reading("")
        if reading.values:
            return _text(reading)
    return None


# ---- Modbus ------------------------------------------------------------------------------------------------------------------------
def _address(register: Mapping[str, Any] | None) -> int:
    value = (register or {}).get("address", 0)
    return int(value, 0) if isinstance(value, str) else int(value)


def register_words(parameter: Parameter) -> tuple[int, int, int]:
    """Function, first register and number of registers to read; raises CodecError."""
    register = parameter.register or {}
    if "triples" in register:
        return int(register.get("function", 3)), _address(register), int(register["words"])
    found = maps.load_register({"key": parameter.name, **register})
    return found.function, found.address, found.count


def _registers_of(register: Mapping[str, Any], kind: str, text: str) -> bytes:
    if "triples" in register:
        return _triples(_entries(text), str(register["triples"]), 2 * int(register["words"]))
    number = _writable("number", text)
    assert isinstance(number, Decimal)
    words = maps.encode(maps.load_register({"key": "value", **register}), number)
    return b"".join(word.to_bytes(2, "big") for word in words)


def _text_of_registers(register: Mapping[str, Any], kind: str, payload: bytes) -> str | None:
    if "triples" in register:
        return _entries_of_triples(payload, str(register["triples"]))
    words = [int.from_bytes(payload[at : at + 2], "big") for at in range(0, len(payload), 2)]
    value = maps.decode(maps.load_register({"key": "value", **register}), words)
    return None if value is None else format(value, "f")


def _triples(entries: Sequence[str], order: str, size: int) -> bytes:
    """``hh:mm tariff`` as three binary bytes each in the order of ``order`` (N tariff, m minute, h hour), zeros behind."""
    data = bytearray()
    for entry in entries:
        match = re.fullmatch(r"(\d{1,2}):(\d{2}) +(\d{1,3})", entry)
        if match is None:
            raise CodecError(f"{entry!r} is not of the form hh:mm tariff")
        fields = {"h": int(match[1]), "m": int(match[2]), "N": int(match[3])}
        if fields["N"] > 255 or fields["h"] * 60 + fields["m"] >= _MINUTES_OF_DAY:
            raise CodecError(f"{entry!r} is no time of day with a tariff")
        data += bytes(fields[letter] for letter in order)
    if len(data) > size:
        raise CodecError(f"{len(entries)} entries, at most {size // 3}")
    return bytes(data.ljust(size, b"\x00"))


def _entries_of_triples(payload: bytes, order: str) -> str | None:
    entries = []
    for at in range(0, len(payload) - 2, 3):
        fields = dict(zip(order, payload[at : at + 3], strict=True))
        if fields["N"]:
            if fields["h"] > 23 or fields["m"] > 59:
                return None
            entries.append(f"{fields['h']:02}:{fields['m']:02} {fields['N']:02}")
    return ", ".join(entries) if entries else None
