"""Every command that a meter carried out, against the orders: one of its own, in time, not superseded, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..virtual import VirtualWorld
from .estate import Estate
from .violation import Violation
from .witness import Started, Witness

KINDS = {"trip": "switch_off", "close": "switch_on"}
GRACE_S = 1.0
"""From the connector's last look at its clock to the meter's deed: a frame of 40 bytes at 2400 bps takes 0.2 s."""
SEEN_S = 2.0
"""A contact that has stood as wanted for so long could be seen before a command was repeated."""


def judge_commands(world: VirtualWorld, estate: Estate, witness: Witness) -> Iterator[Violation]:
    """Every command that a meter carried out, against the orders."""
    meters = {shop.serial: shop for shop in estate.shops.values()}
    seen: dict[int, int] = {}
    before: dict[int, int] = {}
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
        if order.id in before and witness.had_its_answer(before[order.id], entry["n"]):
            yield Violation("acknowledged and sent again", f"{where}: order {order.id}", at)
        before[order.id] = entry["n"]


def _last(started: list[Started], at: float) -> Started | None:
    return next((each for each in reversed(started) if each.at <= at + 0.001), None)


def _stood_as_wanted(world: VirtualWorld, serial: str, is_closed: bool, at: float) -> bool:
    """Did the contact stand so, and had done for a while, when the command came?"""
    moves = [entry for entry in world.journal.since(kind="relay", meter=serial) if entry["at"] <= at]
    last: dict[str, Any] | None = max(moves, key=lambda entry: (entry["at"], entry["n"]), default=None)
    if last is None:
        return is_closed
    return (last["state"] == "on") is is_closed and last["at"] < at - SEEN_S
