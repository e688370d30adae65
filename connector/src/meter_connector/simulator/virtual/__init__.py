"""The connector and its meters in one process and in virtual time: hours pass in seconds, and the same seed is the same story.

    async def story() -> int:
        async with VirtualWorld(document, seed=1, schedule={"energy_s": 60}) as world:
            world.machine.start()               # the real App: scheduler, drivers, outbox, uplink
            await asyncio.sleep(600)            # ten minutes, at once
            world.odoo.order(1, "switch_off", meter_id=3, circuit_id=3)
            await asyncio.sleep(30)
            world.machine.kill()                # kill -9; start() goes on from the disk
            return len(world.odoo.readings)

    virtually(story)

What is real: everything of the connector from App down to the bytes, and of the simulator up to its links, with the wire's speed.
What is not: the event loop's time (loop.py), TCP (network.py), the outbox's thread (writer.py), Odoo (odoo.py), the machine (machine.py).
"""

from __future__ import annotations

from .loop import VirtualLoop, virtual_loop, virtually
from .machine import Machine
from .odoo import VirtualOdoo, Weather
from .world import VirtualWorld

__all__ = ["Machine", "VirtualLoop", "VirtualOdoo", "VirtualWorld", "Weather", "virtual_loop", "virtually"]
