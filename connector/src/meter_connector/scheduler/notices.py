"""Events: made once, with a key that is unique for ever, and never a flood of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..chance import new_name
from ..model import Event

HOUR_S = 3600.0


class Notices:
    """Makes events and hands them to `put`. `now`: server time."""

    def __init__(self, put: Callable[[Event], None], now: Callable[[], float]) -> None:
        self._put = put
        self._now = now
        self._times: dict[object, deque[float]] = {}
        self._left_out: dict[object, int] = {}

    def tell(
        self,
        kind: str,
        *,
        gateway_id: int | None = None,
        bus_id: int | None = None,
        meter_id: int | None = None,
        circuit_id: int | None = None,
        **data: Any,
    ) -> None:
        """One event, now."""
        key = f"{kind}:{new_name()}"
        self._put(Event(key, kind, self._now(), gateway_id, bus_id, meter_id, circuit_id, data))

    def tell_limited(
        self, limit: object, count: int, kind: str, *, window_s: float = HOUR_S, **what: Any
    ) -> None:
        """At most `count` events within `window_s` under one limit; what was left out is counted in the next one, as `dropped`."""
        now = self._now()
        times = self._times.setdefault(limit, deque(maxlen=count))
        if len(times) == count and 0 <= now - times[0] < window_s:
            self._left_out[limit] = self._left_out.get(limit, 0) + 1
            return
        times.append(now)
        self.tell(kind, **what, dropped=self._left_out.pop(limit, 0))
