"""One meter by hand: `read` and `switch`, from the kept configuration or from what the command line says."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from ..config import Settings, load
from ..drivers import Driver, Exchange, Line, WireTiming, make_driver
from ..errors import ConnectorError, LinkError, SettingsError
from ..model import Bus, Circuit, Link, Meter, MeterModel, Register, SwitchSpec
from ..outbox.database import is_in_use
from ..scheduler import make_link
from ..transports import DialInListener
from .offline import kept_site

CONNECT_S = 10.0
LOOK_DELAYS_S = (0.3, 0.7, 1.0, 2.0, 3.0, 5.0)
PLAIN_REGISTERS = {
    "dlt645-2007": {
        "total": "00010000",
        "voltage_v": "02010100",
        "power_kw": "02030000",
        "switch": "04000503",
    },
    "dlt645-1997": {"total": "9010"},
    "cjt188": {"total": "901F", "switch": "901F"},
}
PLAIN_SWITCHES = {
    "dlt645-2007": SwitchSpec("dlt645", {"kind": "dlt645"}),
    "cjt188": SwitchSpec("cjt188", {"kind": "cjt188"}),
}
Parity = Literal["N", "E", "O"]


def add_target(parser: argparse.ArgumentParser) -> None:
    """Which meter: by its number in the configuration, or by address on a link."""
    known = parser.add_argument_group("a meter of the configuration")
    known.add_argument("--serial", help="the number on the plate")
    adhoc = parser.add_argument_group("a meter on a link")
    add_link(adhoc)
    adhoc.add_argument("--address", help="address on the bus")
    adhoc.add_argument("--password", default="", help="password for switching")


def add_link(parser: argparse._ActionsContainer) -> None:
    """A link and its wire."""
    parser.add_argument(
        "--link", metavar="HOST:PORT|DEVICE", help="serial server, or serial port such as /dev/ttyS0"
    )
    parser.add_argument(
        "--protocol", choices=(*PLAIN_REGISTERS, "modbus-rtu", "modbus-tcp"), default="dlt645-2007"
    )
    parser.add_argument("--baudrate", type=int, default=2400)
    parser.add_argument("--parity", choices=("N", "E", "O"), default="E")
    parser.add_argument("--stopbits", type=float, default=1)
    parser.add_argument("--latency-ms", type=int, default=0, help="extra time of a slow line")


def read_link(text: str) -> Link:
    """HOST:PORT or a device. SettingsError when it is neither."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and 0 < int(port) < 65536 and "/" not in text:
        return Link(kind="tcp_client", host=host.strip("[]"), port=int(port))
    if text.startswith("/") or Path(text).exists():
        return Link(kind="serial", device=text)
    raise SettingsError(f"--link: {text!r} is neither HOST:PORT nor a device")


def adhoc_bus(arguments: argparse.Namespace, meters: tuple[Meter, ...] = ()) -> Bus:
    """The bus the command line describes."""
    return Bus(
        id=1,
        number=1,
        link=read_link(arguments.link),
        meters=meters,
        baudrate=arguments.baudrate,
        parity=arguments.parity,
        stopbits=arguments.stopbits,
        framing="modbus_tcp" if arguments.protocol == "modbus-tcp" else "transparent",
        extra_latency_ms=arguments.latency_ms,
    )


def plain_model(protocol: str) -> MeterModel:
    """What every meter of a protocol should have."""
    if protocol.startswith("modbus"):
        raise SettingsError(
            "--protocol: Modbus meters differ in every register; name a meter of the configuration by --serial"
        )
    keys = PLAIN_REGISTERS[protocol]
    return MeterModel(
        code=protocol,
        protocol=protocol,  # type: ignore[arg-type]  # argparse has checked the choices
        registers=tuple(Register(key, di) for key, di in keys.items()),
        switch=PLAIN_SWITCHES.get(protocol),
    )


def find(arguments: argparse.Namespace) -> tuple[Bus, Meter]:
    """The bus and meter meant. SettingsError when there is none."""
    if arguments.serial:
        settings = load(arguments.config)
        for _gateway, bus, meter in kept_site(settings).meters():
            if arguments.serial in (meter.serial, meter.address):
                if bus.link.kind == "tcp_server":
                    raise SettingsError(
                        f"meter {meter.serial} is behind a gateway that dials in; ask by Odoo (Read Now)"
                    )
                if bus.link.kind == "nbiot":
                    raise SettingsError(f"meter {meter.serial} is NB-IoT: it reports by itself")
                warn_if_running(settings)
                return bus, meter
        raise SettingsError(f"--serial: no meter {arguments.serial!r} in the configuration")
    if not (arguments.link and arguments.address):
        raise SettingsError("name a meter: --serial NUMBER, or --link and --address")
    model = plain_model(arguments.protocol)
    meter = Meter(1, arguments.address, arguments.address, model, (Circuit(1, 1, True),), arguments.password)
    return adhoc_bus(arguments, (meter,)), meter


def warn_if_running(settings: Settings) -> None:
    """Two masters on a bus disturb each other; the person decides."""
    if is_in_use(settings.outbox_file):
        sys.stderr.write(
            "note: the connector is running and uses the same bus; answers may be disturbed. Better stop it first, or ask by Odoo\n"
        )


@asynccontextmanager
async def line_to(bus: Bus) -> AsyncIterator[Line]:
    """Open the link of a bus. LinkError when it does not open in time."""
    link = make_link(bus, DialInListener("127.0.0.1", 0, None, lambda refusal: None))
    await link.open()
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await link.wait_connected()
        except TimeoutError:
            raise LinkError(f"{link.name}: no connection within {CONNECT_S:g} s") from None
        yield Line(Exchange(link, WireTiming.of(bus)), time.time)
    finally:
        await link.close()


def run_read(arguments: argparse.Namespace) -> int:
    """Read everything the meter has and print it."""
    bus, meter = find(arguments)
    asyncio.run(_read(bus, meter))
    return 0


async def _read(bus: Bus, meter: Meter) -> None:
    driver = make_driver(meter.model.protocol, bus)
    async with line_to(bus) as line:
        keys = {register.key for register in meter.model.registers}
        values = await driver.read(line, meter, keys)
    print(f"meter {meter.serial}, model {meter.model.code}")
    for circuit in meter.circuits:
        for key, value in sorted(values.of(circuit.number).items()):
            print(f"  {circuit.number}  {key:<16} {'not available' if value is None else value}")
    for item, why in {**values.refused, **values.unanswered}.items():
        print(f"  -  {item:<16} {why}")


def run_switch(arguments: argparse.Namespace) -> int:
    """Switch one meter and read the state back. Exit code 1 when it does not show what was wanted."""
    bus, meter = find(arguments)
    circuit = next((one for one in meter.circuits if one.number == arguments.circuit), None)
    if circuit is None:
        raise SettingsError(f"--circuit: meter {meter.serial} has no circuit {arguments.circuit}")
    if not arguments.yes and not _confirmed(meter, arguments.state):
        print("nothing done")
        return 1
    shown = asyncio.run(_switch(bus, meter, circuit, arguments.state))
    print(f"meter {meter.serial} circuit {circuit.number}: {shown}")
    return 0 if shown == arguments.state else 1


def _confirmed(meter: Meter, state: str) -> bool:
    try:
        answer = input(f"Switch meter {meter.serial} {state}? Odoo is not asked. [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() == "y"


async def _switch(bus: Bus, meter: Meter, circuit: Circuit, wanted: Literal["on", "off"]) -> str:
    driver = make_driver(meter.model.protocol, bus)
    async with line_to(bus) as line:
        await driver.switch(line, meter, circuit, wanted)
        return await _look(driver, line, meter, circuit, wanted)


async def _look(driver: Driver, line: Line, meter: Meter, circuit: Circuit, wanted: str) -> str:
    """Accepted is not switched: look until the meter shows it, or time is up."""
    shown = "unknown"
    for delay_s in LOOK_DELAYS_S:
        await asyncio.sleep(delay_s)
        try:
            shown = await driver.read_switch(line, meter, circuit)
        except ConnectorError as error:
            sys.stderr.write(f"read-back: {error}\n")
        if shown == wanted:
            break
    return shown
