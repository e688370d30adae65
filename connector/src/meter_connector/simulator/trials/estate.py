"""An Odoo with shops that pay or do not: desired and reported switch states, generations, expiry, orders repeated after it; one shop has
hours of supply that the connector keeps, into one meter money is sold (till.py).

The rules are those of addons/meter_gateway (models/meter_switch.py, meter_switch_reconcile.py, meter_order.py, meter_report.py); only the
orders' lives are shorter, so that they run out within a trial. Times are epoch seconds by Odoo's clock.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ..journal import Journal
from ..virtual import VirtualOdoo
from .hours import Hours
from .till import Sale, Till

OPEN = ("pending", "received", "accepted")
TRANSITIONS = {
    "pending": {"received", "accepted", "confirmed", "failed", "expired", "superseded"},
    "received": {"accepted", "confirmed", "failed", "expired", "superseded"},
    "accepted": {"confirmed", "failed", "expired", "superseded"},
    "expired": {"confirmed"},
    "confirmed": set[str](),
    "failed": set[str](),
    "superseded": set[str](),
}
LIFE_S = {"switch_on": 240.0, "switch_off": 90.0, "read": 60.0, "read_prepayment": 60.0, "purchase": 120.0}
REDELIVER_AFTER_S = 60.0
READ_BACK_S = 180.0
PENDING_GRACE_S = 300.0
MAX_QUICK_TRIES, SLOW_RETRY_S = 3, 60.0
EVERY_S = 60.0
ORDERS_POLL_S = 2.0


@dataclass
class Shop:
    """A switched circuit and who pays for it."""

    circuit_id: int
    meter_id: int
    serial: str
    is_paid: bool = True
    desired: str = ""
    generation: int = 0
    reported: str = "unknown"
    reported_at: float = 0.0
    tries: int = 0
    next_try_at: float = 0.0
    hours: Hours | None = None

    def wanted(self, now: float) -> str:
        """What its contact shall show."""
        has_supply = self.hours is None or self.hours.is_on(now)
        return "off" if self.desired == "off" or not has_supply else "on"

    def is_off_by_hours(self, now: float) -> bool:
        """Wanted on, and left alone for the hours that the connector keeps?"""
        return self.desired == "on" and self.hours is not None and self.hours.is_off_for_odoo(now)


@dataclass
class Ordered:
    """One order and its life."""

    id: int
    generation: int
    kind: str
    meter_id: int
    circuit_id: int
    created_at: float
    expires_at: float
    data: str = ""
    sale: Sale | None = None
    state: str = "pending"
    received_at: float = 0.0
    accepted_at: float = 0.0

    @property
    def is_switch(self) -> bool:
        """Does it switch?"""
        return self.kind in ("switch_on", "switch_off")

    def told(self) -> dict[str, Any]:
        """As api_orders has it."""
        keys = ("id", "generation", "kind", "meter_id", "circuit_id", "created_at", "expires_at", "data")
        return {**{key: getattr(self, key) for key in keys}, "reason": "trial", "bus_id": 0}


class Estate(VirtualOdoo):
    """`pay` and `cut` are what people and policy do; `tick` is the timer."""

    def __init__(self, rng: random.Random, wall: Callable[[], float], journal: Journal) -> None:
        super().__init__({}, rng, wall)
        self.orders_poll_s = ORDERS_POLL_S
        self.journal = journal
        self.shops: dict[int, Shop] = {}
        self.serials: dict[int, str] = {}
        """Of the meters, by circuit."""
        self.placed: dict[int, Ordered] = {}
        self.till = Till(self._place_of_sale, journal)

    def take_document(self, document: dict[str, Any]) -> None:
        """The configuration, and with it the shops."""
        self.document = document
        for gateway in document["gateways"]:
            for bus in gateway["buses"]:
                for meter in bus["meters"]:
                    for circuit in meter["circuits"]:
                        self.serials[circuit["id"]] = meter["serial"]
                        if circuit["has_switch"]:
                            shop = Shop(circuit["id"], meter["id"], meter["serial"])
                            self.shops[shop.circuit_id] = shop

    def keep_hours(self, serial: str, rng: random.Random) -> None:
        """This shop has hours of supply from now on."""
        shop = next(shop for shop in self.shops.values() if shop.serial == serial)
        shop.hours = Hours.by_chance(self.now(), rng)
        zone = ZoneInfo(self.document["connector"]["timezone"])
        for gateway in self.document["gateways"]:
            for bus in gateway["buses"]:
                for meter in bus["meters"]:
                    if meter["serial"] == serial:
                        meter["supply_plan"] = shop.hours.document(zone)

    # -- people and policy ---------------------------------------------------------------------------------------------------------

    def pay(self, shop: Shop) -> None:
        """Money came: power on."""
        shop.is_paid = True
        self._set_desired(shop, "on")

    def cut(self, shop: Shop) -> None:
        """No money: power off."""
        shop.is_paid = False
        self._set_desired(shop, "off")

    def sell(self, serial: str, yuan: int) -> None:
        """Money for the meter itself."""
        shop = next(shop for shop in self.shops.values() if shop.serial == serial)
        self.till.sell(shop.circuit_id, serial, yuan)

    def read(self, shop: Shop) -> None:
        """Somebody wants to see the meter now."""
        self._place(shop, "read", 0)

    def tick(self) -> None:
        """Every EVERY_S: what ran out, what is not as wanted."""
        now = self.now()
        for order in list(self._open()):
            if order.expires_at <= now:
                self._end(order, "expired")
                self._follow(order, "expired", {})
                self._note_failure(order)
            elif (
                order.state == "accepted"
                and order.kind != "purchase"
                and order.accepted_at < now - READ_BACK_S
            ):
                self._end(order, "failed")
                self._note_failure(order)
        self._reconcile(list(self.shops))
        self.till.check()

    def is_settled(self) -> bool:
        """Nothing under way, every wish fulfilled as far as Odoo knows."""
        now = self.now()
        as_wanted = all(
            shop.reported == shop.wanted(now) for shop in self.shops.values() if shop.desired or shop.hours
        )
        return as_wanted and self.till.is_settled() and not any(True for _ in self._open())

    # -- wishes --------------------------------------------------------------------------------------------------------------------

    def _set_desired(self, shop: Shop, state: str, *, force: bool = False) -> None:
        is_under_way = self._open_order(shop) is not None or shop.reported == state
        if not force and shop.desired == state and is_under_way:
            return
        is_already_so = not force and not shop.desired and shop.reported == state
        if shop.desired != state:
            shop.tries, shop.next_try_at = 0, 0.0
        shop.desired = state
        shop.generation += 1
        if not is_already_so:
            for order in list(self._open()):
                if order.circuit_id == shop.circuit_id and order.is_switch:
                    self._end(order, "superseded")
            self._place(shop, f"switch_{state}", shop.generation)

    def _place(self, shop: Shop, kind: str, generation: int) -> Ordered:
        now, number = self.now(), len(self.placed) + 1
        order = Ordered(number, generation, kind, shop.meter_id, shop.circuit_id, now, now + LIFE_S[kind])
        self.placed[number] = order
        self.journal.add("ordered", meter=shop.serial, order=number, what=kind, generation=generation)
        return order

    def _place_of_sale(self, sale: Sale, kind: str, data: dict[str, Any]) -> None:
        """One of a kind at a time."""
        if any(order.sale is sale and order.kind == kind for order in self._open()):
            return
        order = self._place(self.shops[sale.circuit_id], kind, 0)
        order.sale, order.data = sale, json.dumps(data) if data else ""

    def _follow(self, order: Ordered, state: str, data: dict[str, Any], detail: str = "") -> None:
        if order.sale is not None and state not in ("received", "accepted"):
            self.till.follow(order.sale, order.kind, state, data, detail)

    def _open(self) -> Iterator[Ordered]:
        return (order for order in self.placed.values() if order.state in OPEN)

    def _open_order(self, shop: Shop) -> Ordered | None:
        for order in self._open():
            is_of_wish = order.generation == shop.generation and order.is_switch
            if order.circuit_id == shop.circuit_id and is_of_wish and order.expires_at > self.now():
                return order
        return None

    def _end(self, order: Ordered, state: str) -> bool:
        if state not in TRANSITIONS[order.state]:
            return False
        order.state = state
        self.journal.add("order", order=order.id, state=state)
        return True

    def _reconcile(self, circuits: list[int]) -> None:
        now = self.now()
        for shop in (self.shops[circuit] for circuit in circuits if circuit in self.shops):
            is_as_wanted = shop.desired in ("", shop.reported)
            is_following = shop.reported == "pending" and shop.reported_at >= now - PENDING_GRACE_S
            is_waiting = shop.next_try_at > now or any(
                order.circuit_id == shop.circuit_id and order.is_switch and order.expires_at > now
                for order in self._open()
            )
            if is_as_wanted or is_following or is_waiting or shop.is_off_by_hours(now):
                continue
            if shop.desired == "on" or shop.reported in ("on", "pending"):
                self._set_desired(shop, shop.desired, force=True)

    def _note_failure(self, order: Ordered) -> None:
        shop = self.shops[order.circuit_id]
        if not order.is_switch or order.generation != shop.generation or shop.is_off_by_hours(self.now()):
            return
        shop.tries += 1
        shop.next_try_at = 0.0 if shop.tries < MAX_QUICK_TRIES else self.now() + SLOW_RETRY_S

    def _note_reported(self, shop: Shop, reported: str, at: float) -> None:
        if reported in ("", "unknown") or at < shop.reported_at:
            return
        is_news = reported != shop.reported
        shop.reported, shop.reported_at = reported, at
        if is_news and reported == shop.desired:
            shop.tries, shop.next_try_at = 0, 0.0
            order = self._open_order(shop)
            if order is not None and order.created_at <= at:
                self._end(order, "confirmed")

    # -- the face ------------------------------------------------------------------------------------------------------------------

    def _api_orders(self, payload: dict[str, Any]) -> dict[str, Any]:
        now = self.now()
        known = {tuple(pair) for pair in payload.get("known", [])}
        orders = [
            order.told()
            for order in self._open()
            if (order.state == "pending" or self._is_forgotten(order, now))
            and order.expires_at > now
            and (order.id, order.generation) not in known
        ]
        return {"orders": orders, "server_time": now, "config_version": self.document["version"]}

    @staticmethod
    def _is_forgotten(order: Ordered, now: float) -> bool:
        return order.state == "received" and order.received_at < now - REDELIVER_AFTER_S

    def _keep_reading(self, row: dict[str, Any]) -> str:
        answer = super()._keep_reading(row)
        self.journal.add("ingested", circuit=row["circuit_id"], reading=row["at"], answer=answer)
        shop = self.shops.get(row["circuit_id"])
        if shop is not None and not answer:
            if row.get("switch", "") != shop.reported:  # the ingest notes changes only
                self._note_reported(shop, row.get("switch", ""), row["at"])
            self._reconcile([shop.circuit_id])
        return answer

    def _keep_result(self, result: dict[str, Any]) -> str:
        self.results.append(result)
        order = self.placed.get(result["order_id"])
        if order is None or order.generation != result["generation"]:
            return "rejected"
        shop = self.shops[order.circuit_id]
        if order.is_switch:
            self._note_reported(shop, result["reported"], result["at"])
        answer = self._move(order, result)
        self.journal.add("result", order=order.id, state=result["state"], answer=answer)
        self._reconcile([shop.circuit_id])
        return answer

    def _move(self, order: Ordered, result: dict[str, Any]) -> str:
        state = result["state"]
        if state == order.state:
            return "duplicate"
        if order.is_switch and state == "confirmed":
            if result["reported"] in ("unknown", "pending"):
                return "rejected"
            if result["reported"] != order.kind.removeprefix("switch_"):
                state = "failed"
        if not self._end(order, state):
            return "rejected"
        if state in ("received", "accepted"):
            setattr(order, f"{state}_at", result["at"])
        self._follow(order, state, json.loads(result.get("data") or "{}"), result.get("detail", ""))
        if state in ("failed", "expired"):
            self._note_failure(order)
        return ""
