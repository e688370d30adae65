"""The site file as frozen data. Reading and its checks: `site_reader.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .faults import BusFaults, MeterFaults

FAMILIES = {
    "dlt645-2007": "645",
    "dlt645-1997": "645",
    "cjt188": "188",
    "modbus-rtu": "modbus",
    "modbus-tcp": "modbus",
}


@dataclass(frozen=True)
class ModelSpec:
    """A meter model; `quirks` as the connector knows them, `simulate` for the simulator alone."""

    code: str
    protocol: str
    kind: str
    phases: int
    has_switch: bool
    registers: tuple[Mapping[str, Any], ...] = ()
    quirks: Mapping[str, Any] = field(default_factory=dict)
    simulate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """645, 188 or modbus: which meters understand each other's frames."""
        return FAMILIES[self.protocol]

    @property
    def is_multi_rate(self) -> bool:
        """Counts by tariff: it has tariff registers to read."""
        return any(register.get("key") == "t1" for register in self.registers)


@dataclass(frozen=True)
class MeterSpec:
    """One meter. `start` by register; `loads` 24 hourly W (or L/h); `sum_of` a building's code for its sum meter."""

    serial: str
    address: str
    model: ModelSpec
    password: str = ""
    unit: str = ""
    building: str = ""
    start: Mapping[str, Decimal] = field(default_factory=dict)
    loads: tuple[int, ...] = ()
    ct_ratio: int = 1
    sum_of: str = ""
    faults: MeterFaults = MeterFaults()
    simulate: Mapping[str, Any] = field(default_factory=dict)

    def setting(self, key: str, default: Any = None) -> Any:
        """A `simulate` value: the meter's, else the model's, else its quirk of that name."""
        for source in (self.simulate, self.model.simulate, self.model.quirks):
            if key in source:
                return source[key]
        return default


@dataclass(frozen=True)
class LinkSpec:
    """How the bytes reach the bus, seen from the site: tcp_client = we listen, tcp_server = we dial, serial = a pseudo-terminal."""

    kind: str
    host: str = "127.0.0.1"
    port: int = 0
    device: str = ""
    registration: bytes = b""
    heartbeat: bytes = b""
    heartbeat_s: float = 30.0


@dataclass(frozen=True)
class BusSpec:
    """One line of meters. `wire`: bytes take their time; `turnround_ms`: how long meters think, lowest and highest."""

    number: int
    link: LinkSpec
    meters: tuple[MeterSpec, ...]
    baudrate: int = 2400
    char_bits: int = 11
    framing: str = "transparent"
    wire: bool = True
    turnround_ms: tuple[int, int] = (20, 60)
    faults: BusFaults = BusFaults()

    @property
    def char_s(self) -> float:
        """Seconds of one character, 0 without wire timing."""
        return self.char_bits / self.baudrate if self.wire else 0.0


@dataclass(frozen=True)
class GatewaySpec:
    """A gateway with its buses."""

    code: str
    name: str
    buses: tuple[BusSpec, ...]
    building: str = ""


@dataclass(frozen=True)
class SiteSpec:
    """The whole file; `document` is its raw content, with what the simulator does not use itself (tenancies, tariffs, users)."""

    seed: int
    code: str
    timezone: ZoneInfo
    gateways: tuple[GatewaySpec, ...]
    document: Mapping[str, Any]
    path: Path | None = None

    def buses(self) -> Iterator[tuple[GatewaySpec, BusSpec]]:
        """Every bus with its gateway."""
        return ((gateway, bus) for gateway in self.gateways for bus in gateway.buses)

    def meters(self) -> Iterator[MeterSpec]:
        """Every meter."""
        return (meter for _, bus in self.buses() for meter in bus.meters)
