"""A Modbus TCP site by pymodbus' own server: PAGE PORT... METERS. Units 1..METERS behind each port, registers that count up.

Runs in the environment of the program it is polled by, so it shares nothing with the connector.
"""

from __future__ import annotations

import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import ModbusTcpServer
from tell import tell


class Counting(ModbusSequentialDataBlock):
    """Holding registers of one meter: pairs of words, each a number that grows with every read."""

    reads = 0

    def __init__(self) -> None:
        super().__init__(1, [0] * 16)
        self.reads_of_mine = 0

    def getValues(self, address: int, count: int = 1) -> list[int]:  # noqa: N802 - pymodbus' name
        Counting.reads += 1
        self.reads_of_mine += 1
        number = 100_000 + self.reads_of_mine
        return ([number >> 16, number & 0xFFFF] * (count // 2 + 1))[:count]


def _unit() -> ModbusSlaveContext:
    block = Counting()
    return ModbusSlaveContext(di=block, hr=block)  # 3.9 takes `hr` only where there is a `di`


async def main(page: int, ports: list[int], meters: int) -> None:
    """Serve until ended."""
    servers = []
    for port in ports:
        units = {unit: _unit() for unit in range(1, meters + 1)}
        context = ModbusServerContext(slaves=units, single=False)
        servers.append(ModbusTcpServer(context, address=("127.0.0.1", port)))
    tell(page, lambda: {"reads": Counting.reads})
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(words[0], words[1:-1], words[-1]))
