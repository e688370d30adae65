"""The money in the meters against the sales: nothing taken twice, nothing lost in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from ..meters.dlt645_2007 import Dlt645Meter2007
from ..virtual import VirtualWorld
from .estate import Estate
from .violation import Violation

ENDS = ("done", "failed", "mismatch")
"""The last one is before a person's eyes."""


def judge_sales(world: VirtualWorld, estate: Estate) -> Iterator[Violation]:
    """Amounts are unlike, so that each one that a meter took belongs to one sale."""
    taken = Counter[tuple[str, int]]()
    for entry in world.journal.since(kind="command", command="purchase", result="accepted"):
        taken[entry["meter"], entry["amount"]] += 1
    for sale in estate.till.sales:
        times = taken.pop((sale.serial, int(Decimal(sale.amount) * 100)), 0)
        what = f"sale {sale.id} of {sale.amount} into meter {sale.serial}: {sale.state}, taken {times} times"
        if times > 1:
            yield Violation("money taken twice", what)
        if sale.state not in ENDS:
            yield Violation("sale without an end", what)
        elif sale.state == "done" and not times:
            yield Violation("money lost", what)
        elif sale.state == "failed" and times:
            yield Violation("money in the meter and nobody knows", what)
    for (serial, cents), times in taken.items():
        yield Violation("money from nowhere", f"meter {serial} took {cents} fen {times} times")
    yield from _mismatches(world, estate)


def _mismatches(world: VirtualWorld, estate: Estate) -> Iterator[Violation]:
    """Nobody else sells into these meters: counts that differ have their cause in the connector, or in our Odoo."""
    for sale in estate.till.sales:
        meter = world.simulator.meter(sale.serial)
        assert isinstance(meter, Dlt645Meter2007)
        assert meter.wallet is not None
        if sale.state == "mismatch":
            what = f"sale {sale.id}: the meter counts {meter.wallet.count}, the book {estate.till.book.get(sale.serial)}"
            yield Violation("counts differ", what)
