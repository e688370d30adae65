"""What truly happened at the meters: the tests' witness."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

KEPT = 50_000


class Journal:
    """Numbered entries `{"n", "at" (epoch s), "kind", …}`, the newest kept in memory and, if asked for, all in a file of JSON lines."""

    def __init__(self, now_ms: Callable[[], int], file: TextIO | None = None) -> None:
        self._now_ms = now_ms
        self._file = file
        self.count = 0
        self.entries: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def add(self, kind: str, at_ms: int | None = None, **data: Any) -> dict[str, Any]:
        """Write down one entry."""
        self.count += 1
        at = (self._now_ms() if at_ms is None else at_ms) / 1000
        entry = {"n": self.count, "at": at, "kind": kind, **data}
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()
        return entry

    def since(self, number: int = 0, **wanted: str) -> list[dict[str, Any]]:
        """Entries after `number` whose fields equal `wanted`."""
        return [
            entry
            for entry in self.entries
            if entry["n"] > number and all(str(entry.get(key)) == value for key, value in wanted.items())
        ]
