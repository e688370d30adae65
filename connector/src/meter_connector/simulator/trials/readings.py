"""Readings against what the meters truly said: none lost, none twice, none invented, none changed.

The meters' answers are in the journal with the value and the true time. Each reading that Odoo has needs one of its own: the same value, about
the same time. What the connector handed to its outbox is asked only for what was lost or changed behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..journal import Journal
from .estate import Estate
from .violation import Violation
from .witness import Witness

COLUMNS = ("total", "voltage_v", "switch")
"""What is compared with the meters; one of them is in each reading."""
BEFORE_S = 20.0
"""So far the connector's time of a reading may be behind the meter's answer: a lesson with a slow round trip (18 s at most here) is wrong by
half of that."""
AFTER_S = {"total": 10.0, "voltage_v": 60.0, "switch": 60.0}
"""And ahead of it. A reading has the time of its energy; orders may come between that and the rest of the sweep."""


@dataclass
class Answer:
    """A meter said so at a true time, and no reading is made of it yet."""

    at: float
    value: str
    is_used: bool = False


def judge_readings(journal: Journal, estate: Estate, witness: Witness) -> Iterator[Violation]:
    """All that is wrong."""
    yield from _kept(estate, witness)
    yield from _true(journal, estate)
    yield from _registers(estate)


def _kept(estate: Estate, witness: Witness) -> Iterator[Violation]:
    """What was acknowledged is there, as it was."""
    for circuit, at in sorted(witness.acknowledged - estate.readings.keys()):
        what = f"circuit {circuit} at {at!r} was on the disk, Odoo has not got it"
        yield Violation("reading lost", what, at)
    for (circuit, at), row in estate.readings.items():
        offered = witness.offered.get((circuit, at), {})
        if any(row.get(key, "") != value for key, value in offered.items()):
            yield Violation(
                "reading changed", f"circuit {circuit} at {at!r}: {row} was read as {offered}", at
            )
    for text in witness.conflicts:
        yield Violation("reading twice", text)


def _true(journal: Journal, estate: Estate) -> Iterator[Violation]:
    """Each of its own answer."""
    answers = _answers(journal)
    for (circuit, at), row in sorted(estate.readings.items(), key=lambda item: item[0]):
        serial, true_at = estate.serials[circuit], at - estate.clock_offset
        columns = [column for column in COLUMNS if row.get(column)]
        if not columns:
            yield Violation("reading of nothing", f"circuit {circuit} at {at!r}: {row}", true_at)
        for column in columns:
            near = _alike(answers[serial, column], column, row[column], true_at)
            free = next((answer for answer in near if not answer.is_used), None)
            if free is not None:
                free.is_used = True
                continue
            rule = "reading twice" if near else "reading invented"
            yield Violation(
                rule, f"circuit {circuit} at {at!r}: {column} {row[column]}, meter {serial}", true_at
            )


def _answers(journal: Journal) -> dict[tuple[str, str], list[Answer]]:
    found = defaultdict[tuple[str, str], list[Answer]](list)
    for entry in journal.since(kind="shown"):
        for column in COLUMNS:
            if column in entry:
                found[entry["meter"], column].append(Answer(entry["at"], entry[column]))
    return found


def _alike(answers: list[Answer], column: str, value: Any, at: float) -> list[Answer]:
    """In the order of time, so that an early reading takes an early answer."""
    near = [answer for answer in answers if at - BEFORE_S <= answer.at <= at + AFTER_S[column]]
    if column == "switch":
        return [answer for answer in near if answer.value == value]
    return [answer for answer in near if Decimal(answer.value) == Decimal(value)]


def _registers(estate: Estate) -> Iterator[Violation]:
    """Energy never runs backwards: an old answer was taken for a new one."""
    newest: dict[int, Decimal] = {}
    for (circuit, at), row in sorted(estate.readings.items(), key=lambda item: item[0]):
        if total := row.get("total", ""):
            if Decimal(total) < newest.get(circuit, Decimal(0)):
                what = f"circuit {circuit}: {total} after {newest[circuit]}"
                yield Violation("old value under a new time", what, at)
            newest[circuit] = Decimal(total)
