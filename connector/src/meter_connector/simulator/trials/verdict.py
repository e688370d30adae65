"""What must hold after every trial, judged by the journals of the world: the meters', Odoo's, and what the connector promised."""

from __future__ import annotations

from collections.abc import Iterator

from ..meters.modbus import ModbusMeter
from ..virtual import VirtualWorld
from .commands import judge_commands
from .estate import OPEN, Estate
from .readings import judge_readings
from .sales import judge_sales
from .violation import Violation
from .witness import Witness


def judge(world: VirtualWorld, estate: Estate, witness: Witness) -> list[Violation]:
    """All that is wrong."""
    found = [*judge_readings(world.journal, estate, witness), *judge_commands(world, estate, witness)]
    found += [*judge_sales(world, estate), *_ends(world, estate), *_machine(world)]
    return found


def _ends(world: VirtualWorld, estate: Estate) -> Iterator[Violation]:
    now = estate.now()
    for shop in estate.shops.values():
        meter = world.simulator.meter(shop.serial)
        meter.settle()
        wanted = shop.wanted(now)
        # The contact counts, except where a register only repeats what was written: nobody can know of a missed pulse there.
        is_blind = isinstance(meter, ModbusMeter) and not meter.shows_contact
        stands = meter.shown("switch")["switch"] if is_blind else "on" if meter.is_supplied else "off"
        if shop.is_paid and wanted == "on" and stands == "off":
            yield Violation("paid and dark", f"meter {shop.serial} of circuit {shop.circuit_id}")
        if stands != wanted:
            hours = " by its hours" if shop.hours is not None else ""
            yield Violation(
                "not as desired",
                f"meter {shop.serial}: {stands}, wanted {wanted}{hours}, desired {shop.desired}",
            )
        if shop.reported != wanted:
            what = f"circuit {shop.circuit_id}: Odoo believes {shop.reported}, wanted {wanted}"
            yield Violation("reported wrongly", what)
    for order in estate.placed.values():
        if order.state in OPEN:
            yield Violation("order without an end", f"order {order.id} ({order.kind}) is {order.state}")


def _machine(world: VirtualWorld) -> Iterator[Violation]:
    for text in world.troubles:
        yield Violation("error that nobody took", text)
    for text in world.machine.crashes:
        yield Violation("connector ended by itself", text)
