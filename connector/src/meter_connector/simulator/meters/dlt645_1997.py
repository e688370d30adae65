"""DL/T 645-1997: reads, broadcast time, clock writing; no relay, no read-address, 99…99 answered point to point."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .. import bits
from ..scanners import Frame
from .dlt645 import BROADCAST, Dlt645Meter

ILLEGAL, NO_DI, PASSWORD = 0x01, 0x02, 0x04
MONTHS = {"941": 0, "981": 1}
REGISTERS = ("total", "t1", "t2", "t3", "t4")


class Dlt645Meter1997(Dlt645Meter):
    """Protocols §3. `no_block`: refuses blocks, as many real meters do."""

    writes = frozenset({0x04})

    def is_addressed(self, frame: Frame) -> bool:
        """Own address or 99…99."""
        return frame.address in (self.own_address, BROADCAST)

    def answer(self, frame: Frame) -> bytes | None:
        if frame.control == 0x08:
            self.hear_time(frame.data)
            return None
        if frame.control == 0x01:
            return self._read(frame)
        if frame.control == 0x04 and frame.address == self.own_address:
            return self._write(frame)
        return None

    def refuse(self, frame: Frame, code: int) -> bytes | None:
        """Reads by 99…99 are refused too: the real meters do (vector e97-kts-14)."""
        return self.build(frame.control | 0xC0, bytes((code,)))

    def _read(self, frame: Frame) -> bytes:
        if len(frame.data) != 2:
            return self.build(0xC1, bytes((NO_DI,)))
        value = self.item(bits.printed(frame.data))
        if value is None:
            return self.build(0xC1, bytes((NO_DI,)))
        return self.build(0x81, frame.data + value)

    def _write(self, frame: Frame) -> bytes:
        """DI(2) password(4) value. Only the clock can be written."""
        di, password, value = bits.printed(frame.data[:2]), frame.data[2:6], frame.data[6:]
        if len(password) < 4 or not self.password_matches(password):
            return self.build(0xC4, bytes((PASSWORD,)))
        order = {"C010": "wDMY", "C011": "smh"}.get(di)
        fields = bits.clock_fields(value, order) if order and len(value) == len(order) else None
        if fields is None:
            return self.build(0xC4, bytes((ILLEGAL,)))
        now = self.clock()
        names = {"D": "day", "M": "month", "s": "second", "m": "minute", "h": "hour"}
        changes = {names[key]: number for key, number in fields.items() if key in names}
        if "Y" in fields:
            changes["year"] = 2000 + fields["Y"]
        try:
            shown = now.replace(**changes)  # type: ignore[arg-type]
        except ValueError:
            return self.build(0xC4, bytes((ILLEGAL,)))
        self.set_clock(round(shown.timestamp() * 1000))
        self.command("write_clock")
        return self.build(0x84)

    def item(self, di: str) -> bytes | None:
        """The value of a data identifier (printed), None = this meter has no such."""
        if self.is_missing(di) or (di.endswith("F") and self.spec.setting("no_block")):
            return None
        if di[:3] == "901" and di[3] in "01234F":
            return self._energy(di[3], self.energy.cents())
        if di[:3] in MONTHS and di[3] in "01234F":
            months, index = self.energy.months, MONTHS[di[:3]]
            return self._energy(
                di[3], months[index].cents if index < len(months) else dict.fromkeys(REGISTERS, 0)
            )
        if di in ("9020", "9110", "9120"):
            return bits.bcd(0, 4)
        if di[0] == "B":
            return self._live(di)
        make: Callable[[], bytes] | None = {
            "C010": lambda: bits.clock_bytes(self.clock(), "wDMY"),
            "C011": lambda: bits.clock_bytes(self.clock(), "smh"),
            "C020": lambda: b"\0",
            "C030": lambda: bits.bcd(1600, 3),
            "C032": lambda: self.own_address,
            "C033": lambda: bits.bcd(0, 6),
        }.get(di)
        return make() if make else None

    @staticmethod
    def _energy(which: str, cents: Mapping[str, int]) -> bytes:
        names = REGISTERS if which == "F" else (REGISTERS[int(which)],)
        return b"".join(bits.bcd(cents[name], 4) for name in names)

    def _live(self, di: str) -> bytes | None:
        kind, phase = di[:3], di[3]
        live = self.live()
        if phase not in "0123" or (phase != "0" and int(phase) > len(live.voltage_dv)):
            return None
        index = int(phase) - 1
        if kind == "B61" and index >= 0:
            return bits.bcd(live.voltage_dv[index] // 10, 2)
        if kind == "B62" and index >= 0:
            return bits.bcd(live.current_ma[index] // 10, 2)
        if kind == "B63":
            return bits.bcd((live.total_dw if index < 0 else live.power_dw[index]), 3)
        if kind == "B65":
            return bits.bcd(live.factor, 2)
        return None
