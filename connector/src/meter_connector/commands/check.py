"""Is everything in place? Settings, outbox, Odoo, and whether the gateways can be reached: one line each."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..config import Settings, load
from ..errors import ConnectorError
from ..log import SECRETS
from ..model import Bus, SiteConfig
from ..odoo.client import make_client
from ..odoo.face import OdooFace
from ..outbox import queues
from ..outbox.database import check_integrity, is_in_use
from .offline import kept_site, opened

REACH_S = 3.0


class Report:
    """Lines as they come; `bad` counts what needs a person."""

    def __init__(self) -> None:
        self.bad = 0

    def say(self, good: bool, what: str, text: str) -> None:
        self.bad += not good
        print(f"{'ok ' if good else 'BAD'}  {what:<12} {text}")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 when all is well, else 1."""
    report = Report()
    settings = load(arguments.config)
    SECRETS.add(settings.odoo.key)
    report.say(True, "settings", str(settings.path or "from the environment"))
    _check_outbox(settings, report)
    document = asyncio.run(_check_odoo(settings, report))
    site = _check_site(settings, report, document)
    if site:
        for row in _reach(site):
            report.say(*row)
    return 1 if report.bad else 0


def _check_outbox(settings: Settings, report: Report) -> None:
    path = settings.outbox_file
    if not path.exists():
        report.say(True, "outbox", f"{path} will be made at the first run")
        return
    try:
        with opened(path) as db:
            check_integrity(db, path)
            waiting = queues.stats(db)
    except ConnectorError as error:
        report.say(False, "outbox", str(error))
        return
    running = ", a connector is running" if is_in_use(path) else ""
    text = f"{waiting.readings} readings, {waiting.events} events, {waiting.results} results wait{running}"
    report.say(True, "outbox", text)


async def _check_odoo(settings: Settings, report: Report) -> dict[str, Any] | None:
    """Sign in and say hello; the configuration Odoo has, None when it cannot be had."""
    client, clock = make_client(settings.odoo), Clock()
    face = OdooFace(client, clock)
    try:
        answer = await face.hello(clock.now(), {})
        document = await face.config(0)
    except ConnectorError as error:
        report.say(False, "odoo", str(error))
        return None
    else:
        offset = f"our clock is {-clock.offset:+.1f} s off"
        report.say(
            True,
            "odoo",
            f"signed in as connector {answer.code}, configuration {answer.config_version}, {offset}",
        )
        return document
    finally:
        await client.close()


def _check_site(settings: Settings, report: Report, document: dict[str, Any] | None) -> SiteConfig | None:
    """By Odoo's configuration, else by the kept one."""
    try:
        site = SiteConfig.from_document(document) if document else kept_site(settings)
    except ConnectorError as error:
        report.say(False, "site", str(error))
        return None
    count = sum(1 for _ in site.meters())
    report.say(not site.problems, "site", f"version {site.version}, {count} meters")
    for problem in site.problems:
        report.say(False, "site", problem)
    return site


def _reach(site: SiteConfig) -> Iterator[tuple[bool, str, str]]:
    """Each link once; gateways that dial in cannot be called."""
    seen = set()
    for gateway, bus in site.buses():
        if bus.link not in seen:
            seen.add(bus.link)
            yield _reach_one(gateway.name, bus)


def _reach_one(name: str, bus: Bus) -> tuple[bool, str, str]:
    link = bus.link
    if link.kind == "tcp_server":
        return True, "gateway", f"{name}: dials in"
    if link.kind == "nbiot":
        return True, "gateway", f"{name}: pushed by an NB-IoT platform"
    if link.kind == "serial":
        return Path(link.device).exists(), "gateway", f"{name}: {link.device}"
    try:
        socket.create_connection((link.host, link.port), REACH_S).close()
    except OSError as error:
        return False, "gateway", f"{name}: {link.host}:{link.port}: {error}"
    return True, "gateway", f"{name}: {link.host}:{link.port}"
