"""Prepaid Modbus meters (protocols §5): register maps as data, FC03/FC16 (FC06 where the meter has it), one or several circuits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import bits
from ..energy import Energy
from ..relay import Relay
from ..scanners import Frame
from ..site import MeterSpec
from .base import Meter, World
from .live import Live
from .wallet import Wallet

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
WALLET_WORDS = 8
SHOWN = {"total": "total", "voltage_dv": "voltage_v", "relay_on": "switch"}


@dataclass(frozen=True)
class Map:
    """`items`: register address -> (item, registers). Addresses below `size` and in `holes` (from, to) that no item names read 0 or what
    was written; others are refused."""

    items: Mapping[int, tuple[str, int]]
    size: int
    functions: tuple[int, ...]
    writable: tuple[int, ...]
    relay: str
    holes: tuple[tuple[int, int], ...] = ()


MAPS = {
    "ddsy1352": Map(
        items={
            0x00: ("total", 2),
            0x02: ("t1", 2),
            0x04: ("t2", 2),
            0x06: ("t3", 2),
            0x08: ("t4", 2),
            0x0B: ("voltage_dv", 1),
            0x0C: ("current_ca", 1),
            0x0D: ("power_w", 1),
            0x0F: ("apparent_va", 1),
            0x10: ("factor", 1),
        },
        size=0x60,
        functions=(0x03, 0x10),
        writable=(0x0A, 0x38, 0x57, 0x58, *range(0x2000, 0x2030)),
        relay="forced_trip",
        holes=((0x2000, 0x2030),),
    ),
    "dtsy1352": Map(
        items={0x00: ("total", 2), 0x02: ("t1", 2), 0x04: ("t2", 2), 0x06: ("t3", 2), 0x08: ("t4", 2)},
        size=0x60,
        functions=(0x03, 0x10),
        writable=(0x28, *range(0x2000, 0x202A)),
        relay="",
        holes=((0x2000, 0x202A),),
    ),
    "dtsd1352": Map(
        items={
            0x00: ("total", 2),
            0x0A: ("total", 2),
            0x61: ("voltage_dv", 1),
            0x62: ("voltage_dv_2", 1),
            0x63: ("voltage_dv_3", 1),
            0x64: ("current_ca", 1),
            0x65: ("current_ca_2", 1),
            0x66: ("current_ca_3", 1),
            0x77: ("frequency", 1),
            0x16A: ("power_w", 2),
        },
        size=0x180,
        functions=(0x03, 0x10),
        writable=(),
        relay="",
    ),
    "circuits": Map(
        items={
            0x00: ("total", 2),
            0x0C: ("voltage_dv", 1),
            0x0D: ("current_ca", 1),
            0x0E: ("power_w", 1),
            0x1A: ("relay_on", 1),
        },
        size=0x20,
        functions=(0x03, 0x05, 0x06, 0x0F, 0x10),
        writable=(0x1A,),
        relay="relay_on",
    ),
    "dds238": Map(
        items={
            0x00: ("total", 2),
            0x0C: ("voltage_dv", 1),
            0x0D: ("current_ca", 1),
            0x0E: ("power_w", 1),
            0x10: ("factor", 1),
            0x11: ("frequency", 1),
            0x15: ("address_baud", 1),
            0x1A: ("relay_on", 1),
        },
        size=0x20,
        functions=(0x03, 0x10),
        writable=(0x1A,),
        relay="relay_on",
    ),
}


class Outlet:
    """A further circuit of a meter: its own energy and relay."""

    def __init__(self, meter: ModbusMeter, number: int) -> None:
        spec = meter.spec
        self.meter = meter
        self.key = f"{spec.serial}/{number}"
        self.energy = Energy(meter.world.time, f"{meter.world.seed}/{self.key}", spec.loads, spec.start)
        self.relay = Relay(int(spec.setting("relay_lag_ms", 0)))

    def settle(self, now_ms: int) -> None:
        """As a meter does."""
        time = self.meter.world.time
        while (move := self.relay.due(now_ms)) is not None:
            self.energy.advance(time.physics_at(move.at_ms), self.relay.is_closed)
            self.relay.carry_out(move)
            state = "on" if move.is_closed else "off"
            self.meter.world.journal.add("relay", move.at_ms, meter=self.key, state=state, by=move.by)
        self.energy.advance(time.physics_at(now_ms), self.relay.is_closed)

    def power_w(self) -> int:
        """W of this circuit."""
        return self.energy.load_at(self.energy.at_ms) if self.relay.is_closed else 0


class ModbusMeter(Meter):
    """`simulate: {map: …}` names the map; `{circuits: n, stride: 32}` gives it circuits 2.. n, whose registers follow at the stride.

    Prepaid registers, which no map of a maker has: `{prepaid: {balance, price, at: 0x3000}}` with remaining (two words), count, and the
    order as amount (two words) and count behind them.
    """

    writes = frozenset({0x05, 0x06, 0x0F, 0x10})

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        self.map = MAPS[str(spec.setting("map", "ddsy1352"))]
        self.stored: dict[int, int] = {0x38: 1}
        if self.map.relay == "forced_trip":
            self.stored[0x57] = 1  # as an installer leaves it: forced mode, closed
        self.unit = int(spec.address)
        self.stride = int(spec.setting("stride", 0x20))
        self.outlets = [Outlet(self, n) for n in range(2, int(spec.setting("circuits", 1)) + 1)]
        prepaid = spec.setting("prepaid")
        self.wallet = Wallet(self, prepaid) if isinstance(prepaid, Mapping) else None
        self.wallet_at = int(prepaid.get("at", 0x3000)) if isinstance(prepaid, Mapping) else 0

    def settle(self) -> int:
        """All circuits."""
        now = super().settle()
        for outlet in self.outlets:
            outlet.settle(now)
        if self.wallet is not None:
            self.wallet.settle()
        return now

    def memory(self) -> dict[str, Any]:
        """Also what was written and the further circuits."""
        outlets = [{"energy": each.energy.memory(), "relay": each.relay.memory()} for each in self.outlets]
        wallet = self.wallet.memory() if self.wallet is not None else {}
        stored = {str(address): word for address, word in self.stored.items()}
        return {**super().memory(), "outlets": outlets, "wallet": wallet, "stored": stored}

    def remember(self, memory: Mapping[str, Any], passed_ms: int) -> None:
        """As they were."""
        super().remember(memory, passed_ms)
        self.stored.update({int(address): word for address, word in memory.get("stored", {}).items()})
        for outlet, kept in zip(self.outlets, memory.get("outlets", ()), strict=False):
            outlet.energy.remember(kept["energy"])
            outlet.relay.remember(kept["relay"])
            outlet.energy.advance(outlet.energy.at_ms + passed_ms, outlet.relay.is_closed)
            outlet.energy.at_ms = self.world.time.physics_ms()
        if self.wallet is not None and memory.get("wallet"):
            self.wallet.remember(memory["wallet"])

    def is_addressed(self, frame: Frame) -> bool:
        """The unit number."""
        return frame.address[0] == self.unit

    def answer(self, frame: Frame) -> bytes | None:
        if frame.control not in self.map.functions:
            return self.refuse(frame, ILLEGAL_FUNCTION)
        start, count = int.from_bytes(frame.data[:2], "big"), int.from_bytes(frame.data[2:4], "big")
        if frame.control == 0x03:
            return self._read(frame, start, count)
        if frame.control in (0x05, 0x06):
            word = int(count == 0xFF00) if frame.control == 0x05 else count
            return self._write(frame, start, [word], frame.data[:4])
        values = frame.data[5:]
        if frame.control == 0x0F:
            words = [values[n // 8] >> n % 8 & 1 for n in range(count)] if len(values) * 8 >= count else []
            return self._write(frame, start, words, frame.data[:4])
        if len(values) != 2 * count or frame.data[4] != 2 * count:
            return self.refuse(frame, ILLEGAL_VALUE)
        words = [int.from_bytes(values[2 * n : 2 * n + 2], "big") for n in range(count)]
        return self._write(frame, start, words, frame.data[:4])

    def shows(self, frame: Frame) -> dict[str, str]:
        """See Meter; of the first circuit."""
        if frame.control != 0x03:
            return {}
        start, count = int.from_bytes(frame.data[:2], "big"), int.from_bytes(frame.data[2:4], "big")
        items = {address: SHOWN.get(item, "") for address, (item, _) in self.map.items.items()}
        if self.map.relay == "forced_trip":
            items[0x58] = "switch"
        found: dict[str, str] = {}
        for address in range(start, start + count):
            if name := items.get(address):
                found |= self.shown(name)
        return found

    @property
    def shows_contact(self) -> bool:
        """Does its register tell where the contact is? A forced trip reads back as it was written."""
        return self.map.relay != "forced_trip"

    def shown(self, name: str) -> dict[str, str]:
        """See Meter."""
        if name == "switch" and not self.shows_contact:
            return {name: "off" if self.stored.get(0x58) else "on"}
        return super().shown(name)

    def _is_readable(self, address: int) -> bool:
        in_holes = any(first <= address < last for first, last in self.map.holes)
        in_wallet = self.wallet is not None and 0 <= address - self.wallet_at < WALLET_WORDS
        size = self.map.size + self.stride * len(self.outlets)
        return address < size or in_holes or in_wallet

    def _read(self, frame: Frame, start: int, count: int) -> bytes:
        if not 1 <= count <= 125:
            return self.refuse(frame, ILLEGAL_VALUE)
        if not all(self._is_readable(start + n) for n in range(count)):
            return self.refuse(frame, ILLEGAL_ADDRESS)
        registers = self._registers()
        data = b"".join(registers.get(start + n, 0).to_bytes(2, "big") for n in range(count))
        return self._wrap(frame, bytes((self.unit, 0x03, len(data))) + data)

    def _write(self, frame: Frame, start: int, words: Sequence[int], echo: bytes) -> bytes:
        pairs = {start + n: word for n, word in enumerate(words)}
        if self.wallet is not None and start == self.wallet_at + 4:
            return self._buy(frame, words, echo)
        if not pairs or not all(self._is_writable(address) for address in pairs):
            return self.refuse(frame, ILLEGAL_ADDRESS)
        self._store(pairs)
        return self._wrap(frame, bytes((self.unit, frame.control)) + echo)

    def _is_writable(self, address: int) -> bool:
        circuit = address // self.stride
        inside = address - self.stride * circuit if self.outlets and circuit <= len(self.outlets) else address
        return inside in self.map.writable

    def _buy(self, frame: Frame, words: Sequence[int], echo: bytes) -> bytes:
        """Amount in hundredths (two words) and the count after it."""
        assert self.wallet is not None
        error = self.wallet.buy(words[0] << 16 | words[1], words[2]) if len(words) == 3 else 1
        self.command("purchase", "modbus", f"{error:02X}" if error else "")
        return (
            self.refuse(frame, ILLEGAL_VALUE)
            if error
            else self._wrap(frame, bytes((self.unit, frame.control)) + echo)
        )

    def _store(self, words: Mapping[int, int]) -> None:
        """Keep the words; those of the relay move it."""
        self.stored.update(words)
        moves = dict(self._moves(words))
        if not moves:
            self.command("write", value=str(dict(words)))
        now = self.world.time.wall_ms()
        for number, closed in moves.items():
            relay = self.relay if number == 1 else self.outlets[number - 2].relay
            if relay is None:
                continue
            more: dict[str, Any] = {"circuit": number} if self.outlets else {}
            self.command("close" if closed else "trip", "modbus", **more)
            relay.close(now, "modbus") if closed else relay.trip(now, "modbus")
        self.settle()

    def _moves(self, words: Mapping[int, int]) -> Iterator[tuple[int, bool]]:
        """(circuit, closed) that these words ask for."""
        if self.map.relay == "forced_trip" and {0x57, 0x58} <= set(words) and words[0x57] == 1:
            yield 1, words[0x58] == 0
        for number in range(1, len(self.outlets) + 2) if self.map.relay == "relay_on" else ():
            address = 0x1A + self.stride * (number - 1)
            if address in words:
                yield number, words[address] == 1

    def _registers(self) -> dict[int, int]:
        words = dict(self.stored)
        live, watts = self.live(), self.live().total_dw // 10
        self._fill(words, 0, self._values(live, self.energy.cents(), watts, self.is_supplied))
        for number, outlet in enumerate(self.outlets, 1):
            own = self._values(live, outlet.energy.cents(), outlet.power_w(), outlet.relay.is_closed)
            own["current_ca"] = outlet.power_w() * 1_000_000 // (live.voltage_dv[0] * live.factor)
            self._fill(words, self.stride * number, own)
        if self.wallet is not None:
            at, remaining = self.wallet_at, self.wallet.remaining
            words.update({at: remaining >> 16, at + 1: remaining & 0xFFFF, at + 2: self.wallet.count})
        return words

    def _fill(self, words: dict[int, int], shift: int, values: Mapping[str, int]) -> None:
        for address, (item, size) in self.map.items.items():
            raw = values[item] & (0xFFFFFFFF if size == 2 else 0xFFFF)
            for n in range(size):
                words[shift + address + n] = raw >> 16 * (size - 1 - n) & 0xFFFF

    def _values(self, live: Live, cents: Mapping[str, int], watts: int, is_on: bool) -> dict[str, int]:
        phases = range(len(live.voltage_dv))
        more = {f"voltage_dv_{n + 1}": live.voltage_dv[n] for n in phases}
        more |= {f"current_ca_{n + 1}": live.current_ma[n] // 10 for n in phases}
        for n in (2, 3):
            more.setdefault(f"voltage_dv_{n}", 0)
            more.setdefault(f"current_ca_{n}", 0)
        return {
            **more,
            **cents,
            "voltage_dv": live.voltage_dv[0],
            "current_ca": live.current_ma[0] // 10,
            "power_w": watts,
            "apparent_va": watts * 1000 // live.factor,
            "factor": live.factor,
            "frequency": live.frequency,
            "address_baud": self.unit << 8 | 1,
            "relay_on": int(is_on),
        }

    def refuse(self, frame: Frame, code: int) -> bytes:
        """Function | 80 and the exception code."""
        return self._wrap(frame, bytes((self.unit, frame.control | 0x80, code)))

    def _wrap(self, frame: Frame, body: bytes) -> bytes:
        """As the request came: MBAP, or RTU with CRC."""
        if frame.transaction < 0:
            return body + bits.crc16(body)
        return frame.transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body
