"""Faults put into the product on purpose, to see that the trials find them. Each is a function of pytest's monkeypatch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from meter_connector.app import App
from meter_connector.clock import Clock
from meter_connector.drivers import Exchange, Line
from meter_connector.model import Order, Reading
from meter_connector.odoo.face import Answers
from meter_connector.odoo.sender import Sender
from meter_connector.outbox import Outbox, orders
from meter_connector.ports import Stage
from meter_connector.scheduler import bus, polling
from meter_connector.scheduler.errands import PurchaseErrand
from meter_connector.scheduler.orders import OpenOrder, OrderDesk
from meter_connector.scheduler.recording import Recording
from meter_connector.scheduler.supply import SupplyKeeper
from meter_connector.scheduler.switching import Switching

Mutation = Callable[[pytest.MonkeyPatch], None]


def orders_never_expire(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders, "is_expired", lambda order, now: False)
    patch.setattr(OpenOrder, "is_expired", False)


def nobody_asks_the_disk_before_a_command(patch: pytest.MonkeyPatch) -> None:
    async def start_order(_self: Outbox, _order: Order) -> bool:
        return True

    patch.setattr(Outbox, "start_order", start_order)


def a_restart_forgets_what_was_sent(patch: pytest.MonkeyPatch) -> None:
    submit = App._submit
    patch.setattr(App, "_submit", lambda self, order, _stage: submit(self, order, Stage.RECEIVED))


def readings_count_before_they_are_stored(patch: pytest.MonkeyPatch) -> None:
    put, tasks = Outbox.put_readings, set[asyncio.Task[None]]()

    async def put_readings(self: Outbox, readings: Sequence[Reading]) -> None:
        task = asyncio.get_running_loop().create_task(put(self, list(readings)))
        tasks.add(task)

    patch.setattr(Outbox, "put_readings", put_readings)


def retry_is_taken_for_an_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answers, "is_final", lambda self, index: True)


def a_batch_leaves_before_it_is_acknowledged(patch: pytest.MonkeyPatch) -> None:
    send_batch = Sender._send_batch

    async def settled_first(self: Sender[Any]) -> int:
        items = await self.queue.fetch(self.batch, self._held_now())
        send = self.queue.send

        async def send_after(batch: Sequence[Any]) -> Answers:
            await self.outbox.settle(self.queue.table, [self.queue.row_of(item) for item in batch])
            return await send(batch)

        object.__setattr__(self.queue, "send", send_after)
        try:
            return await send_batch(self) if items else 0
        finally:
            object.__setattr__(self.queue, "send", send)

    patch.setattr(Sender, "_send_batch", settled_first)


def older_generations_are_carried_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders, "is_superseded", lambda db, order: False)
    patch.setattr(OrderDesk, "_make_newest", lambda self, order: True)


def late_answers_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    async def at_once(_self: Exchange, _query: object) -> None:
        return

    patch.setattr(Exchange, "_let_late_pass", at_once)
    patch.setattr(Exchange, "_sort_out_stale", lambda self, query: None)


def a_restart_believes_the_wall_clock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Clock, "resume", lambda self, kept: False)


def every_total_is_a_thousand_more(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(polling, "Reading", _more)
    patch.setattr(bus, "make_readings", polling.make_readings)


def _more(circuit_id: int, at: float, values: dict[str, Any], *more: Any) -> Reading:
    total = values.get("total")
    raised = values if total is None else {**values, "total": total + 1000}
    return Reading(circuit_id, at, raised, *more)


def every_reading_is_stored_a_second_time(patch: pytest.MonkeyPatch) -> None:
    readings = Recording.readings

    def twice(self: Recording, found: list[Reading]) -> None:
        readings(self, found)
        readings(self, [replace(reading, at=reading.at + 0.25) for reading in found])

    patch.setattr(Recording, "readings", twice)


def a_switch_command_is_sent_twice(patch: pytest.MonkeyPatch) -> None:
    send = Switching._send

    async def twice(self: Switching, line: Line) -> None:
        await send(self, line)
        await self._bus.driver_of(self._meter).switch(line, self._meter, self._circuit, self._wanted)

    patch.setattr(Switching, "_send", twice)


def silence_after_a_purchase_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    async def look(self: PurchaseErrand, _line: Line) -> None:
        before = self._purchase().count - 1
        self._finish("failed", "no answer", {"count_before": before, "count_after": before})

    patch.setattr(PurchaseErrand, "look", look)


def nobody_switches_on_when_the_hours_begin(patch: pytest.MonkeyPatch) -> None:
    async def end_hold(*_args: object) -> None:
        return

    patch.setattr(SupplyKeeper, "_end_hold", end_hold)


def hours_of_supply_have_no_end(patch: pytest.MonkeyPatch) -> None:
    async def begin_hold(*_args: object) -> None:
        return

    patch.setattr(SupplyKeeper, "_begin_hold", begin_hold)


MUTATIONS: tuple[Mutation, ...] = (
    orders_never_expire,
    nobody_asks_the_disk_before_a_command,
    a_restart_forgets_what_was_sent,
    readings_count_before_they_are_stored,
    retry_is_taken_for_an_end,
    a_batch_leaves_before_it_is_acknowledged,
    older_generations_are_carried_out,
    late_answers_are_not_waited_for,
    a_restart_believes_the_wall_clock,
    every_total_is_a_thousand_more,
    every_reading_is_stored_a_second_time,
    a_switch_command_is_sent_twice,
    silence_after_a_purchase_is_a_failure,
    nobody_switches_on_when_the_hours_begin,
    hours_of_supply_have_no_end,
)
TESTED: tuple[tuple[Mutation, str], ...] = (
    (orders_never_expire, "carried out late"),
    (a_restart_forgets_what_was_sent, "carried out twice"),
    (readings_count_before_they_are_stored, "reading lost"),
    (retry_is_taken_for_an_end, "reading lost"),
    (a_batch_leaves_before_it_is_acknowledged, "reading lost"),
    (every_total_is_a_thousand_more, "reading invented"),
    (every_reading_is_stored_a_second_time, "reading twice"),
    (a_switch_command_is_sent_twice, "acknowledged and sent again"),
    (silence_after_a_purchase_is_a_failure, "money in the meter and nobody knows"),
    (nobody_switches_on_when_the_hours_begin, "paid and dark"),
    (hours_of_supply_have_no_end, "not as desired"),
)
"""Found within a few seeds, and by which rule."""
