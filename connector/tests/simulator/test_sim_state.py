"""Meters remember across an orderly stop and a crash; so do ports and device names."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from meter_connector.errors import SettingsError
from meter_connector.simulator import Simulator, bits, read_site
from meter_connector.simulator.state import StateFile
from simhelp import FAR, NOON, frame645, one_bus, single, three, virtually

SERIAL_LINE = {"kind": "serial", "device": ""}


def site(**first: Any) -> Any:
    rows = [single(load="kilowatt", start="100", **first), three(load="kilowatt")]
    total = single("202601000900", model="dtzy315-sum", sum_of="A", start="0")
    document = one_bus(*rows, total, bus={"link": SERIAL_LINE, "parity": "N"})
    document["gateways"][0]["building"] = "A"
    return read_site(document)


async def ask(simulator: Simulator, control: int, data: bytes) -> bytes:
    meter = simulator.meter("202601000101")
    bus = simulator.links["G1", 1].bus
    frame = bus._scanners[0].feed(frame645("202601000101", control, data), 1e9)[0]
    return meter.hear(frame) or b""


def run(path: Path, act: Callable[[Simulator], Awaitable[Any]], epoch: float = NOON, **more: Any) -> Any:
    async def main() -> Any:
        async with Simulator(site(**more), epoch_s=epoch, state=StateFile(path)) as simulator:
            return await act(simulator)

    return virtually(main)


async def exact(simulator: Simulator) -> dict[str, Any]:
    simulator.settle()
    return {serial: meter.energy.memory() | {"at_ms": 0} for serial, meter in simulator.meters.items()}


async def live_an_hour(simulator: Simulator) -> dict[str, Any]:
    await asyncio.sleep(3600)
    trip = b"\x02" + bits.reversed_hex("123456") + bytes(4) + b"\x1a\x00" + FAR
    await ask(simulator, 0x1C, trip)
    write = bits.reversed_hex("04001001") + b"\x02" + bits.reversed_hex("123456") + bytes(4)
    await ask(simulator, 0x14, write + bits.reversed_hex("00005000"))
    await asyncio.sleep(10)
    simulator.meter("202601000107").apply({"clock_offset_s": 77})
    return await exact(simulator)


def test_after_an_orderly_stop_meters_go_on_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    before = run(path, live_an_hour)

    async def look(simulator: Simulator) -> Any:
        relay = simulator.meter("202601000101").relay
        assert relay is not None
        assert (relay.word, relay.trips) == ("off", 1)
        assert await ask(simulator, 0x11, bits.reversed_hex("04001001")) == b"\xfe" * 4 + frame645(
            "202601000101", 0x91, bits.reversed_hex("04001001") + bits.reversed_hex("00005000"), 0
        )
        assert simulator.meter("202601000107").clock_error_ms(simulator.time.wall_ms()) == 77_000
        return await exact(simulator)

    after = run(path, look, epoch=NOON + 86400)  # a day later
    assert after == before
    passed = [sum(after[serial]["passed"]) for serial in ("202601000101", "202601000107", "202601000900")]
    assert passed[2] == passed[0] + passed[1] > 0


def test_after_a_crash_no_register_falls_behind_what_was_shown(tmp_path: Path) -> None:
    path, crashed = tmp_path / "state.json", tmp_path / "crashed.json"

    async def live(simulator: Simulator) -> Any:
        await asyncio.sleep(1234.5)
        shutil.copy(path, crashed)  # what a kill -9 leaves, up to five seconds old
        return await exact(simulator)

    shown = run(path, live)

    for later_s in (0.1, 3.0, 500.0):
        shutil.copy(crashed, path)
        again = run(path, exact, epoch=NOON + 1234.5 + later_s)
        for serial, memory in shown.items():
            assert sum(again[serial]["counted"]) >= sum(memory["counted"])
            assert (
                sum(again[serial]["counted"]) - sum(memory["counted"]) < 20_000 * 3000
            )  # seconds, not hours


def test_another_start_in_the_site_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    run(path, live_an_hour)

    async def look(simulator: Simulator) -> tuple[Decimal, bool]:
        meter = simulator.meter("202601000101")
        return meter.energy.exact("total"), meter.is_supplied

    assert run(path, look, simulate={"relay": "on"})[1] is False  # the same meter
    document_start, is_supplied = virtually(lambda: _begin(path, "555", look))
    assert document_start == 555
    assert is_supplied


async def _begin(path: Path, start: str, look: Callable[[Simulator], Awaitable[Any]]) -> Any:
    document = one_bus(single(load="kilowatt", start=start), bus={"link": SERIAL_LINE, "parity": "N"})
    async with Simulator(read_site(document), epoch_s=NOON, state=StateFile(path)) as simulator:
        return await look(simulator)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}'])
def test_a_useless_state_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match="remove it to begin anew"):
        run(path, exact)


async def test_ports_and_devices_stay_the_same(tmp_path: Path) -> None:
    document = one_bus(single())
    document["gateways"].append(
        {
            "code": "G2",
            "link": SERIAL_LINE,
            "buses": [{"number": 1, "parity": "N", "meters": [single("202601000102")]}],
        }
    )
    path, found = tmp_path / "state.json", []
    for _ in range(3):
        async with Simulator(read_site(document), state=StateFile(path)) as simulator:
            found.append(simulator.ready()["gateways"])
            device = Path(found[-1]["G2"]["buses"]["1"]["device"])
            assert device == tmp_path / "G2-1.tty"
            assert await asyncio.to_thread(device.is_char_device)
    assert found[0] == found[1] == found[2]
    assert not await asyncio.to_thread(device.exists)
    assert json.loads(path.read_text())["is_clean"] is True
