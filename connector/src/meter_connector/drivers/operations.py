"""What a driver does beside reading and switching: single items by name, settings with read-back, purchases with their count.

Reads may be repeated by the line. Nothing that changes a meter is sent twice: when its answer is lost, the meter is read and decides.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from ..codecs import parameters
from ..codecs.base import CodecError
from ..codecs.dlt645_2007.load_profile import Record as ProfileRecord
from ..codecs.parameters import Parameter
from ..codecs.values import Part, Reading, parts_of
from ..errors import (
    GarbledError,
    MeterBusyError,
    MeterRefusedError,
    NoAnswerError,
    PasswordRefusedError,
)
from ..model import Circuit, Meter, Value
from .line import Line

PurchaseState = Literal["done", "mismatch", "not_taken", "unknown"]
MAX_SILENCES = 2


@dataclass(frozen=True)
class ItemValue:
    """One item as text, None = the meter has none at present; `parts`: what it says by name, with units and the bits of words."""

    text: str | None
    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, reading: Reading) -> ItemValue:
        """All that an identifier said."""
        return cls(parameters.text_of(reading), parts_of(reading))

    @classmethod
    def single(cls, name: str, value: Value, unit: str = "") -> ItemValue:
        """One value."""
        text = as_text(value)
        return cls(text, (Part(name, text, unit),))


@dataclass
class ItemValues:
    """Name -> text, None = the meter has none at present; `parts` by name; `refused`: name -> why there is no answer."""

    values: dict[str, str | None] = field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class ParameterValues:
    """Settings as the meter shows them. `different`: names whose value is not the one that was written; `unanswered`: name -> error,
    where the meter was silent to this one but not to others: that says nothing of the setting."""

    parameters: dict[str, str | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    different: list[str] = field(default_factory=list)

    @property
    def is_applied(self) -> bool:
        """Does the meter show all that was written?"""
        return not self.refused and not self.different and not self.unanswered


@dataclass(frozen=True)
class Prepayment:
    """What a prepaid meter tells; None = it does not."""

    count: int | None
    remaining: Decimal | None
    overdraft: Decimal | None


@dataclass(frozen=True)
class Purchase:
    """An amount to put into a meter. `count`: the meter's purchase count once it has it; `number` of the receipt, digits."""

    amount: Decimal
    count: int
    number: str = ""


@dataclass(frozen=True)
class PurchaseResult:
    """What became of a purchase.

    done: the count went up by one. mismatch: the count was not one below, nothing was sent. not_taken: sent or refused, and the count
    shows that the meter has it not. unknown: sent, and the meter cannot be asked now; `read_prepayment` decides later.
    """

    state: PurchaseState
    count_before: int | None
    count_after: int | None
    remaining: Decimal | None
    detail: str = ""


class Operations(abc.ABC):
    """The order of things; the protocols bring the requests."""

    # -- to be brought by each protocol -----------------------------------------------------------------------------------------
    @abc.abstractmethod
    async def _item(self, line: Line, meter: Meter, name: str) -> ItemValue:
        """One item by name; CodecError for an unknown name."""

    @abc.abstractmethod
    async def _get(self, line: Line, meter: Meter, parameter: Parameter) -> str | None:
        """A setting as the meter shows it."""

    @abc.abstractmethod
    async def _put(self, line: Line, meter: Meter, parameter: Parameter, value: bytes) -> None:
        """Write a setting once; returning means that the meter acknowledged it."""

    async def _read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        raise refuse(meter, "is no prepaid meter")

    async def _send_purchase(self, line: Line, meter: Meter, purchase: Purchase) -> None:
        """Send it once."""
        raise refuse(meter, "takes no purchases")

    # -- items --------------------------------------------------------------------------------------------------------------------
    async def read_items(self, line: Line, meter: Meter, names: Sequence[str]) -> ItemValues:
        """Registers of the model by key, names of `codecs.item_names`, or data identifiers. NoAnswerError when nothing came."""
        found = ItemValues()

        async def one(name: str) -> None:
            item = await self._item(line, meter, name)
            found.values[name], found.parts[name] = item.text, item.parts

        await _each(names, one, found.refused, found.refused)
        return found

    async def read_load_profile(
        self, line: Line, meter: Meter, since: datetime, count: int = 1
    ) -> list[ProfileRecord]:
        """At most `count` records from a moment of the meter's clock on (naive), oldest first."""
        raise refuse(meter, "keeps no load profile that can be read")

    # -- settings -----------------------------------------------------------------------------------------------------------------
    async def read_parameters(self, line: Line, meter: Meter, names: Collection[str] = ()) -> ParameterValues:
        """These settings, or all of the model's profile. NoAnswerError when nothing came."""
        found = ParameterValues()
        known = {each.name: each for each in _known(meter, names or profile_of(meter), found.refused)}

        async def one(name: str) -> None:
            found.parameters[name] = await self._get(line, meter, known[name])

        await _each(list(known), one, found.refused, found.unanswered)
        return found

    async def write_parameters(self, line: Line, meter: Meter, values: Mapping[str, str]) -> ParameterValues:
        """Write what differs, in the table's order, and read all back.

        Nothing is sent when a value or name is wrong, too long for a write, or of the set that the meter counts by now. The moments
        that switch to another set are sent last, and only when all before them reads back equal: else the meter would charge by what
        it had there before. After a refused password nothing more is written: a third try locks some meters.
        """
        found = ParameterValues()
        known = parameters.in_order(_known(meter, values, found.refused))
        wanted = _checked(meter, known, values, found.refused)
        if found.refused:
            return found
        shown = await self.read_parameters(line, meter, [each.name for each in known])
        todo = [
            each for each in known if not each.is_equal(values[each.name], shown.parameters.get(each.name))
        ]
        found.refused = await self._in_use(line, meter, todo)
        if found.refused:
            found.parameters = shown.parameters
            found.different = [each.name for each in todo]
            return found
        first = [each for each in todo if not each.is_switch]
        await self._write_each(line, meter, first, wanted, found.refused)
        switches = [each for each in todo if each.is_switch]
        if switches:
            await self._write_switches(line, meter, (first, switches), (values, wanted), found.refused)
        return await self._read_back(line, meter, known, values, found)

    async def _sets_in_use(self, line: Line, meter: Meter) -> Mapping[str, int]:
        """Which of its two sets (1 or 2) the meter counts by, by the table's word; a set that is missing is not told."""
        return {}

    async def _in_use(self, line: Line, meter: Meter, todo: Sequence[Parameter]) -> dict[str, str]:
        """Those that would act at once, with the reason why they are not written."""
        if not any(each.set for each in todo):
            return {}
        active = await self._sets_in_use(line, meter)
        refused = {}
        for each in todo:
            if each.set and active.get(each.set) is None:
                refused[each.name] = "not sent: the meter does not tell which of its two sets is in use"
            elif each.set and active[each.set] == each.in_set:
                refused[each.name] = (
                    f"not sent: set {each.in_set} is in use now and would change at once; "
                    f"write set {3 - each.in_set} and its switch moment"
                )
        return refused

    async def _write_each(
        self,
        line: Line,
        meter: Meter,
        todo: Sequence[Parameter],
        wanted: Mapping[str, bytes],
        refused: dict[str, str],
    ) -> None:
        for each in todo:
            try:
                await self._put(line, meter, each, wanted[each.name])
            except PasswordRefusedError as error:
                refused[each.name] = str(error)
                return
            except MeterRefusedError as error:
                refused[each.name] = str(error)
            except (NoAnswerError, GarbledError, MeterBusyError):
                continue  # perhaps written: the read-back tells

    async def _write_switches(
        self,
        line: Line,
        meter: Meter,
        parts: tuple[Sequence[Parameter], Sequence[Parameter]],
        texts: tuple[Mapping[str, str], Mapping[str, bytes]],
        refused: dict[str, str],
    ) -> None:
        """The moments, once all that comes before them stands in the meter."""
        first, switches = parts
        values, wanted = texts
        names = [each.name for each in first]
        shown = await self.read_parameters(line, meter, names) if names else ParameterValues()
        missing = [each.name for each in first if not _is_shown(each, values, shown.parameters)]
        if not missing:
            await self._write_each(line, meter, switches, wanted, refused)
            return
        for each in switches:
            refused[each.name] = f"not sent: the meter does not show {', '.join(missing)} as wanted"

    async def _read_back(
        self,
        line: Line,
        meter: Meter,
        known: Sequence[Parameter],
        values: Mapping[str, str],
        found: ParameterValues,
    ) -> ParameterValues:
        shown = await self.read_parameters(line, meter, [each.name for each in known])
        found.parameters = shown.parameters
        found.refused = {**shown.refused, **found.refused}
        found.unanswered = shown.unanswered
        answered = {name: text for name, text in values.items() if name not in shown.unanswered}
        found.different = different_from(meter, answered, shown.parameters)
        return found

    # -- prepayment ---------------------------------------------------------------------------------------------------------------
    async def read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        """Purchase count, remaining and overdraft as the meter has them."""
        return await self._read_prepayment(line, meter)

    async def purchase(self, line: Line, meter: Meter, purchase: Purchase) -> PurchaseResult:
        """Put an amount into the meter, at most once. WireError only before anything was sent."""
        before = await self._read_prepayment(line, meter)
        if before.count is None or not is_next_count(meter, before.count, purchase.count):
            detail = f"count mismatch: the meter has {before.count}, {purchase.count} was to follow"
            return PurchaseResult("mismatch", before.count, before.count, before.remaining, detail)
        detail = ""
        try:
            await self._send_purchase(line, meter, purchase)
        except MeterRefusedError as error:
            detail = str(error)
        except (NoAnswerError, GarbledError, MeterBusyError) as error:  # busy may mean: busy with it
            detail = f"the answer was lost ({error})"
        return await self._settle(line, meter, before, purchase, detail)

    async def _settle(
        self, line: Line, meter: Meter, before: Prepayment, purchase: Purchase, detail: str
    ) -> PurchaseResult:
        """What the count says after sending."""
        try:
            after = await self._read_prepayment(line, meter)
        except (NoAnswerError, GarbledError, MeterRefusedError) as error:
            return PurchaseResult("unknown", before.count, None, None, detail or str(error))
        if after.count is not None and is_next_count(meter, after.count - 1, purchase.count):
            return PurchaseResult("done", before.count, after.count, after.remaining, detail)
        if after.count == before.count:
            detail = detail or "acknowledged, but the purchase count did not move"
            return PurchaseResult("not_taken", before.count, after.count, after.remaining, detail)
        detail = f"the count went from {before.count} to {after.count}"
        return PurchaseResult("unknown", before.count, after.count, after.remaining, detail)

    # -- keep power, alarm --------------------------------------------------------------------------------------------------------
    async def keep_power(self, line: Line, meter: Meter, circuit: Circuit, is_on: bool) -> None:
        """Trips are refused while power is kept. Returning means acknowledged."""
        raise refuse(meter, "cannot keep power")

    async def read_keep_power(self, line: Line, meter: Meter, circuit: Circuit) -> bool | None:
        """None = the meter does not show it."""
        return None

    async def alarm(self, line: Line, meter: Meter, is_on: bool) -> None:
        """Lamp or buzzer. Returning means acknowledged; no meter shows it."""
        raise refuse(meter, "has no alarm that can be commanded")


def different_from(meter: Meter, values: Mapping[str, str], shown: Mapping[str, str | None]) -> list[str]:
    """Names whose shown value is not the wanted one. "5" and "5.0000" are one value, and so is a table that the meter filled up."""
    return [each.name for each in _known(meter, values, {}) if not _is_shown(each, values, shown)]


def _is_shown(parameter: Parameter, values: Mapping[str, str], shown: Mapping[str, str | None]) -> bool:
    try:
        return parameter.is_equal(values[parameter.name], shown.get(parameter.name))
    except CodecError:
        return False


def is_next_count(meter: Meter, before: int, wanted: int) -> bool:
    """Is `wanted` the count that follows `before`? Counts roll over after what the meter has room for."""
    size = count_size(meter)
    return (before + 1) % size == wanted % size


def count_size(meter: Meter) -> int:
    """Purchase counts that a meter tells apart: two digits with CJ/T 188, one register with Modbus, four digits with DL/T 645."""
    if meter.model.protocol == "cjt188":
        return 100
    return 0x10000 if meter.model.protocol.startswith("modbus") else 10_000


def profile_of(meter: Meter) -> list[str]:
    """Names that the model's definition lists under `parameters`, else all that protocol and model know but the hundreds of holidays."""
    listed: Sequence[str] = getattr(meter.model, "parameters", ())
    if listed:
        return [str(name) for name in listed]
    own = _own(meter)
    table = parameters.names(meter.model.protocol, map_name(meter))
    table = [name for name in table if not name.startswith("holiday_") or name == "holiday_count"]
    return [*table, *(name for name in own if name not in table)]


def map_name(meter: Meter) -> str:
    """The Modbus register map that the model follows."""
    return str(meter.model.quirks.get("map") or "")


def as_text(value: Value) -> str | None:
    """A value for a JSON object."""
    return format(value, "f") if isinstance(value, Decimal) else value


def refuse(meter: Meter, what: str) -> MeterRefusedError:
    """The error for what the model cannot."""
    return MeterRefusedError(f"meter {meter.serial}: its model {meter.model.code} {what}")


def _own(meter: Meter) -> Mapping[str, Mapping[str, Any]]:
    own = meter.model.quirks.get("parameters")
    return own if isinstance(own, Mapping) else {}


def _known(meter: Meter, names: Collection[str], refused: dict[str, str]) -> list[Parameter]:
    """The parameters of these names; the others are noted."""
    found = []
    for name in names:
        try:
            parameter = parameters.find(meter.model.protocol, name, map_name=map_name(meter), own=_own(meter))
        except CodecError as error:
            refused[name] = str(error)
            continue
        if parameter is None:
            refused[name] = f"model {meter.model.code} has no setting of this name"
        else:
            found.append(parameter)
    return found


def _checked(
    meter: Meter, known: Sequence[Parameter], values: Mapping[str, str], refused: dict[str, str]
) -> dict[str, bytes]:
    """What is to be written, as bytes."""
    max_write = meter.model.quirks.get("max_write")
    wanted = {}
    for each in known:
        if each.is_readonly:
            refused[each.name] = "cannot be written"
            continue
        try:
            wanted[each.name] = each.encode(values[each.name])
            each.check_size(values[each.name], max_write)
        except CodecError as error:
            refused[each.name] = str(error)
    return wanted


async def _each(
    names: Sequence[str],
    read_one: Callable[[str], Awaitable[None]],
    refused: dict[str, str],
    unanswered: dict[str, str],
) -> None:
    """One after another; a refusal or one silence does not end it. Raises the silence when nothing else came."""
    silences = answers = 0
    for name in names:
        try:
            await read_one(name)
        except CodecError as error:
            refused[name] = str(error)
            continue
        except MeterRefusedError as error:
            refused[name] = str(error)
        except (NoAnswerError, GarbledError) as error:
            unanswered[name] = str(error)
            silences += 1
            if not answers or silences == MAX_SILENCES:
                raise
            continue
        answers += 1
        silences = 0
