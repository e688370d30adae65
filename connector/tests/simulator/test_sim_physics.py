"""Energy: exact under any splitting, relays, tariffs, transformers, sum meters, speed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_connector.errors import SettingsError
from meter_connector.simulator.energy import REGISTERS, UNIT, Energy
from meter_connector.simulator.simtime import SimTime
from simhelp import NOON, SHANGHAI, Bench, single, three

LOADS = tuple(range(100, 2500, 100))


def energy(epoch: float = NOON, **more: Any) -> Energy:
    time = SimTime(lambda: 0.0, epoch)
    return Energy(time, "seed/meter", LOADS, {"total": Decimal("10.00")}, is_multi_rate=True, **more)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50_000_000), min_size=1, max_size=12))
def test_splitting_time_changes_nothing(steps: list[int]) -> None:
    whole, split = energy(), energy()
    end = whole.at_ms + sum(steps)
    whole.advance(end, True)
    for step in steps:
        split.advance(split.at_ms + step, True)
    assert split.counted == whole.counted
    assert split.passed == whole.passed


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20_000_000), st.booleans()), min_size=1, max_size=10))
def test_registers_never_fall_and_tariffs_add_up(steps: list[tuple[int, bool]]) -> None:
    meter = energy()
    for step, is_closed in steps:
        before = [meter.units(name) for name in REGISTERS]
        meter.advance(meter.at_ms + step, is_closed)
        after = [meter.units(name) for name in REGISTERS]
        grown = [now - then for now, then in zip(after, before, strict=True)]
        assert all(delta >= 0 for delta in grown)
        assert grown[0] == sum(grown[1:])
        assert (grown[0] > 0) == is_closed


def test_the_noise_is_within_its_limits_and_differs_by_hour_and_meter() -> None:
    first, second = energy(), energy()
    second.key = "seed/other"
    draws = [meter.load_at(meter.at_ms + hour * 3_600_000) for meter in (first, second) for hour in range(24)]
    bases = [LOADS[(12 + hour) % 24] for _ in range(2) for hour in range(24)]
    ratios = [draw / base for draw, base in zip(draws, bases, strict=True)]
    assert all(0.84 < ratio < 1.16 for ratio in ratios)
    assert len({round(ratio, 3) for ratio in ratios}) > 20


def test_each_hour_goes_to_its_tariff() -> None:
    midnight = datetime(2026, 11, 22, tzinfo=SHANGHAI).timestamp()
    meter = energy(midnight)
    hours = {
        "t1": range(10, 12),
        "t2": (8, 9, 18, 19, 20),
        "t3": (7, *range(12, 18), 21, 22),
        "t4": (*range(7), 23),
    }
    expected = {
        name: sum(meter.load_at(meter.at_ms + h * 3_600_000) for h in hs) for name, hs in hours.items()
    }
    meter.advance(meter.at_ms + 24 * 3_600_000, True)
    assert {name: meter.units(name) * 1000 // UNIT for name in hours} == expected


def test_consume_is_exact() -> None:
    bench = Bench(single(start="1234.56"))
    bench.meter.apply({"consume": "0.1"})
    for _ in range(9):
        bench.meter.apply({"consume": "0.01"})
    assert bench.meter.energy.exact("total") == Decimal("1234.75")
    assert bench.meter.energy.cents()["total"] == 123475


def test_nothing_can_be_consumed_behind_an_open_relay() -> None:
    bench = Bench(single())
    bench.meter.apply({"relay": "off"})
    with pytest.raises(SettingsError, match="relay is open"):
        bench.meter.apply({"consume": "1"})
    bench.meter.apply({"relay": "on"})
    bench.meter.apply({"consume": "1"})
    assert bench.meter.energy.exact("total") == 1


def test_a_register_can_be_turned_back() -> None:
    bench = Bench(single(start="500"))
    bench.meter.apply({"consume": "3"})
    bench.meter.apply({"registers": {"total": "12.34"}})
    assert bench.meter.energy.exact("total") == Decimal("12.34")
    bench.meter.apply({"consume": "1"})
    assert bench.meter.energy.exact("total") == Decimal("13.34")


@pytest.mark.parametrize(
    "change",
    [
        {"registers": {"t9": "1"}},
        {"consume": "much"},
        {"colour": "red"},
        {"faults": {"silent": "yes"}},
        {"faults": {"tired": True}},
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    bench = Bench(single(start="500"))
    before = bench.meter.state()
    with pytest.raises(SettingsError):
        bench.meter.apply(change)
    assert bench.meter.state() == before


def test_a_current_transformer_divides_what_the_register_sees() -> None:
    bench = Bench(single(model="dtzy315-ct", ct_ratio=30, start="100", load="kilowatt"))
    bench.meter.apply({"consume": "60"})
    assert bench.meter.energy.exact("total") == 102
    primary = bench.meter.power_w()
    assert bench.meter.live().total_dw == primary * 10 // 30


def test_a_stopped_register_stands_while_energy_flows() -> None:
    bench = Bench(single(start="100", load="kilowatt", faults={"stopped": True}))
    bench.elapsed = 7200
    assert bench.read("00010000") == bytes.fromhex("00000100")
    assert bench.read("02030000") != bytes(3)
    assert sum(bench.meter.energy.passed) > UNIT


def test_speed_multiplies_energy_and_can_change_on_the_way() -> None:
    bench = Bench(single(load="kilowatt"))
    bench.elapsed = 1.0
    bench.meter.settle()
    bench.time.set_speed(3600.0)
    bench.elapsed = 2.0
    bench.meter.settle()
    assert bench.meter.energy.at_ms - round(NOON * 1000) == 1_000 + 3_600_000
    bench.time.set_speed(0.0)
    units = bench.meter.energy.units("total")
    bench.elapsed = 500.0
    bench.meter.settle()
    assert bench.meter.energy.units("total") == units


def test_a_sum_meter_sees_exactly_what_its_sub_meters_let_through() -> None:
    rows = [single(load="kilowatt"), three(load="kilowatt")]
    total = single("202601000900", model="dtzy315-sum", ct_ratio=2)
    bench = Bench(*rows, total)
    first, second, whole = bench.meters
    whole.children, whole.energy.children = [first, second], [first.energy, second.energy]
    for elapsed in (1000, 50_000, 51_000, 200_000):
        bench.elapsed = elapsed
        second.settle()
    first.apply({"relay": "off"})
    second.apply({"consume": "7.5"})
    bench.elapsed = 300_000
    whole.settle()
    passed = sum(first.energy.passed) + sum(second.energy.passed)
    assert whole.energy.units("total") == passed // 2
    assert whole.power_w() == second.power_w() > 0
