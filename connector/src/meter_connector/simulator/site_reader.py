"""Reads and checks a site file. All problems are told at once, each `file: key.path: what is wrong, value`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from ..errors import SettingsError
from .energy import REGISTERS
from .faults import BusFaults, MeterFaults, changed
from .site import FAMILIES, BusSpec, GatewaySpec, LinkSpec, MeterSpec, ModelSpec, SiteSpec

LINK_KINDS = ("tcp_client", "tcp_server", "serial")
FRAMINGS = ("transparent", "modbus_tcp", "rtu_over_tcp")
ADDRESS_DIGITS = {"645": 12, "188": 14}
MAX_METERS_PER_BUS = 128
MAX_BUSES = 6
_MISSING = object()


def load_site(path: Path | str) -> SiteSpec:
    """Read a site file; SettingsError names file, key and value of everything wrong."""
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {error}") from None
    return read_site(document, path)


def read_site(document: object, path: Path | None = None) -> SiteSpec:
    """The same from a document that is already loaded (see `big_site`)."""
    reader = SiteReader()
    site = reader.site(Node(reader, document, ""), path)
    if reader.problems:
        where = f"{path}: " if path else ""
        raise SettingsError("\n".join(where + problem for problem in reader.problems))
    return site


class Node:
    """A dict of the file that knows its path; wrong values become problems and a harmless default."""

    def __init__(self, reader: SiteReader, value: object, path: str) -> None:
        self.reader = reader
        self.path = path
        if not isinstance(value, Mapping):
            reader.problems.append(f"{path or 'file'}: expected keys and values, got {value!r:.60}")
            value = {}
        self.value: Mapping[str, Any] = value

    def problem(self, key: str, text: str) -> None:
        """Note a finding about a key."""
        self.reader.problems.append(f"{self.path}.{key}: {text}" if self.path else f"{key}: {text}")

    def text(self, key: str, default: object = _MISSING, choices: Sequence[str] = ()) -> str:
        """A text; codes of digits must be quoted in YAML, else their zeros are lost."""
        value = self.value.get(key, default)
        if value is _MISSING:
            self.problem(key, "is missing")
            return ""
        if not isinstance(value, str):
            self.problem(key, f"expected text (in quotes), got {value!r:.60}")
            return ""
        if choices and value not in choices:
            self.problem(key, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def integer(self, key: str, default: int | None, low: int = 0, high: int = 10**9) -> int:
        """A whole number within limits."""
        value = self.value.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            self.problem(
                key, "is missing" if value is None else f"expected a whole number, got {value!r:.60}"
            )
            return low
        if not low <= value <= high:
            self.problem(key, f"{value} is not between {low} and {high}")
        return value

    def decimal(self, key: str, value: object) -> Decimal:
        """An exact number, written as text or a whole number."""
        if isinstance(value, str | int) and not isinstance(value, bool):
            try:
                number = Decimal(value)
                if number.is_finite() and number >= 0:
                    return number
            except InvalidOperation:
                pass
        self.problem(key, f"expected a number in quotes, got {value!r:.60}")
        return Decimal(0)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            self.problem(key, f"expected true or false, got {value!r:.60}")
        return bool(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Keys and values, empty when absent."""
        value = self.value.get(key)
        return Node(self.reader, {} if value is None else value, f"{self.path}.{key}").value

    def nodes(self, key: str) -> list[Node]:
        """A list of dicts."""
        value = self.value.get(key, [])
        path = f"{self.path}.{key}" if self.path else key
        if not isinstance(value, list):
            self.problem(key, f"expected a list, got {value!r:.60}")
            return []
        return [Node(self.reader, item, f"{path}[{i}]") for i, item in enumerate(value)]


class SiteReader:
    """Collects problems and what other rows refer to."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.models: dict[str, ModelSpec] = {}
        self.loads: dict[str, tuple[int, ...]] = {}
        self.buildings: dict[str, str] = {}  # unit -> building
        self.seen: dict[tuple[str, object], str] = {}

    def once(self, node: Node, key: str, what: str, value: object) -> None:
        """A value that may come once."""
        path = f"{node.path}.{key}"
        first = self.seen.setdefault((what, value), path)
        if first != path:
            node.problem(key, f"{what} {value} is already used at {first}")

    def site(self, root: Node, path: Path | None) -> SiteSpec:
        """The whole file."""
        head = Node(self, root.value.get("site") or {}, "site")
        for code, value in root.mapping("models").items():
            self.models[code] = self.model(code, Node(self, value, f"models.{code}"))
        for name, values in root.mapping("loads").items():
            self.loads[name] = self.load(Node(self, {name: values}, "loads"), name)
        self.property(root)
        gateways = tuple(self.gateway(node) for node in root.nodes("gateways"))
        if not gateways:
            root.problem("gateways", "is missing or empty")
        return SiteSpec(
            seed=root.integer("seed", 1),
            code=head.text("code", ""),
            timezone=_zone(head),
            gateways=gateways,
            document=root.value,
            path=path,
        )

    def property(self, root: Node) -> None:
        """Buildings and units, and that tenancies name them."""
        codes = [building.text("code") for building in root.nodes("buildings")]
        for building, code in zip(root.nodes("buildings"), codes, strict=True):
            self.once(building, "code", "building", code)
            for floor in building.nodes("floors"):
                for unit in floor.nodes("units"):
                    self.once(unit, "code", "unit", unit.text("code"))
                    self.buildings[unit.text("code")] = code
        tariffs = {tariff.text("code") for tariff in root.nodes("tariffs")}
        for tenancy in root.nodes("tenancies"):
            self.once(tenancy, "account", "account", tenancy.text("account"))
            tenancy.decimal("opening", tenancy.value.get("opening", "0"))
            for unit_code in tenancy.value.get("units") or []:
                self.once(tenancy, f"units={unit_code}", "tenancy of unit", unit_code)
                if unit_code not in self.buildings:
                    tenancy.problem("units", f"{unit_code!r} is not a unit of this file")
            for key in ("tariff_power", "tariff_water"):
                if tenancy.value.get(key) and tenancy.value[key] not in tariffs:
                    tenancy.problem(key, f"{tenancy.value[key]!r} is not a tariff of this file")

    def model(self, code: str, node: Node) -> ModelSpec:
        """A meter model."""
        return ModelSpec(
            code=code,
            protocol=node.text("protocol", choices=tuple(FAMILIES)),
            kind=node.text("kind", "power"),
            phases=node.integer("phases", 1, high=3),
            has_switch=node.flag("has_switch", False),
            registers=tuple(register.value for register in node.nodes("registers")),
            quirks=node.mapping("quirks"),
            simulate=node.mapping("simulate"),
        )

    def load(self, node: Node, name: str) -> tuple[int, ...]:
        """24 hourly values, to W or L/h."""
        values = node.value[name]
        if not isinstance(values, list) or len(values) != 24:
            node.problem(
                name, f"expected 24 values, got {len(values) if isinstance(values, list) else values!r}"
            )
            return (0,) * 24
        return tuple(int(node.decimal(f"{name}[{i}]", value) * 1000) for i, value in enumerate(values))

    def gateway(self, node: Node) -> GatewaySpec:
        """A gateway; its buses inherit its link."""
        code = node.text("code")
        self.once(node, "code", "gateway", code)
        buses = tuple(self.bus(bus, node, code) for bus in node.nodes("buses"))
        if not 1 <= len(buses) <= MAX_BUSES:
            node.problem("buses", f"{len(buses)} buses, a gateway has 1 to {MAX_BUSES}")
        return GatewaySpec(code, node.text("name", code), buses, node.text("building", ""))

    def bus(self, node: Node, gateway: Node, code: str) -> BusSpec:
        """A bus with its meters."""
        number = node.integer("number", 1, 1, 255)
        self.once(node, "number", f"bus of {code}", number)
        meters = tuple(
            self.meter(meter, f"{code}/{number}", gateway.text("building", ""))
            for meter in node.nodes("meters")
        )
        if len(meters) > MAX_METERS_PER_BUS:
            node.problem("meters", f"{len(meters)} meters, a bus has at most {MAX_METERS_PER_BUS}")
        link = Node(self, node.value.get("link") or gateway.value.get("link"), f"{node.path}.link")
        stopbits = node.integer("stopbits", 1, 1, 2)
        parity = node.text("parity", "E", ("N", "E", "O"))
        low, high = _turnround(node)
        framing = node.text("framing", "transparent", FRAMINGS)
        return BusSpec(
            number=number,
            link=self.link(link),
            meters=meters,
            baudrate=node.integer("baudrate", 2400, 300, 4_000_000),
            char_bits=1 + node.integer("bytesize", 8, 5, 8) + (parity != "N") + stopbits,
            framing=framing,
            wire=node.flag("wire", framing != "modbus_tcp"),
            turnround_ms=(low, high),
            faults=changed_or_noted(BusFaults(), node),
        )

    def link(self, node: Node) -> LinkSpec:
        """Where the bytes come from."""
        kind = node.text("kind", choices=LINK_KINDS)
        registration = _packet(node, "registration")
        if kind == "tcp_server" and not registration:
            node.problem("registration", "is missing; a dialling gateway is known by it")
        return LinkSpec(
            kind=kind,
            host=node.text("host", "127.0.0.1"),
            port=node.integer("port", 0, 0, 65535),
            device=node.text("device", ""),
            registration=registration,
            heartbeat=_packet(node, "heartbeat"),
            heartbeat_s=float(node.integer("heartbeat_s", 30, 1, 86400)),
        )

    def meter(self, node: Node, bus: str, building: str) -> MeterSpec:
        """A meter."""
        code = node.text("model")
        model = self.models.get(code)
        if model is None:
            node.problem("model", f"{code!r} is not a model of this file")
            model = ModelSpec(code, "dlt645-2007", "power", 1, False)
        address = _address(node, model.family)
        self.once(node, "address", f"address on bus {bus}", (model.family, address))
        serial = node.text("serial", address)
        self.once(node, "serial", "serial", serial)
        unit = node.text("unit", "")
        if unit and self.buildings and unit not in self.buildings:
            node.problem("unit", f"{unit!r} is not a unit of this file")
        return MeterSpec(
            serial=serial,
            address=address,
            model=model,
            password=node.text("password", ""),
            unit=unit,
            building=self.buildings.get(unit, building),
            start=_start(node),
            loads=self.load_named(node),
            ct_ratio=node.integer("ct_ratio", 1, 1, 10_000),
            sum_of=node.text("sum_of", ""),
            faults=changed_or_noted(MeterFaults(), node),
            simulate=node.mapping("simulate"),
        )

    def load_named(self, node: Node) -> tuple[int, ...]:
        """The load curve a meter names."""
        name = node.text("load", "")
        if name and name not in self.loads:
            node.problem("load", f"{name!r} is not a load of this file")
        return self.loads.get(name, ())


def changed_or_noted(faults: Any, node: Node) -> Any:
    """Faults of a row; a wrong one is noted."""
    try:
        return changed(faults, node.mapping("faults"), "faults")
    except SettingsError as error:
        node.reader.problems.append(f"{node.path}.{error}")
        return faults


def _start(node: Node) -> dict[str, Decimal]:
    value = node.value.get("start", "0")
    values = value if isinstance(value, Mapping) else {"total": value}
    for key in set(values) - set(REGISTERS):
        node.problem(f"start.{key}", f"unknown register; one of {', '.join(REGISTERS)}")
    return {key: node.decimal(f"start.{key}", number) for key, number in values.items() if key in REGISTERS}


def _address(node: Node, family: str) -> str:
    address = node.text("address")
    if family == "modbus":
        if not address.isdigit() or not 1 <= int(address) <= 247:
            node.problem("address", f"{address!r} is not a Modbus unit 1..247")
            return "1"
        return str(int(address))
    if not (address.isascii() and address.isdigit()) or len(address) > ADDRESS_DIGITS[family]:
        node.problem("address", f"{address!r} is not up to {ADDRESS_DIGITS[family]} digits")
        return "0" * ADDRESS_DIGITS[family]
    return address.zfill(ADDRESS_DIGITS[family])


def _packet(node: Node, key: str) -> bytes:
    text = node.text(key, "")
    if not text.lower().startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text[4:])
    except ValueError:
        node.problem(key, f"{text!r} is not hexadecimal after 'hex:'")
        return b""


def _turnround(node: Node) -> tuple[int, int]:
    value = node.value.get("turnround_ms", [20, 60])
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, int) for item in value):
        low, high = value
        if 0 <= low <= high:
            return low, high
    node.problem("turnround_ms", f"expected [lowest, highest], got {value!r:.60}")
    return 20, 60


def _zone(head: Node) -> ZoneInfo:
    name = head.text("timezone", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        head.problem("timezone", f"{name!r} is not a known time zone")
        return ZoneInfo("UTC")
