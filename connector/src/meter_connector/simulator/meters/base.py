"""What every meter has: registers, perhaps a relay, a clock, faults; and the face towards the control channel."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ...errors import SettingsError
from ..energy import REGISTERS, Energy
from ..faults import MeterFaults, changed
from ..journal import Journal
from ..relay import Relay
from ..scanners import Frame
from ..simtime import SimTime
from ..site import MeterSpec
from .live import Live, live_values


@dataclass(frozen=True)
class World:
    """What all meters share."""

    seed: int
    time: SimTime
    journal: Journal


class Meter(ABC):
    """A slave on a bus. `answer` is the protocol; everything else is physics. `writes`: control codes that change the meter."""

    writes: frozenset[int] = frozenset()

    def __init__(self, spec: MeterSpec, world: World) -> None:
        self.spec = spec
        self.world = world
        self.family = spec.model.family
        self.rng = random.Random(f"{world.seed}/{spec.serial}")
        self.energy = Energy(
            world.time,
            f"{world.seed}/{spec.serial}",
            spec.loads,
            spec.start,
            spec.ct_ratio,
            spec.model.is_multi_rate,
        )
        self.relay: Relay | None = None
        if spec.model.has_switch:
            self.relay = Relay(int(spec.setting("relay_lag_ms", 0)), spec.setting("relay", "on") == "on")
        self.children: list[Meter] = []
        self.faults = MeterFaults()
        self._clock_offset_ms = 0
        self._clock_set_at = world.time.wall_ms()
        self.requests = 0
        self.set_faults(spec.faults)

    # -- towards the bus ----------------------------------------------------------------------------------------------------------
    def hear(self, frame: Frame) -> bytes | None:
        """The answer to a request, None = silence."""
        if frame.family != self.family or not self.is_addressed(frame):
            return None
        self.requests += 1
        if self.faults.silent or self.rng.random() < self.faults.drop:
            return None
        self.settle()
        if self.faults.error:
            return self.refuse(frame, int(self.faults.error, 16))
        answer = self.answer(frame)
        return None if self.faults.mute_writes and frame.control in self.writes else answer

    @abstractmethod
    def is_addressed(self, frame: Frame) -> bool:
        """Is the request for this meter?"""

    @abstractmethod
    def answer(self, frame: Frame) -> bytes | None:
        """Answer and carry out; the meter is settled and addressed."""

    def shows(self, _frame: Frame) -> dict[str, str]:
        """What the answer to this request says of `total`, `voltage_v` and `switch`, as text: for a witness, who knows it without the wire."""
        return {}

    def shown(self, name: str) -> dict[str, str]:
        """One of them, as it stands now. `switch`: only open or closed."""
        if name == "total":
            cents = self.energy.cents()["total"]
            return {name: f"{cents // 100}.{cents % 100:02d}"}
        if name == "voltage_v":
            return {name: str(Decimal(self.live().voltage_dv[0]) / 10)}
        return {name: "on" if self.is_supplied else "off"}

    def is_missing(self, di: str) -> bool:
        """Does the fault `missing` take this data identifier away?"""
        return any(di.startswith(each.upper()) for each in self.faults.missing.split())

    @abstractmethod
    def refuse(self, frame: Frame, code: int) -> bytes | None:
        """The protocol's error answer."""

    # -- physics ------------------------------------------------------------------------------------------------------------------
    def settle(self) -> int:
        """Bring relay and registers up to now; answers now (wall milliseconds)."""
        time, relay = self.world.time, self.relay
        now = time.wall_ms()
        for child in self.children:
            child.settle()
        while relay is not None and (move := relay.due(now)) is not None:
            self.energy.advance(time.physics_at(move.at_ms), relay.is_closed)
            relay.carry_out(move)
            state = "on" if move.is_closed else "off"
            self.world.journal.add("relay", move.at_ms, meter=self.spec.serial, state=state, by=move.by)
        self.energy.offset_ms = self.clock_error_ms(now)
        self.energy.advance(time.physics_at(now), self.is_supplied)
        return now

    @property
    def is_supplied(self) -> bool:
        """Is the contact closed?"""
        return self.relay is None or self.relay.is_closed

    def power_w(self) -> int:
        """W (L/h) at this moment, primary."""
        own = self.energy.load_at(self.energy.at_ms + self.energy.offset_ms)
        return (own if self.is_supplied else 0) + sum(child.power_w() for child in self.children)

    def live(self) -> Live:
        """Voltage, current, power."""
        return live_values(self)

    # -- clock --------------------------------------------------------------------------------------------------------------------
    def clock_error_ms(self, now_ms: int) -> int:
        """How far the meter's clock is ahead."""
        drift = (now_ms - self._clock_set_at) * self.faults.clock_ppm / 1_000_000
        return self._clock_offset_ms + round(drift)

    def clock_ms(self) -> int:
        """What the meter's clock shows."""
        now = self.world.time.wall_ms()
        return self.world.time.clock_ms(now) + self.clock_error_ms(now)

    def clock(self) -> datetime:
        """The same as local time."""
        return self.world.time.local(self.clock_ms())

    def set_clock(self, shown_ms: int) -> None:
        """Put the clock to a time; the drift begins anew."""
        now = self.world.time.wall_ms()
        self._clock_offset_ms = shown_ms - self.world.time.clock_ms(now)
        self._clock_set_at = now

    # -- control ------------------------------------------------------------------------------------------------------------------
    def command(self, name: str, operator: str = "", error: str = "", **data: Any) -> None:
        """Note a command that came over the wire, carried out or refused."""
        data.update(meter=self.spec.serial, command=name, operator=operator)
        data.update({"result": "refused", "error": error} if error else {"result": "accepted"})
        self.world.journal.add("command", None, **data)

    def set_faults(self, faults: MeterFaults) -> None:
        """Take over a set of faults."""
        if faults.clock_offset_s != self.faults.clock_offset_s:
            self._clock_offset_ms = faults.clock_offset_s * 1000
        if faults.clock_ppm != self.faults.clock_ppm:
            self._clock_offset_ms = self.clock_error_ms(self.world.time.wall_ms())
            self._clock_set_at = self.world.time.wall_ms()
        self.faults = faults
        self.energy.is_stopped = faults.stopped
        if self.relay is not None:
            self.relay.is_stuck = faults.relay_stuck
            lag = faults.relay_lag_ms
            self.relay.lag_ms = int(self.spec.setting("relay_lag_ms", 0)) if lag < 0 else lag

    def memory(self) -> dict[str, Any]:
        """What a meter keeps without power, JSON-able. Faults are not kept."""
        relay = self.relay.memory() if self.relay is not None else {}
        clock_ms = self.clock_error_ms(self.world.time.wall_ms())
        return {"energy": self.energy.memory(), "relay": relay, "clock_ms": clock_ms}

    def remember(self, memory: Mapping[str, Any], passed_ms: int) -> None:
        """As it was, and then `passed_ms` of physics time lived through again."""
        self.energy.remember(memory["energy"])
        if self.relay is not None:
            self.relay.remember(memory["relay"])
        self._clock_offset_ms = memory["clock_ms"]
        self.energy.offset_ms = memory["clock_ms"]
        self.energy.advance(self.energy.at_ms + passed_ms, self.is_supplied)
        self.energy.at_ms = self.world.time.physics_ms()

    def apply(self, change: Mapping[str, Any]) -> None:
        """A change from the control channel; SettingsError when it cannot be, and then nothing is changed.

        Keys: registers {name: "123.45"}, consume "1.5" (kWh or m³ now), load "2.5" (kW or m³/h from now on, null = the curve),
        faults {…} (null = all healed), relay "on"/"off", press_button true, clock_offset_s 60.
        """
        self.settle()
        steps = [getattr(self, f"_do_{key}", None) for key in change]
        for key, step in zip(change, steps, strict=True):
            if step is None:
                raise SettingsError(f"{self.spec.serial}: {key!r} is not something to change")
        for value, step in zip(change.values(), steps, strict=True):
            assert step is not None
            step(value)

    def _do_registers(self, value: Mapping[str, Any]) -> None:
        for name in value:
            if name not in REGISTERS:
                raise SettingsError(
                    f"{self.spec.serial}: no register {name!r}; one of {', '.join(REGISTERS)}"
                )
        for name, number in value.items():
            self.energy.set_register(name, self._number(name, number))

    def _do_consume(self, value: Any) -> None:
        if not self.is_supplied:
            raise SettingsError(f"{self.spec.serial}: nothing can be consumed, the relay is open")
        self.energy.consume(self._number("consume", value))

    def _do_load(self, value: Any) -> None:
        self.energy.override_w = None if value is None else int(self._number("load", value) * 1000)

    def _do_faults(self, value: Mapping[str, Any] | None) -> None:
        faults = (
            MeterFaults() if value is None else changed(self.faults, value, f"{self.spec.serial}: faults")
        )
        self.set_faults(faults)
        self.world.journal.add("faults", meter=self.spec.serial, change=dict(value or {}))

    def _do_clock_offset_s(self, value: int) -> None:
        self.set_faults(replace(self.faults, clock_offset_s=0))
        self.set_clock(self.world.time.clock_ms(self.world.time.wall_ms()) + int(value) * 1000)

    def _do_relay(self, value: str) -> None:
        relay = self._relay()
        if value not in ("on", "off"):
            raise SettingsError(f"{self.spec.serial}: relay can be on or off, not {value!r}")
        now, lag, relay.lag_ms = self.world.time.wall_ms(), relay.lag_ms, 0
        relay.close(now, "hand") if value == "on" else relay.trip(now, "hand")
        self.settle()
        relay.lag_ms = lag

    def _do_press_button(self, value: bool) -> None:
        if value and not self._relay().press(self.world.time.wall_ms()):
            raise SettingsError(f"{self.spec.serial}: the button does nothing, closing is not permitted")
        self.settle()

    def _relay(self) -> Relay:
        if self.relay is None:
            raise SettingsError(f"{self.spec.serial}: has no relay")
        return self.relay

    def _number(self, key: str, value: Any) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise SettingsError(f"{self.spec.serial}: {key}: {value!r} is not a number") from None

    def state(self) -> dict[str, Any]:
        """The true state, JSON-able."""
        now = self.settle()
        live = self.live()
        relay = self.relay
        return {
            "serial": self.spec.serial,
            "address": self.spec.address,
            "model": self.spec.model.code,
            "unit": self.spec.unit,
            "registers": {
                name: f"{cents // 100}.{cents % 100:02d}" for name, cents in self.energy.cents().items()
            },
            "exact": {name: str(self.energy.exact(name)) for name in REGISTERS},
            "relay": relay.word if relay is not None else None,
            "is_closed": self.is_supplied,
            "is_keep_power": relay is not None and relay.is_keep_power,
            "power_kw": str(Decimal(self.power_w()) / 1000),
            "voltage_v": [str(Decimal(value) / 10) for value in live.voltage_dv],
            "clock": self.clock().isoformat(),
            "clock_error_ms": self.clock_error_ms(now),
            "faults": {
                key: value for key, value in vars(self.faults).items() if value != getattr(MeterFaults(), key)
            },
            "requests": self.requests,
        }
