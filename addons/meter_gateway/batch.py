"""A batch of readings as columns: checked and made ready for one SQL statement. No Odoo in here.

A column is a list, or the same values joined by newlines in one text (a tenth of the work for an XML parser).
A good batch is checked column by column at the speed of the regex engine; only a column with something wrong in it
is looked at value by value, to name the rows.
"""

import json
import math
import re
from dataclasses import dataclass, field

from .const import (
    FUTURE_TOLERANCE_S,
    INGEST_COLUMNS,
    MAX_BATCH_ROWS,
    NUMERIC_COLUMNS,
    READING_SOURCES,
    REPORTED_KEYS,
    SIGNED_COLUMNS,
)

UNSIGNED = r"[0-9]{1,14}(?:\.[0-9]{1,8})?"
SIGNED = "-?" + UNSIGNED
PATTERNS = {name: SIGNED if name in SIGNED_COLUMNS else UNSIGNED for name in NUMERIC_COLUMNS}
ONE = {name: re.compile(f"(?:{pattern})?") for name, pattern in PATTERNS.items()}
WHOLE = {name: re.compile(f"(?:{pattern})?(?:\n(?:{pattern})?)*") for name, pattern in PATTERNS.items()}
NEGATIVE = re.compile("-" + UNSIGNED)
WORDS = {
    "switch": REPORTED_KEYS | {""},
    "source": frozenset(key for key, _label in READING_SOURCES) | {""},
}
EARLIEST = 946684800.0  # 2000-01-01; meters with an empty clock say 1970
MAX_ID = 2**31 - 1
MAX_EXTRAS = 8000


class BatchError(ValueError):
    """The batch as a whole cannot be read (its frame, not its data)."""


@dataclass
class Batch:
    """Columns of equal length; ``rejected`` maps the index of a row to the reason; ``rows`` are the indexes left."""

    name: str
    columns: dict
    length: int
    rejected: dict = field(default_factory=dict)

    @property
    def rows(self):
        return [index for index in range(self.length) if index not in self.rejected]

    def row(self, index):
        """One row as it came, without empty values: what a person sees of a refused reading."""
        return {
            name: values[index] for name, values in self.columns.items() if values[index] not in ("", None)
        }


def read_batch(payload, now):
    """Check a batch; everything wrong in the data is in ``rejected``, only a broken frame raises BatchError."""
    columns = _read_columns(payload)
    batch = Batch(str(payload.get("batch") or "")[:64], columns, len(columns["circuit_id"]))
    _check_ids(batch)
    _check_times(batch, now)
    for name in NUMERIC_COLUMNS:
        if name in columns:
            _check_numbers(batch, name)
    for name, words in WORDS.items():
        if name in columns:
            _check_words(batch, name, words)
    if "extras" in columns:
        _check_extras(batch)
    _check_not_empty(batch)
    return batch


def to_parameters(batch):
    """{column: text for PostgreSQL} of the rows left; a column without any value is None."""
    rows = batch.rows if batch.rejected else None

    def values(name):
        column = batch.columns[name]
        return column if rows is None else [column[index] for index in rows]

    indexes = range(batch.length) if rows is None else rows
    parameters = {
        "idx": _array(indexes),
        "circuit_id": _array(values("circuit_id")),
        "at": _array(values("at")),
    }
    for name in (*NUMERIC_COLUMNS, "switch", "source"):
        texts = values(name) if name in batch.columns else ()
        # a column check left only texts here, or None for empty
        parameters[name] = "\n".join(text or "" for text in texts) if any(texts) else None
    extras = values("extras") if "extras" in batch.columns else ()
    parameters["extras"] = [text or None for text in extras] if any(extras) else None
    return parameters


def _array(values):
    return "{" + ",".join(map(repr, values)) + "}"


def _read_columns(payload):
    unknown = payload.keys() - set(INGEST_COLUMNS) - {"batch"}
    if unknown:
        raise BatchError(
            f"unknown column {', '.join(sorted(map(str, unknown)))}; known: {', '.join(INGEST_COLUMNS)}"
        )
    columns = {name: _read_column(name, payload[name]) for name in INGEST_COLUMNS if payload.get(name)}
    for name in ("circuit_id", "at"):
        columns.setdefault(name, [])
    length = len(columns["circuit_id"])
    if length > MAX_BATCH_ROWS:
        raise BatchError(f"{length} rows in a batch; at most {MAX_BATCH_ROWS}")
    for name, values in columns.items():
        if len(values) != length:
            raise BatchError(f"column {name} has {len(values)} values, circuit_id has {length}")
    return columns


def _read_column(name, values):
    if isinstance(values, str):
        values = values.split("\n")
        if name in ("circuit_id", "at"):
            kind = int if name == "circuit_id" else float
            try:
                return list(map(kind, values))
            except ValueError as error:
                raise BatchError(f"column {name}: {error}") from None
    if not isinstance(values, list | tuple):
        raise BatchError(f"column {name} is neither a list nor text")
    return values


def _check_ids(batch):
    values = batch.columns["circuit_id"]
    if set(map(type, values)) <= {int} and (not values or (min(values) > 0 and max(values) <= MAX_ID)):
        return
    for index, value in enumerate(values):
        if type(value) is not int or not 0 < value <= MAX_ID:
            batch.rejected[index] = f"circuit_id: {value!r:.40} is not an id"


def _check_times(batch, now):
    values = batch.columns["at"]
    limit = now + FUTURE_TOLERANCE_S
    is_good = set(map(type, values)) <= {float, int} and (
        not values or (all(map(math.isfinite, values)) and min(values) >= EARLIEST and max(values) <= limit)
    )
    if is_good:
        return
    for index, value in enumerate(values):
        if type(value) not in (float, int) or not math.isfinite(value):
            batch.rejected.setdefault(index, f"at: {value!r:.40} is not a time in seconds")
        elif value > limit:
            batch.rejected.setdefault(index, f"at: {value - now:.0f} s ahead of the server's clock")
        elif value < EARLIEST:
            batch.rejected.setdefault(index, f"at: {value:.0f} is before the year 2000")


def _check_numbers(batch, name):
    values = batch.columns[name]
    try:
        if WHOLE[name].fullmatch("\n".join(values)):
            return
    except TypeError:
        pass  # something is not a text; find it below
    for index, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, str) or "\n" in value or not ONE[name].fullmatch(value):
            batch.rejected.setdefault(index, _number_problem(name, value))


def _number_problem(name, value):
    if isinstance(value, str) and NEGATIVE.fullmatch(value):
        return f"{name}: {value:.40} is negative"
    return f"{name}: {value!r:.40} is not a decimal number as text"


def _check_words(batch, name, words):
    values = batch.columns[name]
    for index, value in enumerate(values):
        # list values may be unhashable, so compare with ==
        if value is not None and not (isinstance(value, str) and value in words):
            batch.rejected.setdefault(
                index, f"{name}: {value!r:.40} is not one of {', '.join(sorted(words - {''}))}"
            )


def _check_extras(batch):
    for index, value in enumerate(batch.columns["extras"]):
        if not value:
            continue
        if not isinstance(value, str) or len(value) > MAX_EXTRAS or not _is_object(value):
            batch.rejected.setdefault(index, "extras: not a JSON object as text")


def _is_object(text):
    try:
        return isinstance(json.loads(text), dict) and "\x00" not in text and "\\u0000" not in text
    except ValueError:
        return False


def _check_not_empty(batch):
    """A row must say something: a number or the state of the switch."""
    columns = [batch.columns[name] for name in (*NUMERIC_COLUMNS, "switch") if name in batch.columns]
    if any(all(column) for column in columns):
        return
    for index in range(batch.length):
        if not any(column[index] for column in columns):
            batch.rejected.setdefault(index, "the reading is empty")
