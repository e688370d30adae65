"""What a process has cost so far, from /proc: CPU of all its threads, resident memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
NAME_END = ") "


@dataclass(frozen=True)
class Cost:
    """`cpu_s` since its start; `rss_mib` now, `peak_mib` at most so far."""

    cpu_s: float
    rss_mib: float
    peak_mib: float


def cost_of(pid: int) -> Cost:
    """The cost of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(NAME_END)[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    user, system = int(fields[11]), int(fields[12])
    return Cost((user + system) / TICKS, _mib(status["VmRSS"]), _mib(status["VmHWM"]))


def _mib(text: str) -> float:
    return round(int(text.split()[0]) / 1024, 1)
