"""DL/T 645-2007: reads by 11H, relay by 1CH, state by status word 3, time by broadcast 08H."""

from __future__ import annotations

from datetime import datetime

from ..codecs.dlt645_2007 import data, requests
from ..codecs.dlt645_2007.frame import Decoder, Frame
from ..codecs.dlt645_2007.matching import matches
from ..codecs.values import Reading
from ..errors import MeterRefusedError
from ..model import Circuit, Meter, Register, SwitchState, Value
from .base import Wanted, check_only_circuit, model_data, refuse_switch, switch_register
from .dlt645 import OVERHEAD_BYTES, SINGLE_BYTES, Dlt645Driver
from .line import Line

STATUS_WORD_3 = "04000503"
RELAY_WORDS = {code: word for word, code in requests.RELAY_ACTIONS.items()}
CLOSE_ACTIONS = {"direct": "close", "permit": "close_permitted"}


class Dlt645v2007Driver(Dlt645Driver[Frame]):
    """One for a bus."""

    date_di = "04000101"
    time_di = "04000102"

    def _make_decoder(self) -> Decoder:
        return Decoder()

    def _read_request(self, meter: Meter, di: str) -> Frame:
        return requests.read(meter.address, di)

    def _more_request(self, answer: Frame, di: str, part: int) -> Frame:
        return requests.read_more(answer.address, di, part)

    def _matches(self, request: Frame, answer: Frame) -> bool:
        return matches(request, answer)

    def _payload(self, answer: Frame) -> bytes:
        return answer.payload

    def _decode(self, di: str, payload: bytes) -> Reading:
        return data.decode_item(di, payload)

    def _decode_error(self, error: int) -> list[str]:
        return data.decode_error(error)

    def _time_request(self, when: datetime) -> Frame:
        return requests.broadcast_time(when)

    def _address_request(self) -> Frame:
        return requests.read_address()

    def _value(self, register: Register, decoded: Reading, position: int) -> Value:
        value = super()._value(register, decoded, position)
        return switch_word(value) if register.key == "switch" else value

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        check_only_circuit(meter, circuit)
        with model_data(meter):
            request = relay_request(meter, wanted)
        what = f"meter {meter.serial} switch {wanted}"
        await self._ask(line, request, OVERHEAD_BYTES, what, meter, is_read=False, is_fresh=True)

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        register = switch_register(meter, circuit)
        if register is None:
            check_only_circuit(meter, circuit)
            register = Register("switch", STATUS_WORD_3)
        di = register.di or STATUS_WORD_3
        payload = await self._read_di(line, meter, di, SINGLE_BYTES, is_fresh=True)
        return switch_word(super()._value(register, self._decode(di, payload), 0))


def relay_request(meter: Meter, wanted: Wanted) -> Frame:
    """The 1CH frame as the model's data says: {"on": "1C"|"1B" or "close": direct|permit, "off": "1A", "level", "expiry": far|zero}."""
    spec = meter.model.switch
    if spec is None or spec.kind != "dlt645":
        raise refuse_switch(meter)
    if wanted == "on":
        close = CLOSE_ACTIONS.get(str(spec.params.get("close", "direct")), "close")
        action = _action(meter, spec.params.get("on"), close)
    else:
        action = _action(meter, spec.params.get("off"), "trip")
    password = requests.Password.parse(meter.password)
    if len(meter.password.replace(":", "").strip()) <= 6 and spec.params.get("level"):
        password = requests.Password(password.digits, str(spec.params["level"]))
    expiry = None if spec.params.get("expiry") == "zero" else requests.FAR_EXPIRY
    return requests.relay(meter.address, action, password, meter.operator, expiry)


def is_permit(meter: Meter) -> bool:
    """Does closing only permit, so that the customer must press the meter's button?"""
    spec = meter.model.switch
    if spec is None or spec.kind != "dlt645":
        return False
    return str(spec.params.get("on", "")).upper() == "1B" or spec.params.get("close") == "permit"


def switch_word(value: Value) -> SwitchState:
    """Status word 3 as a switch word."""
    if value is None:
        return "unknown"
    found = data.switch_state(str(value))
    return found if found in ("on", "off", "pending") else "unknown"  # type: ignore[return-value]


def _action(meter: Meter, code: object, default: str) -> str:
    """A relay command byte of the model (hexadecimal text) as the codec's word."""
    if code is None:
        return default
    try:
        return RELAY_WORDS[int(str(code), 16)]
    except (KeyError, ValueError):
        raise MeterRefusedError(
            f"meter {meter.serial}: model {meter.model.code} names the unknown relay command {code!r}"
        ) from None
