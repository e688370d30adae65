"""From a push to readings and orders, with the real inbox file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import nbhelp as nb
import pytest
from meter_connector.clock import Clock
from meter_connector.errors import LinkError, MeterRefusedError, OutboxFullError
from meter_connector.model import Order
from meter_connector.nbiot import ctwing
from meter_connector.nbiot.endpoint import EndpointSettings
from meter_connector.nbiot.inbox import Inbox
from meter_connector.nbiot.orders import Downlink
from meter_connector.nbiot.service import SILENT_AFTER_S, NbIotBuses
from meter_connector.ports import Stage
from meter_connector.scheduler import SiteScheduler
from wirehelp import MemoryRecorder, really, until


class Wall:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = nb.NOON
        self.clock = Clock(wall=lambda: self.now, steady=lambda: self.now)


class FakeDownlink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int]] = []
        self.fail: Exception | None = None

    async def send(self, imei: str, frame: bytes, ttl_s: int) -> None:
        self.sent.append((imei, frame, ttl_s))
        if self.fail is not None:
            raise self.fail


class Stand:
    """The service with its scheduler, recorder and file."""

    def __init__(
        self, folder: Path, downlink: Downlink | None, recorder: MemoryRecorder | None = None
    ) -> None:
        self.wall = Wall()
        self.memory = recorder or MemoryRecorder()
        self.downlink = downlink
        scheduler = SiteScheduler(self.wall.clock, self.memory, listen_host="127.0.0.1")
        self.file = folder / "nbiot.sqlite3"
        self.service = NbIotBuses(
            scheduler, self.memory, self.wall.clock, self.file, EndpointSettings(), downlink=downlink
        )

    async def push(self, body: bytes, *, is_decoded: bool = True) -> None:
        """As if it came through the endpoint, a second after the last one."""
        self.wall.now += 1
        before = self.service.counts["decoded"]
        new = await self.service.take(ctwing.parse(body))
        if is_decoded and new:
            await until(lambda: self.service.counts["decoded"] == before + new, 5)

    async def report(self, valve: int = 0) -> None:
        """The water meter reports."""
        await self.push(nb.ctwing(nb.water_frame(valve=valve), at=self.wall.now + 1))

    def order(
        self,
        key: int,
        kind: str,
        *,
        meter: int = 1,
        generation: int = 1,
        lives_s: float = 3600,
        stage: Stage = Stage.RECEIVED,
    ) -> Order:
        now = self.wall.now
        order = Order(key, generation, kind, meter, 10 * meter + 1, now, now + lives_s if lives_s else 0)  # type: ignore[arg-type]
        self.service.submit(order, stage)
        return order

    async def ended(self, key: int) -> tuple[str, str]:
        await until(lambda: self.memory.result(key), 5)
        result = self.memory.result(key)
        assert result is not None
        return result.state, result.reported


@asynccontextmanager
async def standing(folder: Path, downlink: Downlink | None = None, **nbiot: Any) -> AsyncIterator[Stand]:
    stand = Stand(folder, downlink)
    await stand.service.apply(nb.site(**nbiot))
    try:
        yield stand
    finally:
        await stand.service.stop()
        await asyncio.sleep(0.02)


def test_a_push_over_http_becomes_one_reading_with_the_reports_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand, aiohttp.ClientSession() as session:
            assert stand.service.endpoint is not None
            url = f"http://127.0.0.1:{stand.service.endpoint.port}/nbiot/{nb.TOKEN}/ctwing"
            body = nb.ctwing(nb.water_frame("123.45"), at=nb.NOON - 60)
            for _ in range(3):
                async with session.post(url, data=body) as answer:
                    assert answer.status == 200
            await until(lambda: stand.memory.readings, 5)
            await asyncio.sleep(0.05)
            (reading,) = stand.memory.readings
            assert (reading.circuit_id, reading.at) == (11, nb.NOON - 60)
            assert reading.values == {"total": Decimal("123.45"), "switch": "on"}

    really(main)


@pytest.mark.parametrize("at", [nb.NOON + 86400, 1.0, nb.NOON - 500 * 86400])
def test_a_time_that_cannot_be_true_gives_way_to_the_time_of_arrival(tmp_path: Path, at: float) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            await stand.push(nb.ctwing(nb.water_frame(), at=at))
            assert stand.memory.readings[0].at == stand.wall.now

    really(main)


def test_what_was_acknowledged_is_decoded_after_a_kill_and_known_for_a_week(tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "nbiot.sqlite3"
        pushes = ctwing.parse(nb.ctwing(nb.water_frame()))
        inbox = await Inbox.open(file)
        assert await inbox.put(pushes, nb.NOON) == 1
        await inbox.close()
        async with standing(tmp_path) as stand:
            await until(lambda: stand.memory.readings, 5)
            assert await stand.service.take(pushes) == 0
        async with standing(tmp_path) as stand:
            stand.wall.now += 6 * 86400
            assert await stand.service.take(pushes) == 0
            await asyncio.sleep(0.05)
            assert not stand.memory.readings
        inbox = await Inbox.open(file)
        await inbox.forget(nb.NOON + 8 * 86400)
        assert await inbox.put(pushes, nb.NOON) == 1
        await inbox.close()

    really(main)


def test_a_full_outbox_keeps_reports_waiting_and_a_full_inbox_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            stand.memory.fail = OutboxFullError(tmp_path, "full")
            await stand.push(nb.ctwing(nb.water_frame()), is_decoded=False)
            await until(lambda: stand.service.problem, 5)
            assert not stand.memory.readings
            stand.memory.fail = None
            await until(lambda: stand.memory.readings, 5)
            await until(lambda: not stand.service.problem, 5)
        inbox = await Inbox.open(tmp_path / "small.sqlite3", max_waiting=2)
        for number in range(2):
            await inbox.put(ctwing.parse(nb.ctwing(at=nb.NOON + number)), nb.NOON)
        with pytest.raises(OutboxFullError):
            await inbox.put(ctwing.parse(nb.ctwing(at=nb.NOON + 9)), nb.NOON)
        await inbox.close()

    really(main)


def test_strange_frames_and_devices_are_told_and_floods_are_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            for number in range(30):
                frame = nb.water_frame(address="00112026000999")
                await stand.push(nb.ctwing(frame, at=nb.NOON + number / 10))
                stand.wall.now -= 1
            for number in range(30):
                await stand.push(nb.ctwing(b"", imei="860000000000000", at=nb.NOON + number / 10))
                stand.wall.now -= 1
            await until(lambda: len(stand.memory.events) >= 40, 5)
            assert stand.memory.kinds().count("frame_unknown") == 20
            assert stand.memory.kinds().count("nbiot_unknown_device") == 20
            first = stand.memory.events[0]
            assert first.data["reason"] == "other_address"
            assert (first.bus_id, first.data["protocol"]) == (9, "cjt188")
            assert first.data["size"] * 2 == len(first.data["hex"])
            stand.wall.now += 61
            await stand.push(nb.ctwing(nb.water_frame(address="00112026000999"), at=stand.wall.now))
            await until(lambda: stand.memory.events[-1].kind == "frame_unknown", 5)
            assert stand.memory.events[-1].data["dropped"] == 10

    really(main)


def test_a_meter_that_does_not_report_for_a_day_is_silent_and_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            await stand.report()
            stand.wall.now += SILENT_AFTER_S + 60
            await stand.push(nb.ctwing(nb.power_frame(), nb.POWER_IMEI, at=stand.wall.now))
            await until(lambda: stand.service.silent_meters() == [1, 3], 5)
            await stand.report()
            await until(lambda: stand.service.silent_meters() == [3], 5)
            back = [each.meter_id for each in stand.memory.events if each.kind == "meter_back"]
            assert back.count(1) == 1
            (status,) = stand.service.gateway_statuses()
            assert status.online
            (bus,) = stand.service.bus_statuses()
            assert bus.reads_ok == 3
            assert bus.age_s == 0

    really(main)


def test_a_damaged_file_stops_pushes_only_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meter_connector.nbiot.service.LISTEN_RETRY_S", 0.05)

    async def main() -> None:
        file = tmp_path / "nbiot.sqlite3"
        file.write_bytes(b"no database, but long enough to be looked at " * 40)
        async with standing(tmp_path) as stand:
            await until(
                lambda: "damaged" in stand.service.problem or "not an outbox" in stand.service.problem, 5
            )
            assert stand.service.endpoint is None
            assert stand.service.details()["nbiot"]["problem"]
            file.unlink()
            await until(lambda: stand.service.endpoint is not None and stand.service.endpoint.is_open, 5)
            assert not stand.service.problem
            await stand.report()
            assert stand.memory.readings

    really(main)


def test_killed_between_outbox_and_inbox_the_same_reading_comes_again_and_no_other(tmp_path: Path) -> None:
    """Odoo knows a reading by circuit and time: the second one counts as known."""

    async def main() -> None:
        pushes = ctwing.parse(nb.ctwing(nb.water_frame(), at=nb.NOON - 5))
        seen = []
        for _ in range(2):
            inbox = await Inbox.open(tmp_path / "nbiot.sqlite3")
            await inbox.put(pushes, nb.NOON)
            await inbox.close()
            async with standing(tmp_path) as stand:
                await until(lambda: stand.memory.readings, 5)  # noqa: B023
                seen.append(stand.memory.readings[0])
                await until(lambda: stand.service.counts["decoded"], 5)  # noqa: B023
            with sqlite3.connect(tmp_path / "nbiot.sqlite3") as db:
                text = json.dumps(asdict(pushes[0]))
                db.execute("UPDATE pushes SET push = ?", (text,))
            db.close()
        assert seen[0] == seen[1]

    really(main)


# ---- orders ------------------------------------------------------------------------------------------------------------------------
def test_an_order_waits_for_the_meter_is_sent_once_and_confirmed_by_a_later_report(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off")
            await asyncio.sleep(0.05)
            assert not downlink.sent
            await stand.report(valve=0)
            ((imei, frame, ttl_s),) = downlink.sent
            assert imei == nb.WATER_IMEI
            assert bytes.fromhex("A0170199") in frame, frame.hex()
            assert 3590 <= ttl_s <= 3600
            assert stand.memory.started == [1]
            await stand.push(nb.ctwing(nb.valve_answer(), at=stand.wall.now))
            assert stand.memory.accepted == [1]
            await stand.report(valve=1)
            assert await stand.ended(1) == ("confirmed", "off")
            assert len(downlink.sent) == 1

    really(main)


def test_a_report_from_before_the_command_proves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off")
            await stand.report(valve=1)
            assert len(downlink.sent) == 1
            assert stand.memory.result(1) is None

    really(main)


def test_two_contrary_reports_send_it_again_three_times_at_most(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off")
            sent = []
            for _ in range(7):
                await stand.report(valve=0)
                sent.append(len(downlink.sent))
            assert sent == [1, 1, 2, 2, 3, 3, 3]
            assert (await stand.ended(1))[0] == "failed"

    really(main)


@pytest.mark.parametrize(
    ("is_sent", "state"), [(False, "expired"), (True, "failed")], ids=["never sent", "sent"]
)
def test_an_order_whose_time_is_over_ends(tmp_path: Path, is_sent: bool, state: str) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off", lives_s=100)
            if is_sent:
                await stand.report(valve=0)
            stand.wall.now += 200
            await stand.report(valve=0)
            assert (await stand.ended(1))[0] == state
            assert len(downlink.sent) == int(is_sent)

    really(main)


def test_a_newer_generation_supersedes_and_an_older_one_is_never_sent(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off", generation=1)
            stand.order(2, "switch_on", generation=2)
            stand.order(3, "switch_off", generation=1)
            assert (await stand.ended(1))[0] == "superseded"
            assert (await stand.ended(3))[0] == "superseded"
            await stand.report(valve=1)
            assert stand.memory.started == [2]
            await stand.report(valve=0)
            assert await stand.ended(2) == ("confirmed", "on")

    really(main)


def test_a_resumed_order_that_may_have_been_sent_looks_first(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off", stage=Stage.STARTED)
            await stand.report(valve=1)
            assert await stand.ended(1) == ("confirmed", "off")
            assert not downlink.sent

    really(main)


def refuse(stand: Stand) -> None:
    stand.memory.may_start = lambda order: False


@pytest.mark.parametrize(
    ("error", "state"),
    [(LinkError("away"), None), (MeterRefusedError("the platform knows no such device"), "failed")],
)
def test_a_platform_that_fails_is_tried_again_and_one_that_refuses_ends_it(
    tmp_path: Path, error: Exception, state: str | None
) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        downlink.fail = error
        async with standing(tmp_path, downlink) as stand:
            stand.order(1, "switch_off")
            await stand.report(valve=0)
            if state:
                assert (await stand.ended(1))[0] == state
                return
            downlink.fail = None
            await stand.report(valve=0)
            await stand.report(valve=0)
            assert len(downlink.sent) == 2

    really(main)


def test_what_the_disk_forbids_is_not_sent(tmp_path: Path) -> None:
    async def main() -> None:
        downlink = FakeDownlink()
        async with standing(tmp_path, downlink) as stand:
            refuse(stand)
            stand.order(1, "switch_off")
            await stand.report()
            assert not downlink.sent
            assert not stand.service.orders.open

    really(main)


UNABLE: list[tuple[str, Callable[[Stand], Any], str]] = [
    ("no downlink", lambda stand: stand.order(1, "switch_off"), "no way"),
    (
        "no circuit",
        lambda stand: stand.service.submit(Order(1, 1, "switch_off", 1, 99, 0, 0), Stage.RECEIVED),
        "no circuit",
    ),
    ("no clock", lambda stand: stand.order(1, "sync_clock"), "platform"),
]


@pytest.mark.parametrize(("name", "submit", "text"), UNABLE)
def test_what_cannot_be_done_fails_at_once_with_its_reason(
    tmp_path: Path, name: str, submit: Callable[[Stand], Any], text: str
) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            submit(stand)
            assert (await stand.ended(1))[0] == "failed"
            result = stand.memory.result(1)
            assert result is not None
            assert text in result.detail

    really(main)


def test_a_read_order_is_confirmed_by_the_next_report(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path) as stand:
            stand.order(1, "read")
            await stand.push(nb.ctwing(b"", at=stand.wall.now))
            assert stand.memory.result(1) is None
            await stand.report()
            assert await stand.ended(1) == ("confirmed", "on")

    really(main)


def test_orders_of_other_buses_and_gone_meters_find_their_way(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path, FakeDownlink()) as stand:
            stand.order(1, "switch_off")
            stand.order(2, "read", meter=77)
            assert stand.service.inner.details()["orders"]["failed"] == 1
            site = nb.site()
            empty = replace(site.gateways[0], buses=(replace(site.gateways[0].buses[0], meters=()),))
            await stand.service.apply(replace(site, gateways=(empty,)))
            assert (await stand.ended(1))[0] == "failed"

    really(main)


def test_the_endpoint_follows_the_configuration(tmp_path: Path) -> None:
    async def main() -> None:
        async with standing(tmp_path, enabled=False) as stand:
            assert stand.service.endpoint is None
            await stand.service.apply(nb.site())
            first = stand.service.endpoint
            assert first is not None
            assert first.is_open
            await stand.service.apply(nb.site())
            assert stand.service.endpoint is first
            await stand.service.apply(nb.site(path_token_sha256="0" * 64))
            assert stand.service.endpoint is not first
            assert not first.is_open
            details = stand.service.details()
            assert details["nbiot"]["port"] == stand.service.endpoint.port  # type: ignore[union-attr]
            await stand.service.apply(nb.site(enabled=False))
            assert stand.service.endpoint is None

    really(main)
