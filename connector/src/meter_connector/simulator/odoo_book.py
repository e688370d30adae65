"""What an Odoo keeps of a connector's calls, by the rules of docs/rpc.md: readings by (circuit, time), results and events by their identity.

No network here: tests put HTTP before it, the virtual world a client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Verdict = tuple[str, str]
"""State and reason, see docs/rpc.md."""


@dataclass
class OdooBook:
    """`serve(method, payload)` carries out a call. `judge`: another verdict about an item than the rules', None = theirs."""

    document: dict[str, Any] = field(
        default_factory=lambda: {"version": 1, "connector": {"id": 1, "code": "c1"}, "gateways": []}
    )
    clock_offset: float = 0.0
    orders_poll_s: float = 0.1
    orders: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    readings: dict[tuple[int, float], dict[str, Any]] = field(default_factory=dict)
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    duplicates: int = 0
    judge: Callable[[str, Any], Verdict | None] = lambda _method, _item: None

    def wall(self) -> float:
        """True time, epoch seconds."""
        return time.time()

    def now(self) -> float:
        """Odoo's clock."""
        return self.wall() + self.clock_offset

    def order(self, order_id: int, kind: str = "switch_on", generation: int = 1, **more: Any) -> None:
        """Order something, as of now."""
        now = self.now()
        base = {"meter_id": 5, "circuit_id": 50, "created_at": now, "expires_at": now + 600, "reason": "test"}
        order = {"id": order_id, "generation": generation, "kind": kind, **base, **more}
        self.orders[order_id, generation] = order

    def serve(self, method: str, payload: dict[str, Any]) -> Any:
        """The answer of a call."""
        self.calls.append((method, payload))
        return getattr(self, f"_{method}")(payload)

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(1 for called, _ in self.calls if called == method)

    def readings_counted_once(self) -> bool:
        """Whatever came how often, each reading counted once and none with other content."""
        return len(self.arrivals) == len(set(self.arrivals)) == len(self.readings)

    def states(self, order_id: int) -> list[str]:
        """What was reported of an order, in order."""
        return [result["state"] for result in self.results if result["order_id"] == order_id]

    # -- the calls -----------------------------------------------------------------------------------

    def _api_hello(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {
            "server_time": self.now(),
            "connector": {"id": 1, "code": "c1", "name": "C1"},
            "config_version": self.document["version"],
            "orders_poll_s": self.orders_poll_s,
            "hello_s": 15,
        }

    def _api_config(self, payload: dict[str, Any]) -> dict[str, Any]:
        version = self.document["version"]
        return {"version": version, "unchanged": True} if payload["since"] == version else self.document

    def _api_ingest(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._take("api_ingest", columns_to_rows(payload), self._keep_reading)

    def _keep_reading(self, row: dict[str, Any]) -> str:
        key = (row["circuit_id"], row["at"])
        known = self.readings.get(key)
        if known is not None:
            return "duplicate" if known == row else "conflict"
        self.readings[key] = row
        self.arrivals.append(key)
        return ""

    def _api_events(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._take("api_events", payload["events"], self._keep_event)

    def _keep_event(self, event: dict[str, Any]) -> str:
        is_new = event["key"] not in self.events
        self.events.setdefault(event["key"], event)
        return "" if is_new else "duplicate"

    def _api_orders(self, payload: dict[str, Any]) -> dict[str, Any]:
        known = {tuple(pair) for pair in payload.get("known", [])}
        orders = [order for key, order in self.orders.items() if key not in known]
        return {
            "orders": orders,
            "server_time": self.now(),
            "config_version": self.document["version"],
        }

    def _api_report(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._take("api_report", payload["results"], self._keep_result)

    def _keep_result(self, result: dict[str, Any]) -> str:
        self.results.append(result)
        if result["state"] not in ("received", "accepted"):
            self.orders.pop((result["order_id"], result["generation"]), None)
        return ""

    def _take(self, method: str, items: list[Any], keep: Callable[[Any], str]) -> dict[str, Any]:
        exceptions = []
        for index, item in enumerate(items):
            verdict = self.judge(method, item)
            state, reason = verdict or (keep(item), "")
            if state:
                self.duplicates += state == "duplicate"
                exceptions.append([index, state, reason])
        return {"accepted": len(items) - len(exceptions), "exceptions": exceptions}


def columns_to_rows(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a batch whose columns are lists or texts joined by commas."""
    columns = {
        key: value if isinstance(value, list) else value.split(",")
        for key, value in payload.items()
        if key not in ("batch", "waiting_from")
    }
    columns["circuit_id"] = [int(value) for value in columns["circuit_id"]]
    columns["at"] = [float(value) for value in columns["at"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
