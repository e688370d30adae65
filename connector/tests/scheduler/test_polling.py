"""Schedules, fairness, silent meters, and the share of the wire that is used."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from meter_connector.drivers import Line
from meter_connector.scheduler import Tuning
from meter_connector.scheduler.queue import Job, Priority
from schedhelp import Stand, pass_time
from wirehelp import NOON, SimWire, meter_row, until, virtually

FAST = {"energy_s": 1, "live_s": 1, "switch_s": 1}


def test_every_meter_is_read_at_once_and_then_evenly_spread() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 7)]))
        await stand.start(schedule={"energy_s": 60, "live_s": 0, "switch_s": 0})
        await pass_time(600)
        times = {n: [reading.at - NOON for reading in stand.readings_of(n)] for n in range(1, 7)}
        assert all(found[0] < 6 for found in times.values())
        assert all(9 <= len(found) <= 11 for found in times.values())
        later = sorted(at % 60 for found in times.values() for at in found if at > 120)
        by_tenth = Counter(int(at // 10) for at in later)
        assert set(by_tenth) == {0, 1, 2, 3, 4, 5}, "every meter has its own ten seconds"
        await stand.close()

    virtually(main)


def test_groups_have_periods_of_their_own_and_equal_ones_are_read_together() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule={"energy_s": 60, "live_s": 300, "switch_s": 0})
        await pass_time(1500)
        readings = stand.readings_of(1)
        with_total = [reading for reading in readings if "total" in reading.values]
        with_voltage = [reading for reading in readings if "voltage_v" in reading.values]
        assert 24 <= len(with_total) <= 27
        assert 5 <= len(with_voltage) <= 6
        assert all("total" in reading.values for reading in with_voltage)
        assert all("switch" not in reading.values for reading in readings)
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("schedule", [{"energy_s": 900, "live_s": 300, "switch_s": 60}, {"switch_s": 1}])
def test_a_meter_that_refuses_a_whole_group_is_left_alone_and_stops_nobody(schedule: dict[str, int]) -> None:
    """Three refusals, and all of the group is shunned: its sweeps ask nothing, and are not made again and again."""

    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        stand.wire.meter_faults("S1", missing="04000503")
        await stand.start(schedule=schedule)
        sweeps = 0
        (runner,) = stand.scheduler._runners.values()
        sweep = runner.sweep

        async def counted(*args: Any) -> Any:
            nonlocal sweeps
            sweeps += 1
            assert sweeps < 10_000, "it is read again and again without an end"
            return await sweep(*args)

        runner.sweep = counted  # type: ignore[method-assign]
        await pass_time(1800)
        assert sweeps <= 2 * 1800 / min(schedule.values()) + 60
        assert all(reading.values.get("switch") is None for reading in stand.readings_of(1))
        assert len(stand.readings_of(1)) >= 2, "what it does answer is still read"
        assert stand.readings_of(2)[-1].at > stand.clock.now() - 120
        stand.order(1, "switch_off", 2)
        assert await stand.ended(1) == ("confirmed", "off")
        await stand.close()

    virtually(main)


def test_a_job_that_takes_no_time_and_comes_back_at_once_stops_nobody() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=FAST)
        (runner,) = stand.scheduler._runners.values()
        turns = 0

        async def run(line: Line) -> None:
            nonlocal turns
            turns += 1
            assert turns < 10_000, "nobody else has had a turn"
            runner.put(job)

        job = Job("hasty", Priority.SWITCH_ON, run)
        runner.put(job)
        await pass_time(20)
        assert stand.readings_of(1)
        await stand.close()

    virtually(main)


def test_a_reading_is_stamped_when_the_energy_came_by_the_servers_clock() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.clock.learn(NOON + 1000.0, 1000.0, 1000.0)
        await stand.start()
        await until(lambda: stand.memory.readings)
        reading = stand.memory.readings[0]
        assert NOON + 1000.1 < reading.at < NOON + 1000.6
        assert isinstance(reading.values["total"], Decimal)
        assert reading.values["switch"] == "on"
        assert reading.source == "scheduled"
        await stand.close()

    virtually(main)


def test_a_dead_meter_is_told_once_and_hardly_slows_the_others() -> None:
    async def main(is_dead: bool) -> int:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 9)]))
        if is_dead:
            stand.wire.meter_faults("S3", silent=True)
        await stand.start(schedule=FAST)
        await pass_time(900)
        count = len([reading for reading in stand.memory.readings if reading.circuit_id != 1003])
        if is_dead:
            assert stand.memory.kinds().count("meter_silent") == 1
            assert stand.scheduler.silent_meters() == [103]
            silent = next(event for event in stand.memory.events if event.kind == "meter_silent")
            assert (silent.meter_id, silent.bus_id, silent.gateway_id) == (103, 1, 11)
        await stand.close()
        return count

    healthy = virtually(lambda: main(False)) * 7 // 8
    assert virtually(lambda: main(True)) > healthy * 0.97


def test_probes_become_rarer_and_a_meter_that_is_back_is_read_at_once() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        stand.wire.meter_faults("S1", silent=True)
        await stand.start()
        await pass_time(3600)
        asked = stand.wire.meters["S1"].requests
        await pass_time(3600)
        assert stand.wire.meters["S1"].requests - asked <= 7, "about every ten minutes"
        stand.wire.meter_faults("S1", silent=False)
        await until(lambda: "meter_back" in stand.memory.kinds(), 700)
        back_at = stand.clock.now()
        await until(lambda: any("voltage_v" in reading.values for reading in stand.readings_of(1)))
        assert stand.clock.now() - back_at < 5
        assert stand.scheduler.silent_meters() == []
        await stand.close()

    virtually(main)


def test_one_meter_back_wakes_the_other_silent_ones() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 5)]))
        for n in (1, 2, 3):
            stand.wire.meter_faults(f"S{n}", silent=True)
        await stand.start()
        await pass_time(7200)
        for n in (1, 2, 3):
            stand.wire.meter_faults(f"S{n}", silent=False)
        await until(lambda: "meter_back" in stand.memory.kinds(), 1000)
        await pass_time(10)
        assert stand.memory.kinds().count("meter_back") == 3
        await stand.close()

    virtually(main)


def test_a_bus_that_was_all_dead_is_found_again_within_half_a_minute() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        stand.wire.faults(silent=True)
        await stand.start()
        await pass_time(3600)
        assert stand.scheduler.silent_meters() == [101, 102]
        stand.wire.faults()
        await pass_time(35)
        assert stand.scheduler.silent_meters() == []
        await stand.close()

    virtually(main)


def test_a_dead_bus_of_forty_meters_is_known_within_two_minutes() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 41)]))
        stand.wire.faults(silent=True)
        await stand.start(schedule={"energy_s": 30, "live_s": 30, "switch_s": 30})
        await until(lambda: len(stand.scheduler.silent_meters()) == 40, 120)
        await stand.close()

    virtually(main)


def test_without_a_connection_no_meter_is_blamed() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(is_plugged=False)
        await pass_time(3600)
        assert stand.memory.kinds() == ["gateway_offline"]
        assert stand.scheduler.bus_statuses()[0].reads_failed == 0
        stand.link.plug()
        await until(lambda: stand.readings_of(1), 5)
        assert stand.memory.kinds() == ["gateway_offline", "gateway_online"]
        await stand.close()

    virtually(main)


def test_a_short_interruption_is_no_event_and_a_long_one_is() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start()
        await pass_time(100)
        stand.link.unplug()
        await pass_time(2)
        stand.link.plug()
        await pass_time(100)
        assert stand.memory.kinds() == ["gateway_online"]
        stand.link.unplug()
        await pass_time(10)
        assert [status.online for status in stand.scheduler.gateway_statuses()] == [False]
        assert stand.memory.kinds() == ["gateway_online", "gateway_offline"]
        await stand.close()

    virtually(main)


@pytest.mark.parametrize(
    ("baudrate", "model"), [(2400, "ddsy315"), (9600, "ddsy315"), (2400, "dtzy315"), (9600, "dtzy315")]
)
def test_a_full_queue_keeps_the_bus_at_its_own_limit(baudrate: int, model: str) -> None:
    async def main() -> None:
        bus = {"baudrate": baudrate, "turnround_ms": [20, 20]}
        stand = Stand(SimWire([meter_row(n, model) for n in range(1, 9)], bus=bus))
        await stand.start(schedule=FAST)
        await pass_time(20)
        stats = stand.scheduler._runners[1].exchange.stats
        before = (stats.answers, stats.bytes_in + stats.bytes_out)
        began = asyncio.get_running_loop().time()
        await pass_time(120)
        span = asyncio.get_running_loop().time() - began
        answers = stats.answers - before[0]
        limit_s = (stats.bytes_in + stats.bytes_out - before[1]) * 11 / baudrate + answers * 0.020
        assert limit_s / span > 0.95
        assert stats.timeouts == 0
        await stand.close()

    virtually(main)


def test_a_meter_that_refuses_all_that_its_model_says_is_told_as_silent() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        stand.wire.meter_faults("S1", missing="00 02 04")
        await stand.start(schedule={"energy_s": 60, "live_s": 60, "switch_s": 60})
        await pass_time(600)
        silent = [event for event in stand.memory.events if event.kind == "meter_silent"]
        assert [event.meter_id for event in silent] == [101]
        assert "no_such_data" in silent[0].data["error"]
        assert stand.scheduler.silent_meters() == [101]
        stand.order(1, "read")
        assert (await stand.ended(1))[0] == "failed"
        assert "meter_back" not in stand.memory.kinds()
        stand.wire.meter_faults("S1", missing="")
        await pass_time(900)
        assert "meter_back" in stand.memory.kinds()
        await stand.close()

    virtually(main)


def test_the_wire_is_left_alone_when_nothing_is_due() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule={"energy_s": 0, "live_s": 0, "switch_s": 0})
        await pass_time(86400)
        assert stand.link.sent == []
        await stand.close()

    virtually(main)


def test_the_time_is_broadcast_daily_in_the_sites_zone_and_drift_told_once() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)], zone="Asia/Tokyo"))
        stand.wire.time.zone = stand.site().timezone
        stand.wire.meter_faults("S1", clock_offset_s=-240)
        await stand.start(schedule={"energy_s": 600, "live_s": 0, "switch_s": 0, "clock_at": "14:00"})
        await pass_time(3500)  # noon in Shanghai is 13:00 in Tokyo
        assert stand.wire.meters["S1"].clock_error_ms(0) == -240_000
        await pass_time(200)
        assert all(abs(meter.clock_error_ms(0)) < 1500 for meter in stand.wire.meters.values())
        assert "clock_drift" not in stand.memory.kinds()
        stand.wire.meter_faults(
            "S2", clock_ppm=50_000_000.0
        )  # 250 s wrong again five seconds after the broadcast
        await pass_time(86400)
        await pass_time(86400)
        drifts = [event for event in stand.memory.events if event.kind == "clock_drift"]
        assert {event.meter_id for event in drifts} == {102}
        assert len(drifts) <= 2, "once a day"
        await stand.close()

    virtually(main)


def test_while_nobody_knows_the_time_no_clock_is_set_and_none_is_called_wrong() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2, "lxsy315-dn20")]))
        loop = asyncio.get_running_loop()
        began = loop.time()
        stand.clock.guess(NOON - 10 * 3600)
        await stand.start(schedule={"energy_s": 600, "live_s": 0, "switch_s": 0, "clock_at": "03:10"})
        await pass_time(3 * 3600)  # by the guess it is 05:00
        assert all(abs(meter.clock_error_ms(0)) < 1500 for meter in stand.wire.meters.values())
        assert not {"clock_drift", "clock_checked"} & set(stand.memory.kinds())
        stand.clock.learn(NOON + loop.time() - began, loop.time(), loop.time())
        await pass_time(13 * 3600)  # 04:00
        assert stand.memory.kinds().count("clock_checked") == 2
        assert all(abs(meter.clock_error_ms(0)) < 1500 for meter in stand.wire.meters.values())
        await stand.close()

    virtually(main)


def test_a_water_meters_clock_is_compared_with_every_reading_and_told_once_a_day() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1, "lxsy315-dn20")]))
        stand.wire.meter_faults("S1", clock_offset_s=1000)
        await stand.start()
        await pass_time(3600)
        drifts = [event for event in stand.memory.events if event.kind == "clock_drift"]
        assert [(event.meter_id, round(event.data["drift_s"], -1)) for event in drifts] == [(101, 1000)]
        stand.wire.meter_faults("S1", clock_offset_s=0)
        await pass_time(600)
        assert stand.memory.kinds().count("clock_ok") == 1
        await stand.close()

    virtually(main)


def test_strange_frames_are_kept_but_are_no_flood_of_events() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 5)]), tuning=Tuning(unknown_frames_a_minute=1))
        await stand.start(schedule=FAST)
        stand.wire.faults(garble=0.5)
        await pass_time(3500)
        told = [event for event in stand.memory.events if event.kind == "frame_unknown"]
        assert 30 < len(told) < 60
        assert sum(event.data["dropped"] for event in told) > 100
        details = stand.scheduler.details()["buses"]["1"]
        assert len(details["unknown_frames"]) == 50
        assert details["dropped_bytes"] > 1000
        assert stand.scheduler.bus_statuses()[0].dropped_bytes == details["dropped_bytes"]
        await stand.close()

    virtually(main)


def test_a_fault_of_ours_in_a_bus_is_told_to_who_waits_for_it() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start()
        broken = asyncio.create_task(stand.scheduler.wait_broken())
        await pass_time(60)
        assert not broken.done()

        async def fail(*_: object) -> None:
            raise ZeroDivisionError

        stand.scheduler._runners[1].sweep = fail  # type: ignore[assignment,method-assign]
        with pytest.raises(ZeroDivisionError):
            await broken
        await stand.close()

    virtually(main)


def test_a_bus_tells_how_long_it_had_something_to_do() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 5)]))
        await stand.start(schedule={"energy_s": 60, "live_s": 60, "switch_s": 60})
        await pass_time(600)
        details = stand.scheduler.details()["buses"]["1"]
        assert 0.5 * details["worked_s"] < details["wire_s"] < details["worked_s"] < 150, details
        await stand.close()

    virtually(main)
