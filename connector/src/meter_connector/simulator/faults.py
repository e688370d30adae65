"""Everything that can be made to go wrong, as data: the keys of `faults:` in a site file and on the control channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from ..errors import SettingsError


@dataclass(frozen=True)
class MeterFaults:
    """Of one meter. Probabilities are 0..1 per answer."""

    silent: bool = False
    drop: float = 0.0  # no answer
    garble: float = 0.0  # one bit flipped in the answer
    lag_ms: int = 0  # answers so much later
    error: str = ""  # hexadecimal error byte answered to everything
    mute_writes: bool = False  # carries out what changes it, and says nothing
    missing: str = ""  # data identifiers it has not, parted by blanks; a beginning is enough
    relay_stuck: bool = False  # says yes, does nothing
    relay_lag_ms: int = -1  # instead of the model's, -1 = the model's
    clock_offset_s: int = 0  # meter clock ahead by
    clock_ppm: float = 0.0  # and drifting
    stopped: bool = False  # energy flows, the register stands still


@dataclass(frozen=True)
class BusFaults:
    """Of one bus and its link. Probabilities are 0..1 per answer unless said otherwise."""

    silent: bool = False  # the link is up, nothing comes back
    drop: float = 0.0
    garble: float = 0.0
    duplicate: float = 0.0  # the answer comes twice
    noise: float = 0.0  # random bytes before the answer
    echo: bool = False  # the request comes back first (half duplex adapters)
    stale: float = 0.0  # a burst of old answers before this one
    stale_count: int = 3
    late: float = 0.0  # the answer comes `late_ms` later
    late_ms: int = 3000
    split: int = 1  # answers come in so many pieces
    split_gap_ms: int = 20
    merge: float = 0.0  # the answer is held back and comes glued to the next bytes (or after merge_ms)
    merge_ms: int = 400


F = TypeVar("F", MeterFaults, BusFaults)


def changed(faults: F, change: Mapping[str, Any], where: str) -> F:
    """Faults with some keys changed; SettingsError names a key or value that cannot be."""
    known = {field.name: type(getattr(faults, field.name)) for field in fields(faults)}
    values: dict[str, Any] = {}
    for key, value in change.items():
        if key not in known:
            raise SettingsError(f"{where}.{key}: unknown fault; one of {', '.join(known)}")
        wanted = known[key]
        is_number = wanted in (int, float) and isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number and not isinstance(value, wanted):
            raise SettingsError(f"{where}.{key}: expected {wanted.__name__}, got {value!r}")
        values[key] = wanted(value)
    return replace(faults, **values)
