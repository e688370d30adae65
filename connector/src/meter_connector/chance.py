"""Where jitter and names that nobody had before come from: the operating system, or a seed when a run shall be replayed exactly."""

from __future__ import annotations

import random
import uuid

source: random.Random | None = None
"""Set by a virtual world (simulator/virtual): from now on everything is drawn from it."""


def generator() -> random.Random:
    """A new generator."""
    return random.Random() if source is None else random.Random(source.getrandbits(64))  # noqa: S311 - jitter


def new_name() -> str:
    """32 hexadecimal digits, unique for ever."""
    return uuid.uuid4().hex if source is None else f"{source.getrandbits(128):032x}"
