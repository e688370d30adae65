"""From Odoo's configuration document to `SiteConfig`, with every problem named by its key path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import model as m
from .errors import SiteConfigError
from .transports import acrel
from .transports.registration import IMEI_PREFIX, forms_of, key_of

T = TypeVar("T")
MAX_METERS_PER_BUS = 128
SWITCH_KINDS = ("dlt645", "cjt188", "modbus")
HEX = set("0123456789abcdefABCDEF")


class Problem(Exception):  # noqa: N818 - a finding, collected below; never leaves this module
    """One finding, `key.path: what is wrong`."""


class Node:
    """A dict of the document that knows its path."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise Problem(f"{path or 'document'}: expected an object, got {_shown(value)}")
        self.value = cast(Mapping[str, Any], value)
        self.path = path

    def at(self, key: str) -> str:
        """Path of a key below this one."""
        return f"{self.path}.{key}" if self.path else key

    def problem(self, key: str, text: str) -> Problem:
        """A finding about a key."""
        return Problem(f"{self.at(key)}: {text}")

    def text(self, key: str, default: str | None = None) -> str:
        """A string; an integer is taken for one, since addresses are digits."""
        value = self.value.get(key)
        if value is None or value is False:  # Odoo says False for an empty field
            if default is None:
                raise self.problem(key, "is missing")
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.problem(key, f"expected text, got {_shown(value)}")
        return value

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = 2**53) -> int:
        """A whole number within limits."""
        value = self.value.get(key)
        if value is None or value is False:
            if default is None:
                raise self.problem(key, "is missing")
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.problem(key, f"expected a whole number, got {_shown(value)}")
        if not low <= value <= high:
            raise self.problem(key, f"{value} is not between {low} and {high}")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> Any:
        """One of a few words."""
        value = self.text(key, default)
        if value not in choices:
            raise self.problem(key, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def children(self, key: str) -> list[tuple[str, object]]:
        """A list, each with its path."""
        value = self.value.get(key)
        if value is None or value is False:
            return []
        if not isinstance(value, list | tuple):
            raise self.problem(key, f"expected a list, got {_shown(value)}")
        return [(f"{self.at(key)}[{i}]", item) for i, item in enumerate(value)]

    def mapping(self, key: str) -> Mapping[str, Any]:
        """An object, empty when absent."""
        value = self.value.get(key)
        return Node(value, self.at(key)).value if value else {}


class Reader:
    """Collects problems; what has one is left out."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.models: dict[str, m.MeterModel] = {}
        self.seen: dict[tuple[str, object], str] = {}
        self.callers: dict[bytes, tuple[int, bytes, str]] = {}
        self.ports: dict[str, tuple[tuple[object, ...], str]] = {}

    def try_(self, read: Callable[[], T]) -> T | None:
        """The value, or None with its problem noted."""
        try:
            return read()
        except Problem as problem:
            self.problems.append(str(problem))
            return None

    def once(self, what: str, value: object, path: str) -> None:
        """Ids may come once."""
        first = self.seen.setdefault((what, value), path)
        if first != path:
            raise Problem(f"{path}: {what} {value} is already used at {first}")

    def site(self, document: object) -> m.SiteConfig:
        """The whole document; Problem only for its frame."""
        node = Node(document, "")
        connector = Node(node.value.get("connector") or {}, "connector")
        for code, value in node.mapping("models").items():
            if found := self.try_(lambda c=code, v=value: read_model(c, Node(v, f"models.{c}"))):  # type: ignore[misc]
                self.models[code] = found
        schedules = {"default": m.Schedule()}
        for code, value in node.mapping("schedules").items():
            if schedule := self.try_(lambda c=code, v=value: read_schedule(Node(v, f"schedules.{c}"))):  # type: ignore[misc]
                schedules[code] = schedule
        gateways = tuple(self.many(node, "gateways", self.gateway))
        nbiot = self.try_(lambda: read_nbiot(node)) or m.NbIotSettings()
        return m.SiteConfig(
            version=node.integer("version"),
            timezone=_zone(connector),
            connector_id=connector.integer("id", 0),
            connector_code=connector.text("code", ""),
            gateways=gateways,
            models=self.models,
            schedules=schedules,
            problems=tuple(self.problems),
            nbiot=nbiot,
        )

    def many(self, node: Node, key: str, read: Callable[[Node], T]) -> list[T]:
        """Every good item of a list."""
        found = []
        for path, value in node.children(key):
            if (item := self.try_(lambda p=path, v=value: read(Node(v, p)))) is not None:  # type: ignore[misc]
                found.append(item)
        return found

    def gateway(self, node: Node) -> m.Gateway:
        """A gateway with its good buses."""
        key = node.integer("id", low=1)
        self.once("gateway id", key, node.at("id"))
        name = node.text("name", str(key))
        buses = self.many(node, "buses", lambda child: self.bus(child, key, name))
        return m.Gateway(key, name, tuple(buses))

    def bus(self, node: Node, gateway_id: int, gateway: str) -> m.Bus:
        """A bus with its good meters."""
        key = node.integer("id", low=1)
        self.once("bus id", key, node.at("id"))
        bus = m.Bus(
            id=key,
            number=node.integer("number", 1, low=1, high=255),
            link=read_link(Node(node.value.get("link"), node.at("link"))),
            meters=(),
            baudrate=_integer_text(node, "baudrate", 2400, 50, 4_000_000),
            bytesize=_integer_text(node, "bytesize", 8, 5, 8),
            parity=node.choice("parity", ("N", "E", "O"), "E"),
            stopbits=_stopbits(node),
            framing=node.choice("framing", m.FRAMINGS, "transparent"),
            extra_latency_ms=node.integer("extra_latency_ms", 0, high=60_000),
        )
        self.link_once(node, bus, gateway_id, f"bus {bus.number} of gateway {gateway}")
        meters = self.many(node, "meters", lambda child: self.meter(child, key))
        if len(meters) > MAX_METERS_PER_BUS:
            self.problems.append(
                f"{node.at('meters')}: {len(meters)} meters on a bus, at most {MAX_METERS_PER_BUS}"
            )
        return replace(bus, meters=tuple(meters[:MAX_METERS_PER_BUS]))

    def link_once(self, node: Node, bus: m.Bus, gateway_id: int, place: str) -> None:
        """Buses may share a connection, but no two gateways a name to call by, and no two speeds a serial port."""
        link = node.at("link")
        if bus.link.kind == "tcp_server":
            packet = bus.link.registration
            caller = (gateway_id, packet)
            *same, first = self.callers.setdefault(key_of(packet), (*caller, place))
            if tuple(same) != caller:
                shown = _shown(node.mapping("link").get("registration"))
                raise Problem(f"{link}.registration: {place} would call by {shown}, which also means {first}")
        elif bus.link.kind == "serial":
            settings = (bus.baudrate, bus.bytesize, bus.parity, bus.stopbits)
            used, first = self.ports.setdefault(bus.link.device, (settings, place))
            if used != settings:
                raise Problem(
                    f"{link}.device: {bus.link.device} is set to {_port_text(settings)} for {place}, but to {_port_text(used)} for"
                    f" {first}; buses on one serial port run at one speed"
                )

    def meter(self, node: Node, bus_id: int) -> m.Meter:
        """A meter; all of it or nothing."""
        code = node.text("model")
        if code not in self.models:
            raise node.problem("model", f"{code!r} is not among the models of this document")
        found = self.models[code]
        key = node.integer("id", low=1)
        address = _address(node, found.protocol)
        circuits = tuple(self.circuit(Node(value, path)) for path, value in node.children("circuits"))
        if len({circuit.number for circuit in circuits}) < len(circuits):
            raise node.problem("circuits", "two circuits have the same number")
        self.once("meter id", key, node.at("id"))
        self.once(f"address on bus {bus_id}", (found.protocol, address), node.at("address"))
        return m.Meter(
            id=key,
            serial=node.text("serial", address),
            address=address,
            model=found,
            circuits=circuits,
            password=node.text("password", ""),
            operator=node.text("operator", ""),
            read_group=node.text("read_group", "default"),
            supply_plan=self.try_(lambda: read_supply_plan(node)),
            auto_recovery=self.try_(lambda: read_auto_recovery(node)),
            imei=node.text("imei", ""),
        )

    def circuit(self, node: Node) -> m.Circuit:
        """A circuit."""
        key = node.integer("id", low=1)
        self.once("circuit id", key, node.at("id"))
        return m.Circuit(
            key, node.integer("number", 1, low=1, high=255), node.value.get("has_switch") is True
        )


def read_site(document: object, *, is_strict: bool = False) -> m.SiteConfig:
    """See `SiteConfig.from_document`."""
    reader = Reader()
    try:
        site = reader.site(document)
    except Problem as problem:
        raise SiteConfigError([*reader.problems, str(problem)]) from None
    if is_strict and site.problems:
        raise SiteConfigError(site.problems)
    return site


def read_model(code: str, node: Node) -> m.MeterModel:
    """A meter model. Descriptive keys (name, manufacturer, phases) are no business of the connector."""
    registers = tuple(_register(Node(value, path)) for path, value in node.children("registers"))
    switch = node.value.get("switch")
    return m.MeterModel(
        code=code,
        protocol=node.choice("protocol", m.PROTOCOLS),
        registers=registers,
        switch=_switch(Node(switch, node.at("switch"))) if switch else None,
        block=node.value.get("block") or None,
        quirks=node.mapping("quirks"),
        kind=node.text("kind", ""),
        parameters=tuple(str(name) for name in node.value.get("parameters") or () if isinstance(name, str)),
    )


def read_link(node: Node) -> m.Link:
    """Where the bytes go."""
    kind = node.choice("kind", m.LINK_KINDS)
    if kind == "tcp_client":
        host = node.text("host")
        if not host:
            raise node.problem("host", "is empty")
        return m.Link(kind, host=host, port=node.integer("port", low=1, high=65535))
    if kind == "nbiot":
        return m.Link(kind)
    if kind == "serial":
        device = node.text("device")
        if not device:
            raise node.problem("device", "is empty")
        return m.Link(kind, device=device)
    return m.Link(kind, registration=read_registration(node), heartbeat=read_packet(node, "heartbeat"))


def read_registration(node: Node) -> bytes:
    """The packet a dialling gateway is known by: also `imei:` and fifteen digits, or `acrel:` and a serial number."""
    packet = read_packet(node, "registration")
    if not packet:
        raise node.problem("registration", "is empty; a dialling gateway is known by it")
    shown = _shown(node.value.get("registration"))
    if packet.lower().startswith(IMEI_PREFIX) and forms_of(packet) == (packet,):
        raise node.problem("registration", f"{shown} is not fifteen digits after 'imei:'")
    if packet.lower().startswith(acrel.PREFIX):
        packet = acrel.PREFIX + packet[len(acrel.PREFIX) :]
        if not 0 < len(packet) - len(acrel.PREFIX) <= acrel.SERIAL_SIZE:
            raise node.problem(
                "registration", f"{shown} is not a serial number of 1 to 20 bytes after 'acrel:'"
            )
    return packet


def read_packet(node: Node, key: str) -> bytes:
    """`text` or `hex:AABB` as bytes."""
    text = node.text(key, "")
    if not text.lower().startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text[4:])
    except ValueError:
        raise node.problem(key, f"{text!r} is not hexadecimal after 'hex:'") from None


def read_supply_plan(node: Node) -> m.SupplyPlan | None:
    """Timed supply, None when the meter has none."""
    if not node.value.get("supply_plan"):
        return None
    plan = Node(node.value["supply_plan"], node.at("supply_plan"))
    periods = tuple(_period(Node(value, path)) for path, value in plan.children("periods"))
    return m.SupplyPlan(periods, plan.choice("kept_by", ("meter", "connector"), "connector"))


def read_auto_recovery(node: Node) -> m.AutoRecovery | None:
    """How the connector closes again what a meter has tripped; None: it does not."""
    if not node.value.get("auto_recovery"):
        return None
    spec = Node(node.value["auto_recovery"], node.at("auto_recovery"))
    return m.AutoRecovery(
        tries=spec.integer("tries", 3, low=1, high=10),
        delay_s=spec.integer("delay_s", 60, low=1, high=86400),
        stable_s=spec.integer("stable_s", 3600, low=1, high=7 * 86400),
    )


def read_nbiot(node: Node) -> m.NbIotSettings:
    """Whether platforms push to us."""
    spec = Node(node.value.get("nbiot") or {}, "nbiot")
    token = spec.text("path_token_sha256", "").lower()
    if token and (len(token) != 64 or not set(token) <= HEX):
        raise spec.problem("path_token_sha256", "is not a SHA-256 in hexadecimal")
    return m.NbIotSettings(spec.value.get("enabled") is True, token)


def _period(node: Node) -> m.SupplyPeriod:
    weekdays = node.value.get("weekdays", list(range(1, 8)))
    if not isinstance(weekdays, list | tuple) or not set(weekdays) <= set(range(1, 8)):
        raise node.problem("weekdays", f"{_shown(weekdays)} is not a list of 1 (Monday) to 7")
    begin, end = _minutes(node, "from"), _minutes(node, "to")
    if begin == end or begin == 24 * 60:
        raise node.problem("to", "the period has no length; all day is 00:00 to 24:00")
    return m.SupplyPeriod(frozenset(weekdays), begin, end)


def _minutes(node: Node, key: str) -> int:
    text = node.text(key)
    hours, _, minutes = text.partition(":")
    is_time = hours.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(minutes) < 60
    found = int(hours) * 60 + int(minutes) if is_time else 24 * 60 + 1
    if found > 24 * 60:
        raise node.problem(key, f"{text!r} is not HH:MM")
    return found


def read_schedule(node: Node) -> m.Schedule:
    """Periods of a read group."""
    clock_at = node.text("clock_at", "")
    hours, _, minutes = clock_at.partition(":")
    if clock_at and not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
        raise node.problem("clock_at", f"{clock_at!r} is not HH:MM")
    day = 86400
    return m.Schedule(
        energy_s=node.integer("energy_s", 60, high=day),
        live_s=node.integer("live_s", 60, high=day),
        switch_s=node.integer("switch_s", 60, high=day),
        clock_at=clock_at,
    )


def _register(node: Node) -> m.Register:
    di = node.text("di", "") or None
    if di is not None and (len(di) not in (4, 8) or not set(di) <= HEX):
        raise node.problem("di", f"{di!r} is not 4 or 8 hexadecimal digits")
    circuit = node.integer("circuit", 1, high=255)
    return m.Register(node.text("key"), di.upper() if di else None, circuit, node.value)


def _switch(node: Node) -> m.SwitchSpec:
    return m.SwitchSpec(node.choice("kind", SWITCH_KINDS), node.value)


def _address(node: Node, protocol: str) -> str:
    """Digits as printed, filled up to the protocol's length."""
    address = node.text("address").strip()
    if protocol.startswith("modbus"):
        if not address.isdigit() or not 0 <= int(address) <= 255:
            raise node.problem("address", f"{address!r} is not a Modbus address 0..255")
        return str(int(address))
    length = 14 if protocol == "cjt188" else 12
    if not address.isdigit() or not address.isascii() or len(address) > length:
        raise node.problem("address", f"{address!r} is not up to {length} digits")
    return address.zfill(length)


def _integer_text(node: Node, key: str, default: int, low: int, high: int) -> int:
    """Odoo's selections are text: '2400' is a number here."""
    value = node.value.get(key)
    if isinstance(value, str) and value.isdigit():
        node = Node({**node.value, key: int(value)}, node.path)
    return node.integer(key, default, low, high)


def _stopbits(node: Node) -> float:
    value = node.value.get("stopbits") or 1
    if str(value) not in ("1", "1.0", "1.5", "2", "2.0"):
        raise node.problem("stopbits", f"{value!r} is not one of 1, 1.5, 2")
    return float(value)


def _port_text(settings: tuple[object, ...]) -> str:
    """As people write it: 2400 8E1."""
    baudrate, bytesize, parity, stopbits = settings
    return f"{baudrate} {bytesize}{parity}{stopbits:g}"


def _zone(connector: Node) -> ZoneInfo:
    name = connector.text("timezone", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise connector.problem("timezone", f"{name!r} is not a known time zone") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
