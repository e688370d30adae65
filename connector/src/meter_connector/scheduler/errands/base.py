"""What all orders to a meter go through: the disk before the first byte, the clock, silence, refusals and what is told in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from ...drivers import Line
from ...errors import (
    GarbledError,
    LinkError,
    MeterBusyError,
    MeterRefusedError,
    NoAnswerError,
    OrderExpiredError,
    OrderSupersededError,
    PasswordRefusedError,
)
from ...model import Circuit, ResultState
from ...steps import step
from ..guard import GuardedLine
from ..orders import OpenOrder
from ..queue import Job, Priority

if TYPE_CHECKING:
    from ..bus import BusRunner


class DataProblem(Exception):  # noqa: N818 - a finding about an order's data, told as its failure
    """What Odoo sent with the order cannot be meant."""


class Errand:
    """One order on its bus; the subclasses do the work."""

    priority: Priority = Priority.DEMAND
    is_change: ClassVar[bool] = False

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        self._bus = bus
        self._open = opened
        name = f"order {opened.order.id} {opened.order.kind} {opened.place}"
        self.job = Job(name, self.priority, self._run, opened.meter_id or None)

    def hurry(self, is_back: bool) -> None:
        """The meter or its connection is back: try now."""
        self.job.priority = self.priority if is_back else self.job.priority
        self._again(0.0)

    async def work(self, line: Line) -> None:
        """Do it and finish; nothing was sent yet."""
        raise NotImplementedError

    async def look(self, line: Line) -> None:
        """Something was sent, perhaps before a restart: read and finish."""
        await self.work(line)

    async def _run(self, line: Line) -> None:
        opened = self._open
        if opened.is_done:
            return
        is_sent = opened.is_sent and self.is_change
        if opened.is_expired and not is_sent:
            opened.finish("expired", "expired before it could be carried out")
            return
        try:
            if not self.is_change and not await self._bus.recording.recorder.start_order(opened.order):
                opened.desk.drop(opened)
                return
            guarded = GuardedLine.over(line, self._on_write)
            await (self.look(guarded) if is_sent else self.work(guarded))
        except LinkError:
            raise
        except DataProblem as problem:
            opened.finish("failed", f"data of the order: {problem}")
        except OrderSupersededError:
            opened.desk.drop(opened)
        except OrderExpiredError:
            self._too_late()
        except (NoAnswerError, GarbledError, MeterBusyError) as error:
            self._unreachable(error)
        except MeterRefusedError as error:
            self._refused(error)

    async def _on_write(self) -> None:
        """The disk first; it, or the clock, may say no."""
        opened = self._open
        opened.check()
        if not opened.is_sent:
            step("order.checked")
            if not await self._bus.recording.recorder.start_order(opened.order):
                raise OrderSupersededError(f"order {opened.order.id}: over by what the disk knows")
            opened.check()
            opened.is_sent = True
            opened.window_until = now() + self._bus.tuning.unsure_s
            step("order.started")

    def _too_late(self) -> None:
        if self._open.is_sent:
            self._again(0.0)
        else:
            self._open.finish("expired", "expired before it could be sent")

    def _unreachable(self, error: Exception) -> None:
        """Reads end; changes come back later, behind those whose meters answer."""
        opened = self._open
        if not self.is_change:
            opened.finish("failed", str(error))
            return
        opened.tries += 1
        self.job.priority = Priority.SCHEDULED
        self._again(self._bus.retry_s(opened.tries))

    def _refused(self, error: MeterRefusedError) -> None:
        opened = self._open
        self._bus.meter_answered(opened.target)
        if isinstance(error, PasswordRefusedError):
            self._bus.tell_password_refused(opened.target, opened.circuit, error)
        opened.finish("failed", str(error))

    def _finish(self, state: ResultState, detail: str = "", data: Mapping[str, Any] | None = None) -> None:
        """Over; the meter has answered."""
        self._bus.meter_answered(self._open.target)
        self._open.finish(state, detail, as_text(data))

    def _accepted(self) -> None:
        """The meter said yes, and will be read."""
        if not self._open.is_acknowledged and not self._open.is_done:
            self._open.is_acknowledged = True
            self._bus.recording.accepted(self._open.order, "unknown", "")

    def _again(self, seconds: float) -> None:
        if not self._open.is_done:
            self._bus.put(self.job, seconds)

    @property
    def _is_window_open(self) -> bool:
        """May what was sent still be on its way?"""
        return now() < self._open.window_until

    def _data(self) -> dict[str, Any]:
        try:
            found = json.loads(self._open.order.data or "{}")
        except ValueError as error:
            raise DataProblem(f"no JSON ({error})") from None
        if not isinstance(found, dict):
            raise DataProblem("no JSON object")
        return found


def as_text(data: Mapping[str, Any] | None) -> str:
    """A result's data: a JSON object as text, decimals as text, empty for none."""
    if not data:
        return ""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def names_of(data: Mapping[str, Any], key: str) -> list[str]:
    names = data.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataProblem(f"{key}: expected a list of names")
    return list(dict.fromkeys(names))


def circuit_of(opened: OpenOrder) -> Circuit:
    """The circuit of the order, else the meter's first."""
    circuit = opened.circuit or next(iter(opened.target.circuits), None)
    if circuit is None:
        raise MeterRefusedError(f"meter {opened.target.serial} has no circuit")
    return circuit


def shortened(refused: Mapping[str, str]) -> str:
    text = "; ".join(refused.values())
    return text if len(text) <= 180 else f"{len(refused)} refused: {text[:150]}…"


def joined(*texts: str) -> str:
    return "; ".join(filter(None, texts))


def now() -> float:
    return asyncio.get_running_loop().time()
