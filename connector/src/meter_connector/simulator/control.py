"""The control channel: HTTP on loopback, JSON both ways.

GET  /meters                     [{serial, address, model, unit, gateway, bus, relay}]
GET  /meters/SERIAL              true state: registers, relay, power, clock, faults, log of what was carried out
POST /meters/SERIAL              {"registers": {"total": "12.34"}, "consume": "1.5", "faults": {"silent": true} or null,
                                  "relay": "on"/"off", "press_button": true, "clock_offset_s": 60,
                                  "cover": "open"/"close"/"open terminal"/"close terminal", "power_loss_s": 600,
                                  "load": "2.5" (kW or m³/h instead of the curve, null = the curve)}
GET  /links                      every bus: up, connected, counters, faults
POST /links/GATEWAY/BUS          {"up": false, "faults": {"stale": 0.5} or null}
POST /speed                      {"speed": 60, "clock_follows": false}
POST /chaos                      {"every_s": 5, "for_s": 10, "seed": 1}: faults by seed; every_s 0 ends and heals
POST /dial                       {"host": "127.0.0.1", "port": 9000}: where dial-in gateways call
GET  /log?since=N&meter=SERIAL&kind=command|relay|link|faults|speed
GET  /ready                      the ready file again
POST /stop                       ends the simulator

A refused change answers 400, an unknown meter or bus 404, each {"error": "…"}.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ..errors import SettingsError
from .runner import Simulator

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Starts and stops the HTTP server; `stopped` is set by POST /stop."""

    def __init__(self, simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> None:
        self.simulator = simulator
        self.host = host
        self.port = port
        self.stopped = asyncio.Event()
        self._where = {
            meter.spec.serial: key for key, link in simulator.links.items() for meter in link.bus.meters
        }
        app = web.Application(middlewares=[_errors])
        app.add_routes(
            [
                web.get("/meters", self._meters),
                web.get("/meters/{serial}", self._meter),
                web.post("/meters/{serial}", self._change_meter),
                web.get("/links", self._links),
                web.post("/links/{gateway}/{bus}", self._change_link),
                web.post("/speed", self._speed),
                web.post("/chaos", self._chaos),
                web.post("/dial", self._dial),
                web.get("/log", self._log),
                web.get("/ready", self._ready),
                web.post("/stop", self._stop),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Control:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _meters(self, request: web.Request) -> web.Response:
        self.simulator.settle()
        return _json([self._row(serial) for serial in self.simulator.meters])

    def _row(self, serial: str) -> dict[str, Any]:
        meter = self.simulator.meters[serial]
        gateway, bus = self._where[serial]
        return {
            "serial": serial,
            "address": meter.spec.address,
            "model": meter.spec.model.code,
            "unit": meter.spec.unit,
            "gateway": gateway,
            "bus": bus,
            "relay": meter.relay.word if meter.relay else None,
        }

    async def _meter(self, request: web.Request) -> web.Response:
        serial = request.match_info["serial"]
        state = self.simulator.meter(serial).state()
        log = self.simulator.journal.since(meter=serial)
        return _json({**self._row(serial), **state, "log": log, "log_n": log[-1]["n"] if log else 0})

    async def _change_meter(self, request: web.Request) -> web.Response:
        self.simulator.meter(request.match_info["serial"]).apply(await _body(request))
        return await self._meter(request)

    async def _links(self, request: web.Request) -> web.Response:
        return _json(self.simulator.link_states())

    async def _change_link(self, request: web.Request) -> web.Response:
        gateway, bus = request.match_info["gateway"], request.match_info["bus"]
        number = int(bus) if bus.isdigit() else -1
        await self.simulator.change_link(gateway, number, await _body(request))
        states = self.simulator.link_states()
        return _json(next(s for s in states if (s["gateway"], s["bus"]) == (gateway, number)))

    async def _speed(self, request: web.Request) -> web.Response:
        body = await _body(request)
        speed, follows = body.get("speed", self.simulator.time.speed), body.get("clock_follows")
        if not isinstance(speed, int | float) or isinstance(speed, bool):
            raise SettingsError(f"speed: expected a number, got {speed!r}")
        self.simulator.set_speed(float(speed), follows)
        return _json({"speed": self.simulator.time.speed, "clock_follows": self.simulator.time.clock_follows})

    async def _chaos(self, request: web.Request) -> web.Response:
        body = await _body(request)
        numbers = [body.get("every_s", 0), body.get("for_s", 10), body.get("seed", self.simulator.seed)]
        if any(isinstance(n, bool) or not isinstance(n, int | float) or n < 0 for n in numbers):
            raise SettingsError(f"chaos: expected numbers from 0 on, got {body!r:.100}")
        every_s, for_s, seed = numbers
        await self.simulator.set_chaos(float(every_s), float(for_s), int(seed))
        return _json({"every_s": every_s, "for_s": for_s, "seed": int(seed)})

    async def _dial(self, request: web.Request) -> web.Response:
        body = await _body(request)
        host, port = body.get("host", "127.0.0.1"), body.get("port")
        if not isinstance(port, int):
            raise SettingsError(f"port: expected a number, got {port!r}")
        self.simulator.dial(str(host), port)
        return _json({"host": host, "port": port})

    async def _log(self, request: web.Request) -> web.Response:
        self.simulator.settle()
        wanted = dict(request.query)
        since = wanted.pop("since", "0")
        return _json(self.simulator.journal.since(int(since) if since.isdigit() else 0, **wanted))

    async def _ready(self, request: web.Request) -> web.Response:
        return _json(self.simulator.ready((self.host, self.port)))

    async def _stop(self, request: web.Request) -> web.Response:
        self.stopped.set()
        return _json({"stopped": True})


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except SettingsError as error:
        return _json({"error": str(error)}, 400)
    except KeyError as error:
        return _json({"error": f"there is no {error}"}, 404)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise SettingsError(f"body: not JSON: {error}") from None
    if not isinstance(body, dict):
        raise SettingsError(f"body: expected an object, got {body!r:.60}")
    return body


def _json(content: object, status: int = 200) -> web.Response:
    return web.json_response(
        content, status=status, dumps=lambda value: json.dumps(value, ensure_ascii=False)
    )
