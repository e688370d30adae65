"""What the connector does to switches by itself, also with Odoo away: timed supply, and closing again what a meter has tripped.

plan      period over ──> off (hold `plan`) ──> next period (`plan_over`) ──> on again, tried until it is, unless Odoo's newest wish is off
trip      a meter that went off unordered is told (`meter_tripped`) and rests: `tripped` until Odoo orders, or with a recovery
recovery  rest `recovery`, delay ──> on again; more than `tries` trips in a row ──> rest `locked`, only a person's order lifts it

A hold and a rest are kept apart: no plan closes what tripped, no recovery closes in the plan's hours without supply.

The orders are stored like Odoo's, with ids below 0: nothing is sent twice or late, and a kill in between changes nothing. What becomes of them
is told as an event, written with their end; an own switch_on that is confirmed ends the hold or the rest in the same step.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from ..clock import Clock
from ..errors import OutboxError, Retry
from ..model import AutoRecovery, Circuit, Meter, Order, OrderKind, SiteConfig, SwitchState
from ..outbox.upkeep import Rest, Upkeep
from ..ports import Recorder, Stage
from .notices import Notices
from .orders import SWITCHES, OpenOrder, OrderDesk
from .plan import Phases, is_supplied
from .tuning import Tuning

_logger = logging.getLogger(__name__)

MINUTE_S = 60.0
DAY_S = 86400.0


@dataclass(frozen=True)
class Sighting:
    """What a switch showed when it was read; `is_ordered`: while an order of ours or Odoo's was at work on it."""

    meter: Meter
    circuit: Circuit
    state: Literal["on", "off"]
    is_ordered: bool


@dataclass(frozen=True)
class Failed:
    """Own orders of a kind that failed, so many in a row; `retry_at`: epoch seconds."""

    kind: OrderKind
    times: int
    retry_at: float


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
        self._news: list[Sighting] = []
        self._failed: dict[int, Failed] = {}
        self._upkeeps: dict[int, Upkeep] = {}
        self._more = asyncio.Event()

    def apply(self, site: SiteConfig) -> None:
        """A configuration."""
        self._site = site
        self._phases = Phases(site.timezone)
        self._more.set()

    def seen(self, meter: Meter, circuit: Circuit, state: object) -> None:
        """A switch was read."""
        if circuit.has_switch and (state == "on" or state == "off"):
            self._note(Sighting(meter, circuit, state, self._is_ordered(circuit.id)))

    def closed(self, opened: OpenOrder, state: str) -> None:
        """An order is over. What it left the switch at is no trip; one of ours that failed is tried again later."""
        order, circuit = opened.order, opened.circuit
        if circuit is None or order.kind not in SWITCHES:
            return
        if opened.reported == "on" or opened.reported == "off":
            self._note(Sighting(opened.target, circuit, opened.reported, True))
        if not order.is_own:
            return
        if state in ("failed", "expired"):
            before = self._failed.get(circuit.id)
            times = before.times + 1 if before is not None and before.kind == order.kind else 1
            pause = min(
                self._tuning.plan_retry_s * 2.0 ** min(times - 1, 10), self._tuning.plan_retry_limit_s
            )
            self._failed[circuit.id] = Failed(order.kind, times, self._clock.now() + pause)
        else:
            self._failed.pop(circuit.id, None)

    def _note(self, sighting: Sighting) -> None:
        circuit_id = sighting.circuit.id
        if self._shown.get(circuit_id) != sighting.state:
            self._shown[circuit_id] = sighting.state
            self._news.append(sighting)
            self._more.set()

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
        for meter, circuit in self._places():
            known = self._known(circuit)
            if known.rest == "recovery" and known.hold != "plan" and meter.auto_recovery is not None:
                at = known.tripped_at + meter.auto_recovery.delay_s
                pause = min(pause, max(0.05, at - now)) if at > now else pause
        return pause

    async def _step(self) -> None:
        self._upkeeps = await self._recorder.upkeeps()
        now = self._clock.now()
        while self._news:
            await self._learn(self._news[0], now)
            self._news.pop(0)
        for meter, circuit in list(self._places()):
            await self._recover(meter, circuit, self._known(circuit), now)
            if self._clock.is_known:
                await self._follow_plan(meter, circuit, self._known(circuit), now)

    def _places(self) -> Iterator[tuple[Meter, Circuit]]:
        """All switches of the site."""
        for _gateway, _bus, meter in self._site.meters() if self._site is not None else ():
            for circuit in meter.circuits:
                if circuit.has_switch:
                    yield meter, circuit

    def _known(self, circuit: Circuit) -> Upkeep:
        return self._upkeeps.get(circuit.id) or Upkeep(circuit.id)

    # ---- plan ----

    async def _follow_plan(self, meter: Meter, circuit: Circuit, known: Upkeep, now: float) -> None:
        plan = meter.supply_plan
        if plan is None or plan.kept_by != "connector" or self._phases is None:
            if known.hold:  # the plan is gone: nobody else would end what it began
                await self._end_hold(meter, circuit, known, 0.0, now)
            return
        phase = self._phases.at(plan, now)
        if phase.is_on:
            if known.hold:
                await self._end_hold(meter, circuit, known, phase.until, now)
        elif known.phase != phase.since or (
            known.hold == "plan" and self._is_on_in_spite(circuit, known, now)
        ):
            await self._begin_hold(meter, circuit, known, phase.since, phase.until, now)

    def _is_on_in_spite(self, circuit: Circuit, known: Upkeep, now: float) -> bool:
        """Did the trip of the plan fail, or has somebody closed again by hand?"""
        shown = self._shown.get(circuit.id, known.shown)
        return shown != "off" and self._is_due(circuit, "switch_off", now)

    async def _begin_hold(
        self, meter: Meter, circuit: Circuit, known: Upkeep, since: float, until: float, now: float
    ) -> None:
        """Off. Where Odoo has it off already nothing is sent, but what it orders meanwhile waits for the next period all the same."""
        keep = replace(known, hold="plan", phase=since)
        is_off = bool(known.rest) and self._shown.get(circuit.id, known.shown) == "off"
        if is_off or await self._recorder.wish(circuit.id) == "off":
            await self._keep(keep)
            return
        data = {"event": "plan_switched", "until": until}
        await self._order("switch_off", meter, circuit, until or now + DAY_S, data, keep)

    async def _end_hold(
        self, meter: Meter, circuit: Circuit, known: Upkeep, until: float, now: float
    ) -> None:
        """On again, until it is. What is off by Odoo's wish or by a trip is not ours to close."""
        shown = self._shown.get(circuit.id)
        if known.hold == "plan":
            known = replace(known, hold="plan_over")
            await self._keep(known)
        elif shown == "on":
            await self._keep(replace(known, hold=""))
            return
        if known.rest or await self._recorder.wish(circuit.id) == "off":
            await self._keep(replace(known, hold=""))
        elif self._is_due(circuit, "switch_on", now):
            data = {"event": "plan_switched", "until": until}
            await self._order("switch_on", meter, circuit, until or now + DAY_S, data)

    # ---- trips and recovery ----

    async def _learn(self, sighting: Sighting, now: float) -> None:
        """What a switch shows, compared with what it showed last, be it before a restart."""
        known = self._known(sighting.circuit)
        if sighting.state == known.shown:
            return
        keep = replace(known, shown=sighting.state)
        if sighting.state == "on" and known.rest != "locked":
            keep = replace(keep, rest="")  # ordered by Odoo, or somebody pressed the button
        if not await self._is_trip(sighting, known, now):
            await self._keep(keep)
            return
        keep, kind, data = _tripped(sighting.meter.auto_recovery, keep, now)
        await self._keep(keep)
        self._notices.tell(kind, meter_id=sighting.meter.id, circuit_id=sighting.circuit.id, **data)

    async def _is_trip(self, sighting: Sighting, known: Upkeep, now: float) -> bool:
        """Did the meter open by itself: not by an order, not by the plan, be it the meter's own?"""
        if sighting.state != "off" or known.shown != "on" or sighting.is_ordered or known.hold == "plan":
            return False
        plan = sighting.meter.supply_plan
        if plan is not None and plan.kept_by == "meter" and self._site is not None:
            edge_s = self._tuning.plan_edge_s
            for at in (now - edge_s, now, now + edge_s):
                if not is_supplied(plan, datetime.fromtimestamp(at, self._site.timezone)):
                    return False
        return await self._recorder.wish(sighting.circuit.id) != "off"

    async def _recover(self, meter: Meter, circuit: Circuit, known: Upkeep, now: float) -> None:
        spec = meter.auto_recovery
        if spec is None:
            if known.rest == "recovery":  # not ours any more: Odoo orders
                await self._keep(replace(known, rest="tripped"))
            return
        if not known.rest and known.trips and now - known.tripped_at >= spec.stable_s:
            await self._keep(replace(known, trips=0))
        elif known.rest == "recovery" and known.hold != "plan" and now >= known.tripped_at + spec.delay_s:
            if await self._recorder.wish(circuit.id) == "off":
                await self._keep(replace(known, rest=""))
            elif self._is_due(circuit, "switch_on", now):
                data = {"event": "auto_recovered", "trips": known.trips, "tries": spec.tries}
                expires_at = now + self._tuning.recovery_life_s
                await self._order("switch_on", meter, circuit, expires_at, data)

    # ---- orders ----

    async def _order(
        self,
        kind: OrderKind,
        meter: Meter,
        circuit: Circuit,
        expires_at: float,
        data: dict[str, Any],
        keep: Upkeep | None = None,
    ) -> None:
        """None is made while another one is under way."""
        reason = "supply plan" if data["event"] == "plan_switched" else "closed again after a trip"
        text = json.dumps(data)
        now = self._clock.now()
        wanted = Order(0, 0, kind, meter.id, circuit.id, now, expires_at, reason, 0, text)
        made = await self._recorder.own_order(wanted, keep)
        if made is None:
            return
        if keep is not None:
            self._upkeeps[circuit.id] = keep
        _logger.info("%s: %s meter %s circuit %s", reason, kind, meter.serial, circuit.number)
        self._submit(made, Stage.RECEIVED)

    async def _keep(self, keep: Upkeep) -> None:
        if keep != self._upkeeps.get(keep.circuit_id):
            await self._recorder.keep_upkeep(keep)
            self._upkeeps[keep.circuit_id] = keep

    def _is_due(self, circuit: Circuit, kind: OrderKind, now: float) -> bool:
        failed = self._failed.get(circuit.id)
        return failed is None or failed.kind != kind or now >= failed.retry_at

    def _is_ordered(self, circuit_id: int) -> bool:
        """Is a switch order of this circuit under way?"""
        return any(
            opened.order.circuit_id == circuit_id and opened.order.kind in SWITCHES
            for opened in self._desk.open
        )


def _tripped(spec: AutoRecovery | None, known: Upkeep, now: float) -> tuple[Upkeep, str, dict[str, int]]:
    """What is kept of a trip, and the event that tells it. Without a recovery of ours Odoo counts and closes."""
    rest: Rest
    if spec is None:
        rest = "locked" if known.rest == "locked" else "tripped"
        return replace(known, rest=rest, tripped_at=now), "meter_tripped", {}
    in_a_row = known.trips + 1 if now - known.tripped_at < spec.stable_s else 1
    is_locked = in_a_row > spec.tries or known.rest == "locked"
    rest = "locked" if is_locked else "recovery"
    kept = replace(known, rest=rest, trips=in_a_row, tripped_at=now)
    return kept, "recovery_locked" if is_locked else "meter_tripped", {"trips": in_a_row, "tries": spec.tries}
