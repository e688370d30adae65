"""Reads for somebody who waits: everything, single items, the load profile, the prepayment registers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...drivers import Line
from ...errors import MeterRefusedError
from .base import DataProblem, Errand, as_text, names_of, shortened

MAX_RECORDS = 96
"""Two days of half-hours; so many fit a result."""

MAX_RESULT = 60000
"""Characters of a result's data that Odoo takes."""


class ReadErrand(Errand):
    """Read everything the meter has."""

    async def work(self, line: Line) -> None:
        opened = self._open
        try:
            values = await self._bus.sweep(line, opened.target, None, "on_demand")
        except MeterRefusedError as error:  # it answers, and is of no use all the same
            opened.finish("failed", str(error))
            return
        number = opened.circuit.number if opened.circuit else 1
        state = values.of(number).get("switch")
        if state in ("on", "off", "pending"):
            opened.reported = state  # type: ignore[assignment]
        opened.finish("confirmed", "; ".join(values.refused.values()))


class ItemsErrand(Errand):
    """Read single items by name."""

    async def work(self, line: Line) -> None:
        names = names_of(self._data(), "items")
        if not names:
            raise DataProblem("items: no names")
        target = self._open.target
        found = await self._bus.driver_of(target).read_items(line, target, names)
        data: dict[str, Any] = {"values": {name: found.values.get(name) for name in names}}
        if found.refused:
            data["refused"] = found.refused
        if len(as_text({**data, "parts": found.parts})) <= MAX_RESULT:
            data["parts"] = found.parts
        self._finish("confirmed", shortened(found.refused), data)


class ProfileErrand(Errand):
    """Records of the load profile as a table: one row a moment of the meter's clock."""

    async def work(self, line: Line) -> None:
        data = self._data()
        count, since = data.get("count"), data.get("from")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_RECORDS:
            raise DataProblem(f"count: {count!r} is not 1 to {MAX_RECORDS}")
        if not isinstance(since, int | float) or isinstance(since, bool) or not 0 < since < 1e11:
            raise DataProblem(f"from: {since!r} is no time in seconds")
        bus, target = self._bus, self._open.target
        begin = datetime.fromtimestamp(since, bus.zone).replace(tzinfo=None)
        records = await bus.driver_of(target).read_load_profile(line, target, begin, count)
        columns = dict.fromkeys((value.name, value.unit) for each in records for value in each.values)
        rows = [
            [each.at, *(found.get(column) for column in columns)]
            for each in records
            for found in [{(value.name, value.unit): value.text for value in each.values}]
        ]
        self._finish("confirmed", "", {"columns": [list(column) for column in columns], "rows": rows})


class PrepaymentErrand(Errand):
    """Purchase count, remaining amount and overdraft."""

    async def work(self, line: Line) -> None:
        target = self._open.target
        found = await self._bus.driver_of(target).read_prepayment(line, target)
        data = {"count": found.count, "remaining": found.remaining, "overdraft": found.overdraft}
        self._finish("confirmed", "", data)
