"""What tests share. `nothing_left_behind`: a test that leaves a task or a thread of ours behind fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest_asyncio

OURS = ("outbox-writer", "odoo_")


@pytest_asyncio.fixture
async def nothing_left_behind() -> AsyncIterator[None]:
    yield
    current = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not current and not task.done()]
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(OURS)]
    assert not tasks, f"left behind: {tasks}"
    assert not threads, f"left behind: {threads}"
