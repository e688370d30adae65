"""Fault runs by seed, in virtual time: `bin/chaos`. What is thrown, what must hold and what came of it: docs/reliability.md."""

from __future__ import annotations

from .trial import Outcome, Trial, run_trial

__all__ = ["Outcome", "Trial", "run_trial"]
