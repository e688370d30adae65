"""A mailbox for the demo and the tests: takes mail by SMTP on loopback and keeps each message as a file.

Usage: mailbox.py PORT DIRECTORY
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

from aiosmtpd.smtp import SMTP


class Keeper:
    """Writes every accepted message to DIRECTORY/<time-ordered name>.eml before it says 250."""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.count = len(list(directory.glob("*.eml")))

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - name given by aiosmtpd
        self.count += 1
        name = f"{self.count:05d}-{uuid4().hex[:8]}"
        partial = self.directory / f"{name}.part"
        partial.write_bytes(envelope.original_content)
        partial.rename(self.directory / f"{name}.eml")
        return "250 kept"


async def main(port: int, directory: Path) -> None:
    keeper = Keeper(directory)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeper, hostname="localhost", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
