"""The virtual world: hours in seconds, the same seed the same story, kills that take memory and sockets and leave the disk."""

from __future__ import annotations

import asyncio
import time

import pytest
from meter_connector.simulator.virtual import VirtualWorld, Weather, virtual_loop, virtually
from simhelp import demo_document, one_bus, single

FAST = {"energy_s": 10, "live_s": 0, "switch_s": 10}


def test_time_jumps_and_the_demo_site_is_read_whole() -> None:
    async def story() -> tuple[int, int]:
        async with VirtualWorld(demo_document(), schedule={"energy_s": 60}) as world:
            world.machine.start()
            await asyncio.sleep(180)
            assert world.troubles == world.machine.crashes == []
            circuits = {circuit for circuit, _ in world.odoo.readings}
            return len(circuits), sum(1 for _ in world.simulator.site.meters())

    began = time.monotonic()
    read, there = virtually(story)
    assert read == there
    assert time.monotonic() - began < 60


def test_the_same_seed_is_the_same_story_and_another_one_is_another() -> None:
    async def story(seed: int) -> list[tuple[int, float]]:
        async with VirtualWorld(one_bus(single()), seed=seed, schedule=FAST) as world:
            world.machine.start()
            await asyncio.sleep(60)
            return list(world.odoo.readings)

    one, same, other = (virtually(lambda seed=seed: story(seed)) for seed in (1, 1, 2))
    assert one == same
    assert len(one) >= 5
    assert one != other


def test_what_a_killed_connector_read_is_sent_by_the_next_one() -> None:
    async def story() -> None:
        async with VirtualWorld(one_bus(single()), schedule=FAST) as world:
            world.machine.start()
            await asyncio.sleep(30)
            world.odoo.set_weather(Weather(is_down=True))
            await asyncio.sleep(60)
            before = len(world.odoo.readings)
            world.machine.kill()
            world.odoo.set_weather(Weather())
            requests = world.simulator.meter("202601000101").requests
            await asyncio.sleep(30)
            assert world.simulator.meter("202601000101").requests == requests, "the dead ask nothing"
            assert len(world.odoo.readings) == before, "and send nothing"
            world.machine.start()
            await asyncio.sleep(5)
            assert len(world.odoo.readings) >= before + 5
            assert world.odoo.readings_counted_once()

    virtually(story)


def test_a_kill_at_a_label_ends_the_process_there() -> None:
    async def story() -> None:
        async with VirtualWorld(one_bus(single()), schedule=FAST) as world:
            world.machine.start()
            await asyncio.sleep(20)
            world.machine.kill_at = lambda label: label == "order.sent"
            world.odoo.order(1, "switch_off", meter_id=1, circuit_id=1)
            await asyncio.sleep(10)
            assert world.machine.life is None
            assert world.odoo.states(1) == ["received"]
            assert world.simulator.meter("202601000101").state()["relay"] == "off"
            world.machine.kill_at = lambda label: False
            world.machine.start()
            await asyncio.sleep(10)
            assert world.odoo.states(1)[-1] == "confirmed"
            commands = world.journal.since(kind="command")
            assert len(commands) == 1, "it looked before it would have switched again"

    virtually(story)


def test_a_kill_during_an_orderly_end_is_a_kill() -> None:
    async def story() -> None:
        async with VirtualWorld(one_bus(single()), schedule=FAST) as world:
            machine = world.machine
            machine.start()
            await asyncio.sleep(20)
            machine.restart_s = lambda: 1.0
            world.odoo.set_weather(Weather(delay_s=3.0))  # so that something waits for its end
            await asyncio.sleep(2)
            machine.kill_at = lambda label: True
            await machine.stop()
            assert machine.kills.total() == 1
            machine.kill_at = lambda label: False
            await asyncio.sleep(10)
            assert machine.life is not None
            assert machine.life.number == 2
            assert machine.crashes == [], "the next one found no lock of the dead"

    virtually(story)


def test_a_full_disk_keeps_nothing_and_what_was_read_waits() -> None:
    async def story() -> None:
        async with VirtualWorld(one_bus(single()), schedule=FAST) as world:
            machine = world.machine
            machine.start()
            await asyncio.sleep(30)
            machine.is_disk_full = True
            await asyncio.sleep(2)  # the jobs that were on their way
            before, commits = len(world.odoo.readings), machine.refused_commits
            await asyncio.sleep(60)
            assert len(world.odoo.readings) == before, "nothing new was kept, so nothing was sent"
            assert machine.refused_commits > commits + 3
            machine.is_disk_full = False
            await asyncio.sleep(40)
            assert len(world.odoo.readings) >= before + 6, "what was read meanwhile is there"
            assert machine.crashes == world.troubles == []

    virtually(story)


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_cut_cable_hangs_and_a_refused_one_is_told_at_once(is_cut: bool) -> None:
    async def story() -> None:
        network, port = virtual_loop().network, 500
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if is_cut:
            network.cut(port)
            writer.write(b"into the void")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 5)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 5)
            network.mend(port)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 5)
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    virtually(story)


def test_everybody_waiting_for_ever_is_an_error() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="for ever"):
        virtually(story)
