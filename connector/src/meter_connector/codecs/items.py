"""Data identifiers as data: finds the table row of an identifier and cuts payloads by it.

A table (TOML) has ``[variable.NAME]`` sections (a byte or nibble of the identifier that counts something) and ``[[item]]`` rows:

    di      pattern, e.g. "0001{rate}{settlement}"
    name    of one value, e.g. "forward active {rate} energy{settlement}"
    block   name of the whole when a variable has its block code (FF)
    format  word of ``formats.named``; with size, signed, unit
    fields  instead of format: a record of several fields, each with name, format, ...
    over    variable that the payload itself counts through (freeze data: total, tariff 1, ...)
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any

from . import formats
from .base import CodecError
from .values import Reading, Value, Writable

_PLACE = re.compile(r"\{(\w+)\}")
#: Guards against a table row without size in a block.
_MAX_VALUES = 256


@dataclass(frozen=True, slots=True)
class Variable:
    """A counting part of an identifier: ``texts`` by code, ``other`` for every further code from first to last."""

    digits: int
    first: int
    last: int
    block: int | None
    texts: Mapping[int, str]
    other: str

    def text(self, code: int) -> str:
        """How this code reads in a name."""
        return self.texts.get(code, self.other.format(n=code))

    def is_known(self, code: int) -> bool:
        """Codes outside the table's range make an unknown identifier."""
        return code in self.texts or self.first <= code <= self.last or code == self.block


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of an item."""

    name: str
    format: formats.Format
    unit: str


@dataclass(frozen=True, slots=True)
class Item:
    """A table row."""

    pattern: re.Pattern[str]
    name: str
    block: str
    fields: tuple[FieldSpec, ...]
    over: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A row with the codes that this identifier has. ``counted``: the variable that runs through the payload."""

    item: Item
    codes: Mapping[str, int]
    counted: str | None

    @property
    def is_block(self) -> bool:
        """More than one value may come."""
        return self.counted is not None or len(self.item.fields) > 1

    @property
    def element_size(self) -> int | None:
        """Bytes of one element; None when its last field takes all that is left."""
        sizes = [spec.format.size for spec in self.item.fields]
        return None if None in sizes else sum(size for size in sizes if size is not None)


class Catalogue:
    """All rows of one protocol."""

    def __init__(self, package: str, *names: str) -> None:
        self._variables: dict[str, Variable] = {}
        self._items: list[Item] = []
        for name in names:
            table = load_table(package, name)
            for key, section in table.get("variable", {}).items():
                self._variables[key] = _read_variable(section)
            self._items += [self._read_item(row) for row in table.get("item", ())]
        self._find = lru_cache(maxsize=1024)(self._search)

    def find(self, di: str) -> Found | None:
        """The row of an identifier as printed."""
        return self._find(di.upper())

    def name(self, di: str) -> str | None:
        """Its name, for requests."""
        found = self.find(di)
        return None if found is None else self._whole_name(found)

    def decode(self, di: str, payload: bytes) -> Reading:
        """Never raises: what does not fit the row is told in ``problem`` and has no values."""
        found = self.find(di)
        if found is None:
            return Reading(di.upper())
        reading = Reading(di.upper(), self._whole_name(found), is_block=found.is_block)
        try:
            elements = list(self._elements(found, payload))
        except CodecError as error:
            empty = () if found.is_block else (Value(reading.name or "", None, found.item.fields[0].unit),)
            return replace(reading, values=empty, problem=str(error))
        values: list[Value] = []
        details: dict[str, object] = {}
        for name, data in elements:
            self._decode_element(found.item, name, data, values, details)
        return replace(reading, values=tuple(values), details=details)

    def encode(self, di: str, values: Sequence[Writable | None]) -> bytes:
        """One entry a value, None = filler FF."""
        found = self.find(di)
        if found is None:
            raise CodecError(f"data identifier {di} is not in the table")
        fields = found.item.fields
        if not values or len(values) % len(fields) or (not found.counted and len(values) > len(fields)):
            raise CodecError(f"{di} takes {len(fields)} values, got {len(values)}")
        return b"".join(
            _encode_field(fields[position % len(fields)], value) for position, value in enumerate(values)
        )

    def _search(self, di: str) -> Found | None:
        for item in self._items:
            if (match := item.pattern.match(di)) is None:
                continue
            codes = {key: int(text, 16) for key, text in match.groupdict().items()}
            if all(self._variables[key].is_known(code) for key, code in codes.items()):
                blocks = [key for key, code in codes.items() if code == self._variables[key].block]
                if len(blocks) <= 1:
                    return Found(item, codes, blocks[0] if blocks else item.over)
        return None

    def _elements(self, found: Found, payload: bytes) -> Iterator[tuple[str, bytes]]:
        size = found.element_size
        if found.counted is None:
            if size is not None and len(payload) != size:
                raise CodecError(f"{len(payload)} bytes, {size} expected")
            yield self._value_name(found, None), payload
            return
        if not size or not payload or len(payload) % size or len(payload) // size > _MAX_VALUES:
            raise CodecError(f"{len(payload)} bytes are no multiple of {size}")
        first = self._variables[found.counted].first
        for number, at in enumerate(range(0, len(payload), size)):
            yield self._value_name(found, first + number), payload[at : at + size]

    def _decode_element(
        self, item: Item, name: str, data: bytes, values: list[Value], details: dict[str, object]
    ) -> None:
        at = 0
        for spec in item.fields:
            end = len(data) if spec.format.size is None else at + spec.format.size
            part, at = data[at:end], end
            label = f"{name} {spec.name}" if spec.name else name
            short = spec.format.size is not None and len(part) < spec.format.size
            is_there = bool(part) and not short
            values.append(Value(label, spec.format.decode(part) if is_there else None, spec.unit))
            if is_there:
                details.update(spec.format.details(part))

    def _whole_name(self, found: Found) -> str:
        if found.counted is None:
            return self._value_name(found, None)
        return _PLACE.sub(lambda place: self._text(place[1], found, None), found.item.block)

    def _value_name(self, found: Found, code: int | None) -> str:
        return _PLACE.sub(lambda place: self._text(place[1], found, code), found.item.name)

    def _text(self, key: str, found: Found, code: int | None) -> str:
        if key == found.counted and code is not None:
            return self._variables[key].text(code)
        if key not in found.codes or key == found.counted:
            return ""
        return self._variables[key].text(found.codes[key])

    def _read_item(self, row: Mapping[str, Any]) -> Item:
        fields = [_read_field(field) for field in row.get("fields", ())] or [_read_field({**row, "name": ""})]
        return Item(
            pattern=self._pattern(row["di"]),
            name=row["name"],
            block=row.get("block", row["name"] + " block"),
            fields=tuple(fields),
            over=row.get("over"),
        )

    def _pattern(self, di: str) -> re.Pattern[str]:
        def group(place: re.Match[str]) -> str:
            return f"(?P<{place[1]}>[0-9A-F]{{{self._variables[place[1]].digits}}})"

        return re.compile(_PLACE.sub(group, di) + r"\Z")


def load_table(package: str, name: str) -> dict[str, Any]:
    """A TOML file beside the module ``package``."""
    return tomllib.loads(resources.files(package).joinpath(name).read_text("utf-8"))


def _read_variable(section: Mapping[str, Any]) -> Variable:
    texts = {int(code, 16): text for code, text in section.get("texts", {}).items()}
    return Variable(
        digits=section.get("digits", 2),
        first=section.get("first", 0),
        last=section.get("last", -1),
        block=section.get("block"),
        texts=texts,
        other=section.get("other", "{n}"),
    )


def _read_field(row: Mapping[str, Any]) -> FieldSpec:
    kind = formats.named(row["format"], row.get("size"), signed=row.get("signed", False))
    return FieldSpec(row["name"], kind, row.get("unit", ""))


def _encode_field(spec: FieldSpec, value: Writable | None) -> bytes:
    if value is not None:
        return spec.format.encode(value)
    return b"\xff" * (spec.format.size or 0)
