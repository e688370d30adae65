"""The health page: HTTP on loopback. `/` for eyes, `/health.json` for scripts, `/metrics` for Prometheus."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from . import __version__

if TYPE_CHECKING:
    from .app import App

_logger = logging.getLogger(__name__)

STALE_S = 180.0
"""Readings older than this are not what was promised: three minutes."""


class HealthPage:
    """Starts with port 0 = not at all."""

    def __init__(self, app: App, host: str, port: int) -> None:
        self.app = app
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. A port in use is logged, not fatal: reading goes on without the page."""
        if not self.port:
            return
        pages = web.Application()
        pages.add_routes(
            [
                web.get("/", self._html),
                web.get("/health.json", self._json),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(pages, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            _logger.error("health_page_failed", extra={"port": self.port, "error": str(error)})

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def look(self) -> dict[str, Any]:
        """Everything there is to know, JSON-able. `healthy` is what a watchdog asks for."""
        app = self.app
        status = await app.status()
        contact = app.uplink.contact
        now = app.clock.now()
        details = app.buses.details()
        stale = [row["id"] for row in status["buses"] if not 0 <= row["age_s"] <= STALE_S]
        return {
            "version": __version__,
            "up_s": round(now - app.started_at, 1),
            "odoo": {
                "reached": contact.is_up and contact.calls_ok > 0,
                "last_contact_s": round(now - contact.last_ok_at, 1) if contact.last_ok_at else None,
                "calls_ok": contact.calls_ok,
                "calls_failed": contact.calls_failed,
                "last_error": contact.last_error,
                "clock_offset_s": round(app.clock.offset, 3),
            },
            "config": {"version": app.site.version if app.site else 0, "problem": app.config_problem},
            "stale_buses": stale,
            "healthy": contact.is_up and not stale and not app.config_problem,
            **status,
            "details": details,
        }

    async def _json(self, _request: web.Request) -> web.Response:
        look = await self.look()
        return web.json_response(look, status=200 if look["healthy"] else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        registry.register(_Collector(await self.look()))
        return web.Response(body=generate_latest(registry), content_type="text/plain")

    async def _html(self, _request: web.Request) -> web.Response:
        return web.Response(text=_page(await self.look()), content_type="text/html")


class _Collector:
    """One look as Prometheus metrics."""

    def __init__(self, look: Mapping[str, Any]) -> None:
        self.look = look

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        look = self.look
        yield _gauge("odoo_up", "1 while Odoo answers", int(look["odoo"]["reached"]))
        yield _gauge(
            "odoo_last_contact_seconds", "since the last answer", look["odoo"]["last_contact_s"] or 0
        )
        for key in ("readings", "events", "results", "bytes"):
            yield _gauge(f"outbox_{key}", "waiting for Odoo", look["outbox"][key])
        yield _gauge("meters_silent", "meters that do not answer", len(look["meters_silent"]))
        yield _gauge("config_version", "configuration in force", look["config"]["version"])
        yield from self._buses()

    def _buses(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("meter_connector_bus_age_seconds", "age of the newest answer", labels=["bus"])
        queue = GaugeMetricFamily("meter_connector_bus_queue", "requests waiting", labels=["bus"])
        counters = {
            key: CounterMetricFamily(f"meter_connector_bus_{key}", text, labels=["bus"])
            for key, text in (
                ("reads_ok", "polls answered"),
                ("reads_failed", "polls unanswered"),
                ("dropped_bytes", "bytes that belong to no frame"),
            )
        }
        for row in self.look["buses"]:
            label = [str(row["id"])]
            age.add_metric(label, row["age_s"])
            queue.add_metric(label, row["queue"])
            for key, counter in counters.items():
                counter.add_metric(label, row[key])
        yield from (age, queue, *counters.values())


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"meter_connector_{name}", text, value=value)


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.3rem .7rem;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child"
    "{text-align:left}.bad{background:#fdecea}.good{color:#1b7f3b}.sad{color:#b3261e}"
)


def _page(look: Mapping[str, Any]) -> str:
    """Readable without a style guide: state in one line, then a row a bus."""
    state = '<b class="good">healthy</b>' if look["healthy"] else '<b class="sad">needs a look</b>'
    contact = look["odoo"]["last_contact_s"]
    odoo = f"last contact {contact} s ago" if contact is not None else "never reached"
    outbox = look["outbox"]
    problems = [text for text in (look["config"]["problem"], look["odoo"]["last_error"]) if text]
    rows = "".join(_bus_row(row, look["details"]["buses"].get(str(row["id"]), {})) for row in look["buses"])
    return (
        f"<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=5><title>meter-connector</title>"
        f"<style>{_STYLE}</style><h1>meter-connector {__version__}</h1><p>{state} · up {look['up_s']:.0f} s · "
        f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}</p>"
        f"<p>Odoo: {odoo}. Waiting for Odoo: {outbox['readings']} readings, {outbox['events']} events, "
        f"{outbox['results']} results ({outbox['bytes']} bytes). Silent meters: {len(look['meters_silent'])}.</p>"
        + "".join(f'<p class="sad">{html.escape(text)}</p>' for text in problems)
        + "<table><tr><th>bus<th>link<th>age s<th>queue<th>ok<th>failed<th>dropped bytes<th>wire share</tr>"
        + rows
        + "</table>"
    )


def _bus_row(row: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    bad = ' class="bad"' if not 0 <= row["age_s"] <= STALE_S else ""
    age = f"{row['age_s']:.1f}" if row["age_s"] >= 0 else "–"
    link = html.escape(f"{details.get('link', '')}{'' if details.get('connected') else ' (down)'}")
    return (
        f"<tr{bad}><td>{row['id']}<td>{link}<td>{age}<td>{row['queue']}<td>{row['reads_ok']}"
        f"<td>{row['reads_failed']}<td>{row['dropped_bytes']}<td>{details.get('wire_share', '')}</tr>"
    )
