"""Against what others wrote: socat's terminals, mbpoll as master of our simulator, pymodbus's server as slave of our client.

`apt-get install socat mbpoll` brings the tools; without them these tests say so and are skipped; where `bin/test` runs they fail.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from meter_connector.model import Order, SiteConfig
from meter_connector.ports import Stage
from meter_connector.scheduler import SiteScheduler
from meter_connector.simulator.links import ListenLink, PtyLink
from meter_connector.simulator.site import LinkSpec
from meter_connector.transports import Backoff, SerialLink, SerialSettings
from others import needed_module, needs
from wirehelp import MemoryRecorder, SimWire, make_clock, meter_row, really, until


def needs_tool(tool: str) -> pytest.MarkDecorator:
    return needs(shutil.which(tool) is not None, f"{tool} is not installed (apt-get install {tool})")


needs_socat = needs_tool("socat")
needs_mbpoll = needs_tool("mbpoll")
FAST = {"energy_s": 1, "live_s": 1, "switch_s": 1}


class Socat:
    """A socat process that is ended with the test."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *devices: Path) -> None:
        self.process = await asyncio.create_subprocess_exec("socat", *self.addresses)
        await until(lambda: all(device.exists() for device in devices), 10)

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


@asynccontextmanager
async def reading(
    wire: SimWire, link: dict[str, Any], **bus: Any
) -> AsyncIterator[tuple[SiteScheduler, MemoryRecorder]]:
    """Our scheduler on that link, in real time."""
    document = wire.document(schedule=FAST)
    document["gateways"][0]["buses"][0].update(link=link, **bus)
    recorder = MemoryRecorder()
    scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
    await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
    try:
        yield scheduler, recorder
    finally:
        await scheduler.stop()


# ---- socat -------------------------------------------------------------------------------------------------------------------------
@needs_socat
def test_meters_are_read_over_a_terminal_of_socat_and_again_after_it_was_unplugged(tmp_path: Path) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1), meter_row(2)], bus={"baudrate": 9600})
        line = ListenLink(LinkSpec("tcp_client", host="127.0.0.1", port=0), wire.bus)
        await line.start()
        device = tmp_path / "tty"
        socat = Socat(f"PTY,link={device},raw,echo=0", f"TCP:127.0.0.1:{line.port}")
        await socat.start(device)
        async with reading(wire, {"kind": "serial", "device": str(device)}) as (_, recorder):
            await until(lambda: len(recorder.readings) >= 4, 30)
            await socat.stop()
            device.unlink(missing_ok=True)
            count = len(recorder.readings)
            await socat.start(device)
            await until(lambda: len(recorder.readings) >= count + 4, 30)
        await socat.stop()
        await line.stop()
        await wire.close()

    really(main)


@needs_socat
def test_an_adapter_that_echoes_is_read_all_the_same(tmp_path: Path) -> None:
    """The echo comes from socat's terminal itself: what we write comes back before the answer."""

    async def main() -> None:
        wire = SimWire([meter_row(1)], bus={"baudrate": 9600})
        line = ListenLink(LinkSpec("tcp_client", host="127.0.0.1", port=0), wire.bus)
        await line.start()
        device = tmp_path / "tty"
        tee = f"import os,socket,select,sys\ns=socket.create_connection(('127.0.0.1',{line.port}))\n" + (
            "while True:\n"
            " r,_,_=select.select([0,s],[],[])\n"
            " if 0 in r:\n  d=os.read(0,4096)\n  if not d: break\n  os.write(1,d); s.sendall(d)\n"
            " if s in r:\n  d=s.recv(4096)\n  if not d: break\n  os.write(1,d)\n"
        )
        script = tmp_path / "echo.py"
        script.write_text(tee, encoding="utf-8")
        socat = Socat(f"PTY,link={device},raw,echo=0", f"EXEC:{sys.executable} {script}")
        await socat.start(device)
        async with reading(wire, {"kind": "serial", "device": str(device)}) as (scheduler, recorder):
            await until(lambda: len(recorder.readings) >= 3, 30)
            assert scheduler.details()["buses"]["1"]["is_echoing"]
        await socat.stop()
        await line.stop()
        await wire.close()

    really(main)


@needs_socat
def test_two_joined_terminals_carry_every_byte_both_ways(tmp_path: Path) -> None:
    async def main() -> None:
        ends = [tmp_path / "a", tmp_path / "b"]
        socat = Socat(*(f"PTY,link={end},raw,echo=0" for end in ends))
        await socat.start(*ends)
        links = [SerialLink(str(end), SerialSettings(9600, 8, "E", 1), Backoff(0.05, 0.1)) for end in ends]
        for link in links:
            await link.open()
            async with asyncio.timeout(10):
                await link.wait_connected()
        everything = bytes(range(256)) * 4
        for sender, receiver in (links, reversed(links)):
            await sender.write(everything)
            got = b""
            async with asyncio.timeout(10):
                while len(got) < len(everything):
                    got += await receiver.read(1)
            assert got == everything
        for link in links:
            await link.close()
        await socat.stop()

    really(main)


# ---- mbpoll ------------------------------------------------------------------------------------------------------------------------
async def mbpoll(*words: str) -> dict[int, int]:
    """Register -> value that mbpoll printed; fails with what it said."""
    process = await asyncio.create_subprocess_exec(
        *("mbpoll", "-1", "-0", "-o", "3", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    text = out.decode("utf-8", "replace")
    assert process.returncode == 0, text
    return {int(key): int(value) for key, value in re.findall(r"^\[(\d+)\]:\s+(-?\d+)", text, re.MULTILINE)}


@needs_mbpoll
@pytest.mark.parametrize("mode", ["tcp", "rtu"])
def test_mbpoll_reads_and_switches_our_simulated_meter(mode: str) -> None:
    async def main() -> None:
        model = "ddsy1352" if mode == "tcp" else "dds238"
        bus = {"baudrate": 9600, "parity": "N", "framing": "modbus_tcp" if mode == "tcp" else "transparent"}
        wire = SimWire([meter_row(5, model, start="100.00")], bus=bus)
        address = wire.rows[0]["address"]
        line: ListenLink | PtyLink
        if mode == "tcp":
            line = ListenLink(LinkSpec("tcp_client", host="127.0.0.1", port=0), wire.bus)
            await line.start()
            target = ["-m", "tcp", "-p", str(line.port), "127.0.0.1"]
        else:
            line = PtyLink(LinkSpec("serial"), wire.bus)
            await line.start()
            target = ["-m", "rtu", "-b", "9600", "-P", "none", line.device]
        energy = await mbpoll("-a", address, "-t", "4:int", "-B", "-r", "0", "-c", "1", *target)
        assert 10_000 <= energy[0] < 10_100
        if mode == "tcp":
            found = await mbpoll("-a", address, "-r", "11", "-c", "1", *target)
            assert 1900 < found[11] < 2500
            await mbpoll("-a", address, "-r", "87", *target, "1", "1")
        else:
            found = await mbpoll("-a", address, "-r", "12", "-c", "1", *target)
            assert 1900 < found[12] < 2500
        if mode == "tcp":
            await asyncio.sleep(0.5)
            shown = await mbpoll("-a", address, "-r", "88", "-c", "1", *target)
            assert shown[88] == 1
            assert wire.moves("S5") == ["off"]
        await line.stop()
        await wire.close()

    really(main)


# ---- pymodbus ----------------------------------------------------------------------------------------------------------------------
def pymodbus_server(framing: str) -> Any:
    """A slave with number 5 and the registers of an Acrel meter, in pymodbus's own words."""
    server, simulator = needed_module("pymodbus.server"), needed_module("pymodbus.simulator")
    from pymodbus import FramerType

    registers = [0] * 100
    registers[0:2] = [1, 2]
    registers[11:14] = [2301, 512, 0xFFFF]
    registers[0x57] = 1
    data = simulator.SimData(0, values=registers, datatype=simulator.DataType.REGISTERS)
    framer = FramerType.SOCKET if framing == "modbus_tcp" else FramerType.RTU
    return server.ModbusTcpServer(
        simulator.SimDevice(5, simdata=[data]), framer=framer, address=("127.0.0.1", 0)
    )


@pytest.mark.parametrize("framing", ["modbus_tcp", "rtu_over_tcp"])
def test_our_client_reads_and_switches_a_slave_of_pymodbus(framing: str) -> None:
    async def main() -> None:
        server = pymodbus_server(framing)
        await server.serve_forever(background=True)
        port = server.transport.sockets[0].getsockname()[1]
        wire = SimWire([meter_row(5, "ddsy1352")])  # only for the configuration
        wire.models["ddsy1352"]["protocol"] = "modbus-tcp" if framing == "modbus_tcp" else "modbus-rtu"
        wire.rows[0]["address"] = "5"
        link = {"kind": "tcp_client", "host": "127.0.0.1", "port": port}
        async with reading(wire, link, framing=framing, baudrate=9600) as (scheduler, recorder):
            await until(lambda: recorder.readings, 20)
            values = recorder.readings[0].values
            assert values["total"] == Decimal("655.38")
            assert values["voltage_v"] == Decimal("230.1")
            assert values["current_a"] == Decimal("5.12")
            assert values["power_kw"] == Decimal("-0.001")
            assert values["switch"] == "on"
            now = scheduler.clock.now()
            scheduler.submit(Order(1, 1, "switch_off", 101, 1001, now, now + 60), Stage.RECEIVED)
            await until(lambda: recorder.result(1), 20)
            result = recorder.result(1)
            assert result is not None
            assert (result.state, result.reported) == ("confirmed", "off"), result.detail
        await server.shutdown()
        await wire.close()
        await asyncio.sleep(0.05)

    really(main)
