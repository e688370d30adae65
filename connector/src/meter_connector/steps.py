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
    "order.accepted",  # that is on the disk
    "order.ended",  # the end is decided, nothing of it is on the disk
    "order.done",  # the end and its result are on the disk
    "readings.read",  # a meter answered, nothing is on the disk
    "readings.stored",  # on the disk
    "batch.sent",  # Odoo acknowledged a batch, the disk does not know
    "batch.settled",  # the disk knows
    "event.stored",  # on the disk
    "state.kept",  # what a meter has noted by itself is told, and that it is
    "config.kept",  # a configuration is on the disk, the buses go on by the one before
    "problem.kept",  # what is wrong with it is on the disk (nothing, as a rule), nobody was told
    "time.kept",  # the time is on the disk, and what a guess had stamped is right
    "orders.expired",  # the ends of orders whose time is over are on the disk
    "plan.ordered",  # the connector's own order is on the disk, and what it keeps of the circuit
    "plan.kept",  # what a plan holds off, though nothing was ordered, is on the disk
    "switch.kept",  # what a switch showed, and what rests after a trip, is on the disk; a trip is not told yet
    "search.told",  # how far a search of a bus is, is on the disk
    "nb.started",  # on the disk: from now on a platform may have the command
    "nb.sent",  # the platform has it
    "nb.accepted",  # the meter acknowledged it, and that is on the disk
)
ELSEWHERE = ("state.kept", "search.told", "nb.started", "nb.sent", "nb.accepted")
"""A site without searches and NB-IoT never comes there, and to what meters note only by the hour."""
SITE_STEPS = tuple(label for label in STEPS if label not in ELSEWHERE)

hook: Callable[[str], None] | None = None


def step(label: str) -> None:
    """We are here."""
    if hook is not None:
        hook(label)
