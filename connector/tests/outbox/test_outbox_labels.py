"""Each method of the outbox that changes the file has a label of steps.py, at which the connector is killed in test_killed.py."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

from meter_connector import steps
from meter_connector.clock import Clock
from meter_connector.model import Order, OrderResult
from meter_connector.outbox import Outbox
from meter_connector.outbox.upkeep import Upkeep
from outboxhelp import NOW, event, reading

GIVEN = Order(1, 1, "switch_off", 5, 50, NOW, NOW + 1)
MINE = Order(0, 0, "switch_on", 6, 60, NOW, NOW + 9, data='{"event": "plan_switched"}')
WRITING: dict[str, tuple[str, Callable[[Outbox], Awaitable[object]]]] = {
    "put_reading": ("readings.stored", lambda box: box.put_reading(reading(1))),
    "put_readings": ("readings.stored", lambda box: box.put_readings([reading(2)])),
    "put_event": ("event.stored", lambda box: box.put_event(event(1))),
    "receive_orders": ("orders.received", lambda box: box.receive_orders([GIVEN])),
    "start_order": ("order.started", lambda box: box.start_order(GIVEN)),
    "accept_order": ("order.accepted", lambda box: box.accept_order(GIVEN)),
    "progress_order": ("search.told", lambda box: box.progress_order(GIVEN, "{}")),
    "finish_order": ("order.done", lambda box: box.finish_order(OrderResult(1, 1, "confirmed", "off", NOW))),
    "own_order": ("plan.ordered", lambda box: box.own_order(MINE)),
    "keep_upkeep": ("plan.kept", lambda box: box.keep_upkeep(Upkeep(60, "plan"))),
    "keep_state": ("state.kept", lambda box: box.keep_state(5, "{}")),
    "expire_orders": ("orders.expired", lambda box: box.expire_orders()),
    "settle": ("batch.settled", lambda box: box.settle("readings", [1])),
    "keep_config": ("config.kept", lambda box: box.keep_config({"version": 1})),
    "keep_problem": ("problem.kept", lambda box: box.keep_problem("a")),
    "begin_time": ("time.kept", lambda box: box.begin_time()),
    "keep_time": ("time.kept", lambda box: box.keep_time()),
}
READING: dict[str, Callable[[Outbox], Awaitable[object]]] = {
    "upkeeps": lambda box: box.upkeeps(),
    "wish": lambda box: box.wish(50),
    "contacts": lambda box: box.contacts(),
    "open_orders": lambda box: box.open_orders(),
    "readings": lambda box: box.readings(10),
    "kept_state": lambda box: box.kept_state(5),
    "oldest_reading_at": lambda box: box.oldest_reading_at(10, []),
    "newest_before": lambda box: box.newest_before(NOW),
    "events": lambda box: box.events(10),
    "results": lambda box: box.results(10),
    "stats": lambda box: box.stats(),
    "measure_room": lambda box: box.measure_room(10),  # its event goes through put_event
    "kept_config": lambda box: box.kept_config(),
}


async def test_every_method_that_writes_has_a_label_and_no_other_one_writes(tmp_path: Path) -> None:
    now = [NOW]
    box = await Outbox.open(tmp_path / "outbox.sqlite3", Clock(wall=lambda: now[0], steady=lambda: now[0]))
    methods = {name for name, _ in inspect.getmembers(Outbox, inspect.iscoroutinefunction) if name[0] != "_"}
    assert methods - {"open", "close"} == WRITING.keys() | READING.keys()
    assert {label for label, _call in WRITING.values()} <= set(steps.STEPS)

    async def changes() -> int:
        return await box._writer.run(lambda db: db.total_changes)

    for name, call in {**{name: call for name, (_, call) in WRITING.items()}, **READING}.items():
        if name == "expire_orders":
            now[0] += 100
        before = await changes()
        await call(box)
        assert (await changes() > before) == (name in WRITING), name
    await box.close()
