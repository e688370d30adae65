"""What a meter noted by itself: its event counts and status words, read slowly and in the background.

counts   grown ──> the newest record is read ──> one event with its times and values ──> the count is kept on the disk
words    a bit changed ──> one event; the meter's state is kept on the disk

The first look at a meter only keeps what it shows: nobody asked what happened before. Keys of events are made of meter, count and
begin, so that an event whose count was not kept any more (a power cut between the two) is told again and counts once. What a meter
refuses is left alone for a day.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..codecs.values import Part
from ..drivers import ItemValues, Line
from ..errors import LinkError, WireError
from ..model import Event, Meter
from ..outbox.room import PAUSED
from .freeze import KEPT_DAYS, frozen_at
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner

_logger = logging.getLogger(__name__)

DAY_S = 86400.0
FUTURE_S = 600.0
"""A record's time so far ahead is a wrong clock; the event then counts from now."""

COUNTED: tuple[Mapping[str, str], ...] = (
    {"event": "trip_recorded", "count": "trip_count", "record": "trip_record_1"},
    {"event": "close_recorded", "count": "close_count", "record": "close_record_1"},
    {"event": "programmed", "count": "programming_count", "record": "programming_record_1"},
    {"event": "meter_cleared", "count": "clear_count", "record": "clear_record_1"},
    {"event": "cover_open", "over": "cover_closed", "count": "cover_open_count", "record": "cover_open_record_1"},
    {"event": "power_lost", "count": "power_loss_count", "record": "power_loss_record_1"},
)  # fmt: skip
"""Item names of `codecs/item_names.toml`; `over`: told when the record of an event that lasted has its end."""

WORDS = "status_words"
SINGLE_WORDS = ("status_1", "status_4", "status_5", "status_6")
FLAGS: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...] = (
    (
        {"event": "overload", "over": "overload_over", "key": "phases"},
        {"word 4 overload": "A", "word 5 overload": "B", "word 6 overload": "C"},
    ),
    (
        {"event": "battery_low", "over": "battery_ok", "key": "batteries"},
        {"word 1 clock_battery_low": "clock", "word 1 reader_battery_low": "reader"},
    ),
)
"""Event of the bits, and what each bit adds to its data."""

_TIMES = {"time": "begin", "start": "begin", "end": "end"}


class EventCollector:
    """One for a bus."""

    def __init__(self, bus: BusRunner) -> None:
        self._bus = bus
        self._known: dict[int, dict[str, Any]] = {}
        self._left_alone: dict[tuple[int, str], float] = {}

    def start(self) -> None:
        """Plan the first looks, spread over their periods. Meters that nobody reads by schedule are left alone."""
        bus, tuning = self._bus, self._bus.tuning
        meters = [each for each in bus.bus.meters if _notes_events(each) and bus.polls[each.id].periods()]
        for place, meter in enumerate(meters, 1):
            share = place / len(meters)
            self._plan(meter, "words", share * tuning.words_s)
            self._plan(meter, "counts", share * tuning.counts_s)

    def _plan(self, meter: Meter, what: str, delay_s: float) -> None:
        async def run(line: Line) -> None:
            await self._look(line, meter, what)

        self._bus.put(Job(f"{what} {meter.serial}", Priority.BACKGROUND, run, meter.id), delay_s)

    async def _look(self, line: Line, meter: Meter, what: str) -> None:
        """One round; a meter that is silent, or a disk that is full, waits for the next."""
        bus = self._bus
        is_possible = not bus.polls[meter.id].is_silent and bus.recording.recorder.pressure < PAUSED
        try:
            if is_possible:
                await (self._read_words if what == "words" else self._read_counts)(line, meter)
        except LinkError:
            raise
        except WireError as error:
            _logger.debug("%s of meter %s: %s", what, meter.serial, error)
        self._plan(meter, what, bus.tuning.words_s if what == "words" else bus.tuning.counts_s)

    # -- counts -----------------------------------------------------------------------------------------------------------------

    async def _read_counts(self, line: Line, meter: Meter) -> None:
        for row in COUNTED:
            found = await self._read(line, meter, row["count"])
            count = _number(found.values.get(row["count"])) if found else None
            if count is not None:
                await self._compare(line, meter, row, count)

    async def _compare(self, line: Line, meter: Meter, row: Mapping[str, str], count: int) -> None:
        known = await self._state(meter)
        before = known["counts"].get(row["event"])
        is_new = before is not None and count > before
        if is_new:
            is_open = await self._tell_record(line, meter, row, count, count - before)
        else:
            is_open = await self._is_still_open(line, meter, row, count)
        if count != before or is_open != (row["event"] in known["open"]):
            known["counts"][row["event"]] = count
            known["open"] = sorted({*known["open"], row["event"]} - (set() if is_open else {row["event"]}))
            await self._keep(meter)

    async def _tell_record(
        self, line: Line, meter: Meter, row: Mapping[str, str], count: int, grown: int
    ) -> bool:
        """Tell of the newest record; True when what it tells of lasts still."""
        data: dict[str, Any] = {"count": count, "new": grown, **await self._record(line, meter, row)}
        await self._tell(meter, row["event"], f"{count}:{data.get('begin', '')}", data)
        return "over" in row and "begin" in data and "end" not in data

    async def _is_still_open(self, line: Line, meter: Meter, row: Mapping[str, str], count: int) -> bool:
        """Of an event that lasted when it was told: is its end known now?"""
        known = await self._state(meter)
        if row["event"] not in known["open"]:
            return False
        data = {"count": count, "new": 0, **await self._record(line, meter, row)}
        if "end" not in data:
            return True
        await self._tell(meter, row["over"], f"{count}:{data['end']}", data, at="end")
        return False

    async def _record(self, line: Line, meter: Meter, row: Mapping[str, str]) -> dict[str, Any]:
        """`begin`, `end`, `operator` and further `values` of the newest record; empty where the meter shows none."""
        found = await self._read(line, meter, row["record"])
        return record_data(found.parts.get(row["record"], ()) if found else ())

    # -- words ------------------------------------------------------------------------------------------------------------------

    async def _read_words(self, line: Line, meter: Meter) -> None:
        bits = await self._bits(line, meter)
        known = await self._state(meter)
        for row, names in FLAGS:
            if not any(name in bits for name in names):
                continue
            now = [word for name, word in names.items() if bits.get(name) == "1"]
            before = known["flags"].get(row["event"], [])
            if now == before:
                continue
            kind = row["event"] if now else row["over"]
            await self._tell(meter, kind, f"{self._bus.clock.now():.3f}", {row["key"]: now or before})
            known["flags"][row["event"]] = now
            await self._keep(meter)

    async def _bits(self, line: Line, meter: Meter) -> dict[str, str | None]:
        """All words at once, or one by one where the meter has no block of them."""
        found = await self._read(line, meter, WORDS)
        if found is not None:
            return {part.name: part.text for part in found.parts[WORDS]}
        bits: dict[str, str | None] = {}
        for name in SINGLE_WORDS:
            single = await self._read(line, meter, name)
            word = name.replace("status_", "word ")
            if single is not None:
                bits |= {f"{word} {part.name}": part.text for part in single.parts[name]}
        return bits

    # -- one item, one event, one state -------------------------------------------------------------------------------------------

    async def _read(self, line: Line, meter: Meter, name: str) -> ItemValues | None:
        """One item; None for what the meter refused today."""
        now = self._bus.clock.now()
        if self._left_alone.get((meter.id, name), 0.0) > now:
            return None
        line.attempts = self._bus.polls[meter.id].attempts
        found = await self._bus.driver_of(meter).read_items(line, meter, [name])
        if name in found.values:
            return found
        self._left_alone[meter.id, name] = now + DAY_S
        return None

    async def _tell(
        self, meter: Meter, kind: str, once: str, data: Mapping[str, Any], at: str = "begin"
    ) -> None:
        """On the disk when this returns."""
        bus = self._bus
        circuit_id = meter.circuits[0].id if len(meter.circuits) == 1 else None
        moment = self._moment(data.get(at))
        key = f"{kind}:{meter.id}:{once}"
        await bus.recording.recorder.put_event(
            Event(key, kind, moment, bus.gateway_id, bus.bus.id, meter.id, circuit_id, data)
        )

    def _moment(self, text: object) -> float:
        """When it happened by the meter's clock, or now where that cannot be."""
        now = self._bus.clock.now()
        at = frozen_at(text if isinstance(text, str) else None, self._bus.zone)
        is_likely = at is not None and now - KEPT_DAYS * DAY_S < at < now + FUTURE_S
        return at if at is not None and is_likely else now

    async def _state(self, meter: Meter) -> dict[str, Any]:
        """counts by event, flags by event, events that last; also from before a restart."""
        if meter.id not in self._known:
            text = await self._bus.recording.recorder.kept_state(meter.id)
            self._known[meter.id] = {"counts": {}, "flags": {}, "open": [], **json.loads(text or "{}")}
        return self._known[meter.id]

    async def _keep(self, meter: Meter) -> None:
        await self._bus.recording.recorder.keep_state(meter.id, json.dumps(self._known[meter.id]))


def record_data(parts: tuple[Part, ...]) -> dict[str, Any]:
    """A record's parts as data of an event; what is not available, and bytes that only the maker knows, stay away."""
    data: dict[str, Any] = {}
    values: dict[str, str] = {}
    for part in parts:
        name = part.name.split(" 1 ", 1)[-1]
        if part.text is None or name == "rest":
            continue
        if name in _TIMES:
            data[_TIMES[name]] = part.text
        elif name == "operator":
            data["operator"] = part.text
        else:
            values[name] = f"{part.text} {part.unit}".strip()
    return data | ({"values": values} if values else {})


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _notes_events(meter: Meter) -> bool:
    return meter.model.protocol == "dlt645-2007" and meter.model.quirks.get("events") is not False
