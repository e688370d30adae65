"""What happened when: printed as it happens, and once more as a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Found = TypeVar("Found")


class Timeline:
    """Collects the story's moments with measured times."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.rows: list[tuple[float, str, str]] = []

    def tell(self, what: str, measured: str = "") -> None:
        at = time.monotonic() - self.began
        self.rows.append((at, what, measured))
        print(f"\n  [{at:7.1f} s] {what}{f'   → {measured}' if measured else ''}", end="", flush=True)

    @contextmanager
    def measured(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.tell(what, f"{time.monotonic() - began:.2f} s")

    def table(self) -> str:
        lines = [f"  {at:7.1f} s   {what:<78} {measured}" for at, what, measured in self.rows]
        return "\n".join(["", "  The story, with measured times", *lines, ""])


def wait_for(look: Callable[[], Found], what: str, timeout_s: float = 60, every_s: float = 0.1) -> Found:
    """Look until there is something; return it. Fails naming what did not come, and what was seen last."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}; last seen: {seen!r}")
        time.sleep(every_s)
