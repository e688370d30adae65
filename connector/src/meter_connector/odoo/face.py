"""The five things said to Odoo, typed: hello, configuration, readings, events, orders with their results. See docs/rpc.md."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from .. import __version__
from ..chance import new_name
from ..clock import Clock
from ..errors import OdooAnswerError
from ..model import ORDER_KINDS, READING_COLUMNS, Event, Order, OrderKind, OrderResult, Reading
from ..outbox.queues import decimal_text, json_text
from .client import OdooClient

_logger = logging.getLogger(__name__)
T = TypeVar("T")

PROTOCOL = 1
QUICK_TIMEOUT_S = 10.0
"""For what a switch waits on. Ingest and configuration have the settings' time-out."""
FINAL = ("accepted", "duplicate", "conflict", "rejected")


@dataclass(frozen=True)
class Hello:
    """Odoo's answer to hello."""

    config_version: int
    orders_poll_s: float
    hello_s: float
    code: str


@dataclass(frozen=True)
class OrdersAnswer:
    """New orders, and whether the configuration has moved."""

    orders: tuple[Order, ...]
    config_version: int


@dataclass(frozen=True)
class Answers:
    """One answer per item. What is not among the exceptions was accepted."""

    accepted: int
    exceptions: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    def is_final(self, index: int) -> bool:
        """May the item leave the outbox? A word we do not know may mean retry: it stays."""
        return self.exceptions.get(index, ("accepted", ""))[0] in FINAL


class OdooFace:
    """Speaks over an OdooClient, and learns the server's time on the way."""

    def __init__(self, client: OdooClient, clock: Clock) -> None:
        self.client = client
        self.clock = clock

    async def hello(self, started_at: float, status: Mapping[str, Any]) -> Hello:
        """We are here; how are we."""
        payload = {"protocol": PROTOCOL, "version": __version__, "started_at": started_at, "status": status}
        answer = await self._timed("api_hello", payload)
        connector = answer.get("connector") or {}
        return _understood(
            "api_hello",
            lambda: Hello(
                config_version=int(answer["config_version"]),
                orders_poll_s=min(60.0, max(0.1, float(answer.get("orders_poll_s", 1.0)))),
                hello_s=min(300.0, max(1.0, float(answer.get("hello_s", 15)))),
                code=str(connector.get("code", "")),
            ),
        )

    async def config(self, since: int) -> dict[str, Any] | None:
        """The configuration document, or None when `since` is still the newest."""
        answer = await self.client.call("api_config", {"since": since})
        return None if answer.get("unchanged") else answer

    async def ingest(self, readings: Sequence[Reading], waiting_from: float = 0.0) -> Answers:
        """Readings as columns, each joined by commas into one text: a tenth of the work for the XML parsers.

        A column nobody has a value for stays away. `waiting_from`: since when older readings wait that are not in here, 0 = none.
        """
        payload: dict[str, Any] = {
            "batch": new_name(),
            "circuit_id": ",".join(str(reading.circuit_id) for reading in readings),
            "at": ",".join(repr(float(reading.at)) for reading in readings),
            "source": ",".join(reading.source for reading in readings),
        }
        for key in READING_COLUMNS:
            column = [decimal_text(reading.values.get(key)) or "" for reading in readings]
            if any(column):
                payload[key] = ",".join(column)
        extras = [json_text(reading.extras) if reading.extras else "" for reading in readings]
        if any(extras):
            payload["extras"] = extras
        if waiting_from:
            payload["waiting_from"] = waiting_from
        return _answers("api_ingest", await self.client.call("api_ingest", payload), len(readings))

    async def events(self, events: Sequence[Event]) -> Answers:
        """Events."""
        payload = {"batch": new_name(), "events": [_event(event) for event in events]}
        return _answers("api_events", await self.client.call("api_events", payload), len(events))

    async def orders(self, known: Sequence[tuple[int, int]]) -> OrdersAnswer:
        """What shall be done."""
        answer = await self._timed("api_orders", {"known": [list(pair) for pair in known]})
        orders = (_order(item) for item in _understood("api_orders", lambda: list(answer["orders"])))
        version = _understood("api_orders", lambda: int(answer.get("config_version") or 0))
        return OrdersAnswer(tuple(order for order in orders if order), version)

    async def report(self, results: Sequence[OrderResult]) -> Answers:
        """How far orders came."""
        payload = {"results": [_result(result) for result in results]}
        answer = await self.client.call("api_report", payload, timeout_s=QUICK_TIMEOUT_S)
        return _answers("api_report", answer, len(results))

    async def _timed(self, method: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        sent = self.clock.monotonic()
        answer = await self.client.call(method, payload, timeout_s=QUICK_TIMEOUT_S)
        received = self.clock.monotonic()
        server_time = _understood(method, lambda: float(answer["server_time"]))
        self.clock.learn(server_time, sent, received)
        return answer


def _understood(method: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise OdooAnswerError(f"{method}: answer not understood ({type(error).__name__}: {error})") from error


def _answers(method: str, answer: Mapping[str, Any], count: int) -> Answers:
    exceptions: dict[int, tuple[str, str]] = {}
    for index, state, reason in _understood(
        method, lambda: [_exception(item) for item in answer["exceptions"]]
    ):
        if not 0 <= index < count:
            raise OdooAnswerError(f"{method}: answer about item {index} of {count}")
        exceptions[index] = (state, reason)
    return Answers(_understood(method, lambda: int(answer["accepted"])), exceptions)


def _exception(item: Sequence[Any]) -> tuple[int, str, str]:
    return int(item[0]), str(item[1]), str(item[2]) if len(item) > 2 else ""


def _event(event: Event) -> dict[str, Any]:
    targets = {name: getattr(event, name) for name in ("gateway_id", "bus_id", "meter_id", "circuit_id")}
    present = {name: value for name, value in targets.items() if value is not None}
    return {"key": event.key, "kind": event.kind, "at": event.at, **present, "data": dict(event.data)}


def _result(result: OrderResult) -> dict[str, Any]:
    return {
        "order_id": result.order_id,
        "generation": result.generation,
        "state": result.state,
        "reported": result.reported,
        "at": result.at,
        "detail": result.detail,
        **({"data": result.data} if result.data else {}),
    }


def _order(item: Any) -> Order | None:
    """An order, or None with a word in the log: one that cannot be read must not hold up the others."""
    try:
        kind = item["kind"]
        if kind not in ORDER_KINDS:
            raise ValueError(f"unknown kind {kind!r}")
        if int(item["id"]) <= 0:
            raise ValueError("ids begin at 1")
        return Order(
            id=int(item["id"]),
            generation=int(item.get("generation") or 0),
            kind=cast(OrderKind, kind),
            meter_id=int(item.get("meter_id") or 0),
            circuit_id=int(item.get("circuit_id") or 0),
            created_at=float(item.get("created_at") or 0),
            expires_at=float(item.get("expires_at") or 0),
            reason=str(item.get("reason") or ""),
            bus_id=int(item.get("bus_id") or 0),
            data=str(item.get("data") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _logger.error("order_not_understood", extra={"order": repr(item)[:200], "error": str(error)})
        return None
