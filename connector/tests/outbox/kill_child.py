"""A process that writes to an outbox until it is killed, and says on standard output what it was promised to be stored.

    python kill_child.py FILE FIRST

Each line is one promise, written with one system call after the await returned: R n (reading), E n (event), O id stage, A n (settled).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from meter_connector.clock import Clock
from meter_connector.model import OrderResult
from meter_connector.outbox import Outbox
from outboxhelp import NOW, event, order, reading


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def readings(outbox: Outbox, first: int, step: int) -> None:
    number = first
    while True:
        await outbox.put_reading(reading(number))
        say("R", number)
        number += step


async def orders(outbox: Outbox, first: int) -> None:
    number = first
    while True:
        one = order(number, circuit=number, expires_at=0)
        await outbox.receive_orders([one])
        say("O", number, 0)
        await outbox.start_order(one)
        say("O", number, 1)
        await outbox.accept_order(one)
        say("O", number, 2)
        await outbox.finish_order(OrderResult(number, 1, "confirmed", "on", NOW))
        say("O", number, 3)
        number += 1


async def settling(outbox: Outbox) -> None:
    while True:
        rows = await outbox.readings(5)
        for row in rows:
            say("S", row.reading.at - NOW)  # about to be settled: may be gone from now on
        await outbox.settle("readings", [row.row for row in rows])
        for row in rows:
            say("A", row.reading.at - NOW)
        await asyncio.sleep(0.002)


async def main() -> None:
    outbox = await Outbox.open(Path(sys.argv[1]), Clock())
    first = int(sys.argv[2])
    say("READY")
    async with asyncio.TaskGroup() as group:
        for lane in range(4):
            group.create_task(readings(outbox, first + lane, 4))
        group.create_task(orders(outbox, first))
        group.create_task(settling(outbox))
        group.create_task(outbox.put_event(event(first)))


if __name__ == "__main__":
    asyncio.run(main())
