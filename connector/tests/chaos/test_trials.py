"""200 fault runs, the proof that a seed replays byte for byte, and the proof that the checks bite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import mutations
import pytest
from meter_connector.simulator.trials import run_trial, troubles
from meter_connector.simulator.trials.command import Total, run_seeds
from meter_connector.steps import STEPS

SEEDS = 200
JOBS = 2
BITES = (
    "commits_refused",
    *(f"bus_{name}" for name in ("drop", "garble", "duplicate", "noise", "stale", "late", "merge")),
    *(f"odoo_{name}" for name in ("lost", "refused", "unsure")),
)
"""Faults whose harm can be counted where it is done."""


@pytest.mark.timeout(1800)
def test_two_hundred_seeds_violate_nothing_and_kill_at_every_label() -> None:
    total, found = Total(), []
    for outcome in run_seeds(range(SEEDS), JOBS):
        total.add(outcome)
        found += [f"seed {outcome.seed}: {each.rule}: {each.what}" for each in outcome.violations]
    assert not found, "\n".join(found[:20])
    assert total.seeds == SEEDS
    assert not [label for label in STEPS if not total.kills[label]]
    assert total.kills["random"] > SEEDS / 2
    assert total.orders["confirmed"] > 10 * SEEDS
    assert {"expired", "failed", "superseded"} <= set(total.orders)
    assert {"done", "failed"} <= set(total.sales)
    assert total.sales["done"] > SEEDS
    assert not [name for name in troubles.names() if not total.faults[name]], "never thrown"
    assert not [name for name in BITES if not total.bites[name]], "thrown and without any effect"


@pytest.mark.timeout(300)
def test_a_seed_replays_byte_for_byte_in_another_process() -> None:
    digests = {run_trial(4711).digest}
    for hash_seed in ("1", "2"):
        words = [sys.executable, "-m", "meter_connector.simulator.trials.command", "--seed", "4711"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
        digests |= set(re.findall(r"digest (\w+)", run.stderr))
    assert len(digests) == 1
    assert run_trial(4712).digest not in digests


def _rules(seeds: range) -> Iterator[str]:
    for seed in seeds:
        yield from (violation.rule for violation in run_trial(seed).violations)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("mutation", "rule"), mutations.TESTED, ids=[mutation.__name__ for mutation, _ in mutations.TESTED]
)
def test_a_fault_of_the_product_is_found(
    monkeypatch: pytest.MonkeyPatch, mutation: mutations.Mutation, rule: str
) -> None:
    mutation(monkeypatch)
    assert rule in _rules(range(40))
