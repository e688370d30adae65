"""Odoo's document: what is wrong is named by its key path and left out; the rest goes on."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.errors import SiteConfigError
from meter_connector.model import SiteConfig
from site_documents import document

BUS = "gateways[0].buses[0]"
METER = f"{BUS}.meters[0]"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good document with one value put at a dotted path."""
    found: Any = copy.deepcopy(document())
    whole, keys = (
        found,
        [int(key) if key.isdigit() else key for key in path.replace("[", ".").replace("]", "").split(".")],
    )
    for key in keys[:-1]:
        found = found[key]
    found[keys[-1]] = value
    return whole  # type: ignore[no-any-return]


def test_the_good_document_has_no_problem() -> None:
    site = SiteConfig.from_document(document(), is_strict=True)
    [(_gateway, bus, meter)] = site.meters()
    assert (site.version, bus.baudrate, bus.parity, meter.address) == (1, 2400, "E", "112233445566")
    assert meter.model.registers[0].di == "00010000"
    assert meter.circuits[0].has_switch
    assert "000000" not in repr(site), "a password in a log"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (f"{METER}.address", "12x", f"{METER}.address: '12x' is not up to 12 digits"),
        (f"{METER}.address", "1234567890123", f"{METER}.address: '1234567890123' is not up to 12 digits"),
        (f"{METER}.address", "１２", f"{METER}.address: '１２' is not up to 12 digits"),
        (f"{METER}.address", False, f"{METER}.address: is missing"),
        (f"{METER}.model", "nix", f"{METER}.model: 'nix' is not among the models of this document"),
        (f"{METER}.circuits[0].id", 0, f"{METER}.circuits[0].id: 0 is not between 1 and 9007199254740992"),
        (f"{METER}.circuits[0]", "c", f"{METER}.circuits[0]: expected an object, got 'c'"),
        (f"{METER}.circuits", "c", f"{METER}.circuits: expected a list, got 'c'"),
        (f"{BUS}.parity", "X", f"{BUS}.parity: 'X' is not one of N, E, O"),
        (f"{BUS}.baudrate", "fast", f"{BUS}.baudrate: expected a whole number, got 'fast'"),
        (f"{BUS}.baudrate", 3, f"{BUS}.baudrate: 3 is not between 50 and 4000000"),
        (f"{BUS}.stopbits", 3, f"{BUS}.stopbits: 3 is not one of 1, 1.5, 2"),
        (
            f"{BUS}.framing",
            "ascii",
            f"{BUS}.framing: 'ascii' is not one of transparent, modbus_tcp, rtu_over_tcp",
        ),
        (f"{BUS}.link", None, f"{BUS}.link: expected an object, got None"),
        (
            f"{BUS}.link.kind",
            "usb",
            f"{BUS}.link.kind: 'usb' is not one of tcp_client, tcp_server, serial, nbiot",
        ),
        (f"{BUS}.link.port", 0, f"{BUS}.link.port: 0 is not between 1 and 65535"),
        (f"{BUS}.link.host", "", f"{BUS}.link.host: is empty"),
        (f"{BUS}.link", {"kind": "serial", "device": ""}, f"{BUS}.link.device: is empty"),
        (
            f"{BUS}.link",
            {"kind": "tcp_server", "registration": "hex:GG"},
            f"{BUS}.link.registration: 'hex:GG' is not hexadecimal after 'hex:'",
        ),
        (
            f"{BUS}.link",
            {"kind": "tcp_server"},
            f"{BUS}.link.registration: is empty; a dialling gateway is known by it",
        ),
        (
            f"{BUS}.link",
            {"kind": "tcp_server", "registration": "IMEI:86142804123456"},
            f"{BUS}.link.registration: 'IMEI:86142804123456' is not fifteen digits after 'imei:'",
        ),
        (
            f"{BUS}.link",
            {"kind": "tcp_server", "registration": "acrel:"},
            f"{BUS}.link.registration: 'acrel:' is not a serial number of 1 to 20 bytes after 'acrel:'",
        ),
        ("gateways[0].id", "one", "gateways[0].id: expected a whole number, got 'one'"),
        ("models.m.registers[0].di", "0001", None),
        (
            "models.m.registers[0].di",
            "00010",
            "models.m.registers[0].di: '00010' is not 4 or 8 hexadecimal digits",
        ),
        ("models.m.registers[0].key", None, "models.m.registers[0].key: is missing"),
        (
            "models.m.protocol",
            "opc",
            "models.m.protocol: 'opc' is not one of dlt645-2007, dlt645-1997, cjt188, modbus-rtu, modbus-tcp",
        ),
        ("models.m.switch.kind", "ir", "models.m.switch.kind: 'ir' is not one of dlt645, cjt188, modbus"),
        ("schedules.default.clock_at", "25:00", "schedules.default.clock_at: '25:00' is not HH:MM"),
        ("schedules.default.energy_s", -1, "schedules.default.energy_s: -1 is not between 0 and 86400"),
    ],
)
def test_each_wrong_value_is_named_by_its_path(path: str, value: Any, problem: str | None) -> None:
    wrong = changed(path, value)
    if problem is None:
        SiteConfig.from_document(wrong, is_strict=True)
        return
    assert problem in SiteConfig.from_document(wrong).problems
    with pytest.raises(SiteConfigError) as caught:
        SiteConfig.from_document(wrong, is_strict=True)
    assert problem in caught.value.problems


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("version", None, "version: is missing"),
        ("connector.timezone", "Mars/Olympus", "connector.timezone: 'Mars/Olympus' is not a known time zone"),
        ("gateways", {"a": 1}, "gateways: expected a list, got {'a': 1}"),
    ],
)
def test_a_wrong_frame_is_refused_as_a_whole(path: str, value: Any, problem: str) -> None:
    with pytest.raises(SiteConfigError) as caught:
        SiteConfig.from_document(changed(path, value))
    assert problem in caught.value.problems


def test_all_problems_are_told_at_once_and_the_good_meters_stay() -> None:
    wrong = document()
    meters = wrong["gateways"][0]["buses"][0]["meters"]
    meters += [{**meters[0], "id": n, "address": f"{n}x", "circuits": []} for n in (6, 7)]
    meters.append({**meters[0], "id": 8, "address": "8", "circuits": []})
    site = SiteConfig.from_document(wrong)
    assert [meter.id for _, _, meter in site.meters()] == [5, 8]
    assert len(site.problems) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 5, "address": "1"}, "meter id 5 is already used at gateways[0].buses[0].meters[0].id"),
        ({"id": 6}, "address on bus 2 ('dlt645-2007', '112233445566') is already used"),
        ({"id": 6, "address": "1", "circuits": [{"id": 50}]}, "circuit id 50 is already used"),
        (
            {"id": 6, "address": "1", "circuits": [{"id": 61}, {"id": 62}]},
            "two circuits have the same number",
        ),
    ],
)
def test_what_must_be_unique_is(change: dict[str, Any], words: str) -> None:
    wrong = document()
    meters = wrong["gateways"][0]["buses"][0]["meters"]
    meters.append({**meters[0], "circuits": [], **change})
    [problem] = SiteConfig.from_document(wrong).problems
    assert words in problem


def two_gateways(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Gateway G1 with bus 2, gateway G9 with bus 90."""
    site = document(1, **first)
    (gateway,) = copy.deepcopy(site["gateways"])
    (bus,) = gateway["buses"]
    bus |= {"id": 90, "meters": [{**bus["meters"][0], "id": 95, "circuits": []}], **second}
    site["gateways"].append({**gateway, "id": 9, "name": "G9"})
    return site


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("860000000000001", "imei:860000000000001"),
        ("IMEI:860000000000001", "imei:860000000000001"),
        ("hex:0860000000000001", "860000000000001"),
        ("hex:4142", "AB"),
        ("HEX:41 42", "hex:4142"),
    ],
)
def test_two_gateways_that_call_by_one_name_are_a_problem_of_the_second(first: str, second: str) -> None:
    links = [{"link": {"kind": "tcp_server", "registration": name}} for name in (first, second)]
    site = SiteConfig.from_document(two_gateways(*links))
    assert [bus.id for _, bus in site.buses()] == [2]
    [problem] = site.problems
    assert problem.startswith("gateways[1].buses[0].link.registration: bus 1 of gateway G9")
    assert second in problem
    assert problem.endswith("also means bus 1 of gateway G1")


def test_buses_of_one_gateway_share_its_name_and_its_serial_port() -> None:
    for link in ({"kind": "tcp_server", "registration": "GW-1"}, {"kind": "serial", "device": "/dev/ttyS1"}):
        wrong = document(1, link=link)
        buses = wrong["gateways"][0]["buses"]
        buses.append({**buses[0], "id": 3, "number": 2, "meters": []})
        assert SiteConfig.from_document(wrong).problems == ()


def test_one_serial_port_set_in_two_ways_is_a_problem_that_names_both_buses() -> None:
    port = {"link": {"kind": "serial", "device": "/dev/ttyS1"}}
    site = SiteConfig.from_document(two_gateways(port, {**port, "baudrate": "9600", "parity": "N"}))
    assert [bus.id for _, bus in site.buses()] == [2]
    assert site.problems == (
        "gateways[1].buses[0].link.device: /dev/ttyS1 is set to 9600 8N1 for bus 1 of gateway G9, but to 2400 8E1 for bus 1 of gateway"
        " G1; buses on one serial port run at one speed",
    )


def test_too_many_meters_on_a_bus_are_cut_and_told() -> None:
    wrong = document()
    meters = wrong["gateways"][0]["buses"][0]["meters"]
    meters += [{**meters[0], "id": 1000 + n, "address": str(n), "circuits": []} for n in range(130)]
    site = SiteConfig.from_document(wrong)
    assert len(list(site.meters())) == 128
    assert "131 meters on a bus, at most 128" in site.problems[0]


def test_selections_of_odoo_come_as_text_and_empty_fields_as_false() -> None:
    bus = {"baudrate": "9600", "bytesize": "8", "stopbits": "2", "extra_latency_ms": False}
    site = SiteConfig.from_document(document(1, **bus), is_strict=True)
    [(_gateway, found)] = site.buses()
    assert (found.baudrate, found.bytesize, found.stopbits, found.extra_latency_ms) == (9600, 8, 2.0, 0)


def test_packets_of_dial_in_gateways_are_text_or_hex() -> None:
    link = {"kind": "tcp_server", "registration": "hex:AA bb", "heartbeat": "ping"}
    site = SiteConfig.from_document(document(1, link=link), is_strict=True)
    [(_gateway, bus)] = site.buses()
    assert (bus.link.registration, bus.link.heartbeat) == (b"\xaa\xbb", b"ping")


def test_an_acrel_meter_is_one_however_the_word_is_written() -> None:
    site = SiteConfig.from_document(
        document(1, link={"kind": "tcp_server", "registration": "Acrel:2109"}), is_strict=True
    )
    assert [bus.link.registration for _, bus in site.buses()] == [b"acrel:2109"]


def test_equal_documents_give_equal_buses_so_that_nothing_restarts() -> None:
    first, second = (next(iter(SiteConfig.from_document(document(n)).buses()))[1] for n in (1, 2))
    assert first == second
    assert first != next(iter(SiteConfig.from_document(document(3, baudrate=4800)).buses()))[1]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PATHS = (
    "models",
    "schedules",
    "gateways",
    "gateways[0].buses",
    BUS,
    f"{BUS}.link",
    f"{BUS}.meters",
    METER,
    f"{METER}.circuits",
    "models.m",
)


@given(st.sampled_from(PATHS), junk)
def test_no_document_brings_it_down(path: str, value: Any) -> None:
    with contextlib.suppress(SiteConfigError):
        SiteConfig.from_document(changed(path, value))
