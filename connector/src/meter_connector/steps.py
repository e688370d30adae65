"""Labels of the moments between two facts, at which a power cut must harm nothing.

`step(label)` does nothing in a running connector. Tests put a hook here that kills the process at a label, and replay what follows.
"""

from __future__ import annotations

from collections.abc import Callable

STEPS = (
    "orders.fetched",  # Odoo gave them, nothing is on the disk
    "orders.received",  # on the disk, Odoo does not know it yet
    "order.checked",  # the meter was read, nothing is on the disk of what will be sent
    "order.started",  # on the disk: from now on it may have been sent
    "order.sent",  # the frame is out, no answer has been looked at
    "order.answered",  # the meter acknowledged, nothing of it is on the disk
    "order.ended",  # the end is decided, nothing of it is on the disk
    "order.done",  # the end and its result are on the disk
    "readings.read",  # a meter answered, nothing is on the disk
    "readings.stored",  # on the disk
    "batch.sent",  # Odoo acknowledged a batch, the disk does not know
    "batch.settled",  # the disk knows
)

hook: Callable[[str], None] | None = None


def step(label: str) -> None:
    """We are here."""
    if hook is not None:
        hook(label)
