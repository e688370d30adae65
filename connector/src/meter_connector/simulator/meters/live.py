"""Voltage, current, power of the moment, all from the load, the minute and the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..energy import fraction

if TYPE_CHECKING:
    from .base import Meter

NOMINAL_DV = 2230
SWING_DV = 60


@dataclass(frozen=True)
class Live:
    """Secondary side, per phase A, B, C (one entry for single phase). Integers: 0.1 V, mA, 0.1 W, 1/1000, 0.01 Hz."""

    voltage_dv: tuple[int, ...]
    current_ma: tuple[int, ...]
    power_dw: tuple[int, ...]
    factor: int
    frequency: int

    @property
    def total_dw(self) -> int:
        """Power of all phases."""
        return sum(self.power_dw)


def live_values(meter: Meter, at_ms: int | None = None) -> Live:
    """What the meter would show now, or showed at a moment when it was supplied; steady within a minute."""
    ms = meter.energy.at_ms if at_ms is None else at_ms
    key, minute = meter.energy.key, ms // 60_000
    phases = max(meter.spec.model.phases, 1)
    voltage = tuple(
        NOMINAL_DV + round((fraction(key, "u", n, minute) * 2 - 1) * SWING_DV) for n in range(phases)
    )
    watts = meter.power_w() if at_ms is None else meter.energy.load_at(ms)
    total_dw = watts * 10 // meter.spec.ct_ratio
    shares = [2 + fraction(key, "share", n) for n in range(phases)]
    power = [round(total_dw * share / sum(shares)) for share in shares]
    power[0] = total_dw - sum(power[1:])
    factor = 850 + round(fraction(key, "pf") * 140) if total_dw else 1000
    current = tuple(p * 1_000_000 // (u * factor) for p, u in zip(power, voltage, strict=True))
    frequency = 5000 + round((fraction("f", minute) * 2 - 1) * 4)
    return Live(voltage, current, tuple(power), factor, frequency)
