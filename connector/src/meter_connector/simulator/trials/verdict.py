"""What must hold after every trial, judged by the journals of the world: the meters', Odoo's, and what the connector promised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..virtual import VirtualWorld
from .estate import OPEN, Estate
from .witness import Started, Witness

KINDS = {"trip": "switch_off", "close": "switch_on"}
GRACE_S = 1.0
"""From the connector's last look at its clock to the meter's deed: a frame of 40 bytes at 2400 bps takes 0.2 s."""
SEEN_S = 2.0
"""A contact that has stood as wanted for so long could be seen before a command was repeated."""


@dataclass(frozen=True)
class Violation:
    """`at`: true time of what is wrong, 0 = the end."""

    rule: str
    what: str
    at: float = 0.0


def judge(world: VirtualWorld, estate: Estate, witness: Witness) -> list[Violation]:
    """All that is wrong."""
    found = [*_readings(estate, witness), *_registers(estate), *_commands(world, estate, witness)]
    found += [*_ends(world, estate), *_machine(world)]
    return found


def _readings(estate: Estate, witness: Witness) -> Iterator[Violation]:
    for circuit, at in sorted(witness.acknowledged - estate.readings.keys()):
        yield Violation(
            "reading lost", f"circuit {circuit} at {at!r} was on the disk, Odoo has not got it", at
        )
    for (circuit, at), row in estate.readings.items():
        offered = witness.offered.get((circuit, at))
        if offered is None:
            yield Violation("reading invented", f"circuit {circuit} at {at!r} was never read", at)
        elif any(row.get(key, "") != value for key, value in offered.items()):
            yield Violation(
                "reading changed", f"circuit {circuit} at {at!r}: {row} was read as {offered}", at
            )
    if len(estate.arrivals) != len(set(estate.arrivals)):
        yield Violation("reading twice", "a circuit and time was stored twice")
    for text in witness.conflicts:
        yield Violation("reading twice", text)


def _registers(estate: Estate) -> Iterator[Violation]:
    """Energy never runs backwards: an old answer was taken for a new one."""
    newest: dict[int, Decimal] = {}
    for (circuit, at), row in sorted(estate.readings.items(), key=lambda item: item[0]):
        if total := row.get("total", ""):
            if Decimal(total) < newest.get(circuit, Decimal(0)):
                what = f"circuit {circuit}: {total} after {newest[circuit]}"
                yield Violation("old value under a new time", what, at)
            newest[circuit] = Decimal(total)


def _commands(world: VirtualWorld, estate: Estate, witness: Witness) -> Iterator[Violation]:
    """Every command that a meter carried out, against the orders."""
    meters = {shop.serial: shop for shop in estate.shops.values()}
    seen: dict[int, int] = {}
    for entry in world.journal.since(kind="command", result="accepted"):
        kind, shop = KINDS.get(entry["command"]), meters.get(entry["meter"])
        if kind is None or shop is None:
            continue
        at, begun = entry["at"], _last(witness.started.get(shop.meter_id, []), entry["at"])
        where = f"meter {shop.serial}: {entry['command']}"
        if begun is None or begun.order.kind != kind:
            yield Violation("command without an order", where, at)
            continue
        order = begun.order
        seen[order.id] = seen.get(order.id, 0) + 1
        late_s = at + estate.clock_offset - order.expires_at
        if late_s > GRACE_S:
            yield Violation(
                "carried out late", f"{where}: order {order.id}, {late_s:.1f} s after its end", at
            )
        newer = [
            each.order.id
            for each in witness.received.get(shop.circuit_id, [])
            if each.at < at - GRACE_S and each.order.generation > order.generation
        ]
        if newer:
            yield Violation("superseded and carried out", f"{where}: order {order.id}; newer {newer}", at)
        if seen[order.id] > 1 and _stood_as_wanted(world, shop.serial, kind == "switch_on", at):
            yield Violation("carried out twice", f"{where}: order {order.id}, time {seen[order.id]}", at)


def _last(started: list[Started], at: float) -> Started | None:
    return next((each for each in reversed(started) if each.at <= at + 0.001), None)


def _stood_as_wanted(world: VirtualWorld, serial: str, is_closed: bool, at: float) -> bool:
    """Did the contact stand so, and had done for a while, when the command came?"""
    moves = [entry for entry in world.journal.since(kind="relay", meter=serial) if entry["at"] <= at]
    last: dict[str, Any] | None = max(moves, key=lambda entry: (entry["at"], entry["n"]), default=None)
    if last is None:
        return is_closed
    return (last["state"] == "on") is is_closed and last["at"] < at - SEEN_S


def _ends(world: VirtualWorld, estate: Estate) -> Iterator[Violation]:
    for shop in estate.shops.values():
        state = world.simulator.meter(shop.serial).state()
        wanted = shop.desired or "on"
        if shop.is_paid and not state["is_closed"]:
            yield Violation("paid and dark", f"meter {shop.serial} of circuit {shop.circuit_id}")
        # The contact counts. A close that missed its pulse and that nobody wants any more shows on no Modbus register.
        stands = "on" if state["is_closed"] else "off"
        if stands != wanted:
            yield Violation("not as desired", f"meter {shop.serial}: {stands}, desired {wanted}")
        if shop.reported != wanted:
            what = f"circuit {shop.circuit_id}: Odoo believes {shop.reported}, desired {wanted}"
            yield Violation("reported wrongly", what)
    for order in estate.placed.values():
        if order.state in OPEN:
            yield Violation("order without an end", f"order {order.id} ({order.kind}) is {order.state}")


def _machine(world: VirtualWorld) -> Iterator[Violation]:
    for text in world.troubles:
        yield Violation("error that nobody took", text)
    for text in world.machine.crashes:
        yield Violation("connector ended by itself", text)
