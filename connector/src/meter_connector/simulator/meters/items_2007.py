"""Data identifiers of a 645-2007 meter, printed high byte first, and the parameters that can be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .. import bits
from ..energy import DAY_TABLE
from .live import Live, live_values

if TYPE_CHECKING:
    from .dlt645_2007 import Dlt645Meter2007

REGISTERS = ("total", "t1", "t2", "t3", "t4")
NO_SUCH, ILLEGAL = 0x02, 0x01
CLOCKS = {"04000101": "wDMY", "04000102": "smh", "0400010C": "smhwDMY"}
MAX_DAY_SLOTS = 14
SWITCHES = {"04000106": "zones", "04000107": "days", "04000108": "prices", "04000109": "steps"}
FREEZES = {"00": 3, "01": 3, "06": 62}
PREPAID = {"money": 0x200, "energy": 0x100}


def day_table_bytes(table: Sequence[tuple[int, int, int]]) -> bytes:
    """Slots as NN mm hh each."""
    return b"".join(bits.bcd(n, 1) + bits.bcd(m, 1) + bits.bcd(h, 1) for h, m, n in table)


class Parameters:
    """What 14H may write: the clock, and values by DI (as wire bytes)."""

    def __init__(self, meter: Dlt645Meter2007) -> None:
        self.meter = meter
        self.active = dict.fromkeys(SWITCHES.values(), 1)
        self._done: set[str] = set()
        self._counting_by: bytes | None = None
        self._minute = -1
        zones = bits.reversed_hex("010101")  # from 1 January day table 1
        table = day_table_bytes(DAY_TABLE)
        self.values: dict[str, bytes] = {
            "04000106": bytes(5),
            "04000107": bytes(5),
            "04000108": bytes(5),
            "04000109": bytes(5),
            "04000201": bits.bcd(1, 1),
            "04000202": bits.bcd(1, 1),
            "04000203": bits.bcd(len(DAY_TABLE), 1),
            "04000204": bits.bcd(4, 1),
            "04000205": bits.bcd(0, 2),
            "04000402": meter.own_address,
            "04000403": meter.spec.serial.encode().rjust(32)[::-1],
            "0400040E": bytes(6),
            "04000801": b"\x7f",
            "04000802": bits.bcd(1, 1),
            **{f"04000B0{n}": bits.bcd(0, 1) + bits.bcd(1 if n == 1 else 99, 1) for n in (1, 2, 3)},
            **{f"04000F0{n}": bits.bcd(0, 4) for n in range(1, 5)},
            **{f"0400100{n}": bits.bcd(0, 4) for n in range(1, 6)},
            "04001401": bits.bcd(0, 2),
            "04001402": bits.bcd(60_000, 3),
            "04090B01": bits.bcd(120_000, 3),
            "04090B02": bits.bcd(60, 1),
            "04000103": bits.bcd(15, 1),
            "04000409": bits.bcd(1600, 3),
            **{f"040300{n:02X}": bytes(4) for n in range(1, 21)},
            **{
                f"0406{kind}{n:02X}": bits.bcd(0, 4) for kind in ("00", "01", "02", "03") for n in range(1, 5)
            },
            "04010000": zones,
            "04020000": zones,
            **{f"0401000{n}": table for n in range(1, 9)},
            **{f"0402000{n}": table for n in range(1, 9)},
            **{f"0405010{n}": bits.bcd(0, 4) for n in range(1, 5)},
            **{f"0405020{n}": bits.bcd(0, 4) for n in range(1, 5)},
        }

    @property
    def trip_delay_ms(self) -> int:
        """04001401, minutes."""
        return (bits.unbcd(self.values["04001401"]) or 0) * 60_000

    def write(self, di: str, value: bytes) -> int:
        """Store; the error bits, 0 = done."""
        if di in CLOCKS:
            return self._write_clock(CLOCKS[di], value)
        if di not in self.values:
            return NO_SUCH
        is_table = di[:4] in ("0401", "0402")
        if is_table and (len(value) % 3 or not 3 <= len(value) <= 3 * MAX_DAY_SLOTS):
            return ILLEGAL
        if not is_table and len(value) != len(self.values[di]):
            return ILLEGAL
        if bits.unbcd(value) is None and di not in ("04000403", "04000801"):
            return ILLEGAL
        self.put(di, value)
        return 0

    def put(self, di: str, value: bytes) -> None:
        """Keep a value that was checked."""
        self.values[di] = value
        if di in SWITCHES:
            self._done.discard(di)
        self._minute = -1
        self.follow()

    # -- two sets ---------------------------------------------------------------------------------------------------------------
    def follow(self) -> None:
        """Change to the other set of what has come to its switch time, and count by the day table of today's zone; once a minute."""
        minute = self.meter.clock_ms() // 60_000
        if minute == self._minute:
            return
        self._minute = minute
        now = self.meter.clock()
        for di, what in SWITCHES.items():
            moment = self._moment(self.values[di])
            if di not in self._done and moment is not None and moment <= now.replace(tzinfo=None):
                self._done.add(di)
                self.active[what] = 3 - self.active[what]
        number = self._table_of(now)
        table = self.values.get(f"040{self.active['days']}00{number:02X}")
        if table is not None and table is not self._counting_by:
            self._counting_by = table
            self.meter.energy.day_table = self._day_table(table)

    def _table_of(self, now: datetime) -> int:
        """The day table of the year zone that holds today; before the first zone of a year the last one goes on."""
        wire = self.values[f"040{self.active['zones']}0000"]
        zones = [
            tuple(bits.unbcd(wire[i + n : i + n + 1]) or 0 for n in (2, 1, 0)) for i in range(0, len(wire), 3)
        ]
        begun = [zone for zone in zones if zone[:2] <= (now.month, now.day)]
        return (max(begun) if begun else max(zones))[2] or 1

    @staticmethod
    def _moment(wire: bytes) -> datetime | None:
        fields = bits.clock_fields(wire, "mhDMY")
        try:
            return (
                datetime(2000 + fields["Y"], fields["M"], fields["D"], fields["h"], fields["m"])
                if fields
                else None
            )
        except ValueError:
            return None

    @staticmethod
    def _day_table(value: bytes) -> tuple[tuple[int, int, int], ...]:
        slots = [
            [bits.unbcd(value[i + n : i + n + 1]) or 0 for n in (2, 1, 0)] for i in range(0, len(value), 3)
        ]
        return tuple((hour, minute, number) for hour, minute, number in slots)

    def _write_clock(self, fields: str, value: bytes) -> int:
        numbers = bits.clock_fields(value, fields) if len(value) == len(fields) else None
        if numbers is None:
            return ILLEGAL
        now = self.meter.clock()
        names = {"s": "second", "m": "minute", "h": "hour", "D": "day", "M": "month"}
        parts = {name: getattr(now, name) for name in ("year", "month", "day", "hour", "minute", "second")}
        parts.update({names[key]: number for key, number in numbers.items() if key in names})
        if "Y" in numbers:
            parts["year"] = 2000 + numbers["Y"]
        try:
            self.meter.set_clock(self.meter.world.time.from_local(**parts))
        except ValueError:
            return ILLEGAL
        return 0


class Items:
    """What 11H can read."""

    def __init__(self, meter: Dlt645Meter2007) -> None:
        self.meter = meter

    def get(self, di: str) -> bytes | None:
        """The value's bytes, None = no such data in this meter."""
        reader: Mapping[str, Callable[[str], bytes | None]] = {
            "00": self._energy,
            "02": self._live,
            "03": self._event,
            "04": self._parameter,
            "05": self._frozen,
            "1D": self.meter.events.item,
            "1E": self.meter.events.item,
        }
        read = reader.get(di[:2])
        return read(di) if read and not self.meter.is_missing(di) else None

    # -- 00: energy ---------------------------------------------------------------------------------------------------------------
    def _energy(self, di: str) -> bytes | None:
        kind, which, when = di[2:4], di[4:6], di[6:8]
        if kind == "90":
            return self.meter.wallet.item(di) if self.meter.wallet else None
        if kind not in ("00", "01", "02", "03", "04") or which not in ("00", "01", "02", "03", "04", "FF"):
            return None
        names = REGISTERS if which == "FF" else (REGISTERS[int(which)],)
        cents = self._cents_of(when)
        if cents is None:
            return None
        is_forward = kind in ("00", "01")
        return b"".join(bits.bcd(cents[name] if is_forward else 0, 4) for name in names)

    def _cents_of(self, when: str) -> Mapping[str, int] | None:
        """Now, or the n-th last settlement (first of the month)."""
        if when == "00":
            return self.meter.energy.cents()
        months = self.meter.energy.months
        if not ("01" <= when <= "0C"):
            return None
        index = int(when, 16) - 1
        return months[index].cents if index < len(months) else dict.fromkeys(REGISTERS, 0)

    # -- 02: live values ----------------------------------------------------------------------------------------------------------
    def _live(self, di: str) -> bytes | None:
        live = self.meter.live()
        single: dict[str, Callable[[], bytes]] = {
            "02800001": lambda: bits.bcd(sum(live.current_ma) if len(live.current_ma) == 1 else 0, 3),
            "02800002": lambda: bits.bcd(live.frequency, 2),
            "02800007": lambda: bits.bcd(285, 2, is_signed=True),
            "02800008": lambda: bits.bcd(360, 2),
            "02800009": lambda: bits.bcd(600, 2),
            "0280000A": lambda: bits.bcd(1_000_000, 4),
        }
        if di in single:
            return single[di]()
        if di[6:] != "00" or di[2:4] not in ("01", "02", "03", "04", "05", "06"):
            return None
        has_total = di[2:4] in ("03", "04", "05", "06")
        phases = {"FF": range(0 if has_total else 1, 4)}.get(di[4:6])
        if phases is None:
            if di[4:6] not in ("00", "01", "02", "03") or (di[4:6] == "00" and not has_total):
                return None
            phases = range(int(di[4:6]), int(di[4:6]) + 1)
        return b"".join(self.phase(live, di[2:4], phase) for phase in phases)

    @staticmethod
    def phase(live: Live, kind: str, phase: int) -> bytes:
        """One value of phase 1..3, 0 = all; phases the meter has not are filled with FF."""
        size = 2 if kind in ("01", "06") else 3
        if phase > len(live.voltage_dv):
            return b"\xff" * size
        index = max(phase - 1, 0)
        watts = live.power_dw[index] if phase else live.total_dw
        tangent = int((1_000_000 - live.factor**2) ** 0.5)
        value = {
            "01": live.voltage_dv[index],
            "02": live.current_ma[index],
            "03": watts,
            "04": watts * tangent // live.factor,
            "05": watts * 1000 // live.factor,
            "06": live.factor,
        }[kind]
        return bits.bcd(value, size, is_signed=kind != "01")

    # -- 04: parameters -----------------------------------------------------------------------------------------------------------
    def _parameter(self, di: str) -> bytes | None:
        if di in CLOCKS:
            return bits.clock_bytes(self.meter.clock(), CLOCKS[di])
        if di == "04000401":
            return self.meter.own_address
        if di == "040005FF":
            return b"".join(self._status(word) for word in range(1, 8))
        if di[:6] == "040005" and di[6:] in ("01", "02", "03", "04", "05", "06", "07"):
            return self._status(int(di[6:]))
        return self.meter.parameters.values.get(di)

    def _status(self, word: int) -> bytes:
        """Bits of a word; `status: {"4": 3}` of the settings sets further ones by word."""
        value = int((self.meter.spec.setting("status") or {}).get(str(word), 0))
        if word == 1:
            value |= 0x01 if self.meter.spec.setting("external_switch") else 0
            value |= 0x04 if self.meter.spec.setting("battery_low") else 0
        elif word == 3:
            value |= self._status_3()
        return value.to_bytes(2, "little")

    def _status_3(self) -> int:
        active = self.meter.parameters.active
        places = {"days": 0, "zones": 5, "prices": 10, "steps": 11}
        value = sum(1 << bit for what, bit in places.items() if active[what] == 2)
        if self.meter.wallet is not None:
            value |= PREPAID["money"]
        relay = self.meter.relay
        if relay is None:
            return value
        value |= 0x10 if not relay.is_closed else 0
        value |= 0x40 if not relay.is_commanded_closed else 0
        value |= 0x80 if relay.is_about_to_trip or relay.is_alarm else 0
        return value | (0x1000 if relay.is_keep_power else 0)

    # -- 05: freezes --------------------------------------------------------------------------------------------------------------
    def _frozen(self, di: str) -> bytes | None:
        """05 00 timed, 05 01 instant, 05 06 daily; then 00 time, 01 forward, 02 reverse energies, 10 powers; last: n-th last."""
        frozen = {"00": self.meter.timed, "01": self.meter.instant, "06": self.meter.energy.days}.get(di[2:4])
        index = int(di[6:8], 16) - 1
        if frozen is None or not 0 <= index < FREEZES[di[2:4]]:
            return None
        entry = frozen[index] if index < len(frozen) else None
        if di[4:6] == "00":
            return bits.clock_bytes(self.meter.world.time.local(entry.at_ms), "mhDMY") if entry else bytes(5)
        if di[4:6] in ("01", "02"):
            is_forward = entry is not None and di[4:6] == "01"
            return b"".join(
                bits.bcd(entry.cents[name] if entry and is_forward else 0, 4) for name in REGISTERS
            )
        if di[4:6] == "10":
            live = live_values(self.meter, entry.at_ms) if entry else None
            if live is None:
                return bytes(24)
            return b"".join(self.phase(live, kind, phase) for kind in ("03", "04") for phase in range(4))
        return None

    # -- 03: events ---------------------------------------------------------------------------------------------------------------
    def _event(self, di: str) -> bytes | None:
        if di[:4] == "0333":
            return self.meter.wallet.item(di) if self.meter.wallet else None
        return self.meter.events.item(di)
