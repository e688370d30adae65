"""When a meter is read, and how long one that does not answer is left alone. No task, no wire: times come from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..drivers import MeterValues, is_column, keys_of
from ..model import Meter, Reading, Schedule, Source
from .tuning import Tuning

GROUPS = ("energy", "live", "switch")


@dataclass
class MeterPoll:
    """One meter's schedule and its silence.

    Each group has a grid of its period, shifted by the meter's place on the bus so that the bus has the same to do at every moment.
    """

    meter: Meter
    schedule: Schedule
    tuning: Tuning
    failures: int = 0
    answered_at: float | None = None
    stretch: float = 1.0
    """Every period is so much longer than configured: the disk is filling."""
    due: dict[str, float] = field(default_factory=dict)
    _grid: dict[str, float] = field(default_factory=dict)

    def start(self, now: float, share: float) -> None:
        """Everything at once for the first time, then on the grid. `share`: place on the bus, 0 <= share < 1."""
        for group, period in self.periods().items():
            self._grid[group] = now + share * period
            self.due[group] = now

    def periods(self) -> dict[str, float]:
        """Seconds by group, only of groups that this model has and that are read at all."""
        keys = keys_of(self.meter.model)
        wanted = {
            "energy": self.schedule.energy_s,
            "live": self.schedule.live_s,
            "switch": self.schedule.switch_s,
        }
        return {group: wanted[group] * self.stretch for group in GROUPS if wanted[group] > 0 and keys[group]}

    @property
    def is_silent(self) -> bool:
        """Has it not answered for several sweeps?"""
        return self.failures >= self.tuning.silent_after

    @property
    def attempts(self) -> int:
        """How often its reads are sent."""
        if self.is_silent:
            return 1
        return self.tuning.doubtful_attempts if self.failures else self.tuning.read_attempts

    def keys_due(self, now: float) -> frozenset[str]:
        """What to read now: groups that are due, and those that will be in a moment."""
        keys = keys_of(self.meter.model)
        periods = self.periods()
        due = [group for group, at in self.due.items() if at <= now + self._merge_s(periods[group])]
        return frozenset().union(*(keys[group] for group in due))

    def all_keys(self) -> frozenset[str]:
        """Everything the model has."""
        return frozenset().union(*keys_of(self.meter.model).values())

    def probe_keys(self) -> frozenset[str]:
        """The least that shows whether a silent meter is back: one energy register, or anything."""
        keys = self.all_keys()
        return frozenset({"total"}) if "total" in keys else frozenset(sorted(keys)[:1])

    def answered(self, now: float, keys: frozenset[str]) -> bool:
        """A sweep of `keys` was answered; True when the meter was silent before."""
        was_silent = self.is_silent
        self.failures = 0
        self.answered_at = now
        if was_silent:
            return True
        self.asked(now, keys)
        return False

    def asked(self, now: float, keys: frozenset[str]) -> None:
        """These keys had their turn, whatever came of it: their groups are due again on the grid."""
        of_model = keys_of(self.meter.model)
        for group, period in self.periods().items():
            if of_model[group] <= keys:
                self.due[group] = self._next_on_grid(group, period, now)

    def failed(self, now: float) -> bool:
        """A sweep got no answer; True when the meter is silent from now on."""
        self.failures += 1
        for group, period in self.periods().items():
            if self.due[group] <= now + self._merge_s(period):
                self.due[group] = self._next_on_grid(group, period, now)
        return self.failures == self.tuning.silent_after

    def next_at(self, now: float, is_bus_dead: bool) -> float | None:
        """When to come again; None = never. A silent meter is probed ever more rarely, never more often than it is read."""
        due = min(self.due.values(), default=None)
        if not self.is_silent or due is None:
            return due
        rounds = self.failures - self.tuning.silent_after
        pause = min(self.tuning.probe_limit_s, self.tuning.probe_first_s * 2.0 ** min(rounds, 20))
        if is_bus_dead:
            pause = min(pause, self.tuning.probe_idle_limit_s)
        return now + pause

    def _merge_s(self, period: float) -> float:
        return min(self.tuning.merge_limit_s, period * self.tuning.merge_share)

    def _next_on_grid(self, group: str, period: float, now: float) -> float:
        """The next grid point that is at least half a period away."""
        steps = int((now + period / 2 - self._grid[group]) // period) + 1
        return self._grid[group] + max(0, steps) * period


def make_readings(meter: Meter, values: MeterValues, source: Source) -> list[Reading]:
    """One reading a circuit, of those that have something to say.

    That a switch is unknown says nothing, but where only the command can be read: then the meter is no longer under it.
    """
    if values.at is None:
        return []
    switch = meter.model.switch
    empty = (None,) if switch is not None and switch.shows_command else (None, "unknown")
    readings = []
    for circuit in meter.circuits:
        found = {key: value for key, value in values.of(circuit.number).items() if value not in empty}
        if not found:
            continue
        columns = {key: value for key, value in found.items() if is_column(key)}
        extras: Mapping[str, str] = {key: str(value) for key, value in found.items() if not is_column(key)}
        readings.append(Reading(circuit.id, values.at, columns, source, extras))
    return readings
