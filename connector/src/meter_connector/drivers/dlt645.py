"""What the drivers of DL/T 645-1997 and -2007 share: one request an item, the meter's refusals, follow-up frames."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from ..codecs import bcd, item_names
from ..codecs.base import CodecError
from ..codecs.dlt645_frame import Dlt645Decoder, Dlt645Frame
from ..codecs.parameters import Parameter
from ..codecs.values import Reading
from ..errors import MeterRefusedError, PasswordRefusedError
from ..model import Circuit, Meter, Register, SwitchState, Value
from .base import Item, MeterValues, Shunned, Wanted, model_data, plan_items, read_items, refuse_switch
from .exchange import BYTE_GAP_S, Query
from .line import Line
from .operations import ItemValue, Operations

F = TypeVar("F", bound=Dlt645Frame)

DEFAULT_PREAMBLE = 4
OVERHEAD_BYTES = 12 + 4 + 4
"""Frame, data identifier and the meter's own wake-up bytes."""

VALUE_BYTES = 8
SINGLE_BYTES = OVERHEAD_BYTES + VALUE_BYTES
PASSWORD_BIT = 0x04
MAX_PARTS = 64


class Dlt645Driver(Operations, Generic[F]):
    """The subclasses bring the codec of their edition."""

    can_broadcast_clock = True
    date_di: str
    time_di: str

    def __init__(self) -> None:
        self._decoder = self._make_decoder()
        self._shunned = Shunned()

    @abc.abstractmethod
    def _make_decoder(self) -> Dlt645Decoder[F]: ...

    @abc.abstractmethod
    def _read_request(self, meter: Meter, di: str) -> F: ...

    @abc.abstractmethod
    def _more_request(self, answer: F, di: str, part: int) -> F: ...

    @abc.abstractmethod
    def _matches(self, request: F, answer: F) -> bool: ...

    @abc.abstractmethod
    def _payload(self, answer: F) -> bytes: ...

    @abc.abstractmethod
    def _decode(self, di: str, payload: bytes) -> Reading: ...

    @abc.abstractmethod
    def _decode_error(self, error: int) -> list[str]: ...

    @abc.abstractmethod
    def _time_request(self, when: datetime) -> F: ...

    @abc.abstractmethod
    def _address_request(self) -> F: ...

    @abc.abstractmethod
    def _write_request(self, meter: Meter, di: str, value: bytes) -> F: ...

    async def read(self, line: Line, meter: Meter, keys: Collection[str]) -> MeterValues:
        values = MeterValues()
        started = line.now()
        items = plan_items(meter.model, keys, lambda di: self._shunned.is_shunned(meter.id, di, started))
        by_di = {item.di: item for item in items}

        async def read_one(di: str) -> None:
            payload = await self._read_item(line, meter, by_di[di])
            self.take_answer(by_di[di], payload, values, line.now())

        pairs = [(item.di, item.has_energy and not self._is_block(item)) for item in items]
        await read_items(pairs, read_one, meter, self._shunned, values, started)
        return values

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        raise refuse_switch(meter)

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        raise refuse_switch(meter)

    async def broadcast_clock(self, line: Line, when: datetime) -> None:
        await line.tell(self._time_request(when).encode(DEFAULT_PREAMBLE))

    async def set_clock(self, line: Line, meter: Meter, when: datetime) -> None:
        """By broadcast, which also reaches the neighbours; with the quirk `clock` = "write" by writing date and time to this meter."""
        if meter.model.quirks.get("clock") != "write":
            await self.broadcast_clock(line, when)
            return
        await self._write(line, meter, self.date_di, self._encode(self.date_di, when), "set date")
        await self._write(line, meter, self.time_di, self._encode(self.time_di, when), "set time")

    async def read_clock(self, line: Line, meter: Meter) -> datetime | None:
        """Date, then time; a midnight between the two is settled by asking both again."""
        date = time = None
        for _ in range(2):
            date = bcd.to_digits(await self._read_di(line, meter, self.date_di, SINGLE_BYTES))
            time = bcd.to_digits(await self._read_di(line, meter, self.time_di, SINGLE_BYTES))
            if time is None or not time.startswith("0000"):
                break
        return clock_moment(date, time)

    async def read_address(self, line: Line) -> str | None:
        """The address in the answer's header, whatever was asked."""
        answer = await self._ask(line, self._address_request(), SINGLE_BYTES, "read address")
        return answer.address

    # -- operations ---------------------------------------------------------------------------------------------------------------
    async def _item(self, line: Line, meter: Meter, name: str) -> ItemValue:
        register = next((each for each in meter.model.registers if each.key == name and each.di), None)
        di = register.di if register else item_names.identifier(meter.model.protocol, name)
        if di is None:
            raise CodecError(
                f"{name!r} is neither a register of the model nor an item of {meter.model.protocol}"
            )
        payload = await self._read_di(line, meter, di, self._decoder.longest, is_fresh=True)
        decoded = self._decode(di, payload)
        if register is None:
            return ItemValue.of(decoded)
        position = [each for each in meter.model.registers if each.di == di].index(register)
        index = int(register.params.get("index", position))
        unit = decoded.values[index].unit if index < len(decoded.values) else ""
        return ItemValue.single(name, self._value(register, decoded, position), unit)

    async def _get(self, line: Line, meter: Meter, parameter: Parameter) -> str | None:
        payload = await self._read_di(line, meter, parameter.di, self._decoder.longest, is_fresh=True)
        return parameter.decode(payload)

    async def _put(self, line: Line, meter: Meter, parameter: Parameter, value: bytes) -> None:
        await self._write(line, meter, parameter.write_di or parameter.di, value, f"write {parameter.name}")

    async def _write(self, line: Line, meter: Meter, di: str, value: bytes, what: str) -> None:
        with model_data(meter):
            request = self._write_request(meter, di, value)
        what = f"meter {meter.serial} {what}"
        await self._ask(line, request, OVERHEAD_BYTES, what, meter, is_read=False, is_fresh=True)

    @abc.abstractmethod
    def _encode(self, di: str, value: datetime) -> bytes: ...

    async def _read_item(self, line: Line, meter: Meter, item: Item, *, is_fresh: bool = False) -> bytes:
        """The joined payload of an item; MeterRefusedError when the meter answers with an error."""
        answer_bytes = OVERHEAD_BYTES + max(VALUE_BYTES, 4 * len(item.registers))
        return await self._read_di(line, meter, item.di, answer_bytes, is_fresh=is_fresh)

    async def _read_di(
        self, line: Line, meter: Meter, di: str, answer_bytes: int, *, is_fresh: bool = False
    ) -> bytes:
        with model_data(meter):
            request = self._read_request(meter, di)
        return await self._read_all(line, meter, request, di, answer_bytes, is_fresh=is_fresh)

    async def _read_all(
        self, line: Line, meter: Meter, request: F, di: str, answer_bytes: int, *, is_fresh: bool = False
    ) -> bytes:
        """The payload of a read, with the parts that follow."""
        what = f"meter {meter.serial} read {di}"
        answer = await self._ask(line, request, answer_bytes, what, meter, is_fresh=is_fresh)
        payload = self._payload(answer)
        for part in range(1, MAX_PARTS):
            if not answer.has_more:
                break
            request = self._more_request(answer, di, part)
            answer = await self._ask(line, request, self._decoder.longest, f"{what} part {part + 1}", meter)
            payload += self._payload(answer)
        return payload

    async def _ask(
        self,
        line: Line,
        request: F,
        answer_bytes: int,
        what: str,
        meter: Meter | None = None,
        *,
        is_read: bool = True,
        is_fresh: bool = False,
    ) -> F:
        quirks = meter.model.quirks if meter else {}
        query = Query(
            data=request.encode(int(quirks.get("preamble", DEFAULT_PREAMBLE))),
            decoder=self._decoder,
            accept=lambda frame: self._matches(request, frame),
            answer_bytes=answer_bytes,
            late_key=(request.address, request.control, request.data),
            what=what,
            is_read=is_read,
            is_fresh=is_fresh,
            byte_gap_s=byte_gap_s(quirks),
        )
        answer = await line.ask(query)
        if answer.is_abnormal:
            raise self._refusal(what, answer)
        return answer

    def _refusal(self, what: str, answer: F) -> MeterRefusedError:
        code = answer.data[0] if answer.data else 0
        names = ", ".join(self._decode_error(code)) or "no reason given"
        kind = PasswordRefusedError if code & PASSWORD_BIT else MeterRefusedError
        return kind(f"{what}: refused with {code:02X} ({names})", code)

    def take_answer(self, item: Item, payload: bytes, values: MeterValues, at: float) -> None:
        decoded = self._decode(item.di, payload)
        for position, register in enumerate(item.registers):
            values.put(register.circuit, register.key, self._value(register, decoded, position), at)

    @staticmethod
    def _is_block(item: Item) -> bool:
        """A refused block gives way to its single registers; a single energy register is asked for ever."""
        return len(item.registers) > 1

    def _value(self, register: Register, decoded: Reading, position: int) -> Value:
        bit = register.params.get("bit")
        index = int(register.params.get("index", position if bit is None else 0))
        if index >= len(decoded.values):
            return None
        value = decoded.values[index].value
        return scaled(register, value) if bit is None else bit_of(value, int(bit))


def scaled(register: Register, value: Value) -> Value:
    """The value times the register's own `scale`, for models whose display differs from the standard's format."""
    scale = register.params.get("scale")
    if scale is None or not isinstance(value, Decimal):
        return value
    return value * Decimal(str(scale))


def bit_of(word: Value, bit: int) -> str | None:
    """ "1" or "0" of a printed status word; None where the word is not available."""
    try:
        return str(int(str(word), 16) >> bit & 1) if word is not None else None
    except ValueError:
        return None


def byte_gap_s(quirks: Mapping[str, Any]) -> float:
    """The longest silence within an answer; the quirk `byte_pause` (milliseconds) is for meters slower than the standard."""
    return BYTE_GAP_S + float(quirks.get("byte_pause") or 0) / 1000


def clock_moment(date: str | None, time: str | None) -> datetime | None:
    """Printed YYMMDDWW and hhmmss as a naive datetime; None when they are none."""
    if date is None or time is None:
        return None
    try:
        return datetime.strptime(f"20{date[:6]}{time[:6]}", "%Y%m%d%H%M%S")
    except ValueError:
        return None
