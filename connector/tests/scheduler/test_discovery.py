"""Discovery: every meter of a bus is found, in the range that was asked for, and everything else of the bus goes first."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from schedhelp import Stand, pass_time
from wirehelp import FakeLink, SimWire, link_to, meter_row, until, virtually

IDLE = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
SCATTERED = ["202601000101", "202601000201", "202601990101", "000000000042", "987654321098"]
ALL = {"from": "000000000000", "to": "999999999999"}


def stand_with(tmp_path: Path, rows: list[dict[str, Any]], **bus: Any) -> Stand:
    return Stand(SimWire(rows, bus=bus), disk=tmp_path / "outbox.sqlite3")


def power_rows(addresses: list[str]) -> list[dict[str, Any]]:
    return [meter_row(n, address=address) for n, address in enumerate(addresses, start=1)]


async def discovered(stand: Stand, data: dict[str, Any], lives_s: float = 7200) -> tuple[Any, set[str]]:
    stand.odoo_orders(stand.make_order(1, "discover", 0, bus_id=1, data=data, lives_s=lives_s))
    result = await stand.told(1, 3 * 3600)
    return result, {row["address"] for row in json.loads(result.data)["found"]}


def test_meters_are_found_wherever_their_addresses_collide(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED))
        await stand.start(schedule=IDLE)
        result, found = await discovered(stand, {**ALL, "protocols": ["dlt645-2007"]})
        assert (result.state, found) == ("confirmed", set(SCATTERED))
        rows = json.loads(result.data)
        assert rows["done"] == 1.0
        assert {(row["protocol"], row["baudrate"]) for row in rows["found"]} == {("dlt645-2007", 2400)}
        await stand.close()

    virtually(main)


def test_only_the_range_that_was_asked_for_is_searched(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED))
        await stand.start(schedule=IDLE)
        data = {"from": "202601000100", "to": "202601000299", "protocols": ["dlt645-2007"]}
        _result, found = await discovered(stand, data)
        assert found >= {"202601000101", "202601000201"}
        assert "987654321098" not in found
        await stand.close()

    virtually(main)


@pytest.mark.parametrize(
    ("protocol", "model", "data"),
    [
        ("cjt188", "lxsy315-dn15", {"from": "78330010000100", "to": "78330010000130"}),
        ("modbus-rtu", "dds238", {"from": "1", "to": "30"}),
    ],
)
def test_the_other_protocols_as_far_as_they_can(
    tmp_path: Path, protocol: str, model: str, data: dict[str, Any]
) -> None:
    async def main() -> None:
        rows = [meter_row(n, model) for n in (1, 7, 23)]
        stand = stand_with(tmp_path, rows)
        await stand.start(schedule=IDLE)
        result, found = await discovered(stand, {**data, "protocols": [protocol]})
        assert result.state == "confirmed"
        assert found == {row["address"] for row in rows}
        await stand.close()

    virtually(main)


def test_where_nothing_divides_them_a_narrower_range_is_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        rows = [meter_row(n, "lxsy315-dn15") for n in (1, 2)]
        stand = stand_with(tmp_path, rows)
        await stand.start(schedule=IDLE)
        result, found = await discovered(stand, {**ALL, "protocols": ["cjt188", "dlt645-2007"]})
        assert "range" in result.detail
        assert found == {row["address"] for row in rows}, "configured ones are asked by their address"
        assert json.loads(result.data)["complete"] == ["dlt645-2007"]
        await stand.close()

    virtually(main)


class LossyStand(Stand):
    """`lose(request)` says whether the answer to a request is lost."""

    def _make(self, bus: Any, listener: Any) -> Any:
        link: Any = super()._make(bus, listener)
        respond = link.respond
        self.lose: Callable[[bytes], bool] = lambda request: False

        def answer(data: bytes, reply: Callable[[bytes], None]) -> None:
            if not self.lose(data):
                respond(data, reply)

        link.respond = answer
        return link


@pytest.mark.parametrize(
    ("protocol", "model", "data"),
    [
        ("dlt645-2007", "ddsy315", {"from": "202601000100", "to": "202601000110"}),
        ("dlt645-1997", "dd862-97", {"from": "202601000100", "to": "202601000110"}),
        ("cjt188", "lxsy315-dn15", {"from": "78330010000100", "to": "78330010000103"}),
        ("modbus-rtu", "dds238", {"from": "1", "to": "5"}),
    ],
)
def test_a_configured_meter_whose_first_answers_are_lost_is_found(
    tmp_path: Path, protocol: str, model: str, data: dict[str, Any]
) -> None:
    async def main() -> None:
        rows = [meter_row(n, model) for n in (1, 3)]
        stand = LossyStand(SimWire(rows), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        await pass_time(60)
        asked: Counter[bytes] = Counter()

        def lose(request: bytes) -> bool:
            question = request[:-3]  # without what differs each time: serial number, checksum
            asked[question] += 1
            return asked[question] <= 2

        stand.lose = lose
        result, found = await discovered(stand, {**data, "protocols": [protocol]})
        assert found == {row["address"] for row in rows}
        assert json.loads(result.data)["complete"] == [protocol]
        await stand.close()

    virtually(main)


def test_a_configured_meter_that_the_polls_hear_is_found_whatever_becomes_of_the_search(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        rows = [meter_row(1, "dds238"), meter_row(7, "dds238")]
        stand = LossyStand(SimWire(rows), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule={**IDLE, "energy_s": 10})
        await pass_time(60)
        is_question = re.compile(rb"[\x01\x07]\x03\0\0\0\x01..", re.DOTALL).fullmatch
        stand.wire.meter_faults("S7", silent=True)
        stand.lose = lambda request: is_question(request) is not None
        result, found = await discovered(stand, {"from": "1", "to": "30", "protocols": ["modbus-rtu"]})
        assert (result.state, found) == ("confirmed", {"1"})
        await stand.close()

    virtually(main)


def test_progress_is_told_and_a_restart_begins_anew(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED))
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule=IDLE)
        data = {**ALL, "protocols": ["dlt645-2007"]}
        stand.odoo_orders(stand.make_order(1, "discover", 0, bus_id=1, data=data, lives_s=7200))
        await until(lambda: len(disk.results(1)) == 2, 60)
        first = json.loads(disk.results(1)[-1].data)["done"]
        await pass_time(60)
        told = disk.results(1)
        assert [each.state for each in told] == ["received", "accepted"]  # older progress gives way
        assert json.loads(told[-1].data)["done"] > first
        await stand.restart(schedule=IDLE)
        assert {row["address"] for row in json.loads((await stand.told(1)).data)["found"]} == set(SCATTERED)
        await stand.close()

    virtually(main)


def test_an_expired_search_tells_what_it_has_found(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED))
        await stand.start(schedule=IDLE)
        result, _found = await discovered(stand, {**ALL, "protocols": ["dlt645-2007"]}, lives_s=20)
        assert result.state == "expired"
        await stand.close()

    virtually(main)


def test_wrong_data_and_unknown_buses_fail_with_the_reason(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED[:1]))
        await stand.start(schedule=IDLE)
        cases = [
            ({"protocols": ["dlms"]}, 1, "dlms"),
            ({"baudrates": [9600]}, 1, "9600"),
            ({"baudrates": [7]}, 1, "7"),
            ({}, 77, "bus 77"),
        ]
        for number, (data, bus_id, word) in enumerate(cases, start=1):
            stand.odoo_orders(stand.make_order(number, "discover", 0, bus_id=bus_id, data=data))
            result = await stand.told(number)
            assert result.state == "failed"
            assert word in result.detail
        await stand.close()

    virtually(main)


class SetLink(FakeLink):
    """A serial port: the meters hear only what comes at their own speed."""

    can_set_baudrate = True

    def __init__(self, respond: Any, own: int, meters: int) -> None:
        super().__init__(respond)
        self.baudrate, self.meters = own, meters
        self.speeds: list[int] = []

    def set_baudrate(self, baudrate: int) -> None:
        self.baudrate = baudrate
        self.speeds.append(baudrate)

    def answer(self, pipe: Any, data: bytes) -> None:
        if self.baudrate == self.meters:
            super().answer(pipe, data)


class SerialStand(Stand):
    """The bus is configured for 2400 bps, its meters talk at 9600 bps."""

    meters_at = 9600

    def _make(self, bus: Any, listener: Any) -> Any:
        link = SetLink(link_to(self.wire).respond, bus.baudrate, self.meters_at)
        self.links.append(link)
        return link


@pytest.mark.parametrize(
    ("protocol", "model", "data"),
    [
        ("dlt645-2007", "ddsy315", {"from": "202601000100", "to": "202601000110"}),
        ("cjt188", "lxsy315-dn15", {"from": "78330010000100", "to": "78330010000103"}),
        ("modbus-rtu", "dds238", {"from": "1", "to": "5"}),
    ],
)
def test_meters_of_another_speed_are_found_where_the_link_can_set_it(
    tmp_path: Path, protocol: str, model: str, data: dict[str, Any]
) -> None:
    async def main() -> None:
        rows = [meter_row(1, model)]
        stand = SerialStand(SimWire(rows), disk=tmp_path / "outbox.sqlite3")
        await stand.start(schedule=IDLE)
        rates = [1200, 2400, 9600]
        result, _found = await discovered(stand, {**data, "protocols": [protocol], "baudrates": rates})
        assert (result.state, result.detail) == ("confirmed", "")
        [row] = json.loads(result.data)["found"]
        assert row == {"address": rows[0]["address"], "protocol": protocol, "baudrate": 9600}
        link: Any = stand.link
        assert set(link.speeds) == {1200, 2400, 9600}
        assert link.baudrate == 2400  # its own again
        assert all(back == 2400 for back in link.speeds[1::2])
        await stand.close()

    virtually(main)


def test_orders_and_reads_keep_the_buss_own_speed_while_another_is_searched(tmp_path: Path) -> None:
    async def main() -> None:
        stand = SerialStand(SimWire(power_rows(SCATTERED[:1])), disk=tmp_path / "outbox.sqlite3")
        stand.meters_at = 2400
        await stand.start(schedule={"energy_s": 60, "live_s": 0, "switch_s": 0})
        data = {**ALL, "protocols": ["dlt645-2007"], "baudrates": [1200, 2400, 9600]}
        stand.odoo_orders(stand.make_order(1, "discover", 0, bus_id=1, data=data, lives_s=7200))
        await pass_time(3)
        stand.odoo_orders(stand.make_order(2, "switch_off", generation=1))
        assert (await stand.told(2)).state == "confirmed"
        await stand.told(1, 3 * 3600)
        assert stand.scheduler.silent_meters() == []
        await stand.close()

    virtually(main)


def test_a_gateway_that_keeps_its_speed_says_so_and_what_to_do(tmp_path: Path) -> None:
    async def main() -> None:
        stand = stand_with(tmp_path, power_rows(SCATTERED[:1]))
        await stand.start(schedule=IDLE)
        result, found = await discovered(stand, {"protocols": ["dlt645-2007"], "baudrates": [2400, 9600]})
        assert (result.state, found) == ("confirmed", set(SCATTERED[:1]))
        assert result.detail.startswith(
            "the gateway keeps its speed of 2400 bps: nothing was asked at 9600 bps"
        )
        assert "search again" in result.detail
        await stand.close()

    virtually(main)


def test_a_search_on_a_full_bus_slows_reads_a_little_and_switch_orders_not_at_all(tmp_path: Path) -> None:
    async def main(is_searching: bool) -> int:
        folder = tmp_path / str(is_searching)
        folder.mkdir()
        stand = stand_with(folder, [meter_row(n) for n in range(1, 17)])
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule={"energy_s": 1, "live_s": 1, "switch_s": 1})
        if is_searching:
            data = {**ALL, "protocols": ["dlt645-2007"]}
            order = stand.make_order(1, "discover", 0, bus_id=1, data=data, lives_s=20_000)
            stand.odoo_orders(order)
        await pass_time(30)
        count = len(disk.readings())
        for number in range(10, 15):
            kind = "switch_off" if number % 2 else "switch_on"
            began = asyncio.get_running_loop().time()
            stand.odoo_orders(stand.make_order(number, kind, number - 5, generation=1))
            await stand.told(number)
            assert asyncio.get_running_loop().time() - began < 3
        await pass_time(270)
        read = len(disk.readings()) - count
        if is_searching:
            assert json.loads(disk.results(1)[-1].data)["done"] > 0
        await stand.close()
        return read

    assert virtually(lambda: main(True)) > 0.82 * virtually(lambda: main(False))
