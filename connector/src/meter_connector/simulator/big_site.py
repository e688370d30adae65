"""A site of any size, for benches: by default 61 gateways, 641 power and 642 water meters, as in the estate the product was made for.

`big_site()` makes the document, `read_site(big_site())` the site, `python -m meter_connector.simulator.big_site > big.yaml` the file.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Any

import yaml

DEMO = Path(__file__).with_name("sites") / "demo.yaml"
# Of 638 power meters in the estate: 450 single phase, 137 three phase direct, 51 with current transformers.
POWER_MODELS = (("ddsy315", 450), ("dtzy315", 137), ("dtzy315-ct", 51))
POWER_LOADS = ("shop_small", "shop_day", "shop_tea", "dorm", "restaurant", "office")
WATER_LOADS = ("water_small", "water_shop", "water_dorm")
UNITS_PER_FLOOR = 32
GATEWAYS_PER_BUILDING = 8


def big_site(
    n_gateways: int = 61,
    n_power: int = 641,
    n_water: int = 642,
    *,
    seed: int = 1,
    baudrate: int = 9600,
    wire: bool = True,
    dial_in_every: int = 0,
    turnround_ms: tuple[int, int] = (20, 60),
) -> dict[str, Any]:
    """The document of a site file. Each gateway has a power and a water bus; every `dial_in_every`-th dials in (0 = none)."""
    demo = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    rng = random.Random(f"big/{seed}")
    units = [_unit(n, n_gateways, n_power) for n in range(max(n_power, n_water))]
    gateways = []
    for g in range(n_gateways):
        power = [_power(units[n], n, rng) for n in range(n_power) if _gateway(n, n_gateways, n_power) == g]
        water = [_water(units[n], n, rng) for n in range(n_water) if _gateway(n, n_gateways, n_water) == g]
        link = {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}
        wiring = {"baudrate": baudrate, "parity": "E", "wire": wire, "turnround_ms": list(turnround_ms)}
        buses = [{"number": 1, **wiring, "meters": power}, {"number": 2, **wiring, "meters": water}]
        if dial_in_every and g % dial_in_every == 0:
            link = {"kind": "tcp_server", "registration": f"BIG-{g + 1:04d}", "heartbeat": "hex:FE01FE"}
            buses = [{**buses[0], "meters": power + water}]
        gateways.append(
            {
                "code": f"BG{g + 1:03d}",
                "name": f"网关 {g + 1}",
                "building": _building(g),
                "link": link,
                "buses": buses,
            }
        )
    keep = ("models", "tariffs", "loads")
    return {
        "seed": seed,
        "site": {"code": "BIG", "name": "示例 大型园区", "timezone": "Asia/Shanghai"},
        **{key: demo[key] for key in keep},
        "gateways": gateways,
        "buildings": _buildings(units),
        "tenancies": [_tenancy(unit, n, rng) for n, unit in enumerate(units)],
        "users": [],
    }


def _gateway(n: int, n_gateways: int, n_meters: int) -> int:
    return n * n_gateways // n_meters


def _building(gateway: int) -> str:
    return f"L{gateway // GATEWAYS_PER_BUILDING + 1:02d}"


def _unit(n: int, n_gateways: int, n_meters: int) -> dict[str, Any]:
    building = _building(min(_gateway(n, n_gateways, n_meters), n_gateways - 1))
    return {"code": f"{building}-{n + 1:05d}", "building": building, "n": n}


def _power(unit: dict[str, Any], n: int, rng: random.Random) -> dict[str, Any]:
    model = rng.choices([name for name, _ in POWER_MODELS], [share for _, share in POWER_MODELS])[0]
    address = f"2026{n + 1:08d}"
    cents = rng.randint(1000, 9_000_000)
    start: Any = f"{cents // 100}.{cents % 100:02d}"
    if model != "ddsy315":
        parts = [cents * 12 // 100, cents * 33 // 100, cents * 35 // 100]
        parts.append(cents - sum(parts))
        start = {
            "total": start,
            **{f"t{i}": f"{part // 100}.{part % 100:02d}" for i, part in enumerate(parts, 1)},
        }
    row = {"serial": address, "address": address, "model": model, "password": "123456", "unit": unit["code"]}
    ratio = {"ct_ratio": 30} if model == "dtzy315-ct" else {}
    return {**row, **ratio, "start": start, "load": rng.choice(POWER_LOADS)}


def _water(unit: dict[str, Any], n: int, rng: random.Random) -> dict[str, Any]:
    number = f"{5_000_000_001 + n:010d}"
    cents = rng.randint(100, 900_000)
    row = {"serial": number, "address": f"7833{number}", "model": "lxsy315-dn20", "unit": unit["code"]}
    return {**row, "start": f"{cents // 100}.{cents % 100:02d}", "load": rng.choice(WATER_LOADS)}


def _buildings(units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    floors: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for unit in units:
        row = {"code": unit["code"], "name": unit["code"], "kind": "shop", "area_m2": "40.00"}
        in_building = floors.setdefault(unit["building"], {})
        count = sum(map(len, in_building.values()))
        in_building.setdefault(count // UNITS_PER_FLOOR + 1, []).append(row)
    return [
        {
            "code": code,
            "name": f"{code} 号楼",
            "floors": [{"name": f"{number}F", "units": rows} for number, rows in by_floor.items()],
        }
        for code, by_floor in floors.items()
    ]


def _tenancy(unit: dict[str, Any], n: int, rng: random.Random) -> dict[str, Any]:
    return {
        "account": f"{500001 + n}",
        "tenant": f"示例商户{n + 1:05d}",
        "email": f"big{n + 1:05d}@example.com",
        "units": [unit["code"]],
        "start": "2026-11-01",
        "opening": f"{rng.randint(50, 3000)}.00",
        "tariff_power": "P1",
        "tariff_water": "W1",
        "property_fee_per_m2": "4.50",
    }


def main() -> None:
    """Write the file to standard output."""
    parser = argparse.ArgumentParser(description="Write a big site file")
    parser.add_argument("--gateways", type=int, default=61)
    parser.add_argument("--power", type=int, default=641)
    parser.add_argument("--water", type=int, default=642)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    document = big_site(args.gateways, args.power, args.water, seed=args.seed)
    yaml.safe_dump(document, sys.stdout, allow_unicode=True, sort_keys=False, width=200)


if __name__ == "__main__":
    main()
