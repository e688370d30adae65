"""DL/T 645-2007 slave: functions 03 08 11 12 13 14 15 16 17 18 19 1A 1B 1C (protocols §2). Data items: items_2007.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .. import bits
from ..energy import Frozen
from ..scanners import Frame
from ..site import MeterSpec
from .base import World
from .dlt645 import ANY_NIBBLES, BROADCAST, Dlt645Meter
from .events_2007 import Events
from .items_2007 import Items, Parameters
from .profile_2007 import profile
from .wallet import OTHER, Wallet, read_order

ILLEGAL, NO_DI, PASSWORD, BAUD = 0x01, 0x02, 0x04, 0x08
ANY = bytes((ANY_NIBBLES,)) * 6
FOR_ALL = {0x08, 0x16}
FOR_ANY = {0x11, 0x12, 0x13, 0x15}
MAX_ANSWER = 200
MAX_WRITE = 50
RELAY_COMMANDS = {
    0x1A: "trip",
    0x1B: "permit",
    0x1C: "close",
    0x2A: "alarm_on",
    0x2B: "alarm_off",
    0x3A: "keep_on",
    0x3B: "keep_off",
}
SHOWN = {"00010000": "total", "0001FF00": "total", "02010100": "voltage_v", "04000503": "switch"}


class Dlt645Meter2007(Dlt645Meter):
    """Single and three phase. `simulate: {load_profile: n}` keeps n half-hourly records, `{prepaid: {…}}` money (wallet.py)."""

    writes = frozenset({0x03, 0x14, 0x1C})

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        self.parameters = Parameters(self)
        self.items = Items(self)
        self.events = Events(self)
        prepaid = spec.setting("prepaid")
        self.wallet = Wallet(self, prepaid) if isinstance(prepaid, Mapping) else None
        self.energy.keep_profile(int(spec.setting("load_profile", 0)))
        self.instant: deque[Frozen] = deque(maxlen=3)
        self.freeze_pattern = ""
        self._rest: dict[str, list[bytes]] = {}

    def is_addressed(self, frame: Frame) -> bool:
        """Own, broadcast, any (AA x6), or abbreviated: the high bytes AA, reads only."""
        if frame.address == BROADCAST:
            return frame.control in FOR_ALL
        if frame.address == self.own_address:
            return True
        if frame.control not in FOR_ANY:
            return False
        known = frame.address.rstrip(bytes((ANY_NIBBLES,)))
        return self.own_address.startswith(known)

    def answer(self, frame: Frame) -> bytes | None:
        handler = {
            0x03: self._security,
            0x08: self._set_time,
            0x11: self._read,
            0x12: self._read_on,
            0x13: self._tell_address,
            0x14: self._write,
            0x15: self._write_address,
            0x16: self._freeze,
            0x17: self._change_baud,
            0x18: self._change_password,
            0x19: self._needs_password,
            0x1A: self._needs_password,
            0x1B: self._needs_password,
            0x1C: self._switch,
        }.get(frame.control)
        return handler(frame) if handler else self.build(frame.control | 0xC0, bytes((ILLEGAL,)))

    def settle(self) -> int:
        """Also the sets that have come to their switch time, and the money."""
        now = super().settle()
        self.parameters.follow()
        if self.wallet is not None:
            self.wallet.settle()
            self._trip_without_money(now)
        return now

    def _trip_without_money(self, now: int) -> None:
        """A meter with `trips` opens by itself when nothing is left, unless power is kept."""
        relay, wallet = self.relay, self.wallet
        if relay is None or wallet is None or not wallet.trips or relay.is_keep_power:
            return
        if wallet.remaining == 0 and relay.is_commanded_closed:
            self.events.note("trip")
            relay.trip(now, "balance")
            super().settle()

    @property
    def timed(self) -> deque[Frozen]:
        """Timed freezes by the pattern of 16H: monthly on the first or daily, both at midnight; other patterns freeze nothing here."""
        kept = {"99010000": self.energy.months, "99990000": self.energy.days}
        return kept.get(self.freeze_pattern, deque())

    def memory(self) -> dict[str, Any]:
        """Also what was written, counted and bought."""
        written = {di: value.hex() for di, value in self.parameters.values.items()}
        wallet = self.wallet.memory() if self.wallet is not None else {}
        return {
            **super().memory(),
            "parameters": written,
            "active": self.parameters.active,
            "events": self.events.memory(),
            "wallet": wallet,
        }

    def remember(self, memory: Mapping[str, Any], passed_ms: int) -> None:
        """Also what was written, before time goes on: the day table decides where energy goes."""
        for di, value in memory["parameters"].items():
            self.parameters.put(di, bytes.fromhex(value))
        self.parameters.active.update(memory.get("active", {}))
        self.events.remember(memory.get("events", {}))
        super().remember(memory, passed_ms)
        if self.wallet is not None and memory.get("wallet"):
            self.wallet.remember(memory["wallet"])

    def _do_cover(self, value: str) -> None:
        """`cover`: "open", "close", "open terminal" or "close terminal"."""
        kind = "terminal_cover" if value.endswith("terminal") else "cover"
        if value.startswith("open"):
            self.events.note(kind)
        elif self.events.records[kind]:
            self.events.records[kind][0].until = self.clock()

    def _do_power_loss_s(self, value: int) -> None:
        """`power_loss_s`: there was no mains for so long, until now."""
        happening = self.events.note("power_loss")
        happening.until, happening.at = happening.at, happening.at - timedelta(seconds=int(value))

    def shows(self, frame: Frame) -> dict[str, str]:
        """See Meter; status word 3 also tells of a contact that did not follow."""
        name = SHOWN.get(bits.printed(frame.data[:4])) if frame.control == 0x11 else None
        if name == "switch":
            return {name: self.relay.word} if self.relay is not None else {}
        return self.shown(name) if name else {}

    # -- reading ------------------------------------------------------------------------------------------------------------------
    def _read(self, frame: Frame) -> bytes:
        if len(frame.data) < 4:
            return self.build(0xD1, bytes((ILLEGAL,)))
        di = bits.printed(frame.data[:4])
        value = profile(self, di, frame.data[4:]) if di[:2] == "06" else self.items.get(di)
        if value is None:
            return self.build(0xD1, bytes((NO_DI,)))
        room = int(self.spec.setting("answer_limit", MAX_ANSWER)) - 5
        parts = [value[i : i + room] for i in range(0, len(value), room)]
        self._rest = {di: parts[1:]}
        return self.build(0xB1 if parts[1:] else 0x91, frame.data[:4] + parts[0])

    def _read_on(self, frame: Frame) -> bytes:
        """12H: part SEQ of what 11H began; the same SEQ again gives the same part."""
        if len(frame.data) != 5:
            return self.build(0xD2, bytes((ILLEGAL,)))
        parts = self._rest.get(bits.printed(frame.data[:4]), [])
        sequence = frame.data[4]
        if not 1 <= sequence <= len(parts):
            return self.build(0xD2, bytes((NO_DI,)))
        control = 0xB2 if sequence < len(parts) else 0x92
        return self.build(control, frame.data[:4] + parts[sequence - 1] + bytes((sequence,)))

    def _tell_address(self, frame: Frame) -> bytes | None:
        return self.build(0x93, self.own_address) if not frame.data else None

    # -- writing ------------------------------------------------------------------------------------------------------------------
    def _write(self, frame: Frame) -> bytes:
        """14H: DI(4) PA P(3) C(4) value."""
        data = frame.data
        if len(data) < 13:
            return self.build(0xD4, bytes((ILLEGAL,)))
        di, operator, value = bits.printed(data[:4]), bits.printed(data[8:12]), data[12:]
        if len(data) > int(self.spec.setting("max_write") or MAX_WRITE):
            return self.build(0xD4, bytes((ILLEGAL,)))
        if not self.password_matches(data[4:8]):
            self.command("write", operator, f"{PASSWORD:02X}", di=di)
            return self.build(0xD4, bytes((PASSWORD,)))
        if self.is_missing(di):
            return self.build(0xD4, bytes((NO_DI,)))
        if di == self._purchase.get("di") and self._purchase.get("function") == "14":
            return self._buy_by_write(value, operator)
        error = self.parameters.write(di, value)
        self.command("write", operator, f"{error:02X}" if error else "", di=di, value=bits.printed(value))
        if error:
            return self.build(0xD4, bytes((error,)))
        self.events.programmed(di, operator)
        return self.build(0x94)

    # -- purchases ----------------------------------------------------------------------------------------------------------------
    @property
    def _purchase(self) -> Mapping[str, Any]:
        spec = self.spec.setting("purchase")
        return spec if isinstance(spec, Mapping) else {}

    def _security(self, frame: Frame) -> bytes:
        """03H 070102FF: DI(4) C(4) order; answered with remaining, count and customer number, or C3 and SERR."""
        data = frame.data
        di, operator = bits.printed(data[:4]), bits.printed(data[4:8])
        order = read_order(self._purchase, data[8:]) if di == "070102FF" else None
        if self.wallet is None or order is None:
            return self.build(0xC3, bytes((OTHER, 0)))
        error = self._buy(order, operator)
        if error:
            return self.build(0xC3, bytes((error, 0)))
        shown = self.wallet.remaining.to_bytes(4, "little") + self.wallet.count.to_bytes(4, "little")
        return self.build(0x83, data[:4] + shown + bits.reversed_hex(self.wallet.customer))

    def _buy_by_write(self, value: bytes, operator: str) -> bytes:
        order = read_order(self._purchase, value)
        error = ILLEGAL if self.wallet is None or order is None else self._buy(order, operator)
        return self.build(0xD4, bytes((ILLEGAL,))) if error else self.build(0x94)

    def _buy(self, order: tuple[int, int | None, str | None], operator: str) -> int:
        """Take a purchase and close where the lack of money had opened."""
        assert self.wallet is not None
        amount, count, customer = order
        error = self.wallet.buy(amount, count, customer)
        self.command("purchase", operator, f"{error:02X}" if error else "", amount=amount, count=count)
        relay = self.relay
        if not error and self.wallet.trips and relay is not None and not relay.is_commanded_closed:
            self._close(operator)
            self.settle()
        return error

    def _write_address(self, frame: Frame) -> bytes | None:
        """15H works only with the programming key pressed; without it the meter stays silent."""
        return None

    def _needs_password(self, frame: Frame) -> bytes:
        """19 clear demand, 1A clear meter, 1B clear events: PA P(3) C(4) …; 1A is refused, as by a sealed meter."""
        operator = bits.printed(frame.data[4:8])
        name = {0x19: "clear_demand", 0x1A: "clear_meter", 0x1B: "clear_events"}[frame.control]
        error = 0 if len(frame.data) >= 8 else ILLEGAL
        if not error and (not self.password_matches(frame.data[:4]) or frame.control == 0x1A):
            error = PASSWORD
        self.command(name, operator, f"{error:02X}" if error else "")
        return (
            self.build(frame.control | 0xC0, bytes((error,))) if error else self.build(frame.control | 0x80)
        )

    def _change_password(self, frame: Frame) -> bytes:
        """18H is refused: the site file owns the passwords."""
        return self.build(0xD8, bytes((PASSWORD,)))

    def _change_baud(self, frame: Frame) -> bytes:
        return self.build(0xD7, bytes((BAUD,)))

    def _set_time(self, frame: Frame) -> None:
        self.hear_time(frame.data)

    def _freeze(self, frame: Frame) -> bytes | None:
        """16H mm hh DD MM: at once with 99999999, else the pattern of the timed freezes."""
        if frame.data == b"\x99" * 4:
            self.instant.appendleft(Frozen(self.clock_ms(), self.energy.cents()))
            self.command("freeze")
        elif len(frame.data) == 4:
            self.freeze_pattern = bits.printed(frame.data)
        return None if frame.address == BROADCAST else self.build(0x96)

    # -- relay --------------------------------------------------------------------------------------------------------------------
    def _switch(self, frame: Frame) -> bytes:
        """1CH: PA P(3) C(4) N1 N2 ss mm hh DD MM YY."""
        data = frame.data
        name = RELAY_COMMANDS.get(data[8] if len(data) == 16 else 0, "unknown")
        operator = bits.printed(data[4:8])
        error = self._switch_error(data, name)
        self.command(name, operator, f"{error:02X}" if error else "")
        if error:
            return self.build(0xDC, bytes((error,)))
        getattr(self, f"_{name}")(operator)
        self.settle()
        return self.build(0x9C)

    def _switch_error(self, data: bytes, name: str) -> int:
        if self.relay is None or name == "unknown":
            return ILLEGAL
        if self.spec.setting("esam") or not self.password_matches(data[:4]):
            return PASSWORD
        if not self._is_in_time(data[10:16]):
            return ILLEGAL
        return ILLEGAL if name == "trip" and self.relay.is_keep_power else 0

    def _is_in_time(self, expiry: bytes) -> bool:
        """The command's expiry against the METER's clock; all zero is accepted unless `zero_expiry: false`."""
        if not any(expiry):
            return bool(self.spec.setting("zero_expiry", True))
        fields = bits.clock_fields(expiry, "smhDMY")
        if fields is None:
            return False
        try:
            moment = datetime(
                2000 + fields["Y"], fields["M"], fields["D"], fields["h"], fields["m"], fields["s"]
            )
        except ValueError:
            return False
        return moment > self.clock().replace(tzinfo=None)

    def _trip(self, operator: str) -> None:
        assert self.relay is not None
        self.events.note("trip", operator)
        self.relay.trip(self.world.time.wall_ms(), operator, self.parameters.trip_delay_ms)

    def _close(self, operator: str) -> None:
        assert self.relay is not None
        self.events.note("close", operator)
        self.relay.close(self.world.time.wall_ms(), operator)

    def _permit(self, operator: str) -> None:
        assert self.relay is not None
        self.relay.permit()

    def _alarm_on(self, operator: str) -> None:
        assert self.relay is not None
        self.relay.is_alarm = True

    def _alarm_off(self, operator: str) -> None:
        assert self.relay is not None
        self.relay.is_alarm = False

    def _keep_on(self, operator: str) -> None:
        assert self.relay is not None
        self.relay.is_keep_power = True

    def _keep_off(self, operator: str) -> None:
        assert self.relay is not None
        self.relay.is_keep_power = False
