"""A connector's bus layer with its real outbox, as a process of its own, to be killed. Arguments: port, outbox file, mode (first|again).

`first` takes one order, as if Odoo had sent it; `again` goes on with what the disk knows, and says so when nothing is open.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from meter_connector.clock import Clock
from meter_connector.model import Order, SiteConfig
from meter_connector.outbox.outbox import Outbox
from meter_connector.scheduler import SiteScheduler

MODEL = {
    "protocol": "dlt645-2007",
    "registers": [{"key": "total", "di": "00010000"}, {"key": "switch", "di": "04000503"}],
    "switch": {"kind": "dlt645", "on": "1C", "off": "1A"},
}


def site(port: int) -> SiteConfig:
    meter = {"id": 101, "serial": "S1", "address": "202601000101", "model": "m", "password": "123456"}
    meter["circuits"] = [{"id": 1001, "number": 1, "has_switch": True}]
    bus = {
        "id": 1,
        "number": 1,
        "baudrate": 9600,
        "link": {"kind": "tcp_client", "host": "127.0.0.1", "port": port},
    }
    bus["meters"] = [meter]
    schedule = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
    document = {"version": 1, "models": {"m": MODEL}, "schedules": {"default": schedule}}
    document["gateways"] = [{"id": 11, "name": "G", "buses": [bus]}]
    return SiteConfig.from_document(document, is_strict=True)


async def main(port: int, file: Path, mode: str) -> None:
    clock = Clock()
    outbox = await Outbox.open(file, clock)
    scheduler = SiteScheduler(clock, outbox)
    await scheduler.apply(site(port))
    if mode == "first":
        now = clock.now()
        received = await outbox.receive_orders([Order(7, 1, "switch_off", 101, 1001, now, now + 600)])
        assert len(received) == 1
    for row in await outbox.open_orders():
        scheduler.submit(row.order, row.stage)
    while await outbox.open_orders():  # noqa: ASYNC110 - the disk has no event; the process is there to be killed
        await asyncio.sleep(0.02)
    await scheduler.stop()
    results = [stored.result for stored in await outbox.results(100)]
    sys.stdout.write(f"{[result.state for result in results]} {results[-1].reported}\n")
    await outbox.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
