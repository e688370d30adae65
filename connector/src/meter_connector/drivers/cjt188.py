"""CJ/T 188: current data 901F by 01H, valve A017, clock A015, settings A010-A012, purchase A013 with its serial from 8105."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..codecs import item_names
from ..codecs.base import CodecError
from ..codecs.cjt188 import data, requests, units
from ..codecs.cjt188.frame import ANY_TYPE, Decoder, Frame
from ..codecs.cjt188.matching import matches
from ..codecs.parameters import Parameter
from ..codecs.values import Reading, Writable
from ..errors import MeterRefusedError, NoAnswerError
from ..model import Circuit, Meter, Register, SwitchState, Value
from .base import (
    Item,
    MeterValues,
    Shunned,
    Wanted,
    check_only_circuit,
    model_data,
    plan_items,
    read_items,
    refuse_switch,
    switch_register,
)
from .dlt645 import byte_gap_s, scaled
from .exchange import Query
from .line import Line
from .operations import ItemValue, Operations, Prepayment, Purchase, count_size

PURCHASE = "8105"
PURCHASE_ORDER = "A013"
DEFAULT_PREAMBLE = 4
WAKE_UP_PREAMBLE = 20
"""M-Bus converters sleep: what comes first wakes them and is lost. Repetitions bring their own wake-up call."""

ANSWER_BYTES = {"901F": 13 + 22 + 6}
HEAT_ANSWER_BYTES = 13 + 46 + 6
OTHER_ANSWER_BYTES = 13 + 24 + 6
VALUE_KEYS = {"total": "current", "settle_total": "settle"}
"""Register key -> key of the value in the codec's table, unless the register names its own as `value`."""

TYPES = {"water": 0x10, "hot_water": 0x11, "heat": 0x20, "gas": 0x30}
STATES: dict[str, SwitchState] = {"on": "on", "off": "off", "pending": "pending"}


class Cjt188Driver(Operations):
    """One for a bus; counts the serial number of its requests."""

    can_broadcast_clock = False

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._ser = 0
        self._shunned = Shunned()
        self._told: dict[int, str] = {}

    async def read(self, line: Line, meter: Meter, keys: Collection[str]) -> MeterValues:
        values = MeterValues()
        by_di = {item.di: item for item in plan_items(meter.model, keys)}

        async def read_one(di: str) -> None:
            answer = await self._read_frame(line, meter, di)
            with model_data(meter):
                decoded = decode(meter, answer.payload, di, answer.meter_type)
            strange = take_answer(by_di[di], decoded, values, line.now(), meter, answer.meter_type)
            self._tell_strange(line, meter, answer, strange)

        pairs = [(item.di, item.has_energy) for item in by_di.values()]
        await read_items(pairs, read_one, meter, self._shunned, values, line.now())
        return values

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        spec = meter.model.switch
        if spec is None or spec.kind != "cjt188":
            raise refuse_switch(meter)
        check_only_circuit(meter, circuit)
        if meter.model.quirks.get("first_request_lost"):
            await self.read_switch(line, meter, circuit)
        request = requests.valve(
            meter.address,
            "open" if wanted == "on" else "close",
            control=int(
                str(spec.params.get("control") or meter.model.quirks.get("valve_control") or "04"), 16
            ),
            **self._common(meter),
        )
        await self._ask(line, meter, request, 13 + 5 + 6, f"valve {wanted}", is_read=False)

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        register = switch_register(meter, circuit)
        if register is None:
            check_only_circuit(meter, circuit)
        di = (register.di if register else None) or requests.READ_DATA
        return _valve(await self._read_di(line, meter, di))

    async def broadcast_clock(self, line: Line, when: datetime) -> None:
        raise MeterRefusedError("CJ/T 188 has no broadcast of the time")

    async def set_clock(self, line: Line, meter: Meter, when: datetime) -> None:
        request = requests.write_clock(meter.address, when, **self._common(meter))
        await self._ask(line, meter, request, OTHER_ANSWER_BYTES, "set clock", is_read=False)

    async def read_clock(self, line: Line, meter: Meter) -> datetime | None:
        decoded = await self._read_di(line, meter, requests.READ_DATA)
        return as_moment(decoded.get("clock"))

    async def read_address(self, line: Line) -> str | None:
        """Makers disagree about the order of the identifier's bytes, and some meters hear only their own."""
        try:
            return await self._read_address(line, is_swapped=False)
        except NoAnswerError:
            return await self._read_address(line, is_swapped=True)

    async def _read_address(self, line: Line, *, is_swapped: bool) -> str | None:
        request = requests.read_address(ser=self._next_ser(), is_swapped=is_swapped)
        query = self._query(request, OTHER_ANSWER_BYTES, "read address", {}, is_read=True)
        answer = await line.ask(query)
        return answer.address

    async def _item(self, line: Line, meter: Meter, name: str) -> ItemValue:
        register = next((each for each in meter.model.registers if each.key == name), None)
        if register is not None:
            di = register.di or requests.READ_DATA
            answer = await self._read_frame(line, meter, di)
            with model_data(meter):
                decoded = decode(meter, answer.payload, di, answer.meter_type)
                value = _register_value(register, decoded, meter, answer.meter_type)
                return ItemValue.single(name, value, _unit_of(register, meter, answer.meter_type))
        if (named := item_names.identifier("cjt188", name)) is not None:
            return ItemValue.of(await self._read_di(line, meter, named))
        decoded = await self._read_di(line, meter, requests.READ_DATA)
        found = next((value for value in decoded.values if value.key == name), None)
        if found is None:
            raise CodecError(f"{name!r} is neither a register of the model nor an item of cjt188")
        return ItemValue.single(name, found.value, found.unit)

    async def _get(self, line: Line, meter: Meter, parameter: Parameter) -> str | None:
        answer = await self._read_frame(line, meter, parameter.di)
        return parameter.decode(answer.payload)

    async def _put(self, line: Line, meter: Meter, parameter: Parameter, value: bytes) -> None:
        await self._write(line, meter, parameter.write_di or parameter.di, value, f"write {parameter.name}")

    async def _write(self, line: Line, meter: Meter, di: str, value: bytes, what: str) -> None:
        """04H, once."""
        with model_data(meter):
            request = requests.write(meter.address, di, value, **self._common(meter))
        await self._ask(line, meter, request, OTHER_ANSWER_BYTES, what, is_read=False)

    async def _read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        decoded = await self._read_di(line, meter, PURCHASE)
        serial, remaining = decoded.get("serial"), decoded.get("remaining")
        return Prepayment(
            int(serial) if isinstance(serial, Decimal) else None,
            remaining if isinstance(remaining, Decimal) else None,
            None,
        )

    async def _send_purchase(self, line: Line, meter: Meter, purchase: Purchase) -> None:
        values: dict[str, Writable] = {
            "serial": purchase.count % count_size(meter),
            "bought": purchase.amount,
        }
        with model_data(meter):
            payload = data.encode_item(PURCHASE_ORDER, values)
        await self._write(line, meter, PURCHASE_ORDER, payload, f"purchase {purchase.amount}")

    async def _read_di(self, line: Line, meter: Meter, di: str) -> Reading:
        answer = await self._read_frame(line, meter, di)
        with model_data(meter):
            return decode(meter, answer.payload, di, answer.meter_type)

    def _tell_strange(self, line: Line, meter: Meter, answer: Frame, strange: list[str]) -> None:
        """A person looks at an answer whose units cannot be; told again only when it changes."""
        problem = "; ".join(strange)
        if problem and self._told.get(meter.id) != problem:
            line.exchange.tell_unknown("unit", answer.encode().hex().upper())
        self._told[meter.id] = problem

    async def _read_frame(self, line: Line, meter: Meter, di: str) -> Frame:
        common = self._common(meter)
        with model_data(meter):
            request = requests.read(meter.address, di, **common)
        size = ANSWER_BYTES.get(di, OTHER_ANSWER_BYTES)
        if common["meter_type"] & 0xF0 == 0x20:
            size = HEAT_ANSWER_BYTES
        return await self._ask(line, meter, request, size, f"read {di}")

    async def _ask(
        self, line: Line, meter: Meter, request: Frame, answer_bytes: int, what: str, *, is_read: bool = True
    ) -> Frame:
        what = f"meter {meter.serial} {what}"
        answer = await line.ask(self._query(request, answer_bytes, what, meter.model.quirks, is_read=is_read))
        if answer.is_abnormal:
            status = answer.payload.hex().upper()
            raise MeterRefusedError(f"{what}: refused, status {status}", int(status[:2] or "0", 16))
        return answer

    def _query(
        self, request: Frame, answer_bytes: int, what: str, quirks: Mapping[str, Any], *, is_read: bool
    ) -> Query[Frame]:
        """SER changes with every request, so late answers of earlier ones never match."""
        is_sleepy = bool(quirks.get("first_request_lost"))
        return Query(
            data=request.encode(int(quirks.get("preamble", DEFAULT_PREAMBLE))),
            retry_data=request.encode(WAKE_UP_PREAMBLE) if is_sleepy else None,
            decoder=self._decoder,
            accept=lambda frame: matches(request, frame),
            answer_bytes=answer_bytes,
            late_key=(request.address, request.control, request.data),
            what=what,
            is_read=is_read,
            byte_gap_s=byte_gap_s(quirks),
        )

    def _common(self, meter: Meter) -> dict[str, Any]:
        quirks = meter.model.quirks
        return {
            "ser": self._next_ser(),
            "meter_type": meter_type(meter),
            "is_swapped": str(quirks.get("di_order", "901F")).upper() == "1F90",
        }

    def _next_ser(self) -> int:
        self._ser = (self._ser + 1) % 256
        return self._ser


def meter_type(meter: Meter) -> int:
    """The type byte: quirk `meter_type` (hexadecimal text), else by the kind of the model."""
    text = meter.model.quirks.get("meter_type")
    if text:
        return int(str(text), 16)
    return TYPES.get(meter.model.kind, ANY_TYPE)


def as_moment(text: Value) -> datetime | None:
    """A clock value of a codec as a naive datetime; None when it is none."""
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None) if text else None
    except ValueError:
        return None


def decode(meter: Meter, payload: bytes, di: str, type_byte: int) -> Reading:
    """An answer by the model's status layout and unit codes; raises CodecError where the model names them wrongly."""
    quirks = meter.model.quirks
    layout = quirks.get("status_layout") or quirks.get("valve_bits") or "a"
    codes = _unit_codes(quirks.get("units"))
    return data.decode_item(di, payload, meter_type=type_byte, status_layout=layout, unit_codes=codes)


def take_answer(
    item: Item, decoded: Reading, values: MeterValues, at: float, meter: Meter, type_byte: int
) -> list[str]:
    """Registers of one answer; clock, battery and a valve fault come along as extras, since they cost nothing.

    Returns what is wrong with the units: such a register has no value, and is noted as refused.
    """
    strange = []
    for register in item.registers:
        try:
            value = _register_value(register, decoded, meter, type_byte)
        except CodecError as error:
            strange.append(str(error))
            values.refused[register.key] = str(error)
            value = None
        values.put(register.circuit, register.key, value, at)
    circuit = item.registers[0].circuit
    clock = as_moment(decoded.get("clock"))
    if clock is not None:
        values.put(circuit, "meter_clock", clock.isoformat(), at)
    if decoded.details.get("battery_low"):
        values.put(circuit, "battery_low", "1", at)
    if decoded.details.get("valve") == "abnormal":
        values.put(circuit, "valve_fault", "1", at)
    return strange


def _register_value(register: Register, decoded: Reading, meter: Meter, type_byte: int) -> Value:
    """In m3, kWh, kW or m3/h; CodecError when the unit cannot be the model's."""
    if register.key == "switch":
        return _valve(decoded)
    key = _value_key(register)
    found = next((value for value in decoded.values if value.key == key), None)
    if found is None or not isinstance(found.value, Decimal):
        return decoded.get(key)
    measure = units.measure_of(key, meter.model.kind, type_byte)
    if measure is None:
        return scaled(register, found.value)
    value = units.convert(found.value, found.unit, measure)
    if value is None:
        raise CodecError(
            f"{register.key}: the unit {found.unit or 'of an unknown code'} measures no {measure}"
        )
    return scaled(register, value)


def _value_key(register: Register) -> str:
    return str(register.params.get("value") or VALUE_KEYS.get(register.key, register.key))


def _unit_of(register: Register, meter: Meter, type_byte: int) -> str:
    """What a register's value is told in; "" where it has no unit code."""
    measure = units.measure_of(_value_key(register), meter.model.kind, type_byte)
    return units.TOLD_IN[measure] if measure else ""


def _unit_codes(row: object) -> dict[int, int]:
    """Quirk `units`: code as the meter sends it -> code of the standard, both hexadecimal."""
    try:
        pairs = row.items() if isinstance(row, Mapping) else ()
        return {int(str(sent), 16): int(str(meant), 16) for sent, meant in pairs}
    except ValueError:
        raise CodecError(f"quirks.units: {row!r} is not a table of unit codes") from None


def _valve(decoded: Reading) -> SwitchState:
    return STATES.get(str(decoded.details.get("switch")), "unknown")
