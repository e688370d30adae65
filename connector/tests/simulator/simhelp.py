"""Small factories: a bench for one meter with a clock in the hand, a loop that needs no time to wait, frames, vectors."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import random
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

import yaml
from meter_connector.simulator import DEMO_SITE, bits, read_site
from meter_connector.simulator.bus import Bus
from meter_connector.simulator.journal import Journal
from meter_connector.simulator.meters import Meter, World, make_meter
from meter_connector.simulator.scanners import Frame, scanners_for
from meter_connector.simulator.simtime import SimTime
from meter_connector.simulator.site import BusSpec

T = TypeVar("T")
SHANGHAI = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=SHANGHAI).timestamp()
FAR = bytes.fromhex("000000301299")
VECTORS = {
    row["id"]: row for row in json.loads((Path(__file__).parent.parent / "data/vectors.json").read_text())
}


def vector(name: str) -> bytes:
    """The bytes of a row of vectors.json, from its frame on."""
    row = VECTORS[name]
    return bytes.fromhex(row["hex"])


@functools.cache
def _demo() -> dict[str, Any]:
    return yaml.safe_load(DEMO_SITE.read_text(encoding="utf-8"))


def demo_document() -> dict[str, Any]:
    """The demonstration site, to change for a test."""
    return copy.deepcopy(_demo())


def one_bus(*meters: dict[str, Any], bus: dict[str, Any] | None = None, seed: int = 7) -> dict[str, Any]:
    """A document with the demo's models and loads and one bus."""
    demo = demo_document()
    demo["loads"]["kilowatt"] = ["1"] * 24
    demo["loads"]["none"] = ["0"] * 24
    link = {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}
    row = {"number": 1, "baudrate": 2400, "parity": "E", "link": link, **(bus or {}), "meters": list(meters)}
    return {
        "seed": seed,
        "site": demo["site"],
        "models": demo["models"],
        "loads": demo["loads"],
        "gateways": [{"code": "G1", "name": "G1", "link": link, "buses": [row]}],
    }


def single(address: str = "202601000101", **more: Any) -> dict[str, Any]:
    """A single-phase meter without load."""
    row = {"serial": address, "address": address, "model": "ddsy315", "password": "123456", "load": "none"}
    return {**row, **more}


def three(address: str = "202601000107", **more: Any) -> dict[str, Any]:
    """A three-phase multi-rate meter."""
    return single(address, model="dtzy315", **more)


def water(address: str = "78330010000101", **more: Any) -> dict[str, Any]:
    """A water meter without valve."""
    return {"serial": address, "address": address, "model": "lxsy315-dn20", "load": "none", **more}


class Bench:
    """Meters on a desk. `now` is in the hand."""

    def __init__(self, *rows: dict[str, Any], epoch: float = NOON, speed: float = 1.0, seed: int = 7) -> None:
        self.elapsed = 0.0
        site = read_site(one_bus(*rows, seed=seed))
        self.time = SimTime(lambda: self.elapsed, epoch, site.timezone, speed)
        self.journal = Journal(self.time.wall_ms)
        world = World(site.seed, self.time, self.journal)
        self.meters: list[Meter] = [make_meter(spec, world) for spec in site.meters()]
        self.meter = self.meters[0]

    def ask(self, raw: bytes, meter: Meter | None = None) -> bytes | None:
        """Bytes to a meter, bytes back; None = silence."""
        frames = parse(raw, (meter or self.meter).family, "transparent")
        assert len(frames) <= 1
        return (meter or self.meter).hear(frames[0]) if frames else None

    def read(self, di: str) -> bytes | None:
        """11H to the first meter; the value's bytes without DI, None when refused."""
        answer = self.ask(frame645(self.meter.spec.address, 0x11, bits.reversed_hex(di)))
        assert answer is not None
        control, data = open645(answer)
        return data[4:] if control in (0x91, 0xB1) else None

    def relay(self, n1: int, password: str = "123456", expiry: bytes = FAR, level: int = 2) -> bytes:
        """1CH to the first meter; control and data of the answer."""
        data = bytes((level,)) + bits.reversed_hex(password) + bytes(4) + bytes((n1, 0)) + expiry
        answer = self.ask(frame645(self.meter.spec.address, 0x1C, data))
        assert answer is not None
        control, payload = open645(answer)
        return bytes((control,)) + payload


def parse(raw: bytes, family: str, framing: str) -> list[Frame]:
    """Requests in bytes."""
    return scanners_for({family}, framing)[0].feed(raw, 0.0)


def frame645(address: str, control: int, data: bytes = b"", preamble: int = 4) -> bytes:
    """A 645 frame, of master or slave by its control code."""
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68" + bytes((control, len(data)))
    body += bytes((byte + 0x33) % 256 for byte in data)
    return b"\xfe" * preamble + body + bytes((sum(body) % 256, 0x16))


def open645(raw: bytes) -> tuple[int, bytes]:
    """Control and data (without offset) of one slave frame."""
    start = raw.index(b"\x68")
    frame = raw[start:]
    assert frame[7] == 0x68
    assert len(frame) == 12 + frame[9]
    assert frame[-1] == 0x16
    assert sum(frame[:-2]) % 256 == frame[-2]
    return frame[8], bytes((byte - 0x33) % 256 for byte in frame[10:-2])


def frame188(address: str, control: int, data: bytes, preamble: int = 3, meter_type: int = 0x10) -> bytes:
    """A 188 frame."""
    body = bytes((0x68, meter_type)) + bytes.fromhex(address)[::-1] + bytes((control, len(data))) + data
    return b"\xfe" * preamble + body + bytes((sum(body) % 256, 0x16))


def crc16(data: bytes) -> bytes:
    """CRC-16/Modbus bit by bit, by polynomial division of the reversed form."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return bytes((crc & 0xFF, crc >> 8))


class _NoWait(selectors.DefaultSelector):
    """Instead of waiting, the loop's clock jumps."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for ever"
            self.loop.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when nobody has anything to do."""

    def __init__(self) -> None:
        selector = _NoWait()
        super().__init__(selector)
        selector.loop = self
        self.now = 1000.0
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return getattr(self, "now", 1000.0)


def virtually(main: Callable[[], Awaitable[T]]) -> T:
    """Run to the end on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_as_coroutine(main))


async def _as_coroutine(main: Callable[[], Awaitable[T]]) -> T:
    return await main()


class BusBench:
    """A bus on a running loop; what it sends is kept with its time."""

    def __init__(
        self,
        *rows: dict[str, Any],
        bus: dict[str, Any] | None = None,
        seed: int = 7,
        is_streaming: bool = False,
    ) -> None:
        site = read_site(one_bus(*rows, bus=bus, seed=seed))
        loop = asyncio.get_running_loop()
        self.time = SimTime(loop.time, NOON, site.timezone)
        self.journal = Journal(self.time.wall_ms)
        world = World(site.seed, self.time, self.journal)
        self.spec: BusSpec = site.gateways[0].buses[0]
        self.meters = [make_meter(spec, world) for spec in self.spec.meters]
        self.bus = Bus(self.spec, self.meters, random.Random(f"{seed}/G1/1"), is_streaming=is_streaming)
        self.sent: list[tuple[float, bytes]] = []
        self._sent_more = asyncio.Event()
        self._task = asyncio.create_task(self.bus.run())

    async def __aenter__(self) -> BusBench:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def put(self, data: bytes) -> None:
        """Bytes from the master, now."""
        self.bus.receive(data, self._keep)

    def _keep(self, answer: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time(), answer))
        self._sent_more.set()

    async def count_sent(self, count: int) -> None:
        """Until so many pieces have come back."""
        while len(self.sent) < count:
            self._sent_more.clear()
            await self._sent_more.wait()

    async def ask(self, data: bytes, wait_s: float = 10.0) -> bytes:
        """All that comes back within a time."""
        count = len(self.sent)
        self.put(data)
        await asyncio.sleep(wait_s)
        return b"".join(answer for _, answer in self.sent[count:])


def utc(text: str) -> float:
    """Epoch of an ISO text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
