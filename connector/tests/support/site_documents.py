"""Configuration documents as Odoo answers them."""

from __future__ import annotations

from typing import Any

MODEL = {
    "protocol": "dlt645-2007",
    "registers": [{"key": "total", "di": "00010000"}, {"key": "switch", "di": "04000503"}],
    "switch": {"kind": "dlt645", "on": "1C", "off": "1A"},
}


def document(version: int = 1, **bus: Any) -> dict[str, Any]:
    """One gateway, one bus, one meter (5) with one switched circuit (50)."""
    meter = {
        "id": 5,
        "serial": "S5",
        "address": "112233445566",
        "model": "m",
        "password": "000000",
        "circuits": [{"id": 50, "number": 1, "has_switch": True}],
    }
    link = {"kind": "tcp_client", "host": "127.0.0.1", "port": 1}
    return {
        "version": version,
        "connector": {"id": 1, "code": "c1", "timezone": "Asia/Shanghai"},
        "models": {"m": MODEL},
        "schedules": {"default": {"energy_s": 60, "live_s": 60, "switch_s": 60, "clock_at": "03:10"}},
        "gateways": [
            {"id": 1, "name": "G1", "buses": [{"id": 2, "number": 1, "link": link, "meters": [meter], **bus}]}
        ],
    }
