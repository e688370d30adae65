"""At most so many of a kind in a time, with bounded memory. No clock: times come from outside."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable


class RateLimiter:
    """`allow` says whether one more is within `limit` per `window_s`. Keys beyond `max_keys` push out the longest unused one."""

    def __init__(self, limit: int, window_s: float, max_keys: int = 1024) -> None:
        self.limit = limit
        self.window_s = window_s
        self.max_keys = max_keys
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._left_out: dict[Hashable, int] = {}

    def allow(self, key: Hashable, now: float) -> bool:
        """Count one; False when it is beyond the limit (and then it is only counted as left out)."""
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque(maxlen=self.limit)
            if len(self._times) > self.max_keys:
                gone, _ = self._times.popitem(last=False)
                self._left_out.pop(gone, None)
        self._times.move_to_end(key)
        if len(times) == self.limit and now - times[0] < self.window_s:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        times.append(now)
        return True

    def is_exhausted(self, key: Hashable, now: float) -> bool:
        """Would one more be beyond the limit? Counts nothing."""
        times = self._times.get(key)
        return times is not None and len(times) == self.limit and now - times[0] < self.window_s

    def take_left_out(self, key: Hashable) -> int:
        """How many were beyond the limit since the last time this was asked."""
        return self._left_out.pop(key, 0)
