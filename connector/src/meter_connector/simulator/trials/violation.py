"""What is said of a run in which something did not hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """`at`: true time of what is wrong, 0 = the end."""

    rule: str
    what: str
    at: float = 0.0
