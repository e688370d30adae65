"""Waiting longer after each failure, with jitter so that sixty gateways do not come back in the same instant."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ..chance import generator


@dataclass
class Backoff:
    """Seconds to wait before the next try: `first_s`, doubled up to `limit_s`, each taken at random from its upper half."""

    first_s: float = 0.4
    limit_s: float = 30.0
    rng: random.Random = field(default_factory=generator, repr=False)
    failures: int = 0

    def next_s(self) -> float:
        """The pause after one more failure."""
        step = min(self.limit_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return step * (0.5 + self.rng.random() / 2)

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
