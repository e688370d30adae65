"""A small site by seed: few meters, but every protocol, both directions of dialling, slow and fast buses."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from typing import Any

import yaml

from ..command import SITES

DIAL_IN = {"kind": "tcp_server", "registration": "TRIAL-0001", "heartbeat": "hex:FE0001FE", "heartbeat_s": 30}
CALLED = {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}
POWER = ("ddsy315", "ddsy315", "dtzy315", "dtzy315-ct")
PREPAID, PLANNED = "202607000109", "202607000112"
"""Serials: money is sold into the one, the other has hours of supply that the connector keeps."""
LOADS = ("shop_late", "shop_tea", "shop_day", "restaurant")


@functools.cache
def _demo() -> Mapping[str, Any]:
    document: Mapping[str, Any] = yaml.safe_load((SITES / "demo.yaml").read_text(encoding="utf-8"))
    return document


def small_site(seed: int) -> dict[str, Any]:
    """A site document. The same seed is the same site."""
    rng = random.Random(f"{seed}/site")
    power = [_power(rng, number) for number in range(1, rng.randint(3, 4))]
    power.append(_power(rng, 9, "ddsy315-prepaid"))
    behind = [_bus(1, "2400", power)]
    other = rng.randrange(3)
    if other == 0:
        behind.append(_bus(2, "2400", [_valve(rng, number) for number in (1, 2)]))
    elif other == 1:
        behind.append(_bus(2, "9600", [_relay(rng, number) for number in (1, 2)], parity="N"))
    gateways = [{"code": "T1", "name": "T1", "link": CALLED, "buses": behind}]
    calling = [_power(rng, 11), _power(rng, 12)]  # the second one is PLANNED
    gateways.append({"code": "T2", "name": "T2", "link": DIAL_IN, "buses": [_bus(1, "2400", calling)]})
    if other == 2:
        acrel = [_acrel(rng, number) for number in (1, 2)]
        bus = _bus(1, "9600", acrel, parity="N", framing="modbus_tcp")
        gateways.append({"code": "T3", "name": "T3", "link": CALLED, "buses": [bus]})
    demo = _demo()
    return {
        "seed": seed,
        "site": {**demo["site"], "code": "TRIAL"},
        "models": {**demo["models"], "ddsy315-prepaid": _prepaid(demo["models"]["ddsy315-prepaid"])},
        "loads": demo["loads"],
        "gateways": gateways,
    }


def _bus(number: int, baudrate: str, meters: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"number": number, "baudrate": int(baudrate), "parity": "E", **more, "meters": meters}


def _prepaid(model: Mapping[str, Any]) -> dict[str, Any]:
    """With so much money in it that only orders move its contact."""
    prepaid = {**model["simulate"]["prepaid"], "balance": "2000.00", "trips": False}
    return {**model, "simulate": {**model["simulate"], "prepaid": prepaid}}


def _power(rng: random.Random, number: int, model: str = "") -> dict[str, Any]:
    address, model = f"2026070001{number:02d}", model or rng.choice(POWER)
    start: Any = f"{rng.randint(100, 9000)}.{rng.randint(0, 99):02d}"
    if model.startswith("dtzy315"):
        start = {"total": "1000.00", "t1": "250.00", "t2": "250.00", "t3": "250.00", "t4": "250.00"}
    row = {"serial": address, "address": address, "model": model, "password": "123456"}
    return {**row, "start": start, "load": rng.choice(LOADS)}


def _valve(rng: random.Random, number: int) -> dict[str, Any]:
    row = {"serial": f"00700001{number:02d}", "address": f"783300700001{number:02d}", "model": "lxsy315-dn15"}
    return {**row, "start": f"{rng.randint(1, 900)}.10", "load": "water_restaurant"}


def _relay(rng: random.Random, number: int) -> dict[str, Any]:
    row = {"serial": f"R{number}", "address": str(number), "model": "dds238"}
    return {**row, "start": f"{rng.randint(1, 900)}.10", "load": rng.choice(LOADS)}


def _acrel(rng: random.Random, number: int) -> dict[str, Any]:
    start = {"total": "400.00", "t1": "100.00", "t2": "100.00", "t3": "100.00", "t4": "100.00"}
    row = {"serial": f"M{number}", "address": str(number), "model": "ddsy1352"}
    return {**row, "start": start, "load": rng.choice(LOADS)}
