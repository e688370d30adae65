"""CJ/T 188-2004 water meter: 901F, read address 810A, valve A017 (protocols §4)."""

from __future__ import annotations

from .. import bits
from ..scanners import Frame
from ..site import MeterSpec
from .base import Meter, World

ANY_TYPE, ANY_ADDRESS = 0xAA, b"\xaa" * 7
CUBIC_METRE = 0x2C
LONG_PREAMBLE = 20
VALVE = {0x55: True, 0x99: False}


class Cjt188Meter(Meter):
    """Cold water by default; the settings are quirks of the model (seams) and `simulate` keys."""

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        self.meter_type = int(str(spec.setting("meter_type", "10")), 16)
        self.di_order = str(spec.setting("di_order", "901F"))
        self.valve_control = int(str(spec.setting("valve_control", "04")), 16)
        self._awake_until_ms = 0

    @property
    def own_address(self) -> bytes:
        """Seven bytes in wire order."""
        return bits.reversed_hex(self.spec.address)

    def is_addressed(self, frame: Frame) -> bool:
        """Own type or AA, own address or AA x7. A sleeping meter hears only a long preamble, else wakes for the next request."""
        is_mine = frame.address[0] in (self.meter_type, ANY_TYPE) and frame.address[1:] in (
            self.own_address,
            ANY_ADDRESS,
        )
        return is_mine and self._is_awake(frame)

    def _is_awake(self, frame: Frame) -> bool:
        sleep_s = int(self.spec.setting("sleep_s", 0))
        now = self.world.time.wall_ms()
        was_awake = not sleep_s or now < self._awake_until_ms or frame.preamble >= LONG_PREAMBLE
        self._awake_until_ms = now + sleep_s * 1000
        return was_awake

    def answer(self, frame: Frame) -> bytes | None:
        if len(frame.data) < 3:
            return None
        di, serial_number, rest = frame.data[:2], frame.data[2], frame.data[3:]
        is_swapped = di[0] < 0x80
        printed = (di[::-1] if is_swapped else di).hex().upper()
        if printed != "A017" and self.spec.setting("strict_di") and is_swapped != (self.di_order == "1F90"):
            return None
        if frame.control == 0x01 and printed == "901F":
            return self._build(0x81, self._own_order("901F") + bytes((serial_number,)) + self._reading())
        if frame.control == 0x03 and printed == "810A":
            return self._build(0x83, self._own_order("810A") + bytes((serial_number,)))
        if frame.control == self.valve_control and printed == "A017":
            return self._valve(frame, di, rest)
        return self.refuse(frame, 0)

    def _own_order(self, di: str) -> bytes:
        """A DI as this maker sends it."""
        data = bytes.fromhex(di)
        return data[::-1] if self.di_order == "1F90" else data

    def _reading(self) -> bytes:
        """Current and settlement volume with units, clock, status."""
        months = self.energy.months
        current = bits.bcd(self.energy.cents()["total"], 4)
        settled = bits.bcd(months[0].cents["total"] if months else 0, 4)
        unit = bytes((CUBIC_METRE,))
        has_clock = bool(self.spec.setting("has_clock", True))
        clock = bits.clock_bytes(self.clock(), "smhDMYC") if has_clock else b"\xff" * 7
        return current + unit + settled + unit + clock + self._status()

    def _status(self) -> bytes:
        """Two bytes; where the valve bits sit is the maker's choice a, b or c."""
        valve = 0 if self.is_supplied else 1
        battery = 1 if self.spec.setting("battery_low") else 0
        second = int(self.spec.setting("status_2", 0))
        kind = self.spec.setting("valve_bits", "a")
        if kind == "b":
            return bytes((valve << 6 | battery << 5, second))
        first = valve | battery << 2
        return bytes((second, first)) if kind == "c" else bytes((first, second))

    def _valve(self, frame: Frame, di: bytes, rest: bytes) -> bytes | None:
        wanted = VALVE.get(rest[0]) if len(rest) == 1 else None
        if self.relay is None or wanted is None:
            self.command("valve", error="01")
            return self.refuse(frame, 1)
        self.command("close" if wanted else "trip", "valve")
        now = self.world.time.wall_ms()
        self.relay.close(now, "valve") if wanted else self.relay.trip(now, "valve")
        self.settle()
        return self._build(frame.control | 0x80, di + frame.data[2:3] + self._status())

    def refuse(self, frame: Frame, code: int) -> bytes:
        """Control | C0, SER and ST."""
        serial_number = frame.data[2:3] or b"\0"
        return self._build(frame.control | 0xC0, serial_number + bytes((code, 0)))

    def _build(self, control: int, data: bytes) -> bytes:
        head = bytes((0x68, self.meter_type)) + self.own_address
        body = head + bytes((control, len(data))) + data
        return b"\xfe" * int(self.spec.setting("preamble", 3)) + body + bytes((bits.checksum(body), 0x16))
