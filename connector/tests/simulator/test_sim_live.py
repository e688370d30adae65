"""The whole simulator on real sockets, a real pseudo-terminal and the HTTP control channel."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import serial
from meter_connector.simulator import Control, Simulator, add_arguments, bits, cli_main, read_site
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from simhelp import demo_document, frame645, one_bus, open645, single

FAST = {"wire": False, "turnround_ms": [0, 1]}
READ = frame645("202601000101", 0x11, bits.reversed_hex("00010000"))
TRIP = frame645(
    "202601000101",
    0x1C,
    b"\x02"
    + bits.reversed_hex("123456")
    + bits.reversed_hex("00000042")
    + b"\x1a\0"
    + bits.reversed_hex("991230000000"),
)


@asynccontextmanager
async def running(document: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Simulator, dict[str, Any]]]:
    async with Simulator(read_site(document), **more) as simulator:
        yield simulator, simulator.ready()["gateways"]


async def ask(where: dict[str, Any], raw: bytes, wait_s: float = 2.0) -> bytes:
    """One connection, one question; b"" = no answer."""
    reader, writer = await asyncio.open_connection(where["host"], where["port"])
    try:
        writer.write(raw)
        return await asyncio.wait_for(reader.read(300), wait_s)
    except TimeoutError:
        return b""
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_tcp_gateway_answers_goes_down_and_comes_back_on_its_port() -> None:
    async with running(one_bus(single(start="12.34"), bus=FAST)) as (simulator, ready):
        where = ready["G1"]["buses"]["1"]
        assert open645(await ask(where, READ)) == (0x91, bits.reversed_hex("00010000") + bits.bcd(1234, 4))
        reader, writer = await asyncio.open_connection(where["host"], where["port"])
        await simulator.change_link("G1", 1, {"up": False})
        assert await asyncio.wait_for(_until_closed(reader), 2)
        writer.close()
        with pytest.raises(ConnectionError):
            await ask(where, READ)
        await simulator.change_link("G1", 1, {"up": True})
        assert await ask(where, READ)


async def _until_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(10) == b""
    except ConnectionError:
        return True


class Listener:
    """A connector's listening port, by hand."""

    def __init__(self) -> None:
        self.streams: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def __aenter__(self) -> Listener:
        self.server = await asyncio.start_server(lambda r, w: self.streams.put_nowait((r, w)), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.server.close()
        await self.server.wait_closed()


async def test_a_dial_in_gateway_registers_answers_beats_and_dials_again() -> None:
    link = {"kind": "tcp_server", "registration": "HX-1", "heartbeat": "hex:FE0003FE", "heartbeat_s": 1}
    async with (
        Listener() as listener,
        running(one_bus(single(), bus={**FAST, "link": link})) as (simulator, ready),
    ):
        assert ready["G1"]["buses"]["1"]["registration"] == "HX-1"
        await asyncio.sleep(0.05)
        assert listener.streams.empty()  # nobody told it where to call
        simulator.dial("127.0.0.1", listener.port)
        for _ in range(2):
            reader, writer = await asyncio.wait_for(listener.streams.get(), 5)
            assert await reader.readexactly(4) == b"HX-1"
            writer.write(READ)
            answer = await asyncio.wait_for(reader.readexactly(24), 2)
            assert open645(answer)[0] == 0x91
            assert await asyncio.wait_for(reader.readexactly(4), 2) == bytes.fromhex("FE0003FE")
            writer.close()
            await writer.wait_closed()
        await simulator.change_link("G1", 1, {"up": False})
        await asyncio.sleep(0)
        assert simulator.link_states()[0]["connected"] is False


async def test_a_pseudo_terminal_has_the_timing_of_2400_bps() -> None:
    link = {"kind": "serial", "device": ""}
    bus = {"baudrate": 2400, "parity": "N", "stopbits": 2, "link": link, "turnround_ms": [20, 20]}
    async with running(one_bus(single(simulate={"preamble": 4}), bus=bus)) as (_, ready):

        def talk() -> tuple[float, bytes]:
            with serial.Serial(
                ready["G1"]["buses"]["1"]["device"], 2400, parity="N", stopbits=2, timeout=2
            ) as port:
                began = time.monotonic()
                port.write(READ)
                answer = port.read(24)
                return time.monotonic() - began, answer

        took, answer = await asyncio.to_thread(talk)
    wire = 44 * 11 / 2400 + 0.020
    assert open645(answer)[0] == 0x91
    assert 0.98 <= took / wire < 3  # never faster than the wire; slower only on a busy machine


async def test_a_cut_serial_line_is_silent() -> None:
    link = {"kind": "serial", "device": ""}
    async with running(one_bus(single(), bus={**FAST, "link": link})) as (simulator, ready):
        await simulator.change_link("G1", 1, {"up": False})

        def talk() -> bytes:
            with serial.Serial(ready["G1"]["buses"]["1"]["device"], 9600, timeout=0.2) as port:
                port.write(READ)
                return port.read(24)

        assert await asyncio.to_thread(talk) == b""
        await simulator.change_link("G1", 1, {"up": True})
        assert await asyncio.to_thread(talk) != b""


def modbus(model: str, address: str = "5") -> dict[str, Any]:
    return {"serial": "M5", "address": address, "model": model, "start": "12345.67", "load": "kilowatt"}


@pytest.mark.parametrize("framing", ["modbus_tcp", "rtu_over_tcp"])
async def test_pymodbus_reads_and_switches_a_meter(framing: str) -> None:
    framer = FramerType.SOCKET if framing == "modbus_tcp" else FramerType.RTU
    async with running(one_bus(modbus("ddsy1352"), bus={**FAST, "framing": framing})) as (simulator, ready):
        where = ready["G1"]["buses"]["1"]
        client = AsyncModbusTcpClient(where["host"], port=where["port"], framer=framer, timeout=2, retries=0)
        try:
            await client.connect()
            answer = await client.read_holding_registers(0, count=17, device_id=5)
            words = answer.registers
            assert words[0] << 16 | words[1] == 1234567
            assert 2100 < words[11] < 2400
            assert 800 < words[13] < 1200
            assert (await client.read_holding_registers(0x70, count=1, device_id=5)).exception_code == 2
            assert (
                await client.write_register(0x57, 1, device_id=5)
            ).exception_code == 1  # FC06 is not there
            assert not (await client.write_registers(0x57, [1, 1], device_id=5)).isError()
            await asyncio.sleep(0.3)
            assert (await client.read_holding_registers(0x57, count=2, device_id=5)).registers == [1, 1]
            assert simulator.meter("M5").is_supplied is False
        finally:
            client.close()


@asynccontextmanager
async def controlled(document: dict[str, Any]) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    async with Simulator(read_site(document)) as simulator, Control(simulator) as control:
        base = f"http://{control.host}:{control.port}"
        async with aiohttp.ClientSession(base) as session:
            yield simulator, session


async def post(session: aiohttp.ClientSession, path: str, body: object) -> tuple[int, Any]:
    async with session.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        return await answer.json()


async def test_the_control_channel_shows_and_changes_meters() -> None:
    async with controlled(one_bus(single(start="100"), bus=FAST)) as (simulator, session):
        assert [row["serial"] for row in await get(session, "/meters")] == ["202601000101"]
        status, state = await post(
            session, "/meters/202601000101", {"consume": "2.5", "faults": {"clock_ppm": 50}}
        )
        assert status == 200
        assert state["registers"]["total"] == "102.50"
        assert state["faults"] == {"clock_ppm": 50.0}
        assert (state["gateway"], state["bus"]) == ("G1", 1)
        await ask(simulator.ready()["gateways"]["G1"]["buses"]["1"], TRIP)
        await asyncio.sleep(0.35)
        log = await get(session, "/log?meter=202601000101&kind=command")
        assert [(row["command"], row["operator"], row["result"]) for row in log] == [
            ("trip", "00000042", "accepted")
        ]
        state = await get(session, "/meters/202601000101")
        assert state["relay"] == "off"
        assert [row["kind"] for row in state["log"]] == ["faults", "command", "relay"]
        assert await get(session, f"/log?since={state['log_n']}") == []


async def test_the_control_channel_breaks_and_heals_links() -> None:
    async with controlled(one_bus(single(), bus=FAST)) as (simulator, session):
        where = simulator.ready()["gateways"]["G1"]["buses"]["1"]
        assert (await post(session, "/links/G1/1", {"faults": {"silent": True}}))[1]["faults"] == {
            "silent": True
        }
        assert await ask(where, READ, 0.1) == b""
        assert (await post(session, "/links/G1/1", {"faults": None}))[1]["faults"] == {}
        assert await ask(where, READ)
        assert (await post(session, "/links/G1/1", {"up": False}))[1]["up"] is False
        with pytest.raises(ConnectionError):
            await ask(where, READ)
        assert (await get(session, "/links"))[0]["requests"] == 2
        assert (await post(session, "/speed", {"speed": 60}))[1] == {"speed": 60.0, "clock_follows": False}
        assert (await get(session, "/ready"))["control"]["port"] > 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/meters/nobody", {}, 404),
        ("/links/G9/1", {"up": False}, 404),
        ("/links/G1/x", {"up": False}, 404),
        ("/meters/202601000101", {"colour": 1}, 400),
        ("/meters/202601000101", [1], 400),
        ("/links/G1/1", {"faults": {"tired": 1}}, 400),
        ("/links/G1/1", {"speed": 1}, 400),
        ("/speed", {"speed": "fast"}, 400),
        ("/speed", {"speed": -1}, 400),
        ("/dial", {"host": "x"}, 400),
    ],
)
async def test_a_wrong_control_request_is_refused_with_a_reason(path: str, body: object, status: int) -> None:
    async with controlled(one_bus(single(), bus=FAST)) as (_, session):
        answered, content = await post(session, path, body)
        assert answered == status
        assert content["error"]


async def test_the_whole_demo_site_starts_serves_and_stops() -> None:
    async with running(demo_document()) as (simulator, ready):
        assert set(ready) == {f"GW0{n}" for n in range(1, 7)}
        answer = await ask(
            ready["GW02"]["buses"]["1"], frame645("000000000161", 0x11, bits.reversed_hex("00010000"))
        )
        assert answer.hex(" ").upper() == "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
        whole = simulator.meter("202601000900")
        assert len(whole.children) == 17
    assert len(asyncio.all_tasks()) == 1


def test_the_command_runs_writes_its_ready_file_and_stops_on_a_signal(tmp_path: Path) -> None:
    ready, log = tmp_path / "ready.json", tmp_path / "log.jsonl"
    code = (
        "import argparse, sys; from meter_connector.simulator import *;"
        "p = argparse.ArgumentParser(); add_arguments(p); sys.exit(cli_main(p.parse_args()))"
    )
    source = Path(__file__).parents[2] / "src"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            "demo",
            "--ready-file",
            str(ready),
            "--seed",
            "5",
            "--log",
            str(log),
            "--speed",
            "60",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        content = json.loads(ready.read_text())
        assert "57 meters on 10 buses, seed 5" in line
        assert content["seed"] == 5
        assert content["gateways"]["GW04"]["buses"]["1"]["device"].startswith("/dev/pts/")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_command_names_what_is_wrong_and_answers_2(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert cli_main(parser.parse_args(["/nowhere.yaml"])) == 2
    assert "/nowhere.yaml: cannot be read" in capsys.readouterr().err
    assert cli_main(parser.parse_args(["demo", "--dial", "here"])) == 2
    assert "expected HOST:PORT, got 'here'" in capsys.readouterr().err
