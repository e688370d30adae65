"""Orders to a meter that switch nothing: reads for somebody who waits, settings, purchases, keep-power, alarm, clock.

reads      asked at once; a meter that does not answer ends them
changes    received ──check the meter──> STARTED on the disk ──sent once──> read back ──> confirmed or failed, with what was read back
               │ cannot be reached, nothing was sent: later, until the order expires
               └ sent and then cut off, also by kill -9: only read from then on
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar

from ..drivers import Line, ParameterValues, Prepayment, Purchase
from ..drivers.operations import count_size, different_from, is_next_count, profile_of
from ..errors import (
    GarbledError,
    LinkError,
    MeterBusyError,
    MeterRefusedError,
    NoAnswerError,
    OrderExpiredError,
    OrderSupersededError,
    PasswordRefusedError,
)
from ..model import ResultState
from ..steps import step
from .guard import GuardedLine
from .orders import OpenOrder
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner


MAX_RECORDS = 96
"""Two days of half-hours; so many fit a result."""

MAX_RESULT = 60000
"""Characters of a result's data that Odoo takes."""
MANY_NAMES = 8
"""Reads of more settings than this take their turns in the background: a whole meter has a hundred, its neighbours are read meanwhile."""


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
            opened.window_until = _now() + self._bus.tuning.unsure_s
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
        return _now() < self._open.window_until

    def _data(self) -> dict[str, Any]:
        try:
            found = json.loads(self._open.order.data or "{}")
        except ValueError as error:
            raise DataProblem(f"no JSON ({error})") from None
        if not isinstance(found, dict):
            raise DataProblem("no JSON object")
        return found


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
        names = _names(self._data(), "items")
        if not names:
            raise DataProblem("items: no names")
        target = self._open.target
        found = await self._bus.driver_of(target).read_items(line, target, names)
        data: dict[str, Any] = {"values": {name: found.values.get(name) for name in names}}
        if found.refused:
            data["refused"] = found.refused
        if len(as_text({**data, "parts": found.parts})) <= MAX_RESULT:
            data["parts"] = found.parts
        self._finish("confirmed", _shortened(found.refused), data)


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


class ReadParametersErrand(Errand):
    """Read settings by name, or all of the model's."""

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        super().__init__(bus, opened)
        if len(_names_or_none(opened) or profile_of(opened.target)) > MANY_NAMES:
            self.job.priority = Priority.BACKGROUND

    async def work(self, line: Line) -> None:
        names = _names(self._data(), "names")
        target = self._open.target
        found = await self._bus.driver_of(target).read_parameters(line, target, names)
        self._finish("confirmed", _shortened({**found.refused, **found.unanswered}), _parameters(found))


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
        said = _shortened({**found.refused, **found.unanswered})
        detail = "; ".join(filter(None, [said, different]))
        self._finish("failed", detail, _parameters(found))


class PrepaymentErrand(Errand):
    """Purchase count, remaining amount and overdraft."""

    async def work(self, line: Line) -> None:
        target = self._open.target
        found = await self._bus.driver_of(target).read_prepayment(line, target)
        data = {"count": found.count, "remaining": found.remaining, "overdraft": found.overdraft}
        self._finish("confirmed", "", data)


class PurchaseErrand(Errand):
    """Put an amount into the meter: sent at most once in the order's whole life, the meter's own count decides what became of it."""

    is_change = True

    async def work(self, line: Line) -> None:
        purchase, target = self._purchase(), self._open.target
        result = await self._bus.driver_of(target).purchase(line, target, purchase)
        if result.state == "mismatch":
            data = {"count_before": result.count_before, "count_after": result.count_before}
            self._finish("failed", "count mismatch", {**data, "remaining": result.remaining})
        elif result.state == "done":
            after = Prepayment(result.count_after, result.remaining, None)
            self._finish("confirmed", result.detail, self._result(purchase, after))
        elif not self._open.is_sent:  # refused before a byte left: asking again brings nothing else
            before = Prepayment(result.count_before, result.remaining, None)
            self._finish("failed", _joined("nothing was sent", result.detail), self._result(purchase, before))
        else:  # the count is read again, once the frame cannot be on its way any more
            self._detail = result.detail
            self._again(self._bus.tuning.unsure_s)

    _detail = ""

    async def look(self, line: Line) -> None:
        purchase, target = self._purchase(), self._open.target
        found = await self._bus.driver_of(target).read_prepayment(line, target)
        has_it = found.count is not None and is_next_count(target, found.count - 1, purchase.count)
        is_before = found.count is not None and is_next_count(target, found.count, purchase.count)
        if has_it:
            self._finish("confirmed", self._detail, self._result(purchase, found))
        elif is_before and self._is_window_open:
            self._again(self._bus.tuning.unsure_s)
        elif is_before:
            detail = f"not taken, the count is still {found.count}"
            self._finish("failed", _joined(detail, self._detail), self._result(purchase, found))
        else:
            detail = f"count mismatch: the meter has {found.count} after this purchase was sent"
            self._finish("failed", detail, self._result(purchase, found))

    def _purchase(self) -> Purchase:
        data = self._data()
        try:
            amount, count = Decimal(str(data["amount"])), data["count"]
        except (KeyError, InvalidOperation) as error:
            raise DataProblem(f"amount and count are needed ({error})") from None
        if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
            raise DataProblem(f"amount: {data['amount']!r} is no amount in fen")
        size = count_size(self._open.target)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < size:
            raise DataProblem(f"count: {count!r} is no count after a purchase, 0 to {size - 1}")
        return Purchase(amount, count, str(data.get("number") or ""))

    def _result(self, purchase: Purchase, after: Prepayment) -> dict[str, Any]:
        return {
            "count_before": (purchase.count - 1) % count_size(self._open.target),
            "count_after": after.count,
            "remaining": after.remaining,
        }


class KeepPowerErrand(Errand):
    """Keep power on whatever trips come, or no longer; among the switch orders, in their order."""

    is_change = True

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        super().__init__(bus, opened)
        self._is_on = opened.order.kind == "keep_power_on"
        self.priority = Priority.SWITCH_ON if self._is_on else Priority.SWITCH_OFF
        self.job.priority = self.priority

    async def work(self, line: Line) -> None:
        opened = self._open
        circuit = _circuit(opened)
        try:
            await self._bus.driver_of(opened.target).keep_power(line, opened.target, circuit, self._is_on)
        except (NoAnswerError, GarbledError):
            if not opened.is_sent:
                raise
            self._again(self._bus.tuning.look_delays_s[0])
            return
        self._accepted()
        await self.look(line)

    async def look(self, line: Line) -> None:
        opened = self._open
        driver, circuit = self._bus.driver_of(opened.target), _circuit(opened)
        shown = await driver.read_keep_power(line, opened.target, circuit)
        if shown is None:
            detail = "acknowledged, but" if opened.is_acknowledged else "may have been sent, but"
            self._finish("failed", f"{detail} this meter does not show whether power is kept")
            return
        if shown is not self._is_on and self._is_window_open:
            self._again(self._bus.tuning.look_delays_s[0])
            return
        opened.reported = await driver.read_switch(line, opened.target, circuit)
        data = {"keep_power": "on" if shown else "off"}
        is_right = shown is self._is_on
        self._finish(
            "confirmed" if is_right else "failed", "" if is_right else "the meter shows otherwise", data
        )


class AlarmErrand(Errand):
    """Lamp or buzzer. No meter shows it, so its acknowledgement is all there is."""

    is_change = True

    async def work(self, line: Line) -> None:
        opened = self._open
        try:
            await self._bus.driver_of(opened.target).alarm(
                line, opened.target, opened.order.kind == "alarm_on"
            )
        except (NoAnswerError, GarbledError) as error:
            if not opened.is_sent:
                raise
            opened.finish("failed", f"sent, but {error}; no meter shows its alarm")
            return
        self._finish("confirmed", "acknowledged; no meter shows its alarm")

    async def look(self, line: Line) -> None:
        self._open.finish("failed", "may have been sent; no meter shows its alarm")


class ClockErrand(Errand):
    """Set the meter's clock and read it back."""

    is_change = True

    async def work(self, line: Line) -> None:
        target = self._open.target
        await self._bus.driver_of(target).set_clock(line, target, self._bus.local_time())
        await self._compare(line)

    async def look(self, line: Line) -> None:
        await (self._compare(line) if self._open.is_expired else self.work(line))

    async def _compare(self, line: Line) -> None:
        opened = self._open
        try:
            shown = await self._bus.driver_of(opened.target).read_clock(line, opened.target)
        except (NoAnswerError, GarbledError) as error:
            opened.finish("failed", str(error))
            return
        self._report(shown)

    def _report(self, shown: datetime | None) -> None:
        if shown is None:
            self._finish("failed", "the meter shows no clock to compare")
            return
        drift_s = self._bus.clocks.note(self._open.target, shown)
        is_right = abs(drift_s) <= self._bus.tuning.drift_s
        detail = f"meter clock differs by {drift_s:.0f} s"
        self._finish("confirmed" if is_right else "failed", detail, {"drift_s": round(drift_s)})


ERRANDS: dict[str, type[Errand]] = {
    "read": ReadErrand,
    "read_items": ItemsErrand,
    "read_profile": ProfileErrand,
    "read_parameters": ReadParametersErrand,
    "write_parameters": WriteParametersErrand,
    "purchase": PurchaseErrand,
    "read_prepayment": PrepaymentErrand,
    "keep_power_on": KeepPowerErrand,
    "keep_power_off": KeepPowerErrand,
    "alarm_on": AlarmErrand,
    "alarm_off": AlarmErrand,
    "sync_clock": ClockErrand,
}


def as_text(data: Mapping[str, Any] | None) -> str:
    """A result's data: a JSON object as text, decimals as text, empty for none."""
    if not data:
        return ""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _parameters(found: ParameterValues) -> dict[str, Any]:
    unanswered = {"unanswered": found.unanswered} if found.unanswered else {}
    return {"parameters": found.parameters, "refused": found.refused, **unanswered}


def _names(data: Mapping[str, Any], key: str) -> list[str]:
    names = data.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataProblem(f"{key}: expected a list of names")
    return list(dict.fromkeys(names))


def _names_or_none(opened: OpenOrder) -> list[str]:
    """Names in a read order's data; none where the data is wrong, which is told when its turn comes."""
    try:
        return _names(json.loads(opened.order.data or "{}"), "names")
    except (ValueError, AttributeError, DataProblem):
        return []


def _circuit(opened: OpenOrder) -> Any:
    """The circuit of the order, else the meter's first."""
    circuit = opened.circuit or next(iter(opened.target.circuits), None)
    if circuit is None:
        raise MeterRefusedError(f"meter {opened.target.serial} has no circuit")
    return circuit


def _shortened(refused: Mapping[str, str]) -> str:
    text = "; ".join(refused.values())
    return text if len(text) <= 180 else f"{len(refused)} refused: {text[:150]}…"


def _joined(*texts: str) -> str:
    return "; ".join(filter(None, texts))


def _now() -> float:
    return asyncio.get_running_loop().time()
