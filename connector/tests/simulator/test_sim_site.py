"""Site files: the demo's promises, and that every wrong row is named with its path and value."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from meter_connector.errors import SettingsError
from meter_connector.simulator import DEMO_SITE, load_site, read_site
from meter_connector.simulator.big_site import big_site
from simhelp import BusBench, crc16, demo_document, frame188, frame645, one_bus, single, virtually


def test_the_demo_is_the_site_the_story_needs() -> None:
    site = load_site(DEMO_SITE)
    document = site.document
    units = [
        unit for building in document["buildings"] for floor in building["floors"] for unit in floor["units"]
    ]
    assert Counter(unit["kind"] for unit in units) == {"shop": 25, "dormitory": 2, "office": 1, "public": 1}
    assert len(document["buildings"]) == 2
    links = Counter((bus.link.kind, bus.framing) for _, bus in site.buses())
    assert links["tcp_client", "transparent"] >= 4
    assert (
        links["tcp_server", "transparent"]
        == links["serial", "transparent"]
        == links["tcp_client", "modbus_tcp"]
        == 1
    )
    protocols = Counter(meter.model.protocol for meter in site.meters())
    assert set(protocols) == {"dlt645-2007", "dlt645-1997", "cjt188", "modbus-rtu", "modbus-tcp"}
    assert sum(1 for meter in site.meters() if meter.model.phases == 3 and meter.model.has_switch) >= 4
    assert any(meter.setting("playback") for meter in site.meters())
    assert [meter.unit for meter in site.meters() if meter.setting("prepaid")] == ["A-207"]
    serial = next(bus for _, bus in site.buses() if bus.link.kind == "serial")
    assert (serial.baudrate, serial.char_bits) == (2400, 11)


def test_every_unit_of_the_demo_but_the_public_area_has_power_and_water() -> None:
    site = load_site(DEMO_SITE)
    kinds: dict[str, set[str]] = {}
    for meter in site.meters():
        kinds.setdefault(meter.unit, set()).add(meter.model.kind)
    public = {"A-PUB", "A-207"}  # A-207 is a stall: power, paid into its meter, and no water
    assert kinds["A-207"] == {"power"}
    assert all(kinds[unit] == {"power", "water"} for unit in set(kinds) - public)
    assert len(kinds) == 29


def test_the_demo_has_tenancies_in_all_moods() -> None:
    tenancies = load_site(DEMO_SITE).document["tenancies"]
    openings = sorted(Decimal(tenancy["opening"]) for tenancy in tenancies)
    assert openings[0] < 5
    assert sum(1 for value in openings if 5 < value < 100) >= 3
    assert openings[-1] > 1000
    assert sum(1 for tenancy in tenancies if len(tenancy["units"]) == 2) == 1
    assert {tenancy["tariff_power"] for tenancy in tenancies} == {"P1", "P2", "P3"}


def test_no_secret_and_no_real_looking_contact_in_the_demo() -> None:
    document = load_site(DEMO_SITE).document
    assert all("password" not in user for user in document["users"])
    assert all(tenancy["email"].endswith("@example.com") for tenancy in document["tenancies"])
    assert all(tenancy["tenant"].startswith("示例") for tenancy in document["tenancies"])


def questions(model: dict[str, Any], meter: dict[str, Any]) -> list[bytes]:
    """One full read of a meter, as its model says: the block, then the rest one by one."""
    protocol, address = model["protocol"], meter["address"]
    if protocol == "cjt188":
        data = bytes.fromhex(model["quirks"]["di_order"]) + b"\x01"
        return [frame188(address.zfill(14), 0x01, data)]
    if protocol.startswith("modbus"):
        asked = []
        for register in model["registers"]:
            body = (
                bytes((int(address), 3))
                + register["address"].to_bytes(2, "big")
                + register["count"].to_bytes(2, "big")
            )
            if protocol == "modbus-tcp":
                asked.append(b"\0\1\0\0" + len(body).to_bytes(2, "big") + body)
            else:
                asked.append(body + crc16(body))
        return asked
    control = 0x11 if protocol == "dlt645-2007" else 0x01
    block = model.get("block", {"keys": []})
    dis = [block["di"]] if "di" in block else []
    dis += [register["di"] for register in model["registers"] if register["key"] not in block["keys"]]
    return [frame645(address.zfill(12), control, bytes.fromhex(di)[::-1]) for di in dis]


def test_a_full_sweep_of_every_demo_bus_takes_well_under_a_minute_and_all_answer() -> None:
    document = demo_document()

    async def sweep(bus: dict[str, Any]) -> float:
        async with BusBench(
            *bus["meters"], bus={key: value for key, value in bus.items() if key != "meters"}
        ) as bench:
            loop = asyncio.get_running_loop()
            start, asked = loop.time(), 0
            for meter in bus["meters"]:
                for raw in questions(document["models"][meter["model"]], meter):
                    bench.put(raw)
                    asked += 1
                    await asyncio.wait_for(bench.count_sent(asked), 5)
            assert bench.bus.stats.answers == asked
            return loop.time() - start

    for gateway in document["gateways"]:
        for bus in gateway["buses"]:
            bus = {**bus, "link": {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}}
            for meter in bus["meters"]:
                meter.pop("unit", None)
            seconds = virtually(lambda b=bus: sweep(b))  # type: ignore[misc]
            assert 0.05 < seconds < 30, (gateway["code"], bus["number"])


def test_a_big_site_is_as_big_as_asked_and_valid() -> None:
    site = read_site(big_site())
    kinds = Counter(meter.model.kind for meter in site.meters())
    assert (len(site.gateways), kinds["power"], kinds["water"]) == (61, 641, 642)
    assert all(len(bus.meters) <= 13 for _, bus in site.buses())
    small = read_site(big_site(4, 20, 21, dial_in_every=2, seed=3))
    assert Counter(bus.link.kind for _, bus in small.buses()) == {"tcp_client": 4, "tcp_server": 2}
    assert len(list(small.meters())) == 41
    assert big_site(4, 20, 21, seed=3) == big_site(4, 20, 21, seed=3) != big_site(4, 20, 21, seed=4)


def change_meter(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["gateways"][0]["buses"][0]["meters"][0].update({key: value})


def change_bus(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["gateways"][0]["buses"][0].update({key: value})


def change_top(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({key: value})


def twice(document: dict[str, Any]) -> None:
    meters = document["gateways"][0]["buses"][0]["meters"]
    meters.append(dict(meters[0], serial="other"))


PROBLEMS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "model": (
        change_meter("model", "nothing"),
        "gateways[0].buses[0].meters[0].model: 'nothing' is not a model",
    ),
    "address": (change_meter("address", "12X"), "meters[0].address: '12X' is not up to 12 digits"),
    "number": (change_meter("address", 202601), "meters[0].address: expected text (in quotes), got 202601"),
    "start": (
        change_meter("start", "much"),
        "meters[0].start.total: expected a number in quotes, got 'much'",
    ),
    "float": (change_meter("start", 1.5), "meters[0].start.total: expected a number in quotes, got 1.5"),
    "register": (change_meter("start", {"t7": "1"}), "meters[0].start.t7: unknown register"),
    "load": (change_meter("load", "none_such"), "meters[0].load: 'none_such' is not a load"),
    "fault": (change_meter("faults", {"tired": True}), "meters[0].faults.tired: unknown fault"),
    "fault value": (
        change_meter("faults", {"drop": "often"}),
        "meters[0].faults.drop: expected float, got 'often'",
    ),
    "twice": (twice, "meters[1].address: address on bus G1/1 ('645', '202601000101') is already used at"),
    "parity": (change_bus("parity", "X"), "buses[0].parity: 'X' is not one of N, E, O"),
    "baudrate": (change_bus("baudrate", "fast"), "buses[0].baudrate: expected a whole number, got 'fast'"),
    "framing": (change_bus("framing", "x25"), "buses[0].framing: 'x25' is not one of"),
    "link": (change_bus("link", {"kind": "radio"}), "buses[0].link.kind: 'radio' is not one of"),
    "dial-in": (change_bus("link", {"kind": "tcp_server"}), "buses[0].link.registration: is missing"),
    "packet": (
        change_bus("link", {"kind": "tcp_server", "registration": "hex:GG"}),
        "buses[0].link.registration: 'hex:GG' is not hexadecimal",
    ),
    "turn-round": (change_bus("turnround_ms", [60, 20]), "buses[0].turnround_ms: expected [lowest, highest]"),
    "meters": (change_bus("meters", "all"), "buses[0].meters: expected a list, got 'all'"),
    "gateways": (change_top("gateways", []), "gateways: is missing or empty"),
    "seed": (change_top("seed", "x"), "seed: expected a whole number, got 'x'"),
    "zone": (
        change_top("site", {"timezone": "Mars/Olympus"}),
        "site.timezone: 'Mars/Olympus' is not a known",
    ),
    "curve": (change_top("loads", {"none": ["1"] * 23}), "loads.none: expected 24 values, got 23"),
    "tenancy": (
        change_top("tenancies", [{"account": "1", "units": ["Z-1"]}]),
        "tenancies[0].units: 'Z-1' is not a unit",
    ),
    "tariff": (
        change_top("tenancies", [{"account": "1", "units": [], "tariff_power": "P9"}]),
        "tenancies[0].tariff_power: 'P9' is not a tariff",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_wrong_row_is_named_with_file_path_and_value(name: str, tmp_path: Path) -> None:
    change, text = PROBLEMS[name]
    document = one_bus(single())
    change(document)
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_site(path)
    assert f"{path}: " in str(caught.value)
    assert text in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    document = one_bus(single(load="nothing", start="much"))
    document["seed"] = None
    with pytest.raises(SettingsError) as caught:
        read_site(document)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "text"), [(None, "cannot be read"), ("a: [", "not YAML"), ("- 1", "expected keys")]
)
def test_a_file_that_is_none_is_a_clear_error(tmp_path: Path, content: str | None, text: str) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=text):
        load_site(path)
