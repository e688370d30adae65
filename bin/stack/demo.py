"""The demo: everything running, and a screenful that says where to look."""

from __future__ import annotations

import signal
import subprocess
import time

import yaml

from . import layout
from .console import good, note, step
from .odoo_source import OdooSource
from .site import SITE_FILE, Site, SiteOptions
from .system import service_env

HISTORY_DAYS = 14

# What each role of the demo comes for.
TO_SEE = {
    "accountant": "books check, invoices of the month, payments",
    "cashier": "the counter, receipts, the day's till",
    "property_manager": "overview, units, tenancies, meters",
    "power_operator": "power of one building: meters, switches, alarms",
    "water_operator": "water: meters, readings, alarms",
    "joint_operator": "power and water of one building",
    "field_reader": "reading meters on a phone",
    "supervisor": "policies, dry run, cases, special supply",
    "auditor": "sees all, changes nothing; the audit chain",
}


def show(source: OdooSource, *, fresh: bool, seed: int | None) -> int:
    """Start everything, print where to look, and run until Ctrl-C."""
    began = time.monotonic()
    site = Site(source, SiteOptions(database="demo", history_days=HISTORY_DAYS, keep=not fresh, seed=seed))
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us with SIGINT ignored
        signal.signal(number, _as_interrupt)
    try:
        site.start()
        good(f"everything is running ({time.monotonic() - began:.0f} s)")
        _print_guide(site)
        _watch(site)
    except KeyboardInterrupt:
        print()
        step("Stopping")
    finally:
        site.stop()
    return 0


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _print_guide(site: Site) -> None:
    users = yaml.safe_load(SITE_FILE.read_text())
    print(f"\n  Address    {site.url}\n  Password   {site.password}   (the same for all demo users)\n")
    print("  Sign in as")
    for user in users["users"]:
        print(f"    {user['login']:<22} {TO_SEE[user['role']]}")
    tenant = users["tenancies"][0]
    last = users["tenancies"][-1]["email"]
    print(f"    {tenant['email']:<22} a tenant (and so on, to {last})")
    print(
        f"""
  What to look at
    1. manager: the overview. Rooms by colour; it refreshes itself as readings arrive.
    2. manager: Metering, any meter: live values, curve, switch state, orders.
    3. {tenant["email"]}, also on a phone's width: balance, days left, charges explained; top up in three taps,
       with WeChat Pay or Alipay too: each is a simulated gateway, and a link beside the QR code plays the phone.
    4. cashier: Counter, account {tenant["account"]}, any amount; print the receipt.
    5. supervisor: Supply, the dry run and the cases: who is warned, who is cut and why.
    6. accountant: Invoicing, Online Payments: reconciliation with the gateway's bill; the books check; invoice the month; ordinary Odoo payments and invoices.
  Connector health  http://127.0.0.1:{site.health_port}
  Site simulator    {site.control_url}/meters
  Mail sent         {site.mail_directory}
  Logs              {site.logs}

  Ctrl-C stops all of it."""
    )


def _watch(site: Site) -> None:
    """Sleep until Ctrl-C, telling when a part ends by itself."""
    told: set[str] = set()
    while True:
        time.sleep(1)
        for service in site.services:
            if not service.is_running and service.name not in told:
                told.add(service.name)
                note(f"{service.name} has ended by itself:\n{service.tail()}")


def check(seed: int | None) -> int:
    """Run the story as a test, with its timeline on the terminal."""
    words = [
        str(layout.PYTHON),
        "-m",
        "pytest",
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
        str(layout.ROOT / "tests" / "e2e"),
    ]
    if seed is not None:
        words += ["--seed", str(seed)]
    return subprocess.run(words, cwd=layout.ROOT, env=service_env(), check=False).returncode
