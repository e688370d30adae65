"""What tests share. `nothing_left_behind`: a test that leaves a task or a thread of ours behind fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from meter_connector.events import KINDS
from meter_connector.model import Event

OURS = ("outbox-writer", "odoo_")


@pytest.fixture(autouse=True)
def events_obey_their_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test makes happen: each event carries the data that the table (and docs/rpc.md) names, and no other."""
    wrong: list[str] = []
    make = Event.__init__

    def checked(self: Event, *args: Any, **keys: Any) -> None:
        make(self, *args, **keys)
        allowed = KINDS.get(self.kind)
        if allowed is not None and not self.data.keys() <= allowed:
            wrong.append(f"{self.kind}: {sorted(self.data.keys() - allowed)}")

    monkeypatch.setattr(Event, "__init__", checked)
    yield
    assert not wrong, f"data of events that no document names: {wrong}"


@pytest_asyncio.fixture
async def nothing_left_behind() -> AsyncIterator[None]:
    yield
    current = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not current and not task.done()]
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(OURS)]
    assert not tasks, f"left behind: {tasks}"
    assert not threads, f"left behind: {threads}"
