"""The links of a whole estate: the lines of 61 gateways that dial in at the same moment, and six buses behind one gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from meter_connector.simulator.big_site import big_site
from meter_connector.simulator.virtual import VirtualWorld, virtually
from simhelp import one_bus, single

GATEWAYS, BUSES = 61, 6
SCHEDULE = {"energy_s": 20, "live_s": 0, "switch_s": 0}


def dialling_site() -> dict[str, Any]:
    """Each box calls once for each of its two lines."""
    document = big_site(GATEWAYS, GATEWAYS, GATEWAYS, baudrate=2400)
    for number, gateway in enumerate(document["gateways"], 1):
        for bus in gateway["buses"]:
            bus["link"] = called(f"DTU-{number:04}/{bus['number']}")
    return document


def called(name: str) -> dict[str, Any]:
    return {
        "kind": "tcp_server",
        "registration": name,
        "heartbeat": "hex:FE0003FE",
        "heartbeat_s": 15,
    }


def six_buses(*, is_calling: bool) -> dict[str, Any]:
    document = one_bus(single())
    row = document["gateways"][0]["buses"][0]
    rows = [row | {"number": n, "meters": [single(f"20260100010{n}")]} for n in range(1, BUSES + 1)]
    if is_calling:
        rows = [row | {"link": called(f"SIX/{row['number']}")} for row in rows]
    document["gateways"][0]["buses"] = rows
    return document


def read_counts(world: VirtualWorld, since: float) -> Counter[int]:
    """Readings of each circuit after a moment."""
    return Counter(circuit for circuit, at in world.odoo.readings if at > since)


def test_sixty_one_gateways_dial_in_at_once_and_again() -> None:
    async def story() -> None:
        async with VirtualWorld(dialling_site(), schedule=SCHEDULE) as world:
            world.machine.start()
            await asyncio.sleep(60)
            assert len(read_counts(world, 0)) == 2 * GATEWAYS
            world.machine.restart_s = lambda: 5.0
            world.machine.kill()  # all of them lose their connection in the same instant
            await asyncio.sleep(180)  # gateways dial again after pauses of their own
            since = world.wall()
            await asyncio.sleep(60)
            assert len(read_counts(world, since)) == 2 * GATEWAYS
            assert world.odoo.readings_counted_once()
            assert world.troubles == world.machine.crashes == []

    virtually(story)


@pytest.mark.parametrize("is_calling", [False, True], ids=["called", "calling"])
def test_six_buses_of_a_gateway_do_not_wait_for_one_another(is_calling: bool) -> None:
    async def story() -> None:
        async with VirtualWorld(six_buses(is_calling=is_calling), schedule=SCHEDULE) as world:
            world.machine.start()
            await asyncio.sleep(60)
            assert len(read_counts(world, 0)) == BUSES
            world.simulator.meter("202601000103").apply({"faults": {"silent": True}})
            since = world.wall()
            await asyncio.sleep(200)
            counts = read_counts(world, since + 5)
            assert len(counts) == BUSES - 1
            assert min(counts.values()) >= 9, "every 20 s, whatever the third bus waits for"

    virtually(story)
