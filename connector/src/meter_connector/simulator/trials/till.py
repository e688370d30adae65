"""Purchases in the meter by the rules of addons/meter_gateway (models/meter_purchase.py, meter_purchase_result.py), and the people at the till.

draft -> checking (the meter's count is read) -> sent -> done; away from it: failed, unknown (somebody checks), mismatch (a person looks at it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..journal import Journal

UNSETTLED = ("checking", "sent", "unknown", "mismatch")
COUNTS = 10_000
COUNT_MISMATCH = "count mismatch"
Place = Callable[["Sale", str, dict[str, Any]], None]


@dataclass
class Sale:
    """One purchase; `amount` in CNY as text, no two alike. `count`: what it makes of the meter's purchase count."""

    id: int
    circuit_id: int
    serial: str
    amount: str
    state: str = "draft"
    count: int = 0
    book_count: int = 0
    is_sent: bool = False


class Till:
    """`place` orders something of the connector; `sell`, `send_again` and `check` are what people do."""

    def __init__(self, place: Place, journal: Journal) -> None:
        self.sales: list[Sale] = []
        self.book: dict[str, int] = {}
        self._place = place
        self._journal = journal

    def sell(self, circuit_id: int, serial: str, yuan: int) -> None:
        """A new one, unless another one of this meter is not settled."""
        sale = Sale(len(self.sales) + 1, circuit_id, serial, f"{yuan}.{len(self.sales) % 100:02d}")
        if not self._is_busy(serial):
            self.sales.append(sale)
            self._send(sale)

    def send_again(self) -> None:
        """Whoever got nothing for their money tries once more."""
        for sale in self.sales:
            if sale.state == "failed" and not self._is_busy(sale.serial):
                self._send(sale)

    def check(self) -> None:
        """Somebody looks after those of which nothing is known."""
        for sale in self.sales:
            if sale.state == "unknown":
                self._place(sale, "read_prepayment", {})

    def is_settled(self) -> bool:
        """Nothing under way; what waits for a person is settled as far as we are concerned."""
        return not any(sale.state in ("checking", "sent", "unknown") for sale in self.sales)

    def follow(self, sale: Sale, kind: str, state: str, data: Mapping[str, Any], detail: str) -> None:
        """An order of it is over: as `_follow_purchase` and `_follow_read_prepayment`."""
        if kind == "purchase":
            self._note_result(sale, state, data, detail)
        else:
            self._note_count(sale, data.get("count") if state == "confirmed" else None)

    def _send(self, sale: Sale) -> None:
        self._move(sale, "checking")
        self._place(sale, "read_prepayment", {})

    def _note_count(self, sale: Sale, count: int | None) -> None:
        if sale.state == "checking":
            self._note_count_before(sale, count)
        elif sale.state in ("unknown", "mismatch", "sent") and count is not None:
            if count == sale.count and sale.is_sent:
                self._arrive(sale)
            else:
                self._move(sale, "failed" if count == sale.book_count else "mismatch")

    def _note_count_before(self, sale: Sale, count: int | None) -> None:
        if count is None:
            self._move(sale, "failed")
            return
        sale.book_count = self.book.setdefault(sale.serial, count)
        sale.count = (sale.book_count + 1) % COUNTS
        if count != sale.book_count:
            self._move(sale, "mismatch")
            return
        sale.is_sent = True
        self._move(sale, "sent")
        self._place(sale, "purchase", {"amount": sale.amount, "count": sale.count, "number": f"P{sale.id}"})

    def _note_result(self, sale: Sale, state: str, data: Mapping[str, Any], detail: str) -> None:
        if sale.state not in ("sent", "unknown"):
            return
        after = data.get("count_after")
        if state == "confirmed" and after in (None, sale.count):
            self._arrive(sale)
        elif state == "confirmed" or detail == COUNT_MISMATCH:
            self._move(sale, "mismatch")
        elif state == "failed" and after == sale.book_count:
            self._move(sale, "failed")
        else:
            self._move(sale, "unknown")

    def _arrive(self, sale: Sale) -> None:
        self.book[sale.serial] = sale.count
        self._move(sale, "done")

    def _move(self, sale: Sale, state: str) -> None:
        sale.state = state
        self._journal.add("sale", sale=sale.id, meter=sale.serial, amount=sale.amount, state=state)

    def _is_busy(self, serial: str) -> bool:
        return any(sale.serial == serial and sale.state in UNSETTLED for sale in self.sales)
