"""After a gap over one or more midnights: what the meter itself froze at each of them (日冻结), so that days can be told apart.

Only DL/T 645-2007 meters keep daily freezes under known identifiers (0506xx01…3E, the newest first). The frozen moment comes with the values; a
freeze that shows none, or lies outside the gap, is not taken. A reading is known by circuit and time, so asking twice counts once.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from ..drivers import Line
from ..errors import LinkError, WireError
from ..model import Meter, Reading, Value
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner

_logger = logging.getLogger(__name__)

KEPT_DAYS = 62
LEAST_GAP_S = 1800.0
COLUMNS = ("total", "t1", "t2", "t3", "t4")


class FreezeKeeper:
    """One for a bus. `last`: when each circuit's energy was read last, epoch seconds, also before a restart."""

    def __init__(self, bus: BusRunner, last: dict[int, float]) -> None:
        self._bus = bus
        self._last = last

    def answered(self, meter: Meter, at: float) -> None:
        """Energy was read at `at`: if that ends a gap over a midnight, its freezes are read when the bus has time."""
        if not meter.circuits or not self._bus.clock.is_known:
            return  # the gap ends when the time is known
        circuit_id = meter.circuits[0].id
        before = self._last.get(circuit_id)
        self._last[circuit_id] = max(at, before or 0.0)
        if before is None or at - before < LEAST_GAP_S or not _keeps_freezes(meter):
            return
        days = midnights(before, at, self._bus.zone)
        if days:
            self._bus.put(self._job(meter, before, at, min(KEPT_DAYS, len(days) + 1)))

    def _job(self, meter: Meter, since: float, until: float, count: int) -> Job:
        name = f"freezes {meter.serial}"
        return Job(
            name, Priority.BACKGROUND, lambda line: self._read(line, meter, since, until, count), meter.id
        )

    async def _read(self, line: Line, meter: Meter, since: float, until: float, count: int) -> None:
        driver = self._bus.driver_of(meter)
        for number in range(1, count + 1):
            names = [f"day_time_{number}", f"day_energies_{number}"]
            try:
                found = await driver.read_items(line, meter, names)
            except LinkError:
                raise
            except WireError as error:
                _logger.debug("freezes of meter %s: %s", meter.serial, error)
                return
            if found.refused:
                return
            at = frozen_at(found.values.get(names[0]), self._bus.zone)
            if at is None or not since < at <= until:
                continue
            values = energies(found.values.get(names[1]))
            if values:
                self._bus.recording.readings([Reading(meter.circuits[0].id, at, values, "freeze")])
            await asyncio.sleep(0)


def midnights(since: float, until: float, zone: tzinfo) -> list[float]:
    """The site's midnights, since < midnight <= until."""
    day = datetime.fromtimestamp(since, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for _ in range(KEPT_DAYS + 2):
        day = (day + timedelta(days=1)).replace(hour=0)
        if day.timestamp() > until:
            break
        found.append(day.timestamp())
    return found


def frozen_at(text: str | None, zone: tzinfo) -> float | None:
    """Epoch seconds of the meter's moment (site time), None when it is none."""
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=zone).timestamp()
    except ValueError:
        return None


def energies(text: str | None) -> dict[str, Value]:
    """`12.34; 1.00; …`, "-" = not available; empty without a total."""
    values: dict[str, Value] = {}
    for column, part in zip(COLUMNS, (text or "").split("; "), strict=False):
        try:
            values[column] = Decimal(part)
        except InvalidOperation:
            continue
    return values if "total" in values else {}


def _keeps_freezes(meter: Meter) -> bool:
    return meter.model.protocol == "dlt645-2007" and meter.model.quirks.get("day_freeze") is not False
