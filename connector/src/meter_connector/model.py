"""The words of the connector, as frozen data: the site as configured, readings, events, orders.

`SiteConfig.from_document` reads the document that `api_config` answers; see `site_document.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

ProtocolName = Literal["dlt645-2007", "dlt645-1997", "cjt188", "modbus-rtu", "modbus-tcp"]
PROTOCOLS = ("dlt645-2007", "dlt645-1997", "cjt188", "modbus-rtu", "modbus-tcp")
LINK_KINDS = ("tcp_client", "tcp_server", "serial", "nbiot")
FRAMINGS = ("transparent", "modbus_tcp", "rtu_over_tcp")

OrderKind = Literal[
    "switch_on",
    "switch_off",
    "read",
    "sync_clock",
    "read_items",
    "read_profile",
    "read_parameters",
    "write_parameters",
    "purchase",
    "read_prepayment",
    "keep_power_on",
    "keep_power_off",
    "alarm_on",
    "alarm_off",
    "discover",
]
ORDER_KINDS: tuple[OrderKind, ...] = get_args(OrderKind)
ResultState = Literal["received", "accepted", "confirmed", "failed", "expired", "superseded"]
SwitchState = Literal["on", "off", "pending", "unknown"]
Source = Literal["scheduled", "on_demand", "freeze", "manual"]

READING_COLUMNS = (
    "total",
    "t1",
    "t2",
    "t3",
    "t4",
    "voltage_v",
    "current_a",
    "power_kw",
    "power_factor",
    "switch",
)
"""Keys of `Reading.values`: columns of `api_ingest`. Every other key a register yields goes to `Reading.extras`."""

Value = Decimal | str | None


@dataclass(frozen=True)
class Register:
    """One thing to read from a meter.

    `di` is printed high byte first as in the standard (`00010000`, `9010`, `901F`). `params` is the whole dict of the document, for
    what only one protocol knows (Modbus `address`, `count`, `type`, `scale`, `word_order`).
    `circuit` is the circuit number the value belongs to; 0 = every circuit of the meter (a shared voltage).
    """

    key: str
    di: str | None = None
    circuit: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SwitchSpec:
    """How this model switches. `kind` picks the driver's way; `params` is the whole dict of the document."""

    kind: Literal["dlt645", "cjt188", "modbus"]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shows_command(self) -> bool:
        """Can only the written command be read back, not what the contactor does?"""
        return self.params.get("read_back") == "command"


@dataclass(frozen=True)
class MeterModel:
    """A meter type as data. `block` is the document's own value (protocol-specific), None when absent."""

    code: str
    protocol: ProtocolName
    registers: tuple[Register, ...]
    switch: SwitchSpec | None = None
    block: Any = None
    quirks: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    parameters: tuple[str, ...] = ()
    """Names of the settings that the model has, see codecs/parameters.py; empty = all that its protocol knows."""


@dataclass(frozen=True)
class Circuit:
    """One measured (and perhaps switched) outlet of a meter."""

    id: int
    number: int = 1
    has_switch: bool = False


@dataclass(frozen=True)
class SupplyPeriod:
    """Supply from one time of day to another, minutes since midnight of the site. `weekdays`: 1 = Monday; a period that ends before
    it begins ends on the next day."""

    weekdays: frozenset[int]
    begin: int
    end: int


@dataclass(frozen=True)
class SupplyPlan:
    """Timed supply. `kept_by` meter: its own tables do it; connector: we switch."""

    periods: tuple[SupplyPeriod, ...]
    kept_by: Literal["meter", "connector"] = "connector"


@dataclass(frozen=True)
class AutoRecovery:
    """A meter that trips by itself and cannot return by itself: closed again `delay_s` after each trip, at most `tries` times in a row;
    in a row = less than `stable_s` apart."""

    tries: int = 3
    delay_s: float = 60.0
    stable_s: float = 3600.0


@dataclass(frozen=True)
class Meter:
    """`address` as printed, high digits first. `password` and `operator` as printed, empty = the driver's default."""

    id: int
    serial: str
    address: str
    model: MeterModel
    circuits: tuple[Circuit, ...]
    password: str = field(default="", repr=False)
    operator: str = ""
    read_group: str = "default"
    supply_plan: SupplyPlan | None = None
    auto_recovery: AutoRecovery | None = None
    imei: str = ""


@dataclass(frozen=True)
class Link:
    """Where the bytes go. Only the fields of `kind` are filled; packets are bytes already."""

    kind: Literal["tcp_client", "tcp_server", "serial", "nbiot"]
    host: str = ""
    port: int = 0
    registration: bytes = b""
    heartbeat: bytes = b""
    device: str = ""


@dataclass(frozen=True)
class Bus:
    """One RS485 or M-Bus line: everything its task needs, so that equal buses need no restart."""

    id: int
    number: int
    link: Link
    meters: tuple[Meter, ...]
    baudrate: int = 2400
    bytesize: int = 8
    parity: Literal["N", "E", "O"] = "E"
    stopbits: float = 1
    framing: Literal["transparent", "modbus_tcp", "rtu_over_tcp"] = "transparent"
    extra_latency_ms: int = 0


@dataclass(frozen=True)
class Gateway:
    """A box at the meters' end with up to six buses."""

    id: int
    name: str
    buses: tuple[Bus, ...]


@dataclass(frozen=True)
class Schedule:
    """Periods in seconds, 0 = not at all. `clock_at` is site time HH:MM of the daily broadcast, empty = never."""

    energy_s: int = 60
    live_s: int = 60
    switch_s: int = 60
    clock_at: str = "03:10"


@dataclass(frozen=True)
class NbIotSettings:
    """Whether to take pushes of NB-IoT platforms, and the SHA-256 (hexadecimal) of the secret in the path they call."""

    enabled: bool = False
    path_token_sha256: str = ""


@dataclass(frozen=True)
class SiteConfig:
    """All that Odoo says about the site. `problems` names what was left out and why, one line each."""

    version: int
    timezone: ZoneInfo
    connector_id: int = 0
    connector_code: str = ""
    gateways: tuple[Gateway, ...] = ()
    models: Mapping[str, MeterModel] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=lambda: {"default": Schedule()})
    problems: tuple[str, ...] = ()
    nbiot: NbIotSettings = field(default_factory=NbIotSettings)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, is_strict: bool = False) -> SiteConfig:
        """Read the `api_config` document.

        A model, bus or meter that is wrong is left out and named in `problems` (`gateways[0].buses[1].meters[3].address: …`), so
        that one typing error does not darken a site; strict, or when the frame of the document is wrong, raises SiteConfigError.
        """
        from .site_document import read_site

        return read_site(document, is_strict=is_strict)

    def buses(self) -> Iterator[tuple[Gateway, Bus]]:
        """Every bus with its gateway."""
        return ((gateway, bus) for gateway in self.gateways for bus in gateway.buses)

    def meters(self) -> Iterator[tuple[Gateway, Bus, Meter]]:
        """Every meter with its bus and gateway."""
        return ((gateway, bus, meter) for gateway, bus in self.buses() for meter in bus.meters)

    def schedule_of(self, meter: Meter) -> Schedule:
        """The meter's read group, or the default one."""
        return self.schedules.get(meter.read_group) or self.schedules.get("default") or Schedule()


@dataclass(frozen=True)
class Reading:
    """What one circuit showed at one moment. `at` is epoch seconds UTC by the server's clock.

    `values`: keys of READING_COLUMNS; None or absent = not available. `switch` is a switch word.
    """

    circuit_id: int
    at: float
    values: Mapping[str, Value]
    source: Source = "scheduled"
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened once. `key` is unique for ever and makes a repeated report count once."""

    key: str
    kind: str
    at: float
    gateway_id: int | None = None
    bus_id: int | None = None
    meter_id: int | None = None
    circuit_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """Something a meter (or a bus: `bus_id`, `meter_id` 0) shall do. Times are epoch seconds by the server's clock; `expires_at` 0 = never.

    `data`: JSON object as text, empty = none. Ids below 0 are the connector's own (supply plan, recovery): Odoo does not know them.
    """

    id: int
    generation: int
    kind: OrderKind
    meter_id: int
    circuit_id: int
    created_at: float
    expires_at: float
    reason: str = ""
    bus_id: int = 0
    data: str = ""

    @property
    def is_own(self) -> bool:
        """Made by the connector itself?"""
        return self.id < 0


@dataclass(frozen=True)
class OrderResult:
    """How far an order came, to be told to Odoo. `data`: JSON object as text, empty = none."""

    order_id: int
    generation: int
    state: ResultState
    reported: SwitchState
    at: float
    detail: str = ""
    data: str = ""
