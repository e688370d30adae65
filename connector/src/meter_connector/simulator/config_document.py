"""The document that `api_config` would answer for a simulated site: for tests and benches that run the connector without Odoo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from .site import BusSpec, MeterSpec, SiteSpec

MODEL_KEYS = ("protocol", "kind", "registers", "block", "switch", "quirks")


def config_document(
    site: SiteSpec, ready: Mapping[str, Any], schedule: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`ready`: content of the ready file. Ids count from 1 in the order of the file; a meter's one circuit has the meter's id."""
    bus_ids, meter_ids = count(1), count(1)
    default = {"energy_s": 60, "live_s": 60, "switch_s": 60, "clock_at": ""}
    return {
        "version": 1,
        "connector": {"id": 1, "code": site.code, "timezone": site.timezone.key},
        "models": {
            code: {key: model[key] for key in MODEL_KEYS if key in model}
            for code, model in site.document["models"].items()
        },
        "schedules": {"default": {**default, **(schedule or {})}},
        "gateways": [
            {
                "id": number,
                "name": gateway.code,
                "buses": [
                    _bus(bus, gateway_rows, next(bus_ids), where, meter_ids)
                    for bus, gateway_rows, where in _buses(gateway.code, gateway.buses, site, ready)
                ],
            }
            for number, gateway in enumerate(site.gateways, 1)
        ],
    }


def _buses(
    code: str, buses: tuple[BusSpec, ...], site: SiteSpec, ready: Mapping[str, Any]
) -> Iterator[tuple[BusSpec, Mapping[str, Any], Mapping[str, Any]]]:
    row = next(row for row in site.document["gateways"] if row["code"] == code)
    for bus, bus_row in zip(buses, row["buses"], strict=True):
        yield bus, bus_row, ready["gateways"][code]["buses"][str(bus.number)]


def _bus(
    bus: BusSpec, row: Mapping[str, Any], key: int, where: Mapping[str, Any], meter_ids: Iterator[int]
) -> dict[str, Any]:
    link: dict[str, Any] = {"kind": bus.link.kind}
    if bus.link.kind == "tcp_server":
        link["registration"] = "hex:" + bus.link.registration.hex()
        link["heartbeat"] = "hex:" + bus.link.heartbeat.hex()
    else:
        link.update(where)
    return {
        "id": key,
        "number": bus.number,
        "baudrate": bus.baudrate,
        "bytesize": row.get("bytesize", 8),
        "parity": row.get("parity", "E"),
        "stopbits": row.get("stopbits", 1),
        "framing": bus.framing,
        "extra_latency_ms": row.get("extra_latency_ms", 0),
        "link": link,
        "meters": [_meter(meter, next(meter_ids)) for meter in bus.meters],
    }


def _meter(meter: MeterSpec, key: int) -> dict[str, Any]:
    return {
        "id": key,
        "serial": meter.serial,
        "address": meter.address,
        "model": meter.model.code,
        "password": meter.password,
        "read_group": "default",
        "circuits": [{"id": key, "number": 1, "has_switch": meter.model.has_switch}],
    }
