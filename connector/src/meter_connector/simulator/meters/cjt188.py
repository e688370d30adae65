"""CJ/T 188-2004 meters: frames, addresses, sleep, valve A017 (protocols §4). Data: cjt188_items.py."""

from __future__ import annotations

from .. import bits
from ..scanners import Frame
from ..site import MeterSpec
from .base import Meter, World
from .cjt188_items import Items188

ANY_TYPE, ANY_ADDRESS = 0xAA, b"\xaa" * 7
LONG_PREAMBLE = 20
VALVE = {0x55: True, 0x99: False}


class Cjt188Meter(Meter):
    """Cold water by default; the settings are quirks of the model (seams) and `simulate` keys."""

    writes = frozenset({0x04, 0x15, 0x16, 0x2A})

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        self.meter_type = int(str(spec.setting("meter_type", "10")), 16)
        self.di_order = str(spec.setting("di_order", "901F"))
        self.valve_control = int(str(spec.setting("valve_control", "04")), 16)
        self._awake_until_ms = 0
        self.items = Items188(self)

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
        if frame.control == 0x01:
            payload = self.items.read(printed)
            if payload is None:
                return self.refuse(frame, 0)
            return self._build(0x81, self._own_order(printed) + bytes((serial_number,)) + payload)
        if frame.control == 0x03 and printed == "810A":
            return self._build(0x83, self._own_order("810A") + bytes((serial_number,)))
        if frame.control == self.valve_control and printed == "A017":
            return self._valve(frame, di, rest)
        if frame.control == 0x04 and printed != "A017":
            is_done = self.items.write(printed, rest)
            self.command("write", error="" if is_done else "01", di=printed, value=rest.hex().upper())
            return (
                self._build(0x84, di + frame.data[2:3] + self.status()) if is_done else self.refuse(frame, 1)
            )
        return self.refuse(frame, 0)

    def shows(self, frame: Frame) -> dict[str, str]:
        """See Meter."""
        if frame.control != 0x01 or frame.data[:2].hex().upper() not in ("901F", "1F90"):
            return {}
        return {**self.shown("total"), **(self.shown("switch") if self.relay is not None else {})}

    def _own_order(self, di: str) -> bytes:
        """A DI as this maker sends it."""
        data = bytes.fromhex(di)
        return data[::-1] if self.di_order == "1F90" else data

    def status(self) -> bytes:
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
        return self._build(frame.control | 0x80, di + frame.data[2:3] + self.status())

    def refuse(self, frame: Frame, code: int) -> bytes:
        """Control | C0, SER and ST."""
        serial_number = frame.data[2:3] or b"\0"
        return self._build(frame.control | 0xC0, serial_number + bytes((code, 0)))

    def _build(self, control: int, data: bytes) -> bytes:
        head = bytes((0x68, self.meter_type)) + self.own_address
        body = head + bytes((control, len(data))) + data
        return b"\xfe" * int(self.spec.setting("preamble", 3)) + body + bytes((bits.checksum(body), 0x16))
