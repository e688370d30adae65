"""Modbus meters: registers, switch and its read-back are data of the model; RTU and TCP differ only in their framing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from ..codecs import parameters
from ..codecs.base import CodecError
from ..codecs.modbus import registers as maps
from ..codecs.parameters import Parameter
from ..errors import GarbledError, MeterBusyError, MeterRefusedError, NoAnswerError
from ..model import Bus, Circuit, Meter, MeterModel, Register, SwitchState, Value
from .base import (
    ENERGY_KEYS,
    MeterValues,
    Shunned,
    Wanted,
    model_data,
    read_items,
    refuse_switch,
    switch_register,
)
from .exchange import Query, WireTiming
from .line import Line
from .modbus_adu import Adu, Answer, RtuAdu, TcpAdu
from .operations import ItemValue, Operations, Prepayment, Purchase, count_size, refuse

READS: dict[int, type[ModbusPDU]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}
BUSY_CODES = frozenset({5, 6})
"""Acknowledge (still working) and server device busy."""

UNREACHABLE_CODES = frozenset({0x0A, 0x0B})
"""The gateway answers in place of a meter that it cannot reach."""

EXCEPTIONS = {1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure"}


class ModbusDriver(Operations):
    """One for a bus and framing."""

    can_broadcast_clock = False

    def __init__(self, adu: Adu) -> None:
        self._adu = adu
        self._transaction = 0
        self._shunned = Shunned()
        self._pdus = DecodePDU(False)
        self._plans: dict[tuple[int, frozenset[str]], tuple[MeterModel, list[maps.Block]]] = {}

    async def read(self, line: Line, meter: Meter, keys: Collection[str]) -> MeterValues:
        values = MeterValues()
        named = {_name(register): register for register in meter.model.registers}

        async def read_one(block: maps.Block) -> None:
            words = await self._read(line, meter, block.function, block.start, block.count)
            at = line.now()
            for name, number in maps.decode_block(block, words).items():
                register = named[name]
                values.put(register.circuit, register.key, _value(register, number), at)

        blocks = self._plan(meter, frozenset(keys))
        pairs = [
            (block, any(named[each.key].key in ENERGY_KEYS for each in block.registers)) for block in blocks
        ]
        await read_items(pairs, read_one, meter, self._shunned, values, line.now())
        return values

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        spec = switch_spec(meter, circuit)
        write = _section(spec, "write") or spec
        if wanted not in write or "address" not in write:
            raise refuse_switch(meter)
        payload = _numbers(write[wanted])
        function = int(write.get("function", 16))
        pdu = write_request(function, int(write["address"]), payload)
        await self._ask(line, meter, pdu, 8, f"switch {wanted}", is_read=False)

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        register = switch_register(meter, circuit)
        section = _section(switch_spec(meter, circuit), "read") or (register.params if register else {})
        if "address" not in section:
            raise MeterRefusedError(
                f"meter {meter.serial}: its model {meter.model.code} cannot show its switch"
            )
        count = int(section.get("count") or maps.KINDS.get(str(section.get("type")), 1))
        function = int(section.get("function", 3))
        words = await self._read(line, meter, function, int(section["address"]), count, is_fresh=True)
        return switch_word(section, words)

    async def broadcast_clock(self, line: Line, when: datetime) -> None:
        raise MeterRefusedError("Modbus has no broadcast of the time")

    async def set_clock(self, line: Line, meter: Meter, when: datetime) -> None:
        raise MeterRefusedError(
            f"meter {meter.serial}: its model {meter.model.code} names no clock registers"
        )

    async def read_clock(self, line: Line, meter: Meter) -> datetime | None:
        return None

    async def read_address(self, line: Line) -> str | None:
        return None

    # -- operations ---------------------------------------------------------------------------------------------------------------
    async def _item(self, line: Line, meter: Meter, name: str) -> ItemValue:
        """A register by key; `2/total` is the one of circuit 2."""
        circuit, _, key = name.rpartition("/")
        for register in meter.model.registers:
            if register.key == key and circuit in ("", str(register.circuit)):
                with model_data(meter):
                    found = maps.load_register({**register.params, "key": key})
                value = _value(register, await self._number(line, meter, found))
                return ItemValue.single(name, value, str(register.params.get("unit") or ""))
        raise CodecError(f"{name!r} is no register of model {meter.model.code}")

    async def _number(self, line: Line, meter: Meter, register: maps.Register) -> Decimal | None:
        words = await self._read(
            line, meter, register.function, register.address, register.count, is_fresh=True
        )
        return maps.decode(register, words)

    async def _get(self, line: Line, meter: Meter, parameter: Parameter) -> str | None:
        with model_data(meter):
            function, address, count = parameters.register_words(parameter)
        words = await self._read(line, meter, function, address, count, is_fresh=True)
        return parameter.decode(b"".join(word.to_bytes(2, "big") for word in words))

    async def _put(self, line: Line, meter: Meter, parameter: Parameter, value: bytes) -> None:
        with model_data(meter):
            _, address, _ = parameters.register_words(parameter)
        function = int((parameter.register or {}).get("write_function", 16))
        words = [int.from_bytes(value[at : at + 2], "big") for at in range(0, len(value), 2)]
        await self._write(line, meter, function, address, words, f"write {parameter.name}")

    async def _write(
        self, line: Line, meter: Meter, function: int, address: int, words: Sequence[int], what: str
    ) -> None:
        """Once."""
        if function == 6 and len(words) > 1:
            raise refuse(meter, f"cannot {what} with function 6: {len(words)} registers")
        await self._ask(line, meter, write_request(function, address, words), 8, what, is_read=False)

    async def _read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        found = {
            key: await self._number(line, meter, register)
            for key, register in _purchase_registers(meter, "count", "remaining", "overdraft").items()
        }
        if "count" not in found:
            raise refuse(meter, "names no register of the purchase count")
        count = found["count"]
        return Prepayment(
            None if count is None else int(count), found.get("remaining"), found.get("overdraft")
        )

    async def _send_purchase(self, line: Line, meter: Meter, purchase: Purchase) -> None:
        """`quirks.purchase` {"amount": register, "count_after": register}: written in one request where they follow each other."""
        found = _purchase_registers(meter, "amount", "count_after")
        if "amount" not in found:
            raise refuse(meter, "names no register that takes a purchase")
        values = {"amount": purchase.amount, "count_after": Decimal(purchase.count % count_size(meter))}
        ordered = sorted(found.items(), key=lambda pair: pair[1].address)
        words: list[int] = []
        for key, register in ordered:
            if register.address != ordered[0][1].address + len(words):
                raise refuse(meter, "has purchase registers that do not follow each other")
            with model_data(meter):
                words += maps.encode(register, values[key])
        await self._write(line, meter, 16, ordered[0][1].address, words, f"purchase {purchase.amount}")

    async def _read(
        self, line: Line, meter: Meter, function: int, address: int, count: int, *, is_fresh: bool = False
    ) -> list[int]:
        """Words (functions 3 and 4) or bits (1 and 2)."""
        if function not in READS:
            raise MeterRefusedError(f"model {meter.model.code}: function {function} reads nothing")
        pdu = READS[function](address=address, count=count)
        size = 2 * count if function in (3, 4) else (count + 7) // 8
        what = f"read {count} from {address}"
        answer = await self._ask(line, meter, pdu, size + 2, what, is_fresh=is_fresh)
        found = [int(bit) for bit in answer.bits] if function in (1, 2) else list(answer.registers)
        if len(found) < count:
            raise GarbledError(f"meter {meter.serial} {what}: only {len(found)} came")
        return found[:count]

    async def _ask(
        self,
        line: Line,
        meter: Meter,
        pdu: ModbusPDU,
        answer_bytes: int,
        what: str,
        *,
        is_read: bool = True,
        is_fresh: bool = False,
    ) -> ModbusPDU:
        unit = int(meter.address)
        self._transaction = self._transaction % 0xFFFF + 1
        transaction = self._transaction if self._adu.has_transactions else 0
        data = self._adu.build(pdu, unit, transaction)
        request = Answer(unit, transaction, bytes((pdu.function_code,)) + pdu.encode())
        query = Query(
            data=data,
            decoder=self._adu.decoder,
            accept=lambda answer: matches(request, answer),
            answer_bytes=self._adu.overhead + answer_bytes,
            late_key=(unit, transaction, pdu.function_code, answer_bytes),
            item=request.pdu,
            what=f"meter {meter.serial} {what}",
            is_read=is_read,
            is_fresh=is_fresh,
            gap_s=self._adu.gap_s,
            byte_gap_s=self._adu.byte_gap_s,
            is_answer_like_request=pdu.function_code in (5, 6),
        )
        return self._checked(await line.ask(query), query.what)

    def _checked(self, answer: Answer, what: str) -> ModbusPDU:
        """The message; MeterRefusedError and kin for an exception answer."""
        pdu = self._pdus.decode(answer.pdu)
        if pdu is None:
            raise GarbledError(f"{what}: the answer {answer.pdu.hex(' ').upper()} is no Modbus message")
        if not pdu.isError():
            return pdu
        code = pdu.exception_code
        text = f"{what}: refused with exception {code} ({EXCEPTIONS.get(code, 'see the meter manual')})"
        if code in BUSY_CODES:
            raise MeterBusyError(text)
        if code in UNREACHABLE_CODES:
            raise NoAnswerError(text)
        raise MeterRefusedError(text, code)

    def _plan(self, meter: Meter, keys: frozenset[str]) -> list[maps.Block]:
        """Blocks to read, those with energy first."""
        model = meter.model
        cached = self._plans.get((id(model), keys))
        if cached is not None and cached[0] is model:
            return cached[1]
        items = [{**r.params, "key": _name(r)} for r in model.registers if r.key in keys]
        energies = {_name(r) for r in model.registers if r.key in ENERGY_KEYS}
        with model_data(meter):
            blocks = maps.plan(maps.load_map(items), **_plan_limits(model))
        blocks.sort(key=lambda block: not any(each.key in energies for each in block.registers))
        self._plans[id(model), keys] = (model, blocks)
        return blocks


def make_adu(bus: Bus, protocol: str) -> Adu:
    """MBAP where the bus says so, or where a Modbus TCP meter is called directly; else RTU."""
    is_direct = protocol == "modbus-tcp" and bus.framing == "transparent" and bus.link.kind != "serial"
    return TcpAdu() if bus.framing == "modbus_tcp" or is_direct else RtuAdu(WireTiming.of(bus))


def matches(request: Answer, answer: Answer) -> bool:
    """Is this the answer to that request? Unit, transaction, function, and address and quantity or byte count agree."""
    if not answer.is_answer or (answer.unit, answer.transaction) != (request.unit, request.transaction):
        return False
    function = request.pdu[0]
    if answer.is_exception:
        return answer.pdu[0] == function | 0x80 and len(answer.pdu) == 2
    if answer.pdu[0] != function:
        return False
    if function in (5, 6):
        return answer.pdu == request.pdu
    if function in (15, 16):
        return answer.pdu == request.pdu[:5]
    count = int.from_bytes(request.pdu[3:5], "big")
    size = 2 * count if function in (3, 4) else (count + 7) // 8
    return len(answer.pdu) == 2 + size and answer.pdu[1] == size


def write_request(function: int, address: int, values: Sequence[int]) -> ModbusPDU:
    """The write of a switch: function 5, 6, 15 or 16."""
    try:
        if function == 16:
            return WriteMultipleRegistersRequest(address=address, registers=list(values))
        if function == 6:
            return WriteSingleRegisterRequest(address=address, registers=list(values[:1]))
        if function == 5:
            return WriteSingleCoilRequest(address=address, bits=[bool(values[0])])
        if function == 15:
            return WriteMultipleCoilsRequest(address=address, bits=[bool(value) for value in values])
    except (ModbusException, ValueError) as error:
        raise MeterRefusedError(f"the model's switch cannot be written: {error}") from error
    raise MeterRefusedError(f"the model's switch names the unknown function {function}")


def switch_spec(meter: Meter, circuit: Circuit) -> Mapping[str, Any]:
    """The model's switch for one circuit: `circuits` overrides by number, `stride` moves addresses circuit by circuit."""
    spec = meter.model.switch
    if spec is None or spec.kind != "modbus":
        raise refuse_switch(meter)
    params = dict(spec.params)
    own = (params.get("circuits") or {}).get(str(circuit.number))
    if isinstance(own, Mapping):
        return {**params, **own}
    shift = int(params.get("stride", 0)) * (circuit.number - 1)
    return _shifted(params, shift) if shift else params


def switch_word(section: Mapping[str, Any], words: Sequence[int]) -> SwitchState:
    """What the words mean: `on` and `off` are a number or a list, compared under `mask` if there is one."""
    mask = int(section.get("mask", 0xFFFF))
    shown = [word & mask for word in words]
    for state in ("on", "off"):
        if state in section and shown[: len(_numbers(section[state]))] == _numbers(section[state]):
            return "on" if state == "on" else "off"
    return "pending" if shown == _numbers(section.get("pending", [])) and shown else "unknown"


def _shifted(params: Mapping[str, Any], shift: int) -> dict[str, Any]:
    moved = dict(params)
    if "address" in moved:
        moved["address"] = int(moved["address"]) + shift
    for name in ("write", "read"):
        if isinstance(moved.get(name), Mapping):
            moved[name] = _shifted(moved[name], shift)
    return moved


def _purchase_registers(meter: Meter, *keys: str) -> dict[str, maps.Register]:
    """Registers of `quirks.purchase`: what no map of ours has, since no maker's table at hand tells it."""
    spec = meter.model.quirks.get("purchase")
    rows = spec if isinstance(spec, Mapping) else {}
    with model_data(meter):
        return {
            key: maps.load_register({"key": key, **rows[key]})
            for key in keys
            if isinstance(rows.get(key), Mapping)
        }


def _section(spec: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    section = spec.get(name)
    return section if isinstance(section, Mapping) else None


def _numbers(value: object) -> list[int]:
    if isinstance(value, list | tuple):
        return [int(each) for each in value]
    return [int(str(value))]


def _name(register: Register) -> str:
    """Unique within a model, also where several circuits have the same keys."""
    return f"{register.circuit}/{register.key}"


def _plan_limits(model: MeterModel) -> dict[str, int]:
    """Only what the model allows is read beyond its registers: `block` {"max_count", "max_gap"}; by default no gaps."""
    block = model.block if isinstance(model.block, Mapping) else {}
    return {"max_count": int(block.get("max_count", 100)), "max_gap": int(block.get("max_gap", 0))}


def _value(register: Register, number: Decimal | None) -> Value:
    if register.key != "switch" or number is None:
        return number
    place = maps.load_register({**register.params, "key": register.key})
    return switch_word(register.params, maps.encode(place, number))
