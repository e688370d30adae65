"""DL/T 645-2007: reads by 11H, settings by 14H, relay by 1CH, state by status word 3, purchases as the model says, time by 08H."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..codecs.base import CodecError
from ..codecs.dlt645_2007 import data, load_profile, prepayment, requests
from ..codecs.dlt645_2007 import frame as f
from ..codecs.dlt645_2007.frame import Decoder, Frame
from ..codecs.dlt645_2007.matching import matches
from ..codecs.values import Reading
from ..errors import GarbledError, MeterRefusedError, PasswordRefusedError
from ..model import Circuit, Meter, Register, SwitchState, Value
from .base import Wanted, check_only_circuit, model_data, refuse_switch, switch_register
from .dlt645 import OVERHEAD_BYTES, SINGLE_BYTES, VALUE_BYTES, Dlt645Driver
from .line import Line
from .operations import Prepayment, Purchase, count_size, refuse

STATUS_WORD_3 = "04000503"
RELAY_WORDS = {code: word for word, code in requests.RELAY_ACTIONS.items()}
CLOSE_ACTIONS = {"direct": "close", "permit": "close_permitted"}
CUSTOMER_NUMBER = "0400040E"
PROFILE_SINCE = "06000001"
IDENTITY_BIT = 0x08


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

    def _write_request(self, meter: Meter, di: str, value: bytes) -> Frame:
        longest = int(meter.model.quirks.get("max_write") or requests.MAX_WRITE)
        return requests.write(meter.address, di, value, password_of(meter), meter.operator, max_data=longest)

    def _encode(self, di: str, value: datetime) -> bytes:
        return data.encode_item(di, [value])

    def _refusal(self, what: str, answer: Frame) -> MeterRefusedError:
        """C3 carries SERR, which has bits of its own."""
        if answer.function != f.SECURITY:
            return super()._refusal(what, answer)
        code = int.from_bytes(answer.data[:2], "little")
        names = ", ".join(data.decode_security_error(code)) or "no reason given"
        kind = PasswordRefusedError if code & IDENTITY_BIT else MeterRefusedError
        return kind(f"{what}: refused with {code:04X} ({names})", code)

    async def switch(self, line: Line, meter: Meter, circuit: Circuit, wanted: Wanted) -> None:
        check_only_circuit(meter, circuit)
        await self._relay(line, meter, switch_action(meter, wanted), f"switch {wanted}")

    async def keep_power(self, line: Line, meter: Meter, circuit: Circuit, is_on: bool) -> None:
        check_only_circuit(meter, circuit)
        word = "on" if is_on else "off"
        await self._relay(line, meter, f"keep_{word}", f"keep power {word}")

    async def read_keep_power(self, line: Line, meter: Meter, circuit: Circuit) -> bool | None:
        """Bit 12 of status word 3; a model whose maker reserves the bit has the quirk `keep_power_bit` = false."""
        if meter.model.quirks.get("keep_power_bit") is False:
            return None
        payload = await self._read_di(line, meter, STATUS_WORD_3, SINGLE_BYTES, is_fresh=True)
        word = self._decode(STATUS_WORD_3, payload).value
        return data.keeps_power(word if isinstance(word, str) else None)

    async def _sets_in_use(self, line: Line, meter: Meter) -> Mapping[str, int]:
        """By bits 0, 5, 10 and 11 of status word 3."""
        payload = await self._read_di(line, meter, STATUS_WORD_3, SINGLE_BYTES, is_fresh=True)
        word = self._decode(STATUS_WORD_3, payload).value
        return data.sets_in_use(word) if isinstance(word, str) else {}

    async def alarm(self, line: Line, meter: Meter, is_on: bool) -> None:
        word = "on" if is_on else "off"
        await self._relay(line, meter, f"alarm_{word}", f"alarm {word}")

    async def _relay(self, line: Line, meter: Meter, action: str, what: str) -> None:
        """1CH, once."""
        expiry = await self._expiry(line, meter)
        with model_data(meter):
            request = requests.relay(meter.address, action, password_of(meter), meter.operator, expiry)
        what = f"meter {meter.serial} {what}"
        await self._ask(line, request, OVERHEAD_BYTES, what, meter, is_read=False, is_fresh=True)

    async def _expiry(self, line: Line, meter: Meter) -> datetime | None:
        """`expiry` of the switch: "far", "zero", or a number of minutes by the meter's own clock, which is then read first."""
        wanted = relay_spec(meter).get("expiry", "far")
        if wanted == "zero":
            return None
        if wanted == "far":
            return requests.FAR_EXPIRY
        minutes = str(wanted)
        if not minutes.isdigit():
            raise refuse(meter, f"names the unknown relay expiry {wanted!r}")
        shown = await self.read_clock(line, meter)
        return requests.FAR_EXPIRY if shown is None else shown + timedelta(minutes=int(minutes))

    async def read_load_profile(
        self, line: Line, meter: Meter, since: datetime, count: int = 1
    ) -> list[load_profile.Record]:
        """See Operations. GarbledError for an answer that is none."""
        with model_data(meter):
            request = requests.read(meter.address, PROFILE_SINCE, count=count, since=since)
        longest = self._decoder.longest
        payload = await self._read_all(line, meter, request, PROFILE_SINCE, longest, is_fresh=True)
        try:
            return load_profile.decode(payload)
        except CodecError as error:
            raise GarbledError(f"meter {meter.serial} load profile: {error}") from error

    async def _read_prepayment(self, line: Line, meter: Meter) -> Prepayment:
        """Count, remaining and overdraft; the last two may be refused by a meter that has them not."""
        spec = purchase_spec(meter)
        items = prepayment.ENERGY if spec.get("unit") == "kWh" else prepayment.MONEY
        found: dict[str, Decimal | None] = {}
        for key, di in items.items():
            try:
                di = str(spec.get(f"{key}_di") or di)
                payload = await self._read_di(line, meter, di, SINGLE_BYTES, is_fresh=True)
            except MeterRefusedError:
                if key == "count":
                    raise
                found[key] = None
                continue
            value = self._decode(di, payload).value
            found[key] = value if isinstance(value, Decimal) else None
        count = found["count"]
        return Prepayment(None if count is None else int(count), found["remaining"], found["overdraft"])

    async def _send_purchase(self, line: Line, meter: Meter, purchase: Purchase) -> None:
        spec = purchase_spec(meter)
        if not spec:
            raise refuse(meter, "does not say how it takes a purchase")
        customer = meter.address
        if spec.get("customer") == "read":
            payload = await self._read_di(line, meter, CUSTOMER_NUMBER, SINGLE_BYTES, is_fresh=True)
            customer = str(self._decode(CUSTOMER_NUMBER, payload).value or customer)
        values: dict[str, Decimal | int | str] = {
            "amount": purchase.amount,
            "count": purchase.count % count_size(meter),
            "number": purchase.number,
            "customer": customer,
        }
        with model_data(meter):
            layout = prepayment.Layout.of(spec)
            request = layout.request(meter.address, values, password_of(meter), meter.operator)
        what = f"meter {meter.serial} purchase {purchase.amount} as number {purchase.count}"
        await self._ask(
            line, request, OVERHEAD_BYTES + 4 * VALUE_BYTES, what, meter, is_read=False, is_fresh=True
        )

    async def read_switch(self, line: Line, meter: Meter, circuit: Circuit) -> SwitchState:
        register = switch_register(meter, circuit)
        if register is None:
            check_only_circuit(meter, circuit)
            register = Register("switch", STATUS_WORD_3)
        di = register.di or STATUS_WORD_3
        payload = await self._read_di(line, meter, di, SINGLE_BYTES, is_fresh=True)
        return switch_word(super()._value(register, self._decode(di, payload), 0))


def relay_spec(meter: Meter) -> Mapping[str, Any]:
    """The model's switch: {"on": "1C"|"1B" or "close": direct|permit, "off": "1A", "level", "expiry"}."""
    spec = meter.model.switch
    if spec is None or spec.kind != "dlt645":
        raise refuse_switch(meter)
    return spec.params


def switch_action(meter: Meter, wanted: Wanted) -> str:
    """The codec's word for this order of this model."""
    params = relay_spec(meter)
    if wanted == "off":
        return _action(meter, params.get("off"), "trip")
    if params.get("close") == "by_hand":
        raise refuse(meter, "trips an external breaker that only a hand can close")
    close = CLOSE_ACTIONS.get(str(params.get("close", "direct")), "close")
    return _action(meter, params.get("on"), close)


def relay_request(meter: Meter, wanted: Wanted) -> Frame:
    """The 1CH frame of a switch order for a meter whose clock cannot be asked first (behind a platform)."""
    action = switch_action(meter, wanted)
    expiry = None if relay_spec(meter).get("expiry") == "zero" else requests.FAR_EXPIRY
    return requests.relay(meter.address, action, password_of(meter), meter.operator, expiry)


def password_of(meter: Meter) -> requests.Password:
    """The meter's password; the model's `level` counts where the password has none of its own."""
    password = requests.Password.parse(meter.password)
    spec = meter.model.switch
    level = spec.params.get("level") if spec is not None else None
    if len(meter.password.replace(":", "").strip()) <= 6 and level:
        return requests.Password(password.digits, str(level))
    return password


def purchase_spec(meter: Meter) -> Mapping[str, Any]:
    """`quirks.purchase` of the model."""
    spec = meter.model.quirks.get("purchase")
    return spec if isinstance(spec, Mapping) else {}


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
