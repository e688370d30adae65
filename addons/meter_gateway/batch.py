"""A batch of readings as columns: checked and made ready for one SQL statement. No Odoo in here.

A column is a list, or the same values joined by commas in one text (a tenth of the work for an XML parser).
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
WHOLE = {name: re.compile(f"(?:{pattern})?+(?:,(?:{pattern})?+)*+") for name, pattern in PATTERNS.items()}
NEGATIVE = re.compile("-" + UNSIGNED)
WORDS = {
    "switch": REPORTED_KEYS | {""},
    "source": frozenset(key for key, _label in READING_SOURCES) | {""},
}
#: Columns that are numbers in a list.
LISTED = {"circuit_id": int, "at": float}
LISTED_TEXTS = {
    "circuit_id": re.compile("[1-9][0-9]{0,8}(?:,[1-9][0-9]{0,8})*+"),
    "at": re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?+(?:,[0-9]{1,12}(?:\.[0-9]{1,9})?+)*+"),
}
#: The empty word comes last: what is matched is not given back.
ANY_WORD = {name: f"(?:{'|'.join(sorted(words, reverse=True))})" for name, words in WORDS.items()}
WHOLE_WORDS = {name: re.compile(f"{word}(?:,{word})*+") for name, word in ANY_WORD.items()}
EARLIEST = 946684800.0  # 2000-01-01; meters with an empty clock say 1970
MAX_ID = 2**31 - 1
MAX_EXTRAS = 8000


class BatchError(ValueError):
    """The batch as a whole cannot be read (its frame, not its data)."""


@dataclass
class Batch:
    """Columns of equal length; ``rejected`` maps the index of a row to the reason.

    ``texts`` holds columns joined by commas, as they are handed to PostgreSQL; ``columns`` the same as lists, made when
    something is wrong with them.
    """

    name: str
    columns: dict
    texts: dict
    length: int
    rejected: dict = field(default_factory=dict)
    oldest: float = math.inf  # the earliest of its times, epoch seconds

    def column(self, name):
        """A column as a list."""
        if name not in self.columns:
            values = self.texts[name].split(",")
            self.columns[name] = [LISTED[name](value) for value in values] if name in LISTED else values
        return self.columns[name]

    @property
    def names(self):
        """Columns that came."""
        return [name for name in INGEST_COLUMNS if name in self.columns or name in self.texts]

    @property
    def rows(self):
        """Indexes of the rows that are not refused."""
        return [index for index in range(self.length) if index not in self.rejected]

    @property
    def has_one_each(self):
        """Is no circuit there twice?"""
        text = self.texts.get("circuit_id")
        return len(set(text.split(",") if text else self.columns["circuit_id"])) == self.length

    def row(self, index):
        """One row as it came, without empty values: what a person sees of a refused reading."""
        values = {name: self.column(name)[index] for name in self.names}
        return {name: value for name, value in values.items() if value not in ("", None)}


def read_batch(payload, now):
    """Check a batch; everything wrong in the data is in ``rejected``, only a broken frame raises BatchError."""
    batch = _read_columns(payload)
    _check_ids(batch)
    _check_times(batch, now)
    for name in batch.names:
        if name in NUMERIC_COLUMNS:
            _check_numbers(batch, name)
        elif name in WORDS:
            _check_words(batch, name, WORDS[name])
    if "extras" in batch.columns:
        _check_extras(batch)
    _check_not_empty(batch)
    return batch


def to_parameters(batch):
    """{column: text for PostgreSQL} of the rows that are not refused; a column without any value is None."""
    rows = batch.rows if batch.rejected else None

    def text(name, spell=lambda value: value or ""):
        if name not in batch.names:
            return ""
        if rows is None and name in batch.texts:
            return batch.texts[name]
        column = batch.column(name)
        return ",".join(map(spell, column if rows is None else [column[index] for index in rows]))

    extras = batch.column("extras") if "extras" in batch.names else ()
    if rows is not None and extras:
        extras = [extras[index] for index in rows]
    return {
        "circuit_id": "{" + text("circuit_id", str) + "}",
        "at": "{" + text("at", repr) + "}",
        **{name: _numbers_or_none(text(name)) for name in NUMERIC_COLUMNS},
        **{name: text(name).strip(",") and text(name) or None for name in WORDS},
        "extras": [value or None for value in extras] if any(extras) else None,
    }


def _numbers_or_none(text):
    """A PostgreSQL array; None for a column without a single value."""
    if not text.strip(","):
        return None
    if ",," in f",{text},":
        text = ",".join(value or "NULL" for value in text.split(","))
    return "{" + text + "}"


def _read_columns(payload):
    unknown = payload.keys() - set(INGEST_COLUMNS) - {"batch", "waiting_from"}
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise BatchError(f"unknown column {names}; known: {', '.join(INGEST_COLUMNS)}")
    columns, texts = {}, {}
    for name in INGEST_COLUMNS:
        values = payload.get(name)
        if isinstance(values, str) and values and name != "extras":
            texts[name] = values
        elif values and not isinstance(values, list | tuple):
            raise BatchError(f"column {name} is neither a list nor text")
        elif values:
            columns[name] = values
    for name in LISTED:
        if name in texts and not LISTED_TEXTS[name].fullmatch(texts[name]):
            raise BatchError(f"column {name}: not numbers joined by commas")
        if name not in texts:
            columns.setdefault(name, [])
    count = texts["circuit_id"].count(",") + 1 if "circuit_id" in texts else len(columns["circuit_id"])
    batch = Batch(str(payload.get("batch") or "")[:64], columns, texts, count)
    _check_lengths(batch)
    return batch


def _check_lengths(batch):
    if batch.length > MAX_BATCH_ROWS:
        raise BatchError(f"{batch.length} rows in a batch; at most {MAX_BATCH_ROWS}")
    for name in batch.names:
        count = batch.texts[name].count(",") + 1 if name in batch.texts else len(batch.columns[name])
        if count != batch.length:
            raise BatchError(f"column {name} has {count} values, circuit_id has {batch.length}")


def _check_ids(batch):
    if "circuit_id" in batch.texts:
        return  # nine digits at most: an id
    values = batch.columns["circuit_id"]
    if set(map(type, values)) <= {int} and (not values or (min(values) > 0 and max(values) <= MAX_ID)):
        return
    for index, value in enumerate(values):
        if type(value) is not int or not 0 < value <= MAX_ID:
            batch.rejected[index] = f"circuit_id: {value!r:.40} is not an id"


def _check_times(batch, now):
    values = batch.column("at")
    limit = now + FUTURE_TOLERANCE_S
    is_good = set(map(type, values)) <= {float, int} and (
        not values or (all(map(math.isfinite, values)) and min(values) >= EARLIEST and max(values) <= limit)
    )
    if is_good:
        batch.oldest = min(values, default=math.inf)
        return
    batch.oldest = EARLIEST
    for index, value in enumerate(values):
        if type(value) not in (float, int) or not math.isfinite(value):
            batch.rejected.setdefault(index, f"at: {value!r:.40} is not a time in seconds")
        elif value > limit:
            batch.rejected.setdefault(index, f"at: {value - now:.0f} s ahead of the server's clock")
        elif value < EARLIEST:
            batch.rejected.setdefault(index, f"at: {value:.0f} is before the year 2000")


def _check_numbers(batch, name):
    try:
        text = batch.texts[name] if name in batch.texts else ",".join(batch.columns[name])
        if WHOLE[name].fullmatch(text) and text.count(",") == batch.length - 1:
            batch.texts[name] = text
            return
    except TypeError:
        pass  # something is not a text; find it below
    for index, value in enumerate(batch.column(name)):
        if value is None:
            continue
        if not isinstance(value, str) or not ONE[name].fullmatch(value):
            batch.rejected.setdefault(index, _number_problem(name, value))


def _number_problem(name, value):
    if isinstance(value, str) and NEGATIVE.fullmatch(value):
        return f"{name}: {value:.40} is negative"
    return f"{name}: {value!r:.40} is not a decimal number as text"


def _check_words(batch, name, words):
    if name in batch.texts and WHOLE_WORDS[name].fullmatch(batch.texts[name]):
        return
    values = batch.column(name)
    try:
        if set(values) <= words:
            return
    except TypeError:
        pass  # a list or an object; find it below
    for index, value in enumerate(values):
        if value is not None and not (isinstance(value, str) and value in words):
            known = ", ".join(sorted(words - {""}))
            batch.rejected.setdefault(index, f"{name}: {value!r:.40} is not one of {known}")


def _check_extras(batch):
    for index, value in enumerate(batch.columns["extras"]):
        if value and not (isinstance(value, str) and len(value) <= MAX_EXTRAS and _is_object(value)):
            batch.rejected.setdefault(index, "extras: not a JSON object as text")


def _is_object(text):
    try:
        return isinstance(json.loads(text), dict) and "\x00" not in text and "\\u0000" not in text
    except ValueError:
        return False


def _check_not_empty(batch):
    """A row must say something: a number or the state of the switch."""
    names = [name for name in batch.names if name in NUMERIC_COLUMNS or name == "switch"]
    if any(_is_full(batch, name) for name in names):
        return
    columns = [batch.column(name) for name in names]
    for index in range(batch.length):
        if not any(column[index] for column in columns):
            batch.rejected.setdefault(index, "the reading is empty")


def _is_full(batch, name):
    if name in batch.texts:
        return ",," not in f",{batch.texts[name]},"
    return all(batch.columns[name])
