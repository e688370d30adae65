"""Amounts into a meter's own account."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ...drivers import Line, Prepayment, Purchase
from ...drivers.operations import count_size, is_next_count
from .base import DataProblem, Errand, joined


class PurchaseErrand(Errand):
    """Put an amount into the meter: sent at most once in the order's whole life, the meter's own count decides what became of it."""

    is_change = True

    async def work(self, line: Line) -> None:
        purchase, target = self._purchase(), self._open.target
        result = await self._bus.driver_of(target).purchase(line, target, purchase)
        if result.state == "mismatch":
            data = {"count_before": result.count_before, "count_after": result.count_before}
            self._finish("failed", "count mismatch", {**data, "remaining": result.remaining})
        elif result.state == "done":
            after = Prepayment(result.count_after, result.remaining, None)
            self._finish("confirmed", result.detail, self._result(purchase, after))
        elif not self._open.is_sent:  # refused before a byte left: asking again brings nothing else
            before = Prepayment(result.count_before, result.remaining, None)
            self._finish("failed", joined("nothing was sent", result.detail), self._result(purchase, before))
        else:  # the count is read again, once the frame cannot be on its way any more
            self._detail = result.detail
            self._again(self._bus.tuning.unsure_s)

    _detail = ""

    async def look(self, line: Line) -> None:
        purchase, target = self._purchase(), self._open.target
        found = await self._bus.driver_of(target).read_prepayment(line, target)
        has_it = found.count is not None and is_next_count(target, found.count - 1, purchase.count)
        is_before = found.count is not None and is_next_count(target, found.count, purchase.count)
        if has_it:
            self._finish("confirmed", self._detail, self._result(purchase, found))
        elif is_before and self._is_window_open:
            self._again(self._bus.tuning.unsure_s)
        elif is_before:
            detail = f"not taken, the count is still {found.count}"
            self._finish("failed", joined(detail, self._detail), self._result(purchase, found))
        else:
            detail = f"count mismatch: the meter has {found.count} after this purchase was sent"
            self._finish("failed", detail, self._result(purchase, found))

    def _purchase(self) -> Purchase:
        data = self._data()
        try:
            amount, count = Decimal(str(data["amount"])), data["count"]
        except (KeyError, InvalidOperation) as error:
            raise DataProblem(f"amount and count are needed ({error})") from None
        if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
            raise DataProblem(f"amount: {data['amount']!r} is no amount in fen")
        size = count_size(self._open.target)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < size:
            raise DataProblem(f"count: {count!r} is no count after a purchase, 0 to {size - 1}")
        return Purchase(amount, count, str(data.get("number") or ""))

    def _result(self, purchase: Purchase, after: Prepayment) -> dict[str, Any]:
        return {
            "count_before": (purchase.count - 1) % count_size(self._open.target),
            "count_after": after.count,
            "remaining": after.remaining,
        }
