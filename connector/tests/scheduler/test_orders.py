"""Orders: once, the newest only, never expired, always read back, whatever happens on the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from meter_connector.errors import OutboxFullError
from meter_connector.model import Order
from meter_connector.ports import Stage
from meter_connector.scheduler.switching import ECHO_ONLY
from schedhelp import HOUR, Stand, pass_time
from wirehelp import SimWire, meter_row, until, virtually

IDLE = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
BUSY = {"energy_s": 1, "live_s": 1, "switch_s": 1}


@pytest.mark.parametrize("model", ["ddsy315", "lxsy315-dn15", "dds238"])
def test_an_order_is_accepted_then_confirmed_by_what_the_switch_shows(model: str) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1, model)]))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.order(1, "switch_off")
        assert await stand.ended(1) == ("confirmed", "off")
        assert stand.memory.accepted == [1]
        assert len(stand.wire.commands("S1")) == 1
        assert stand.wire.moves("S1") == ["off"]
        shown = [reading for reading in stand.readings_of(1) if reading.source == "on_demand"]
        assert [reading.values["switch"] for reading in shown][-1] == "off"
        stand.order(2, "switch_on", generation=2)
        assert await stand.ended(2) == ("confirmed", "on")
        await stand.close()

    virtually(main)


@pytest.mark.parametrize(("model", "remark"), [("dds238", ""), ("ddsy1352", ECHO_ONLY)])
def test_a_result_says_when_only_the_command_could_be_read_back(model: str, remark: str) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1, model)], bus={"framing": "modbus_tcp"}))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.order(1, "switch_off")
        assert await stand.ended(1) == ("confirmed", "off")
        result = stand.memory.result(1)
        assert result is not None
        assert result.detail == remark
        await stand.close()

    virtually(main)


def test_a_meter_that_is_no_longer_forced_is_told_as_unknown() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1, "ddsy1352")], bus={"framing": "modbus_tcp"}))
        await stand.start(schedule=BUSY)
        await pass_time(5)
        assert [reading.values.get("switch") for reading in stand.readings_of(1)][-1] == "on"
        stand.wire.meters["S1"].stored.update({0x57: 0, 0x58: 0})  # type: ignore[attr-defined]
        await pass_time(5)
        assert [reading.values.get("switch") for reading in stand.readings_of(1)][-1] == "unknown"
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("moment", range(12))
def test_an_order_between_two_reads_of_a_sweep_survives_that_the_connection_goes(moment: int) -> None:
    """It waits in the queue; trying it again and again without a connection would hold up everything for ever."""

    async def main() -> None:
        stand = Stand(SimWire([meter_row(n, "dtzy315") for n in (1, 2, 3)]))
        await stand.start(schedule=BUSY)
        await pass_time(20)
        stand.order(1, "switch_off")
        await pass_time(0.05 + 0.1 * moment)
        stand.link.unplug()
        await pass_time(5)
        stand.link.plug()
        assert await stand.ended(1) == ("confirmed", "off")
        await stand.close()

    virtually(main)


def test_registers_are_read_the_moment_a_switch_has_moved() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        count = len(stand.readings_of(1))
        stand.order(1, "switch_off")
        await stand.ended(1)
        await until(lambda: any("total" in reading.values for reading in stand.readings_of(1)[count:]), 5)
        await stand.close()

    virtually(main)


def test_power_is_back_within_three_seconds_on_a_full_2400_bps_bus() -> None:
    async def main() -> None:
        rows = [meter_row(n, "dtzy315") for n in range(1, 17)]
        stand = Stand(SimWire(rows, bus={"turnround_ms": [20, 60]}))
        for n in (4, 9):
            stand.wire.meter_faults(f"S{n}", silent=True)
        await stand.start(schedule=BUSY)
        await pass_time(60)
        took = []
        for number in range(1, 30):
            meter = 1 + number % 3
            stand.order(number, "switch_off" if number % 2 else "switch_on", meter, generation=number)
            began = asyncio.get_running_loop().time()
            await stand.ended(number)
            took.append(asyncio.get_running_loop().time() - began)
            await pass_time(0.37 * number % 2)
        assert max(took) < 3.0
        await stand.close()

    virtually(main)


def test_who_has_paid_goes_before_those_who_are_tripped_and_both_before_reads() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 13)]))
        await stand.start(schedule=BUSY)
        await pass_time(10)
        for n in range(1, 11):
            stand.order(n, "switch_off", n)
        stand.order(20, "read", 11)
        stand.order(30, "switch_on", 12)
        await until(lambda: len(stand.memory.results) == 12)
        assert stand.memory.started[0] in (1, 30)
        assert stand.memory.started.index(30) <= 1
        assert stand.memory.started.index(20) >= 10
        await stand.close()

    virtually(main)


def test_an_older_generation_is_never_carried_out() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(is_plugged=False)
        stand.order(1, "switch_off", generation=5)
        stand.order(2, "switch_on", generation=6)
        stand.order(3, "switch_off", generation=4)
        assert await stand.ended(1) == ("superseded", "unknown")
        assert await stand.ended(3) == ("superseded", "unknown")
        stand.link.plug()
        assert await stand.ended(2) == ("confirmed", "on")
        assert len(stand.wire.commands("S1")) == 1
        assert stand.memory.started == [2]
        await stand.close()

    virtually(main)


def test_a_trip_that_is_overtaken_by_a_payment_at_any_moment_ends_with_power_on() -> None:
    async def main(moment_s: float) -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        await stand.start(schedule=BUSY)
        await pass_time(10)
        stand.order(1, "switch_off", generation=1)
        await pass_time(moment_s)
        stand.order(2, "switch_on", generation=2)
        assert await stand.ended(2) == ("confirmed", "on")
        await pass_time(20)
        assert stand.wire.meters["S1"].relay is not None
        assert stand.wire.meters["S1"].relay.word == "on"
        assert [result.state for result in stand.memory.results if result.order_id == 1] in (
            ["superseded"],
            ["confirmed"],
        )
        await stand.close()

    for moment in range(0, 40):
        virtually(lambda moment=moment: main(moment * 0.05))  # type: ignore[misc]


def test_an_expired_order_is_told_and_never_sent() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(is_plugged=False)
        stand.order(1, "switch_off", lives_s=-5)
        stand.order(2, "switch_off", generation=2, lives_s=30)
        assert await stand.ended(1) == ("expired", "unknown")
        await pass_time(60)
        assert await stand.ended(2) == ("expired", "unknown")
        stand.link.plug()
        await pass_time(600)
        assert stand.wire.commands("S1") == []
        await stand.close()

    virtually(main)


def test_the_servers_clock_decides_what_is_expired() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(is_plugged=False)
        stand.order(1, "switch_off", lives_s=600)
        now = asyncio.get_running_loop().time()
        stand.clock.learn(stand.clock.now() + 3600, now, now)
        stand.link.plug()
        assert await stand.ended(1) == ("expired", "unknown")
        assert stand.wire.commands("S1") == []
        await stand.close()

    virtually(main)


def test_a_command_whose_answer_was_lost_is_looked_after_not_repeated() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.wire.faults(drop=1.0)
        stand.order(1, "switch_off")
        await until(lambda: stand.wire.commands("S1"))
        stand.wire.faults()
        assert await stand.ended(1) == ("confirmed", "off")
        assert len(stand.wire.commands("S1")) == 1
        await stand.close()

    virtually(main)


def test_a_meter_that_is_offline_is_switched_the_moment_it_is_back() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        stand.wire.meters["S1"].relay.is_closed = False  # type: ignore[union-attr]
        stand.wire.meters["S1"].relay.is_commanded_closed = False  # type: ignore[union-attr]
        stand.wire.meter_faults("S1", silent=True)
        await stand.start()
        await pass_time(1000)
        stand.order(1, "switch_on", lives_s=24 * HOUR)
        await pass_time(3000)
        assert stand.memory.result(1) is None
        stand.wire.meter_faults("S1", silent=False)
        began = asyncio.get_running_loop().time()
        assert await stand.ended(1) == ("confirmed", "on")
        assert asyncio.get_running_loop().time() - began < 35
        await stand.close()

    virtually(main)


def test_an_order_for_a_meter_that_never_comes_back_fails_after_its_time() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.wire.meter_faults("S1", silent=True)
        await stand.start()
        stand.order(1, "switch_off", lives_s=300)
        assert await stand.ended(1) == ("failed", "unknown")
        stand.wire.meter_faults("S1", silent=False)
        await pass_time(3600)
        assert stand.wire.commands("S1") == []
        await stand.close()

    virtually(main)


def test_a_relay_that_does_not_obey_is_reported_as_it_is() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.wire.meter_faults("S1", relay_stuck=True)
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off")
        state, reported = await stand.ended(1)
        assert state == "failed"
        assert reported == "pending"
        assert len(stand.wire.commands("S1")) == 1, "it acknowledged: saying it again is Odoo's decision"
        await stand.close()

    virtually(main)


def test_permitted_closing_is_confirmed_as_pending() -> None:
    async def main() -> None:
        switch = {"kind": "dlt645", "on": "1B", "off": "1A"}
        stand = Stand(SimWire([meter_row(1)], models={"ddsy315": {"switch": switch}}))
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off")
        assert await stand.ended(1) == ("confirmed", "off")
        stand.order(2, "switch_on", generation=2)
        assert await stand.ended(2) == ("confirmed", "pending")
        await stand.close()

    virtually(main)


def test_a_refused_password_fails_the_order_and_is_an_event_once_an_hour() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.wire.rows[0]["password"] = "999999"
        await stand.start(schedule=IDLE)
        for number in (1, 2, 3):
            stand.order(number, "switch_off", generation=number)
            assert (await stand.ended(number))[0] == "failed"
        assert stand.memory.kinds().count("password_refused") == 1
        assert stand.wire.moves("S1") == []
        await stand.close()

    virtually(main)


@pytest.mark.parametrize("stage", [Stage.STARTED, Stage.ACCEPTED])
@pytest.mark.parametrize("was_done", [True, False])
def test_after_a_restart_the_switch_is_looked_at_before_anything_is_sent(
    stage: Stage, was_done: bool
) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        relay = stand.wire.meters["S1"].relay
        assert relay is not None
        relay.is_closed = relay.is_commanded_closed = not was_done
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off", stage=stage)
        assert await stand.ended(1) == ("confirmed", "off")
        assert len(stand.wire.commands("S1")) == (0 if was_done else 1)
        await stand.close()

    virtually(main)


def test_a_resumed_order_whose_time_is_over_is_looked_after_but_not_sent_again() -> None:
    async def main(was_done: bool) -> tuple[str, str]:
        stand = Stand(SimWire([meter_row(1)]))
        relay = stand.wire.meters["S1"].relay
        assert relay is not None
        relay.is_closed = relay.is_commanded_closed = not was_done
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off", stage=Stage.STARTED, lives_s=-60)
        ended = await stand.ended(1)
        assert stand.wire.commands("S1") == []
        await stand.close()
        return ended

    assert virtually(lambda: main(True)) == ("confirmed", "off")
    assert virtually(lambda: main(False)) in (("expired", "on"), ("failed", "on"))


def test_what_the_disk_says_no_to_is_not_sent() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.memory.may_start = lambda order: False
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off")
        await pass_time(60)
        assert stand.memory.started == [1]
        assert stand.wire.commands("S1") == []
        assert stand.memory.results == []
        await stand.close()

    virtually(main)


def test_a_full_disk_holds_back_commands_and_readings_until_there_is_room() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        full = OutboxFullError(Path("outbox"), "no space left")
        stand.memory.fail = full
        tries = []

        def may_start(order: Order) -> bool:
            tries.append(order.id)
            if stand.memory.fail:
                raise full
            return True

        stand.memory.may_start = may_start
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off")
        await pass_time(60)
        assert len(tries) > 3
        assert stand.wire.commands("S1") == []
        assert stand.scheduler.details()["recording"]["waiting"] > 0
        stand.memory.fail = None
        assert await stand.ended(1) == ("confirmed", "off")
        assert stand.readings_of(1)
        await stand.close()

    virtually(main)


def test_an_order_under_way_goes_on_when_the_connection_comes_back() -> None:
    async def main(moment_s: float) -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.order(1, "switch_off")
        await pass_time(moment_s)
        stand.link.unplug()
        await pass_time(20)
        stand.link.plug()
        assert await stand.ended(1) == ("confirmed", "off")
        assert len(stand.wire.commands("S1")) == 1
        await stand.close()

    for moment in range(0, 20):
        virtually(lambda moment=moment: main(moment * 0.05))  # type: ignore[misc]


def test_an_order_goes_on_when_the_configuration_of_its_bus_changes() -> None:
    async def main(moment_s: float) -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=IDLE)
        await pass_time(5)
        stand.order(1, "switch_off")
        await pass_time(moment_s)
        await stand.scheduler.apply(stand.site(version=2, schedule={"energy_s": 30}))
        assert await stand.ended(1) == ("confirmed", "off")
        assert len(stand.wire.commands("S1")) == 1
        await stand.close()

    for moment in range(0, 20):
        virtually(lambda moment=moment: main(moment * 0.05))  # type: ignore[misc]


def test_orders_for_what_is_not_configured_fail_with_the_reason() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2, "lxsy315-dn20")]))
        await stand.start(schedule=IDLE)
        stand.order(1, "switch_off", meter=7)
        stand.order(2, "switch_off", meter=2)
        assert (await stand.ended(1))[0] == "failed"
        assert (await stand.ended(2))[0] == "failed"
        details = {result.order_id: result.detail for result in stand.memory.results}
        assert "107" in details[1]
        assert "lxsy315-dn20" in details[2]
        await stand.close()

    virtually(main)


def test_a_read_order_reads_everything_now() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]))
        await stand.start(schedule=IDLE)
        await pass_time(30)
        count = len(stand.readings_of(1))
        stand.order(1, "read")
        assert await stand.ended(1) == ("confirmed", "on")
        (reading,) = stand.readings_of(1)[count:]
        assert reading.source == "on_demand"
        assert {"total", "voltage_v", "switch"} <= reading.values.keys()
        stand.wire.meter_faults("S2", silent=True)
        stand.order(2, "read", meter=2)
        assert await stand.ended(2) == ("failed", "unknown")
        await stand.close()

    virtually(main)


def test_a_clock_order_sets_and_checks_the_clock() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        stand.wire.meter_faults("S1", clock_offset_s=-250)
        await stand.start(schedule=IDLE)
        stand.order(1, "sync_clock")
        assert (await stand.ended(1))[0] == "confirmed"
        assert abs(stand.wire.meters["S1"].clock_error_ms(0)) < 1500
        await stand.close()

    virtually(main)


def test_the_same_order_again_is_carried_out_once() -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]))
        await stand.start(schedule=IDLE)
        for _ in range(5):
            stand.order(1, "switch_off")
            await pass_time(0.1)
        assert await stand.ended(1) == ("confirmed", "off")
        assert len(stand.wire.commands("S1")) == 1
        await stand.close()

    virtually(main)


def test_a_phase_failure_under_a_mass_of_orders_leaves_the_bus_to_the_living() -> None:
    async def main(are_dead: bool) -> int:
        stand = Stand(SimWire([meter_row(n) for n in range(1, 41)]))
        if are_dead:
            for n in range(1, 31):
                stand.wire.meter_faults(f"S{n}", silent=True)
        await stand.start(schedule={"energy_s": 60, "live_s": 0, "switch_s": 0})
        await pass_time(600)
        if are_dead:
            for n in range(1, 31):
                stand.order(n, "switch_on", n, lives_s=24 * HOUR)
        await pass_time(600)
        stand.order(99, "switch_off", 35)
        began = asyncio.get_running_loop().time()
        assert await stand.ended(99) == ("confirmed", "off")
        assert asyncio.get_running_loop().time() - began < 3
        await pass_time(3600)
        count = sum(len(stand.readings_of(n)) for n in range(31, 41))
        if are_dead:
            share = stand.scheduler._runners[1].exchange.stats.timeouts * 0.75 / 4800
            assert share < 0.25
            for n in range(1, 31):
                stand.wire.meter_faults(f"S{n}", silent=False)
            await until(lambda: all(stand.memory.result(n) for n in range(1, 31)), 600)
            assert {result.state for result in stand.memory.results} == {"confirmed"}
        await stand.close()
        return count

    assert virtually(lambda: main(True)) > virtually(lambda: main(False)) * 0.97
