"""Prepaid Modbus meters (protocols §5): register maps as data, FC03/FC16 (FC06 where the meter has it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import bits
from ..scanners import Frame
from ..site import MeterSpec
from .base import Meter, World

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


@dataclass(frozen=True)
class Map:
    """`items`: register address -> (item, registers). Addresses below `size` that no item names read 0; above are refused."""

    items: Mapping[int, tuple[str, int]]
    size: int
    functions: tuple[int, ...]
    writable: tuple[int, ...]
    relay: str


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
        writable=(0x0A, 0x38, 0x57, 0x58),
        relay="forced_trip",
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


class ModbusMeter(Meter):
    """`simulate: {map: …}` names the map."""

    def __init__(self, spec: MeterSpec, world: World) -> None:
        super().__init__(spec, world)
        self.map = MAPS[str(spec.setting("map", "ddsy1352"))]
        self.stored: dict[int, int] = {0x38: 1}
        self.unit = int(spec.address)

    def is_addressed(self, frame: Frame) -> bool:
        """The unit number."""
        return frame.address[0] == self.unit

    def answer(self, frame: Frame) -> bytes | None:
        if frame.control not in self.map.functions:
            return self.refuse(frame, ILLEGAL_FUNCTION)
        start, count = int.from_bytes(frame.data[:2], "big"), int.from_bytes(frame.data[2:4], "big")
        if frame.control == 0x03:
            return self._read(frame, start, count)
        return self._write(frame, start, count)

    def _read(self, frame: Frame, start: int, count: int) -> bytes:
        if not 1 <= count <= 125:
            return self.refuse(frame, ILLEGAL_VALUE)
        if start + count > self.map.size:
            return self.refuse(frame, ILLEGAL_ADDRESS)
        registers = self._registers()
        data = b"".join(registers.get(start + n, 0).to_bytes(2, "big") for n in range(count))
        return self._wrap(frame, bytes((self.unit, 0x03, len(data))) + data)

    def _write(self, frame: Frame, start: int, count: int) -> bytes:
        values = frame.data[5:]
        if len(values) != 2 * count or frame.data[4] != 2 * count:
            return self.refuse(frame, ILLEGAL_VALUE)
        if any(start + n not in self.map.writable for n in range(count)):
            return self.refuse(frame, ILLEGAL_ADDRESS)
        words = [int.from_bytes(values[2 * n : 2 * n + 2], "big") for n in range(count)]
        self._store({start + n: word for n, word in enumerate(words)})
        return self._wrap(frame, bytes((self.unit, 0x10)) + frame.data[:4])

    def _store(self, words: Mapping[int, int]) -> None:
        """Keep the words; those of the relay move it."""
        self.stored.update(words)
        closed: bool | None = None
        if self.map.relay == "forced_trip" and {0x57, 0x58} <= set(words) and words[0x57] == 1:
            closed = words[0x58] == 0
        elif self.map.relay == "relay_on" and 0x1A in words:
            closed = words[0x1A] == 1
        if closed is None or self.relay is None:
            self.command("write", value=str(dict(words)))
            return
        self.command("close" if closed else "trip", "modbus")
        now = self.world.time.wall_ms()
        self.relay.close(now, "modbus") if closed else self.relay.trip(now, "modbus")
        self.settle()

    def _registers(self) -> dict[int, int]:
        live, cents = self.live(), self.energy.cents()
        watts = live.total_dw // 10
        values = {
            **cents,
            "voltage_dv": live.voltage_dv[0],
            "current_ca": live.current_ma[0] // 10,
            "power_w": watts,
            "apparent_va": watts * 1000 // live.factor,
            "factor": live.factor,
            "frequency": live.frequency,
            "address_baud": self.unit << 8 | 1,
            "relay_on": int(self.is_supplied),
        }
        words = dict(self.stored)
        for address, (item, size) in self.map.items.items():
            raw = values[item] & (0xFFFFFFFF if size == 2 else 0xFFFF)
            for n in range(size):
                words[address + n] = raw >> 16 * (size - 1 - n) & 0xFFFF
        if self.map.relay == "forced_trip":
            words[0x58] = int(not self.is_supplied)
        return words

    def refuse(self, frame: Frame, code: int) -> bytes:
        """Function | 80 and the exception code."""
        return self._wrap(frame, bytes((self.unit, frame.control | 0x80, code)))

    def _wrap(self, frame: Frame, body: bytes) -> bytes:
        """As the request came: MBAP, or RTU with CRC."""
        if frame.transaction < 0:
            return body + bits.crc16(body)
        return frame.transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body
