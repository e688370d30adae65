"""The health page: HTTP on loopback. `/` for eyes, `/health.json` for scripts, `/metrics` for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from . import __version__
from .health_page import language_of, render
from .model import SiteConfig

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
        contact, site = app.uplink.contact, app.site
        up_s = app.clock.now() - app.clock.true(app.started_at)
        details = app.buses.details()
        rows = list(_rows(site, status["buses"], details.get("buses", {}))) if site else []
        # A bus that has not answered yet is given the same time from the start.
        stale = [
            row["id"]
            for row in rows
            if row["meters"] and (row["age_s"] if row["age_s"] >= 0 else up_s) > row["stale_s"]
        ]
        serials = {meter.id: meter.serial for _gateway, _bus, meter in site.meters()} if site else {}
        return {
            "version": __version__,
            "up_s": round(up_s, 1),
            "odoo": {
                "reached": contact.is_up and contact.calls_ok > 0,
                "last_contact_s": round(app.clock.now() - contact.last_ok_at, 1)
                if contact.last_ok_at
                else None,
                "calls_ok": contact.calls_ok,
                "calls_failed": contact.calls_failed,
                "problem": contact.problem,
                "clock_offset_s": round(app.clock.offset, 3),
            },
            "config": {
                "version": site.version if site else 0,
                "code": site.connector_code if site else "",
                "problem": app.config_problem,
            },
            "stale_buses": stale,
            "silent_serials": [serials.get(meter, str(meter)) for meter in status["meters_silent"]],
            "healthy": contact.is_up and not contact.problem and not stale and not app.config_problem,
            **status,
            "rows": rows,
            "sent": {name: dict(sender.final) for name, sender in app.uplink.senders().items()},
            "details": details,
        }

    async def _json(self, _request: web.Request) -> web.Response:
        look = await self.look()
        return web.json_response(look, status=200 if look["healthy"] else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        registry.register(_Collector(await self.look()))
        return web.Response(body=generate_latest(registry), content_type="text/plain")

    async def _html(self, request: web.Request) -> web.Response:
        language = language_of(request.headers.get("Accept-Language", ""))
        return web.Response(text=render(await self.look(), language), content_type="text/html")


def _rows(
    site: SiteConfig, statuses: Sequence[Mapping[str, Any]], details: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A row a bus, as the configuration orders them, with names a person knows."""
    by_id = {status["id"]: status for status in statuses}
    for gateway, bus in site.buses():
        detail = details.get(str(bus.id), {})
        if bus.id in by_id:
            yield {
                **by_id[bus.id],
                "gateway": gateway.name,
                "number": bus.number,
                "meters": len(bus.meters),
                "link": str(detail.get("link", "")),
                "connected": bool(detail.get("connected")),
                "stale_s": float(detail.get("stale_s", STALE_S)),
            }


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
        yield _gauge(
            "outbox_oldest_timestamp_seconds",
            "time of the oldest that waits, 0 = none",
            look["outbox"]["oldest_at"],
        )
        yield _gauge("orders_open", "orders under way", look["outbox"]["orders_open"])
        yield _gauge("healthy", "1 when nothing needs a look", int(look["healthy"]))
        yield self._sent()
        yield _gauge("meters_silent", "meters that do not answer", len(look["meters_silent"]))
        yield _gauge("config_version", "configuration in force", look["config"]["version"])
        yield from self._buses()

    def _sent(self) -> Metric:
        sent = CounterMetricFamily(
            "meter_connector_sent", "items that Odoo acknowledged", labels=["queue", "answer"]
        )
        for queue, answers in self.look["sent"].items():
            for answer, count in answers.items():
                sent.add_metric([queue, answer], count)
        return sent

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
