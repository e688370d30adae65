"""What the connector does to switches by itself, also with Odoo away: timed supply, and closing again what a meter has tripped.

plan      period over ──> off (hold `plan`) ──> next period ──> on again, unless Odoo's newest wish is off
recovery  meter trips ──> hold `recovery`, delay ──> on again; more than `tries` trips in a row ──> hold `locked`, only a person's wish lifts it

The orders are stored like Odoo's, with ids below 0: nothing is sent twice or late, and a kill in between changes nothing. What becomes of them
is told as an event, written with their end.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..clock import Clock
from ..errors import OutboxError, Retry
from ..model import AutoRecovery, Circuit, Meter, Order, OrderKind, SiteConfig, SwitchState
from ..outbox.upkeep import Upkeep
from ..ports import Recorder, Stage
from .notices import Notices
from .orders import OpenOrder, OrderDesk
from .plan import Phases
from .tuning import Tuning

_logger = logging.getLogger(__name__)

MINUTE_S = 60.0


class SupplyKeeper:
    """One for a site. `run` is its task; `seen` is told what switches show."""

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        desk: OrderDesk,
        notices: Notices,
        submit: Callable[[Order, Stage], None],
        tuning: Tuning,
    ) -> None:
        self._recorder = recorder
        self._clock = clock
        self._desk = desk
        self._notices = notices
        self._submit = submit
        self._tuning = tuning
        self._site: SiteConfig | None = None
        self._phases: Phases | None = None
        self._shown: dict[int, SwitchState] = {}
        self._tripped: dict[int, tuple[Meter, Circuit]] = {}
        self._failed: dict[int, tuple[OrderKind, float]] = {}
        self._upkeeps: dict[int, Upkeep] = {}
        self._more = asyncio.Event()

    def apply(self, site: SiteConfig) -> None:
        """A configuration."""
        self._site = site
        self._phases = Phases(site.timezone)
        self._more.set()

    @property
    def is_needed(self) -> bool:
        """Has any meter of the site something to be kept?"""
        return bool(self._upkeeps) or any(True for _ in self._places())

    def seen(self, meter: Meter, circuit: Circuit, state: object) -> None:
        """A switch was read. A meter that went off by itself has tripped."""
        if meter.auto_recovery is None or state not in ("on", "off"):
            return
        before, self._shown[circuit.id] = self._shown.get(circuit.id), state
        known = self._upkeeps.get(circuit.id)
        if state == "off" and before == "on" and not self._is_ordered(circuit.id):
            self._tripped[circuit.id] = (meter, circuit)
            self._more.set()
        elif state == "on" and known is not None and (known.hold == "recovery" or known.trips):
            self._more.set()

    def closed(self, opened: OpenOrder, state: str) -> None:
        """One of our orders is over. What failed is tried again later."""
        order = opened.order
        if order.is_own and state in ("failed", "expired"):
            retry_at = self._clock.now() + self._tuning.plan_retry_s
            self._failed[order.circuit_id] = (order.kind, retry_at)

    async def run(self) -> None:
        """Look at every minute's beginning, and when something happens."""
        await asyncio.sleep(self._tuning.plan_first_s)
        while True:
            self._more.clear()
            try:
                await self._step()
            except OutboxError as error:
                if error.retry is Retry.NEVER:
                    raise
                _logger.error("supply plans wait for the disk: %s", error)
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._more.wait()
            except TimeoutError:
                continue

    def _pause_s(self) -> float:
        now = self._clock.now()
        pause = MINUTE_S - now % MINUTE_S + 0.01
        for place in self._places():
            known = self._upkeeps.get(place[1].id)
            if known is not None and known.hold == "recovery" and place[0].auto_recovery is not None:
                pause = min(pause, max(0.05, known.tripped_at + place[0].auto_recovery.delay_s - now))
        return pause

    async def _step(self) -> None:
        self._upkeeps = await self._recorder.upkeeps()
        if self._site is None or not self.is_needed:
            return
        now = self._clock.now()
        await self._note_trips(now)
        for meter, circuit in list(self._places()):
            known = self._upkeeps.get(circuit.id, Upkeep(circuit.id))
            if meter.auto_recovery is not None:
                await self._recover(meter, circuit, known, meter.auto_recovery, now)
                known = self._upkeeps.get(circuit.id, known)
            if self._clock.is_known:
                await self._follow_plan(meter, circuit, known, now)

    def _places(self) -> Iterator[tuple[Meter, Circuit]]:
        """Switches that have something to be kept."""
        for _gateway, _bus, meter in self._site.meters() if self._site is not None else ():
            has_plan = meter.supply_plan is not None and meter.supply_plan.kept_by == "connector"
            for circuit in meter.circuits:
                is_held = circuit.id in self._upkeeps and self._upkeeps[circuit.id].hold == "plan"
                if circuit.has_switch and (has_plan or meter.auto_recovery is not None or is_held):
                    yield meter, circuit

    # ---- plan ----

    async def _follow_plan(self, meter: Meter, circuit: Circuit, known: Upkeep, now: float) -> None:
        plan = meter.supply_plan
        if plan is None or plan.kept_by != "connector" or self._phases is None:
            if known.hold == "plan":  # the plan is gone: nobody else would end what it began
                await self._end_hold(meter, circuit, known, 0.0, now)
            return
        phase = self._phases.at(plan, now)
        if phase.is_on and known.hold == "plan":
            await self._end_hold(meter, circuit, known, phase.until, now)
        elif not phase.is_on and (
            known.phase != phase.since or self._is_due_again(circuit, "switch_off", now)
        ):
            await self._begin_hold(meter, circuit, known, phase.since, phase.until, now)

    async def _begin_hold(
        self, meter: Meter, circuit: Circuit, known: Upkeep, since: float, until: float, now: float
    ) -> None:
        """Off. Where Odoo has it off already nothing is sent, but what it orders meanwhile waits for the next period all the same."""
        keep = replace(known, hold="plan", phase=since)
        if await self._recorder.wish(circuit.id) == "off":
            await self._keep(keep)
            return
        data = {"event": "plan_switched", "until": until}
        if await self._order("switch_off", meter, circuit, until or now + 86400, data, keep):
            self._failed.pop(circuit.id, None)

    async def _end_hold(
        self, meter: Meter, circuit: Circuit, known: Upkeep, until: float, now: float
    ) -> None:
        keep = replace(known, hold="")
        if await self._recorder.wish(circuit.id) == "off":
            await self._keep(keep)
            return
        if not self._is_due(circuit, "switch_on", now):
            return
        data = {"event": "plan_switched", "until": until}
        await self._order("switch_on", meter, circuit, until or now + 86400, data, keep)

    # ---- recovery ----

    async def _note_trips(self, now: float) -> None:
        tripped, self._tripped = self._tripped, {}
        for meter, circuit in tripped.values():
            known = self._upkeeps.get(circuit.id, Upkeep(circuit.id))
            spec = meter.auto_recovery
            if spec is None or known.hold or await self._recorder.wish(circuit.id) == "off":
                continue
            in_a_row = known.trips + 1 if now - known.tripped_at < spec.stable_s else 1
            is_locked = in_a_row > spec.tries
            hold = "locked" if is_locked else "recovery"
            await self._keep(replace(known, hold=hold, trips=in_a_row, tripped_at=now))  # type: ignore[arg-type]
            self._notices.tell(
                "recovery_locked" if is_locked else "meter_tripped",
                meter_id=meter.id,
                circuit_id=circuit.id,
                trips=in_a_row,
                tries=spec.tries,
            )

    async def _recover(
        self, meter: Meter, circuit: Circuit, known: Upkeep, spec: AutoRecovery, now: float
    ) -> None:
        shown = self._shown.get(circuit.id)
        is_stable = now - known.tripped_at >= spec.stable_s
        if known.hold == "recovery" and shown == "on":
            await self._keep(replace(known, hold=""))  # somebody pressed the button
        elif not known.hold and known.trips and shown == "on" and is_stable:
            await self._keep(replace(known, trips=0))
        elif known.hold == "recovery" and now >= known.tripped_at + spec.delay_s:
            keep = replace(known, hold="")
            data = {"event": "auto_recovered", "trips": known.trips, "tries": spec.tries}
            if await self._recorder.wish(circuit.id) == "off":
                await self._keep(keep)
            elif self._is_due(circuit, "switch_on", now):
                await self._order("switch_on", meter, circuit, now + self._tuning.recovery_life_s, data, keep)

    # ---- orders ----

    async def _order(
        self,
        kind: OrderKind,
        meter: Meter,
        circuit: Circuit,
        expires_at: float,
        data: dict[str, Any],
        keep: Upkeep,
    ) -> bool:
        reason = "supply plan" if data["event"] == "plan_switched" else "closed again after a trip"
        text = json.dumps(data)
        now = self._clock.now()
        wanted = Order(0, 0, kind, meter.id, circuit.id, now, expires_at, reason, 0, text)
        made = await self._recorder.own_order(wanted, keep)
        if made is None:
            return False
        self._upkeeps[circuit.id] = keep
        _logger.info("%s: %s meter %s circuit %s", reason, kind, meter.serial, circuit.number)
        self._submit(made, Stage.RECEIVED)
        return True

    async def _keep(self, keep: Upkeep) -> None:
        self._upkeeps[keep.circuit_id] = keep
        await self._recorder.keep_upkeep(keep)

    def _is_due(self, circuit: Circuit, kind: OrderKind, now: float) -> bool:
        failed = self._failed.get(circuit.id)
        return failed is None or failed[0] != kind or now >= failed[1]

    def _is_due_again(self, circuit: Circuit, kind: OrderKind, now: float) -> bool:
        failed = self._failed.get(circuit.id)
        return failed is not None and failed[0] == kind and now >= failed[1]

    def _is_ordered(self, circuit_id: int) -> bool:
        """Is a switch order of this circuit under way?"""
        return any(
            opened.order.circuit_id == circuit_id and opened.order.kind in ("switch_on", "switch_off")
            for opened in self._desk.open
        )
