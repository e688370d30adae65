"""Find the meters on a bus (how: drivers/scan.py), and compare with what is configured."""

from __future__ import annotations

import argparse
import asyncio
import sys

from ..config import load
from ..drivers import make_driver
from ..drivers.scan import find_meters
from ..errors import GarbledError, MeterRefusedError, NoAnswerError, SettingsError
from ..model import Bus
from .by_hand import adhoc_bus, line_to, warn_if_running
from .offline import kept_site


def run(arguments: argparse.Namespace) -> int:
    """An address a line, and what the configuration says of it. Exit code 1 when nobody answers."""
    bus = adhoc_bus(arguments) if arguments.link else _configured(arguments)
    protocols = (
        [arguments.protocol] if arguments.link else sorted({meter.model.protocol for meter in bus.meters})
    )
    known = {meter.address: meter.serial for meter in bus.meters}
    found = asyncio.run(_scan(bus, protocols or [arguments.protocol], known))
    for address, serial in known.items():
        if address not in found:
            print(f"{address:<14}  meter {serial}  configured, did not answer")
    print(f"{len(found)} found, {len(set(found) - set(known))} of them not configured")
    return 0 if found else 1


def _configured(arguments: argparse.Namespace) -> Bus:
    if not arguments.bus:
        raise SettingsError("name a bus: --bus ID, or --link HOST:PORT|DEVICE")
    settings = load(arguments.config)
    site = kept_site(settings)
    bus = next((bus for _gateway, bus in site.buses() if bus.id == arguments.bus), None)
    if bus is None:
        numbers = ", ".join(str(bus.id) for _gateway, bus in site.buses())
        raise SettingsError(f"--bus: no bus {arguments.bus} in the configuration; there are {numbers}")
    if bus.link.kind == "tcp_server":
        raise SettingsError(f"--bus: bus {bus.id} is behind a gateway that dials in to the running connector")
    if bus.link.kind == "nbiot":
        raise SettingsError(f"--bus: bus {bus.id} is NB-IoT: its meters report by themselves")
    warn_if_running(settings)
    return bus


async def _scan(bus: Bus, protocols: list[str], known: dict[str, str]) -> list[str]:
    found: list[str] = []
    async with line_to(bus) as line:
        for protocol in protocols:
            driver = make_driver(protocol, bus)
            if protocol == "dlt645-2007" and len(known) <= 1:
                try:  # one meter alone says its address at once
                    if address := await driver.read_address(line):
                        found.append(_show(protocol, address, known))
                        continue
                except NoAnswerError:
                    continue  # whoever is there would have answered
                except (GarbledError, MeterRefusedError):
                    pass
            async for meter in find_meters(line, bus, protocol, driver, _progress):
                if meter.address not in found:
                    found.append(_show(protocol, meter.address, known))
    return found


def _show(protocol: str, address: str, known: dict[str, str]) -> str:
    text = f"meter {known[address]}" if address in known else "not configured" if known else ""
    print(f"{address:<14}  {protocol:<12}  {text}".rstrip(), flush=True)
    return address


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text:<20}\r")
        sys.stderr.flush()
