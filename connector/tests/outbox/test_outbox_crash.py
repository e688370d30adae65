"""Power cuts and kill -9 at any moment: what was promised is there, what was acknowledged is gone, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from meter_connector.clock import Clock
from meter_connector.model import OrderResult, Reading
from meter_connector.outbox import orders, queues
from meter_connector.outbox.database import check_integrity, open_database
from meter_connector.outbox.outbox import Outbox
from meter_connector.ports import Stage
from outboxhelp import NOW, files, order, reading

HERE = Path(__file__).parent
LAST_STAGE = {
    Stage.RECEIVED: "received",
    Stage.STARTED: "received",
    Stage.ACCEPTED: "accepted",
    Stage.DONE: "confirmed",
}


class CrashingOutbox(RuleBasedStateMachine):
    """The outbox against a list: put, settle, orders, and a crash = the files as they are, copied under its feet."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.generation = 0
        self.number = 0
        self.waiting: list[Reading] = []
        self.stages: dict[int, Stage] = {}
        self.told: Counter[tuple[int, str]] = Counter()
        self.db = open_database(self.path)

    @property
    def path(self) -> Path:
        return self.folder / f"{self.generation}.sqlite3"

    def transaction(self, *jobs: object) -> None:
        """As the writer does."""
        self.db.execute("BEGIN IMMEDIATE")
        for job in jobs:
            job()  # type: ignore[operator]
        self.db.execute("COMMIT")

    @initialize()
    def nothing_yet(self) -> None:
        assert queues.stats(self.db).readings == 0

    @rule(count=st.integers(1, 40), circuit=st.integers(1, 3))
    def put(self, count: int, circuit: int) -> None:
        fresh = [reading(self.number + n, circuit) for n in range(count)]
        self.number += count
        self.transaction(lambda: queues.put_readings(self.db, fresh))
        self.waiting += fresh

    @rule(limit=st.integers(1, 30), held=st.sets(st.integers(1, 3), max_size=2), data=st.data())
    def send(self, limit: int, held: set[int], data: st.DataObject) -> None:
        rows = queues.fetch_readings(self.db, limit, sorted(held))
        expected = [each for each in self.waiting if each.circuit_id not in held][:limit]
        assert [row.reading for row in rows] == expected
        done = [row for row in rows if data.draw(st.booleans())]
        self.transaction(lambda: queues.settle(self.db, "readings", [row.row for row in done]))
        gone = {(row.reading.circuit_id, row.reading.at) for row in done}
        self.waiting = [each for each in self.waiting if (each.circuit_id, each.at) not in gone]

    @rule(number=st.integers(1, 6))
    def receive(self, number: int) -> None:
        one = order(number, circuit=number, expires_at=0)
        wanted: list[object] = []
        self.transaction(lambda: wanted.extend(orders.receive(self.db, [one], NOW)))
        assert bool(wanted) == (number not in self.stages)
        if wanted:
            self.stages[number] = Stage.RECEIVED
            self.told[number, "received"] += 1

    @precondition(lambda self: self.stages)
    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.stages)))
        one, stage = order(number, circuit=number, expires_at=0), self.stages[number]
        step = data.draw(st.sampled_from(["start", "accept", "finish"]))
        if step == "start":
            started: list[bool] = []
            self.transaction(lambda: started.append(orders.start(self.db, one, NOW)))
            assert started == [stage is not Stage.DONE]
            self.stages[number] = max(stage, Stage.STARTED)
        elif step == "accept":
            self.transaction(lambda: orders.accept(self.db, one, "pending", "", NOW))
            self.told[number, "accepted"] += stage < Stage.ACCEPTED
            self.stages[number] = max(stage, Stage.ACCEPTED)
        else:
            over = OrderResult(number, 1, "confirmed", "on", NOW)
            self.transaction(lambda: orders.finish(self.db, over))
            self.told[number, "confirmed"] += stage < Stage.DONE
            self.stages[number] = Stage.DONE

    @rule(is_mid_write=st.booleans())
    def crash(self, is_mid_write: bool) -> None:
        """The power goes: what the files hold at this moment is all there is. Perhaps in the middle of a transaction."""
        if is_mid_write:
            self.db.execute("PRAGMA cache_size = 1")  # spill uncommitted pages into the log
            self.db.execute("BEGIN IMMEDIATE")
            queues.put_readings(self.db, [reading(10_000_000 + n) for n in range(500)])
        old = files(self.path)
        self.generation += 1
        for source, target in zip(old[:2], files(self.path)[:2], strict=True):
            if source.exists():
                shutil.copyfile(source, target)
        self.db.close()
        self.db = open_database(self.path)

    @invariant()
    def what_was_promised_is_there_and_nothing_else(self) -> None:
        assert [row.reading for row in queues.fetch_readings(self.db, 10_000)] == self.waiting
        rows = {row.order.id: row.stage for row in orders.recent(self.db, 100)}
        assert rows == self.stages
        told = Counter(
            (row.result.order_id, row.result.state) for row in queues.fetch_results(self.db, 10_000)
        )
        assert told == +self.told
        for number, stage in self.stages.items():
            assert told[number, LAST_STAGE[stage]] == 1

    def teardown(self) -> None:
        check_integrity(self.db, self.path)
        self.db.close()
        shutil.rmtree(self.folder)


TestCrashingOutbox = CrashingOutbox.TestCase
TestCrashingOutbox.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def run_until_killed(path: Path, first: int, after_lines: int) -> list[str]:
    """What the process said before it was killed without warning, in the middle of whatever it did."""
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent.parent / 'src'}"}
    command = [sys.executable, str(HERE / "kill_child.py"), str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(after_lines)]
        os.kill(child.pid, signal.SIGKILL)
        said += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    assert said[0] == "READY\n"
    return [line for line in said[1:] if line.endswith("\n")]


@pytest.mark.parametrize("seed", range(4))
async def test_kill_9_at_any_moment_loses_no_promise_and_brings_back_nothing_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    path = tmp_path / "outbox.sqlite3"
    said: list[str] = []
    for round_ in range(3):  # the same file is killed again and again
        said += run_until_killed(path, round_ * 1_000_000, rng.randint(30, 600))
    words = [line.split() for line in said]
    stored = {int(word[1]) for word in words if word[0] == "R"}
    settling = {int(float(word[1])) for word in words if word[0] == "S"}
    settled = {int(float(word[1])) for word in words if word[0] == "A"}
    outbox = await Outbox.open(path, Clock())
    rows = [int(row.reading.at - NOW) for row in await outbox.readings(1_000_000)]
    stages = {row.order.id: row.stage for row in await outbox.open_orders()}
    told = Counter((row.result.order_id, row.result.state) for row in await outbox.results(1_000_000))
    await outbox.close()
    assert len(rows) == len(set(rows)), f"seed {seed}: a reading is there twice"
    assert stored - settling <= set(rows), f"seed {seed}: a promised reading is lost"
    assert not settled & set(rows), f"seed {seed}: an acknowledged reading came back"
    promised = {int(word[1]): Stage(int(word[2])) for word in words if word[0] == "O"}
    for number, stage in promised.items():
        assert stages.get(number, Stage.DONE) >= stage, f"seed {seed}: order {number} fell back"
        assert told[number, LAST_STAGE[stage]] == 1, f"seed {seed}: order {number} told {told}"


async def test_the_kill_test_kills_in_the_middle() -> None:
    """If every child had finished neatly, the test above would prove nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.sqlite3"
        said = await asyncio.to_thread(run_until_killed, path, 0, 200)
        assert files(path)[1].stat().st_size > 0, "the log was not checkpointed away"
        assert any(line.startswith("O") for line in said)
