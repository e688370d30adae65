"""Load profile records of DL/T 645-2007: six classes of values behind one time stamp, any of which a meter may leave out [K].

``A0 A0  n  mm hh DD MM YY  class 1 AA  class 2 AA  ...  class 6 AA  CS  E5``; several records one after another. ``n`` counts the bytes
from the time to the last AA; the sum runs from the first A0 to the last AA. A class that is not recorded is only its AA.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from .. import formats
from ..base import CodecError
from ..values import Reading, Value

CLASS = "06"
_START = b"\xa0\xa0"
_GAP = 0xAA
_END = 0xE5
_HEAD = 3 + 5
_TIME = formats.named("minute")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    format: formats.Format
    unit: str


def _fields(names: Sequence[str], word: str, unit: str, *, signed: bool = False) -> tuple[_Field, ...]:
    return tuple(_Field(name, formats.named(word, signed=signed), unit) for name in names)


_LINES = ("total", "A", "B", "C")
#: The six classes by number.
CLASSES: dict[int, tuple[_Field, ...]] = {
    1: (
        *_fields(["voltage A", "voltage B", "voltage C"], "XXX.X", "V"),
        *_fields(["current A", "current B", "current C"], "XXX.XXX", "A", signed=True),
        *_fields(["grid frequency"], "XX.XX", "Hz"),
    ),
    2: (
        *_fields([f"active power {line}" for line in _LINES], "XX.XXXX", "kW", signed=True),
        *_fields([f"reactive power {line}" for line in _LINES], "XX.XXXX", "kvar", signed=True),
    ),
    3: _fields([f"power factor {line}" for line in _LINES], "X.XXX", "", signed=True),
    4: (
        *_fields(["forward active total energy", "reverse active total energy"], "XXXXXX.XX", "kWh"),
        *_fields(
            ["combined reactive 1 total energy", "combined reactive 2 total energy"],
            "XXXXXX.XX",
            "kvarh",
            signed=True,
        ),
    ),
    5: _fields([f"quadrant {n} reactive total energy" for n in range(1, 5)], "XXXXXX.XX", "kvarh"),
    6: (
        *_fields(["active demand"], "XX.XXXX", "kW", signed=True),
        *_fields(["reactive demand"], "XX.XXXX", "kvar", signed=True),
    ),
}
_SIZES = {number: sum(each.format.size or 0 for each in fields) for number, fields in CLASSES.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """One moment. ``at``: ISO text of the meter's own clock, None = impossible; ``values``: those of the recorded classes."""

    at: str | None
    values: tuple[Value, ...] = ()


def decode(payload: bytes) -> list[Record]:
    """All records of an answer, oldest first as the meter sends them; raises CodecError for bytes that are none."""
    records = []
    at = 0
    while at < len(payload):
        record, size = _take(payload[at:])
        records.append(record)
        at += size
    return records


def encode(at: datetime, classes: Mapping[int, Sequence[Decimal | None]]) -> bytes:
    """One record, for tests; a class that is missing is left out, None is filler."""
    body = bytearray(_TIME.encode(at))
    for number, fields in CLASSES.items():
        for field, value in zip(fields, classes.get(number, ()), strict=False):
            body += b"\xff" * (field.format.size or 0) if value is None else field.format.encode(value)
        body.append(_GAP)
    record = _START + bytes((len(body),)) + bytes(body)
    return record + bytes((sum(record) & 0xFF, _END))


def decode_records(reading: Reading, payload: bytes) -> Reading:
    """The records as values: a time, then the values of each; what is no record is told in ``problem``."""
    try:
        records = decode(payload)
    except CodecError as error:
        return replace(reading, values=(), is_block=True, problem=str(error))
    return replace(reading, values=tuple(_values(records)), is_block=True, details={"records": len(records)})


def _values(records: Sequence[Record]) -> Iterator[Value]:
    for number, record in enumerate(records, 1):
        label = f"record {number}" if len(records) > 1 else "record"
        yield Value(f"{label} time", record.at)
        yield from (replace(value, name=f"{label} {value.name}") for value in record.values)


def _take(data: bytes) -> tuple[Record, int]:
    """The record at the beginning and its size."""
    if data[:2] != _START or len(data) < _HEAD:
        raise CodecError("no load profile record begins with A0 A0 here")
    values: list[Value] = []
    at = _HEAD
    for number, fields in CLASSES.items():
        if data[at : at + 1] != bytes((_GAP,)):
            part = data[at : at + _SIZES[number]]
            values += _cut(fields, part)
            at += _SIZES[number]
        if data[at : at + 1] != bytes((_GAP,)):
            raise CodecError(f"class {number} of a load profile record does not end with AA")
        at += 1
    if data[at + 1 : at + 2] != bytes((_END,)):
        raise CodecError("a load profile record does not end with E5")
    if sum(data[:at]) & 0xFF != data[at]:
        raise CodecError("a load profile record has a wrong sum")
    time = _TIME.decode(data[3:_HEAD])
    return Record(time if isinstance(time, str) else None, tuple(values)), at + 2


def _cut(fields: Sequence[_Field], data: bytes) -> Iterator[Value]:
    at = 0
    for field in fields:
        size = field.format.size or 0
        yield Value(field.name, field.format.decode(data[at : at + size]), field.unit)
        at += size
