"""The whole connector killed with SIGKILL at every labelled step, in real processes, with a real disk, a simulated bus behind TCP and an
Odoo that speaks HTTP: nothing is done twice, nothing is lost, and the order's end reaches Odoo."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fake_odoo import FakeOdoo
from meter_connector import steps
from meter_connector.simulator.links import ListenLink
from meter_connector.simulator.site import LinkSpec
from test_order_kinds import PREPAID, PURCHASE_ON_WIRE
from wirehelp import SimWire, meter_row, really

CHILD = Path(__file__).with_name("step_child.py")
SOURCE = Path(steps.__file__).parent
ENDS = ("confirmed", "failed", "expired", "superseded")
ORDER_STEPS = [label for label in steps.STEPS if label.startswith("order")]
PLAN_STEPS = ["plan.ordered", "order.started", "order.ended"]
NB_STEPS = [label for label in steps.STEPS if label.startswith("nb.")]
OTHER_STEPS = [label for label in steps.SITE_STEPS if not label.startswith(("order", "plan", "switch"))]
KINDS: dict[str, dict[str, Any]] = {
    "switch_off": {},
    "purchase": {"amount": "10.00", "count": 7, "number": "1"},
    "write_parameters": {"values": {"alarm_amount_1": "15.00"}},
}


async def start(odoo: FakeOdoo, folder: Path, label: str = "") -> asyncio.subprocess.Process:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), odoo.url, str(folder), *([label] if label else [])),
        env={**os.environ, "PYTHONPATH": path},
        stderr=asyncio.subprocess.DEVNULL,
    )


class Site:
    """A prepaid meter behind TCP; counts the purchases that came over the wire."""

    def __init__(self) -> None:
        self.wire = SimWire([meter_row(1)], bus={"baudrate": 9600}, models=PREPAID)
        self.purchases = 0
        self.line = ListenLink(LinkSpec("tcp_client", host="127.0.0.1", port=0), self.wire.bus)
        receive = self.wire.bus.receive

        def counted(data: bytes, reply: Any) -> None:
            self.purchases += data.count(PURCHASE_ON_WIRE)
            receive(data, reply)

        self.wire.bus.receive = counted  # type: ignore[method-assign]

    def document(self) -> dict[str, Any]:
        document = self.wire.document(schedule={"energy_s": 2, "live_s": 0, "switch_s": 0})
        bus = document["gateways"][0]["buses"][0]
        bus["link"] = {"kind": "tcp_client", "host": "127.0.0.1", "port": self.line.port}
        return document

    async def close(self) -> None:
        await self.line.stop()
        await self.wire.close()


def test_every_label_stands_in_the_code_once_at_least() -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if path.name != "steps.py"
    )
    assert set(re.findall(r'step\("([^"]+)"\)', text)) == set(steps.STEPS)


def test_every_label_is_killed_at_by_some_test() -> None:
    elsewhere = {*NB_STEPS, "state.kept"}  # in tests/nbiot/test_nb_killed.py and tests/app/test_power_cut.py
    killed = {*ORDER_STEPS, *OTHER_STEPS, *PLAN_STEPS, "plan.kept", "switch.kept", "search.told", *elsewhere}
    assert killed == set(steps.STEPS)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (label, kind)
        for label in ORDER_STEPS
        for kind in KINDS
        if label != "order.accepted" or kind == "switch_off"  # the others end with the answer
    ],
)
def test_an_order_killed_at_a_step_is_carried_out_once_and_its_end_is_told(
    tmp_path: Path, label: str, kind: str
) -> None:
    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=site.document()) as odoo:
            odoo.order(1, kind, meter_id=101, circuit_id=1001, bus_id=0, data=json.dumps(KINDS[kind]))
            first = await start(odoo, tmp_path, label)
            async with asyncio.timeout(30):
                assert await first.wait() == -signal.SIGKILL
            assert not [result for result in odoo.results if result["state"] in ENDS]
            again = await start(odoo, tmp_path)
            await odoo.until(lambda: [each for each in odoo.results if each["state"] in ENDS], 40)
            end = next(each for each in odoo.results if each["state"] in ENDS)
            check(site, kind, end)
            assert [each for each in odoo.results if each["state"] in ENDS] == [end]
            assert odoo.readings_counted_once()
            again.send_signal(signal.SIGKILL)
            await again.wait()
        await site.close()

    really(main)


def check(site: Site, kind: str, end: dict[str, Any]) -> None:
    """What Odoo was told is what the meter has, and it has it once."""
    meter: Any = site.wire.meters["S1"]
    if kind == "switch_off":
        assert (end["state"], end["reported"]) == ("confirmed", "off")
        assert site.wire.moves("S1") == ["off"]
    elif kind == "purchase":
        assert site.purchases <= 1
        assert len(meter.wallet.bought) <= 1
        assert (end["state"] == "confirmed") == (len(meter.wallet.bought) == 1)
        assert json.loads(end["data"])["count_after"] == meter.wallet.count
    else:
        assert end["state"] == "confirmed"
        assert json.loads(end["data"])["parameters"] == {"alarm_amount_1": "15.00"}


@pytest.mark.parametrize("label", OTHER_STEPS)
def test_readings_survive_a_kill_at_a_step_and_count_once(tmp_path: Path, label: str) -> None:
    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=site.document()) as odoo:
            first = await start(odoo, tmp_path, label)
            async with asyncio.timeout(30):
                assert await first.wait() == -signal.SIGKILL
            again = await start(odoo, tmp_path)
            seen = len(odoo.readings)
            await odoo.until(lambda: len(odoo.readings) >= seen + 3, 40)
            assert odoo.readings_counted_once()
            again.send_signal(signal.SIGKILL)
            await again.wait()
        await site.close()

    really(main)


def night() -> dict[str, Any]:
    """A supply plan by which there is none now."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    begin, end = (f"{(now + timedelta(hours=hours)):%H}:00" for hours in (2, 3))
    return {
        "periods": [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": begin, "to": end}],
        "kept_by": "connector",
    }


def with_plan(site: Site) -> dict[str, Any]:
    document = site.document()
    document["gateways"][0]["buses"][0]["meters"][0]["supply_plan"] = night()
    return document


@pytest.mark.parametrize("label", PLAN_STEPS)
def test_the_connectors_own_order_killed_at_a_step_is_carried_out_once_and_told(
    tmp_path: Path, label: str
) -> None:
    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=with_plan(site)) as odoo:
            first = await start(odoo, tmp_path, label)
            async with asyncio.timeout(30):
                assert await first.wait() == -signal.SIGKILL
            again = await start(odoo, tmp_path)
            told = await odoo.until(lambda: [each for each in odoo.events.values() if is_plan(each)], 40)
            assert [(each["data"]["result"], each["data"]["reported"]) for each in told] == [
                ("confirmed", "off")
            ]
            assert site.wire.moves("S1") == ["off"]
            again.send_signal(signal.SIGKILL)
            await again.wait()
        await site.close()

    really(main)


def is_plan(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "plan_switched")


def test_a_hold_of_the_plan_killed_right_after_it_was_kept_holds(tmp_path: Path) -> None:
    """Odoo has the switch off when the supply ends: nothing is sent, and what Odoo repeats later waits for the morning."""

    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=with_plan(site)) as odoo:
            odoo.order(1, "switch_off", meter_id=101, circuit_id=1001)
            first = await start(odoo, tmp_path, "plan.kept")
            async with asyncio.timeout(30):
                assert await first.wait() == -signal.SIGKILL
            again = await start(odoo, tmp_path)
            odoo.order(2, "switch_on", generation=2, meter_id=101, circuit_id=1001)
            await odoo.until(lambda: "failed" in odoo.states(2), 40)
            assert site.wire.moves("S1") == ["off"]
            again.send_signal(signal.SIGKILL)
            await again.wait()
        with sqlite3.connect(tmp_path / "data" / "outbox.sqlite3") as db:
            assert db.execute("SELECT hold FROM upkeep WHERE circuit_id = 1001").fetchall() == [("plan",)]
        await site.close()

    really(main)


def test_what_an_order_leaves_a_switch_at_is_no_trip_after_a_kill(tmp_path: Path) -> None:
    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=site.document()) as odoo:
            odoo.order(1, "switch_off", meter_id=101, circuit_id=1001)
            first = await start(odoo, tmp_path, "switch.kept")
            async with asyncio.timeout(30):
                assert await first.wait() == -signal.SIGKILL
            again = await start(odoo, tmp_path)
            await odoo.until(lambda: "confirmed" in odoo.states(1), 40)
            seen = len(odoo.readings)
            await odoo.until(lambda: len(odoo.readings) >= seen + 3, 40)
            assert site.wire.moves("S1") == ["off"]
            assert not [event for event in odoo.events.values() if event["kind"] == "meter_tripped"]
            again.send_signal(signal.SIGKILL)
            await again.wait()
        await site.close()

    really(main)


def test_a_search_killed_while_it_tells_how_far_it_is_begins_anew_and_ends(tmp_path: Path) -> None:
    async def main() -> None:
        site = Site()
        await site.line.start()
        with FakeOdoo(document=site.document()) as odoo:
            address = site.wire.rows[0]["address"]
            data = {"from": address, "to": address, "protocols": ["dlt645-2007"]}
            odoo.order(1, "discover", meter_id=0, circuit_id=0, bus_id=1, data=json.dumps(data))
            first = await start(odoo, tmp_path, "search.told")
            async with asyncio.timeout(40):
                assert await first.wait() == -signal.SIGKILL
            again = await start(odoo, tmp_path)
            await odoo.until(lambda: [each for each in odoo.results if each["state"] in ENDS], 60)
            (end,) = [each for each in odoo.results if each["state"] in ENDS]
            assert end["state"] == "confirmed"
            assert [row["address"] for row in json.loads(end["data"])["found"]] == [address]
            again.send_signal(signal.SIGKILL)
            await again.wait()
        await site.close()

    really(main)
