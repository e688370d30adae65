"""`run` as a process on a whole simulated site: every protocol and link, orders, kill -9, SIGTERM, the health page."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

import pytest
from fake_odoo import KEY, FakeOdoo
from processes import get_json, process, wait_until
from sites import Home, Site

pytestmark = pytest.mark.timeout(180)


def test_the_whole_site_is_read_orders_are_carried_out_and_the_end_is_clean(
    site: Site, odoo: FakeOdoo, home: Home
) -> None:
    wanted = {meter["circuits"][0]["id"] for meter in site.meters()}
    meter = site.one()
    with process(home.log, "--config", home.config, "run") as child:
        odoo.wait(lambda: {circuit for circuit, _ in odoo.readings} >= wanted, 90)
        for number, kind in ((1, "switch_off"), (2, "switch_on")):
            odoo.order(
                number, kind, generation=number, meter_id=meter["id"], circuit_id=meter["circuits"][0]["id"]
            )
            odoo.wait(lambda number=number: "confirmed" in odoo.states(number), 30)
            assert site.relay(meter["serial"]) == kind.removeprefix("switch_")
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    assert odoo.readings_counted_once()
    assert any(row.get("total") for row in odoo.readings.values())
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]
    assert {"connector_started", "config_applied", "orders_received", "connector_stopped"} <= {
        line["event"] for line in lines
    }
    assert all({"at", "level", "logger", "event"} <= set(line) for line in lines)
    assert KEY not in home.log.read_text()


def test_killed_between_order_and_read_back_it_goes_on_where_it_was(
    site: Site, odoo: FakeOdoo, home: Home
) -> None:
    meter = site.one()
    before = len(site.moves(meter["serial"]))
    with process(home.log, "--config", home.config, "run") as child:
        odoo.wait(lambda: odoo.readings, 60)
        odoo.order(7, "switch_off", generation=7, meter_id=meter["id"], circuit_id=meter["circuits"][0]["id"])
        odoo.wait(lambda: "received" in odoo.states(7), 30)
        wait_until(lambda: "accepted" in odoo.states(7) or _stage(home) >= 1, 20, "the command is on its way")
        child.kill()
    with process(home.log, "--config", home.config, "run"):
        odoo.wait(lambda: "confirmed" in odoo.states(7), 40)
    assert site.relay(meter["serial"]) == "off"
    assert site.moves(meter["serial"])[before:] == ["off"]
    with process(home.log, "--config", home.config, "run"):
        odoo.order(8, "switch_on", generation=8, meter_id=meter["id"], circuit_id=meter["circuits"][0]["id"])
        odoo.wait(lambda: "confirmed" in odoo.states(8), 40)


def _stage(home: Home) -> int:
    from contextlib import closing

    from meter_connector.outbox import orders
    from meter_connector.outbox.database import open_database

    with closing(open_database(home.folder / "data" / "outbox.sqlite3", is_read_only=True)) as db:
        return max((row.stage for row in orders.recent(db, 10)), default=0)


def test_the_health_page_tells_people_scripts_and_prometheus(odoo: FakeOdoo, home: Home, site: Site) -> None:
    with process(home.log, "--config", home.config, "run"):
        odoo.wait(lambda: odoo.readings, 60)
        buses = sum(len(gateway["buses"]) for gateway in site.document()["gateways"])
        look = wait_until(
            lambda: (
                (found := get_json(f"{home.health}/health.json")) and len(found["buses"]) == buses and found
            ),
            20,
            "buses",
        )
        assert look["odoo"]["reached"]
        assert {"readings", "events", "results", "bytes"} <= set(look["outbox"])
        page = urllib.request.urlopen(f"{home.health}/", timeout=5)
        text = page.read().decode()
        assert "meter-connector" in text
        assert "127.0.0.1" in text
        metrics = urllib.request.urlopen(f"{home.health}/metrics", timeout=5).read().decode()
        assert "meter_connector_outbox_readings" in metrics
        assert 'meter_connector_bus_age_seconds{bus="1"}' in metrics
        odoo.stop()
        wait_until(
            lambda: not (get_json(f"{home.health}/health.json") or look)["odoo"]["reached"],
            30,
            "the outage is shown",
        )
    assert KEY not in text + metrics + json.dumps(look)


def test_a_second_one_on_the_same_data_says_who_is_there(odoo: FakeOdoo, home: Home, tmp_path: Path) -> None:
    from processes import command

    with process(home.log, "--config", home.config, "run") as child:
        odoo.wait(lambda: odoo.count("api_hello"), 30)
        done = command("--config", home.config, "run")
        assert done.returncode == 1
        assert f"process {child.pid}" in done.stderr
        assert "Traceback" not in done.stderr
