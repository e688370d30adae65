"""`bin/chaos`: many seeds, progress, a closing table; a violation is printed with its seed, its moment and a trace file."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...steps import STEPS
from ..virtual.world import EPOCH_S
from .trial import Outcome, run_trial

HOUR_S = 3600.0


@dataclass
class Total:
    """All seeds together."""

    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    bites: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    sales: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    commands: int = 0
    virtual_s: float = 0.0
    longest_settle_s: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.seeds += 1
        if outcome.violations:
            self.failed.append(outcome.seed)
        for name in ("faults", "bites", "kills", "labels", "orders", "sales"):
            getattr(self, name).update(getattr(outcome, name))
        self.readings += outcome.readings
        self.commands += outcome.commands
        self.virtual_s += outcome.seconds
        self.longest_settle_s = max(self.longest_settle_s, outcome.settled_s)

    def as_data(self, seconds: float) -> dict[str, Any]:
        """JSON-able."""
        return {
            "seeds": self.seeds,
            "failed": sorted(self.failed),
            "faults": dict(sorted(self.faults.items())),
            "bites": dict(sorted(self.bites.items())),
            "kills": {label: self.kills.get(label, 0) for label in ("random", *STEPS)},
            "passed_labels": {label: self.labels.get(label, 0) for label in STEPS},
            "orders": dict(sorted(self.orders.items())),
            "sales": dict(sorted(self.sales.items())),
            "readings": self.readings,
            "commands": self.commands,
            "virtual_hours": round(self.virtual_s / HOUR_S, 1),
            "longest_settle_s": round(self.longest_settle_s, 1),
            "seconds": round(seconds, 1),
        }


def run_seeds(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """As they come; traces only of those that failed."""
    if jobs <= 1:
        yield from map(_run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_run, seeds)


def _run(seed: int) -> Outcome:
    outcome = run_trial(seed)
    return outcome if outcome.violations else replace(outcome, trace=[])


def tell_violations(outcome: Outcome, traces: Path, say: Callable[[str], None]) -> None:
    """One line each, and all that happened as JSON lines in a file."""
    traces.mkdir(parents=True, exist_ok=True)
    file = traces / f"{outcome.seed}.jsonl"
    lines = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in outcome.trace)
    file.write_text("".join(lines), encoding="utf-8")
    for violation in outcome.violations:
        moment = f"{violation.at - EPOCH_S:.3f} s" if violation.at else "the end"
        say(f"seed {outcome.seed}, {moment}: {violation.rule}: {violation.what}")
    say(f"seed {outcome.seed}: trace {file}; replay: bin/chaos --seed {outcome.seed}")


def table(data: dict[str, Any]) -> str:
    """For people."""
    rows = [f"{'seeds':<24}{data['seeds']:>10}", f"{'failed':<24}{len(data['failed']):>10}"]
    rows += [
        f"{key.replace('_', ' '):<24}{data[key]:>10}"
        for key in ("readings", "commands", "virtual_hours", "longest_settle_s", "seconds")
    ]
    for title in ("orders", "sales", "faults", "bites", "kills"):
        rows.append(f"\n{title}")
        rows += [f"  {key:<22}{count:>10}" for key, count in data[title].items()]
    return "\n".join(rows)


def main(argv: list[str] | None = None, traces: Path = Path("chaos")) -> int:
    """0 when nothing was violated and every label was struck (of 100 seeds and more)."""
    parser = argparse.ArgumentParser(prog="bin/chaos", description="Fault runs by seed, in virtual time.")
    parser.add_argument("--seeds", type=int, default=200, help="how many (200)")
    parser.add_argument("--first", type=int, default=0, help="the first one (0)")
    parser.add_argument("--seed", type=int, help="one seed alone, again")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    args = parser.parse_args(argv)
    seeds = range(args.first, args.first + args.seeds) if args.seed is None else [args.seed]
    began, total = time.monotonic(), Total()
    for outcome in run_seeds(seeds, min(args.jobs, len(seeds))):
        total.add(outcome)
        if outcome.violations:
            tell_violations(outcome, traces, _say)
        if args.seed is not None:
            _say(f"seed {outcome.seed}: digest {outcome.digest}")
        elif total.seeds % 10 == 0:
            _say(f"{total.seeds} of {len(seeds)} seeds, {len(total.failed)} failed")
    data = total.as_data(time.monotonic() - began)
    sys.stdout.write((json.dumps(data, indent=2) if args.json else table(data)) + "\n")
    missed = [label for label in STEPS if not total.kills[label]]
    if missed and total.seeds >= 100:
        _say(f"no kill at {', '.join(missed)}")
        return 1
    return 1 if total.failed else 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
