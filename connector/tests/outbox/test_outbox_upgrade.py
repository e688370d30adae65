"""An outbox of the first version, in the middle of its work, goes on under this one."""

from __future__ import annotations

import shutil
from pathlib import Path

from meter_connector.clock import Clock
from meter_connector.outbox import Outbox
from meter_connector.outbox.database import SCHEMA_DIR, open_database
from meter_connector.ports import Stage
from outboxhelp import NOW


async def test_readings_orders_and_results_of_version_1_stay_what_they_were(tmp_path: Path) -> None:
    old = tmp_path / "schema"
    old.mkdir()
    shutil.copy(SCHEMA_DIR / "0001.sql", old)
    path = tmp_path / "outbox.sqlite3"
    db = open_database(path, schema_dir=old)
    for number in range(3):
        db.execute(
            "INSERT INTO readings (circuit_id, at, total, source) VALUES (1, ?, '1.00', 'scheduled')",
            (NOW + number,),
        )
    db.execute(
        "INSERT INTO orders (id, generation, kind, meter_id, circuit_id, created_at, expires_at, reason, stage, state, reported,"
        " changed_at, detail) VALUES (9, 4, 'switch_off', 5, 50, ?, 0, 'debt', 1, 'received', 'unknown', ?, '')",
        (NOW, NOW),
    )
    db.execute(
        "INSERT INTO results (order_id, generation, state, reported, at, detail) VALUES (9, 4, 'received', '', ?, '')",
        (NOW,),
    )
    db.execute("INSERT INTO generations VALUES (50, 4)")
    db.close()
    outbox = await Outbox.open(path, Clock())
    assert (await outbox.stats()).readings == 3
    (row,) = await outbox.open_orders()
    assert (row.order.id, row.order.data, row.order.bus_id, row.stage) == (9, "", 0, Stage.STARTED)
    (told,) = await outbox.results(10)
    assert (told.result.state, told.result.data) == ("received", "")
    assert await outbox.wish(50) == ""
    assert await outbox.upkeeps() == {}
    await outbox.close()
