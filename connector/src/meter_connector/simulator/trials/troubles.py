"""What is thrown at a running site, by seed: each trouble breaks something, waits, and heals it. See docs/reliability.md for the list.

Bad answers, stuck relays and lost links come from the simulator's own chaos (simulator/chaos.py); here is what lies around the meters.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ...steps import STEPS
from ..chaos import BUS_TROUBLES, METER_TROUBLES
from ..virtual import Weather
from ..virtual.machine import LISTEN_PORT

if TYPE_CHECKING:
    from .trial import Trial

Suffer = Callable[["Trial", random.Random], Awaitable[None]]


async def dead_meter(trial: Trial, rng: random.Random) -> None:
    """Says nothing for minutes."""
    meter = trial.any_meter(rng)
    trial.note("dead_meter", meter=meter.spec.serial)
    meter.apply({"faults": {"silent": True}})
    await asyncio.sleep(rng.uniform(60, 240))
    meter.apply({"faults": None})


async def flapping_meter(trial: Trial, rng: random.Random) -> None:
    """Comes and goes every few seconds."""
    meter = trial.any_meter(rng)
    trial.note("flapping_meter", meter=meter.spec.serial)
    for _ in range(rng.randint(4, 12)):
        meter.apply({"faults": {"silent": True}})
        await asyncio.sleep(rng.uniform(1, 8))
        meter.apply({"faults": None})
        await asyncio.sleep(rng.uniform(1, 8))


async def mute_meter(trial: Trial, rng: random.Random) -> None:
    """Carries out what it is told and does not say so."""
    meter = trial.any_meter(rng)
    trial.note("mute_meter", meter=meter.spec.serial)
    meter.apply({"faults": {"mute_writes": True}})
    await asyncio.sleep(rng.uniform(30, 90))
    meter.apply({"faults": None})


async def meter_clock(trial: Trial, rng: random.Random) -> None:
    """Somebody puts a meter's clock wrong; it stays so."""
    meter = trial.any_meter(rng)
    offset_s = rng.choice((-86400, -3600, -90, 90, 3600, 86400))
    trial.note("meter_clock", meter=meter.spec.serial, offset_s=offset_s)
    meter.apply({"clock_offset_s": offset_s})
    await asyncio.sleep(0)


async def machine_clock(trial: Trial, rng: random.Random) -> None:
    """Somebody, or a bad time server, sets the wall clock of the connector's machine."""
    trial.world.machine.wall_skew_s = rng.choice((-86400.0, -3600.0, -45.0, 0.0, 45.0, 3600.0, 86400.0))
    trial.note("machine_clock", skew_s=trial.world.machine.wall_skew_s)
    await asyncio.sleep(0)


async def cable_cut(trial: Trial, rng: random.Random) -> None:
    """Bytes vanish and nobody is told."""
    links = trial.world.simulator.links
    port = int(links[rng.choice(list(links))].where().get("port", LISTEN_PORT))
    trial.note("cable_cut", port=port)
    trial.world.network.cut(port)
    await asyncio.sleep(rng.choice((rng.uniform(1, 15), rng.uniform(20, 90))))
    trial.world.network.mend(port)


async def gateway_reconnects(trial: Trial, rng: random.Random) -> None:
    """The gateway drops its connections again and again."""
    links = trial.world.simulator.links
    gateway, number = rng.choice(list(links))
    trial.note("gateway_reconnects", gateway=gateway, bus=number)
    for _ in range(rng.randint(1, 5)):
        await trial.world.simulator.change_link(gateway, number, {"up": False})
        await asyncio.sleep(rng.uniform(0.05, 2))
        await trial.world.simulator.change_link(gateway, number, {"up": True})
        await asyncio.sleep(rng.uniform(0.5, 10))


WEATHERS: dict[str, Callable[[random.Random], Weather]] = {
    "odoo_down": lambda _rng: Weather(is_down=True),
    "odoo_slow": lambda rng: Weather(delay_s=rng.uniform(1, 12)),
    "odoo_half_answers": lambda rng: Weather(lost=rng.uniform(0.1, 0.6), unsure=rng.uniform(0, 0.4)),
    "odoo_busy": lambda rng: Weather(refused=rng.uniform(0.2, 0.8)),
    "odoo_foul": lambda _rng: Weather(delay_s=2, lost=0.3, refused=0.2, unsure=0.2),
}


async def odoo_weather(trial: Trial, rng: random.Random) -> None:
    """Down, slow, half answers, too busy, or all but the first together."""
    kind = rng.choice(list(WEATHERS))
    trial.note(kind)
    trial.estate.set_weather(WEATHERS[kind](rng))
    await asyncio.sleep(rng.choice((rng.uniform(2, 20), rng.uniform(30, 150))))
    trial.estate.set_weather(Weather())


async def all_dark(trial: Trial, rng: random.Random) -> None:
    """Somebody orders, the gateways are gone, Odoo follows; the gateways come back first, when the order's time may be over."""
    ports = {int(link.where().get("port", LISTEN_PORT)) for link in trial.world.simulator.links.values()}
    trial.note("all_dark")
    for port in sorted(ports):
        trial.world.network.cut(port)
    trial.act(rng)
    await asyncio.sleep(rng.uniform(1, 6))
    trial.estate.set_weather(Weather(is_down=True))
    await asyncio.sleep(rng.uniform(60, 130))
    for port in sorted(ports):
        trial.world.network.mend(port)
    await asyncio.sleep(rng.uniform(10, 40))
    trial.estate.set_weather(Weather())


async def odoo_restart(trial: Trial, rng: random.Random) -> None:
    """Calls and answers on their way are lost."""
    trial.note("odoo_restart")
    trial.estate.set_weather(Weather(is_down=True))
    await asyncio.sleep(rng.uniform(0.5, 5))
    trial.estate.set_weather(Weather())


async def new_configuration(trial: Trial, rng: random.Random) -> None:
    """Somebody changes something of a bus: it is started anew, with whatever is under way."""
    document = copy.deepcopy(trial.estate.document)
    document["version"] += 1
    buses = [bus for gateway in document["gateways"] for bus in gateway["buses"]]
    rng.choice(buses)["extra_latency_ms"] = rng.randint(0, 200)
    trial.note("new_configuration", version=document["version"])
    trial.estate.document = document
    await asyncio.sleep(0)


async def disk_full(trial: Trial, rng: random.Random) -> None:
    """Whoever writes is refused by SQLite."""
    trial.note("disk_full")
    trial.world.machine.is_disk_full = True
    await asyncio.sleep(rng.uniform(10, 90))
    trial.world.machine.is_disk_full = False


async def kill(trial: Trial, rng: random.Random) -> None:
    """kill -9 at no particular moment."""
    trial.world.machine.kill()
    await asyncio.sleep(rng.random())


async def kill_at_label(trial: Trial, rng: random.Random) -> None:
    """kill -9 the next time, or one of the next, that the connector is between two facts."""
    trial.arm(rng.choice(STEPS[2:]) if rng.random() < 0.7 else rng.choice(STEPS), rng.choice((1, 1, 2, 3)))
    await asyncio.sleep(0)


async def restart(trial: Trial, rng: random.Random) -> None:
    """SIGTERM, as an update does."""
    machine = trial.world.machine
    if machine.life is None:
        return
    trial.note("restart")
    await machine.stop()
    await asyncio.sleep(rng.uniform(0.5, 10))
    if machine.life is None:
        machine.start()


TROUBLES: tuple[tuple[int, Suffer], ...] = (
    (2, dead_meter),
    (3, flapping_meter),
    (2, mute_meter),
    (2, meter_clock),
    (2, machine_clock),
    (3, cable_cut),
    (3, gateway_reconnects),
    (6, odoo_weather),
    (2, all_dark),
    (2, odoo_restart),
    (2, new_configuration),
    (2, disk_full),
    (4, kill),
    (8, kill_at_label),
    (1, restart),
)


def pick(rng: random.Random) -> Suffer:
    """The next one."""
    return rng.choices([trouble for _, trouble in TROUBLES], [weight for weight, _ in TROUBLES])[0]


def names() -> set[str]:
    """All that a long run must have thrown, as `Outcome.faults` has it; kills are counted apart."""
    simulated = {f"meter_{key}" for _, faults in METER_TROUBLES for key in faults}
    simulated |= {f"bus_{key}" for _, faults in BUS_TROUBLES for key in faults}
    named = {trouble.__name__ for _, trouble in TROUBLES} - {"odoo_weather", "kill", "kill_at_label"}
    return named | set(WEATHERS) | simulated | {"link_down"}
