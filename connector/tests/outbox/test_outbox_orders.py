"""Orders on disk: nothing twice, nothing old, nothing late, whatever is killed when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from meter_connector.clock import Clock
from meter_connector.model import Order, OrderResult
from meter_connector.outbox import Outbox
from meter_connector.ports import Stage
from outboxhelp import NOW, order

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


class Time:
    """A clock's hands."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


async def opened(tmp_path: Path, time: Time) -> Outbox:
    return await Outbox.open(tmp_path / "outbox.sqlite3", Clock(wall=time, steady=time))


@pytest_asyncio.fixture
async def outbox(tmp_path: Path, time: Time) -> AsyncIterator[Outbox]:
    box = await opened(tmp_path, time)
    yield box
    await box.close()


def result(of: Order, state: str = "confirmed", reported: str = "on") -> OrderResult:
    return OrderResult(of.id, of.generation, state, reported, NOW + 1, "read back")  # type: ignore[arg-type]


async def told(outbox: Outbox) -> list[tuple[int, int, str]]:
    rows = await outbox.results(100)
    return [(row.result.order_id, row.result.generation, row.result.state) for row in rows]


async def test_an_order_goes_its_way_and_each_step_is_told(outbox: Outbox) -> None:
    assert await outbox.receive_orders([order()]) == [order()]
    assert [row.stage for row in await outbox.open_orders()] == [Stage.RECEIVED]
    assert await outbox.start_order(order())
    assert [row.stage for row in await outbox.open_orders()] == [Stage.STARTED]
    await outbox.accept_order(order(), "pending", "9C")
    assert [row.stage for row in await outbox.open_orders()] == [Stage.ACCEPTED]
    await outbox.finish_order(result(order()))
    assert await outbox.open_orders() == []
    assert await told(outbox) == [(1, 1, "received"), (1, 1, "accepted"), (1, 1, "confirmed")]


async def test_an_order_that_comes_again_is_not_carried_out_again(outbox: Outbox, time: Time) -> None:
    await outbox.receive_orders([order()])
    assert await outbox.receive_orders([order(), order()]) == []
    await outbox.start_order(order())
    await outbox.finish_order(result(order()))
    assert await outbox.receive_orders([order()]) == []
    assert not await outbox.start_order(order())
    assert await told(outbox) == [(1, 1, "received"), (1, 1, "confirmed")]


async def test_a_finished_order_that_odoo_still_holds_open_is_answered_again_but_not_every_second(
    outbox: Outbox, time: Time
) -> None:
    await outbox.receive_orders([order()])
    await outbox.start_order(order())
    await outbox.finish_order(result(order()))
    await outbox.settle("results", [row.row for row in await outbox.results(10)])
    time.at += 5
    assert await outbox.receive_orders([order()]) == []
    assert await told(outbox) == []  # Odoo has just been told
    time.at += 60
    await outbox.receive_orders([order()])
    await outbox.receive_orders([order()])
    assert await told(outbox) == [(1, 1, "confirmed")]


async def test_an_open_order_that_odoo_sends_again_is_confirmed_as_received_once_in_a_while(
    outbox: Outbox, time: Time
) -> None:
    await outbox.receive_orders([order()])
    await outbox.settle("results", [row.row for row in await outbox.results(10)])
    for _ in range(60):
        time.at += 1
        assert await outbox.receive_orders([order()]) == []
    assert 1 <= len(await told(outbox)) <= 3


async def test_a_newer_generation_ends_the_one_that_waits(outbox: Outbox) -> None:
    await outbox.receive_orders([order(1, 1, "switch_off")])
    assert await outbox.receive_orders([order(2, 2, "switch_on")]) == [order(2, 2, "switch_on")]
    assert not await outbox.start_order(order(1, 1, "switch_off"))
    assert await outbox.start_order(order(2, 2, "switch_on"))
    assert await told(outbox) == [(1, 1, "received"), (2, 2, "received"), (1, 1, "superseded")]


async def test_of_two_generations_in_one_answer_only_the_newest_is_carried_out(outbox: Outbox) -> None:
    wanted = await outbox.receive_orders([order(2, 2, "switch_on"), order(1, 1, "switch_off")])
    assert wanted == [order(2, 2, "switch_on")]
    assert (1, 1, "superseded") in await told(outbox)


async def test_an_old_trip_that_comes_late_is_never_carried_out_even_after_its_successor_is_forgotten(
    outbox: Outbox, time: Time
) -> None:
    await outbox.receive_orders([order(2, 2, "switch_on")])
    await outbox.start_order(order(2, 2, "switch_on"))
    await outbox.finish_order(result(order(2, 2)))
    time.at += 40 * 86400
    await outbox.expire_orders()
    late = order(1, 1, "switch_off", expires_at=0)
    assert await outbox.receive_orders([late]) == []
    assert not await outbox.start_order(late)
    assert (1, 1, "superseded") in await told(outbox)


async def test_an_order_under_way_is_not_sent_once_more_when_a_newer_one_came(outbox: Outbox) -> None:
    await outbox.receive_orders([order(1, 1, "switch_off")])
    assert await outbox.start_order(order(1, 1, "switch_off"))
    await outbox.receive_orders([order(2, 2, "switch_on")])
    assert not await outbox.start_order(order(1, 1, "switch_off"))
    assert await outbox.start_order(order(2, 2, "switch_on"))


async def test_reading_on_demand_supersedes_no_switch_order_and_other_circuits_are_others(
    outbox: Outbox,
) -> None:
    await outbox.receive_orders(
        [order(1, 5, "switch_on"), order(2, 9, "read"), order(3, 9, "switch_on", circuit=51)]
    )
    assert await outbox.start_order(order(1, 5, "switch_on"))
    assert await outbox.start_order(order(2, 9, "read"))
    assert await outbox.receive_orders([order(4, 0, "read"), order(5, 0, "sync_clock", circuit=0)]) != []


async def test_an_expired_order_is_not_even_begun(outbox: Outbox, time: Time) -> None:
    time.at = NOW + 601
    assert await outbox.receive_orders([order()]) == []
    assert await told(outbox) == [(1, 1, "expired")]


async def test_an_order_that_expires_while_it_waits_is_not_sent(outbox: Outbox, time: Time) -> None:
    await outbox.receive_orders([order()])
    time.at = NOW + 600
    assert not await outbox.start_order(order())
    assert await told(outbox) == [(1, 1, "received"), (1, 1, "expired")]


async def test_the_sweep_ends_what_waits_too_long_and_later_what_was_never_read_back(
    outbox: Outbox, time: Time
) -> None:
    await outbox.receive_orders([order(1), order(2, circuit=51), order(3, circuit=52, expires_at=0)])
    await outbox.start_order(order(2, circuit=51))
    time.at = NOW + 601
    assert [each.id for each in await outbox.expire_orders()] == [1]
    time.at = NOW + 661
    assert [each.id for each in await outbox.expire_orders()] == [2]
    assert [row.order.id for row in await outbox.open_orders()] == [3]
    assert (2, 1, "failed") in await told(outbox)


async def test_only_the_first_end_counts(outbox: Outbox) -> None:
    await outbox.receive_orders([order()])
    await outbox.start_order(order())
    await outbox.finish_order(result(order(), "failed", "off"))
    await outbox.finish_order(result(order(), "confirmed", "on"))
    await outbox.accept_order(order())
    assert await told(outbox) == [(1, 1, "received"), (1, 1, "failed")]


async def test_an_unknown_order_can_neither_start_nor_end(outbox: Outbox) -> None:
    assert not await outbox.start_order(order())
    await outbox.accept_order(order())
    await outbox.finish_order(result(order()))
    assert await told(outbox) == []


@pytest.mark.parametrize("stage", list(Stage))
async def test_after_a_restart_each_order_comes_back_at_the_stage_it_had(
    tmp_path: Path, time: Time, stage: Stage
) -> None:
    box = await opened(tmp_path, time)
    await box.receive_orders([order()])
    if stage >= Stage.STARTED:
        await box.start_order(order())
    if stage >= Stage.ACCEPTED:
        await box.accept_order(order())
    if stage >= Stage.DONE:
        await box.finish_order(result(order()))
    await box.close()
    box = await opened(tmp_path, time)
    rows = await box.open_orders()
    assert [(row.order, row.stage) for row in rows] == ([] if stage is Stage.DONE else [(order(), stage)])
    assert await box.receive_orders([order()]) == []
    await box.close()
