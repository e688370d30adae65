"""The commands a person types: what they print, what they answer to mistakes, their exit codes."""

from __future__ import annotations

import json
import signal

import pytest
from fake_odoo import KEY, FakeOdoo
from processes import command, process
from sites import Home, Site

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def filled(home: Home, odoo: FakeOdoo) -> Home:
    """A home whose connector has run once: it has the configuration, and some readings wait."""
    with process(home.log, "--config", home.config, "run") as child:
        odoo.wait(lambda: odoo.readings, 60)
        child.send_signal(signal.SIGTERM)
        child.wait(20)
    return home


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--version"], 0, "1.0.0"),
        (["--help"], 0, "simulate"),
        ([], 2, "COMMAND"),
        (["frobnicate"], 2, "invalid choice"),
        (["--config", "/nowhere.toml", "run"], 2, "/nowhere.toml: no such file"),
        (["run"], 2, "odoo.url: is missing"),
        (["read"], 2, "name a meter"),
        (["read", "--link", "neither", "--address", "1"], 2, "neither HOST:PORT nor a device"),
        (["scan"], 2, "name a bus"),
        (["switch", "sideways"], 2, "invalid choice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], code: int, text: str) -> None:
    done = command(*words)
    assert done.returncode == code
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_check_before_the_first_run_and_after(home: Home, odoo: FakeOdoo) -> None:
    done = command("--config", home.config, "check")
    assert done.returncode == 0, done.stdout
    assert "signed in as connector c1" in done.stdout
    assert done.stdout.count("gateway") >= 3  # asked by the configuration Odoo has, before anything is kept
    assert KEY not in done.stdout + done.stderr


def test_check_of_a_site_that_has_run(filled: Home, odoo: FakeOdoo) -> None:
    done = command("--config", filled.config, "check")
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout
    assert done.stdout.count("gateway") >= 3
    odoo.stop()
    done = command("--config", filled.config, "check")
    assert done.returncode == 1
    assert "BAD  odoo" in done.stdout
    assert "ok   site" in done.stdout  # the kept configuration


def test_check_names_a_refused_key(filled: Home) -> None:
    done = command("--config", filled.config, "check", METER_CONNECTOR_ODOO_KEY="wrong-key-4711-4711")
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert "wrong-key-4711" not in done.stdout + done.stderr


def test_the_outbox_is_counted_and_listed_also_while_the_connector_runs(filled: Home, odoo: FakeOdoo) -> None:
    done = command("--config", filled.config, "outbox", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert {"readings", "events", "results", "orders_open", "oldest_age_s", "bytes", "running"} <= set(facts)
    assert facts["running"] is False
    odoo.stop()
    with process(filled.log, "--config", filled.config, "run"):
        from processes import wait_until

        def look() -> str:
            return command("--config", filled.config, "outbox", "look").stdout

        wait_until(lambda: "reading " in look(), 30, "readings wait")
        assert (
            json.loads(command("--config", filled.config, "outbox", "stats", "--json").stdout)["running"]
            is True
        )


def test_a_meter_of_the_configuration_is_read_and_switched_by_hand(filled: Home, site: Site) -> None:
    meter = site.one()
    done = command("--config", filled.config, "read", "--serial", meter["serial"])
    assert done.returncode == 0, done.stderr
    assert "total" in done.stdout
    for state in ("off", "on"):
        done = command("--config", filled.config, "switch", "--serial", meter["serial"], state, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip().endswith(state)
        assert site.relay(meter["serial"]) == state


def test_switching_asks_first_and_a_no_does_nothing(filled: Home, site: Site) -> None:
    meter = site.one()
    done = command("--config", filled.config, "switch", "--serial", meter["serial"], "off", stdin="n\n")
    assert done.returncode == 1
    assert "nothing done" in done.stdout
    done = command("--config", filled.config, "switch", "--serial", meter["serial"], "off", stdin="")
    assert done.returncode == 1
    assert "nothing done" in done.stdout
    assert "Traceback" not in done.stderr
    assert site.relay(meter["serial"]) == "on"


def test_an_unknown_number_and_a_dial_in_meter_are_told_apart(filled: Home, site: Site) -> None:
    done = command("--config", filled.config, "read", "--serial", "999")
    assert done.returncode == 2
    assert "no meter '999'" in done.stderr
    meter = next(meter for meter in site.meters() if meter["bus"]["link"]["kind"] == "tcp_server")
    done = command("--config", filled.config, "read", "--serial", meter["serial"])
    assert done.returncode == 2
    assert "dials in" in done.stderr


def test_a_meter_on_a_link_is_read_without_any_settings(site: Site) -> None:
    meter = site.one()
    bus = meter["bus"]
    where = f"{bus['link']['host']}:{bus['link']['port']}"
    done = command(
        "read",
        "--link",
        where,
        "--address",
        meter["address"],
        "--baudrate",
        bus["baudrate"],
        "--parity",
        bus["parity"],
    )
    assert done.returncode == 0, done.stderr
    assert "total" in done.stdout
    for state in ("off", "on"):
        done = command(
            "switch", state, "--yes", "--link", where, "--address", meter["address"], "--password", meter["password"],
            "--baudrate", bus["baudrate"], "--parity", bus["parity"],
        )  # fmt: skip
        assert (done.returncode, site.relay(meter["serial"])) == (0, state), done.stderr
    done = command("read", "--link", where, "--address", "999999999999", "--baudrate", bus["baudrate"])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_scan_finds_the_meter_of_a_bus_and_compares_with_the_configuration(filled: Home, site: Site) -> None:
    """A bus with one meter: how several are told apart is tested with the drivers."""
    meter = next(
        meter for meter in site.meters() if len(meter["bus"]["meters"]) == 1 and meter["model"] == "dd862-97"
    )
    bus = meter["bus"]
    done = command("--config", filled.config, "scan", "--bus", bus["id"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:4] == [meter["address"], "dlt645-1997", "meter", meter["serial"]]
    assert "1 found, 0 of them not configured" in done.stdout
    where = ["--link", f"{bus['link']['host']}:{bus['link']['port']}", "--baudrate", bus["baudrate"]]
    done = command("scan", *where, "--protocol", "dlt645-1997")
    assert (done.returncode, done.stdout.split()[0]) == (0, meter["address"]), done.stderr
    done = command("scan", *where, "--protocol", "cjt188")
    assert done.returncode == 1
    assert "0 found" in done.stdout


def test_decode_reads_arguments_and_standard_input() -> None:
    frame = "68 61 10 01 30 12 15 68 9C 00 35 16"
    done = command("decode", "--protocol", "dlt645-2007", "--json", stdin=frame + "\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"][0]["address"] == "151230011061"
