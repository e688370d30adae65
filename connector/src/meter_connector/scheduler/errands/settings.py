"""Settings of a meter, read and written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...drivers import Line, ParameterValues
from ...drivers.operations import different_from, profile_of
from ..orders import OpenOrder
from ..queue import Priority
from .base import DataProblem, Errand, names_of, shortened

if TYPE_CHECKING:
    from ..bus import BusRunner

MANY_NAMES = 8
"""Reads of more settings than this take their turns in the background: a whole meter has a hundred, its neighbours are read meanwhile."""


class ReadParametersErrand(Errand):
    """Read settings by name, or all of the model's."""

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        super().__init__(bus, opened)
        if len(_names_or_none(opened) or profile_of(opened.target)) > MANY_NAMES:
            self.job.priority = Priority.BACKGROUND

    async def work(self, line: Line) -> None:
        names = names_of(self._data(), "names")
        target = self._open.target
        found = await self._bus.driver_of(target).read_parameters(line, target, names)
        self._finish("confirmed", shortened({**found.refused, **found.unanswered}), _parameters(found))


class WriteParametersErrand(Errand):
    """Write settings, and read them back. The driver writes only what differs, so that it may begin anew after a cut."""

    is_change = True

    async def work(self, line: Line) -> None:
        values, target = self._values(), self._open.target
        found = await self._bus.driver_of(target).write_parameters(line, target, values)
        self._report(found)

    async def look(self, line: Line) -> None:
        if not self._open.is_expired:
            await self.work(line)
            return
        values, target = self._values(), self._open.target
        found = await self._bus.driver_of(target).read_parameters(line, target, list(values))
        found.different = different_from(target, values, found.parameters)
        self._report(found)

    def _values(self) -> dict[str, str]:
        values = self._data().get("values")
        if not isinstance(values, dict) or not values:
            raise DataProblem("values: no names with values")
        return {str(name): str(value) for name, value in values.items()}

    def _report(self, found: ParameterValues) -> None:
        if found.is_applied:
            self._finish("confirmed", "", _parameters(found))
            return
        different = f"read back different: {', '.join(found.different)}" if found.different else ""
        said = shortened({**found.refused, **found.unanswered})
        detail = "; ".join(filter(None, [said, different]))
        self._finish("failed", detail, _parameters(found))


def _parameters(found: ParameterValues) -> dict[str, Any]:
    unanswered = {"unanswered": found.unanswered} if found.unanswered else {}
    return {"parameters": found.parameters, "refused": found.refused, **unanswered}


def _names_or_none(opened: OpenOrder) -> list[str]:
    """Names in a read order's data; none where the data is wrong, which is told when its turn comes."""
    try:
        return names_of(json.loads(opened.order.data or "{}"), "names")
    except (ValueError, AttributeError, DataProblem):
        return []
