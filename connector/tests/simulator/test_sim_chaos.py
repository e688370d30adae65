"""Chaos by seed, and that nothing that can be set is undocumented."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields
from itertools import islice
from pathlib import Path

from meter_connector import simulator as package
from meter_connector.simulator import Simulator, bits, read_site
from meter_connector.simulator.chaos import BUS_TROUBLES, METER_TROUBLES, troubles
from meter_connector.simulator.faults import BusFaults, MeterFaults, changed
from simhelp import Bench, one_bus, single, virtually

PACKAGE = Path(package.__file__).parent
BUSES, METERS = [("G1", 1), ("G2", 1)], ["M1", "M2", "M3"]


def test_the_same_seed_breaks_the_same_things() -> None:
    def first(seed: int) -> list[object]:
        return list(islice(troubles(seed, BUSES, METERS, 5.0, 10.0), 200))

    assert first(1) == first(1) != first(2)
    plan = first(1)
    assert all(trouble.faults or trouble.bus for trouble in plan)  # type: ignore[attr-defined]
    broken = {next(iter(trouble.faults), "down") for trouble in plan}  # type: ignore[attr-defined]
    assert broken >= {"down", "silent", "garble", "stale", "late"}


def test_every_trouble_is_a_fault_that_exists() -> None:
    for _, faults in METER_TROUBLES:
        assert changed(MeterFaults(), faults, "meter") != MeterFaults()
    for _, faults in BUS_TROUBLES:
        assert changed(BusFaults(), faults, "bus") != BusFaults()


def test_chaos_breaks_the_site_and_stopping_heals_it() -> None:
    serial = {"kind": "serial", "device": ""}  # a link without ports, for virtual time

    async def main() -> tuple[list[str], list[str]]:
        site = read_site(one_bus(single(), single("202601000102"), bus={"link": serial}))
        async with Simulator(site) as simulator:
            await simulator.set_chaos(1.0, 2.0, seed=3)
            await asyncio.sleep(60)
            await simulator.set_chaos(0)
            assert all(meter.faults == MeterFaults() for meter in simulator.meters.values())
            assert all(link.is_up and link.bus.faults == BusFaults() for link in simulator.links.values())
            entries = list(simulator.journal.entries)
        return [f"{entry}" for entry in entries], [entry["kind"] for entry in entries]

    (first, kinds), (again, _) = virtually(main), virtually(main)
    assert len(kinds) > 40
    assert {"chaos", "faults", "link"} == set(kinds)
    assert [re.sub(r"'at': [\d.]+", "", line) for line in first] == [
        re.sub(r"'at': [\d.]+", "", line) for line in again
    ]


def test_a_load_from_the_control_channel_replaces_the_curve() -> None:
    bench = Bench(single(load="kilowatt"))
    bench.meter.apply({"load": "3.6"})
    bench.elapsed = 3600
    assert bench.read("00010000") == bits.bcd(360, 4)
    bench.meter.apply({"load": None})
    assert 840 < bench.meter.power_w() < 1160


def test_every_fault_setting_and_control_path_is_in_the_readme() -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    settings = set(re.findall(r"setting\(\s*\"(\w+)\"", source))
    assert len(settings) > 12
    names = settings | {field.name for kind in (MeterFaults, BusFaults) for field in fields(kind)}
    assert [name for name in sorted(names) if f"`{name}`" not in readme] == []
    control = (PACKAGE / "control.py").read_text(encoding="utf-8")
    docstring = control.split('"""')[1]
    paths = set(re.findall(r"web\.(?:get|post)\(\"(/\w+)", control))
    assert [path for path in sorted(paths) if path not in docstring] == []
    keys = set(re.findall(r"def _do_(\w+)", source))
    assert [key for key in sorted(keys) if f'"{key}"' not in docstring] == []
