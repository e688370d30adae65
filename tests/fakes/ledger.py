"""Orders and refunds as a gateway keeps them. Pure: no clock, no socket; every method is told the time.

Both gateways follow these rules and name the states and errors in their own words.

    order   unpaid --pay--> paid --refund--> refunded (at least one refund begun) --refund--> refunded
            unpaid --close, expire--> closed --close--> closed
    refund  processing --> success | closed (money stays with the merchant) | abnormal (a person must act)
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import randbelow, token_urlsafe

MAX_REFUNDS = 50
REFUND_DAYS = 365
FEE_PER_MILLE = 6

#: (state, event) -> next state. What is not here is refused.
TRANSITIONS = {
    ("unpaid", "pay"): "paid",
    ("unpaid", "close"): "closed",
    ("unpaid", "expire"): "closed",
    ("closed", "close"): "closed",
    ("paid", "refund"): "refunded",
    ("refunded", "refund"): "refunded",
    # a payer who was faster than the close: happens at the real gateways, here on demand only
    ("closed", "late_pay"): "paid",
}
#: state -> reason of a refusal
_REFUSALS = {"unpaid": "not_paid", "paid": "paid", "refunded": "paid", "closed": "closed"}


class Refusal(Exception):
    """reason: unknown, differs, paid, closed, not_paid, too_much, too_many, too_old, refund_differs, refund_unknown."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass
class Refund:
    number: str  # out_refund_no, out_request_no
    gateway_number: str
    fen: int
    created_at: datetime
    reason: str = ""
    notify_url: str = ""
    state: str = "processing"
    ended_at: datetime | None = None


@dataclass
class Order:
    number: str  # out_trade_no
    fen: int
    subject: str
    kind: str  # native, jsapi, h5, page, wap, qr
    params: dict  # as ordered: the same number may come again with these only
    created_at: datetime
    expires_at: datetime
    notify_url: str = ""
    return_url: str = ""
    buyer: str = ""
    state: str = "unpaid"
    gateway_number: str = ""
    paid_at: datetime | None = None
    is_finished: bool = False  # Alipay: the time for refunds is over
    extra: dict = field(default_factory=dict)
    code: str = field(default_factory=lambda: token_urlsafe(12))
    refunds: dict[str, Refund] = field(default_factory=dict)

    @property
    def refunded_fen(self) -> int:
        """What has been given back or is about to be."""
        return sum(refund.fen for refund in self.refunds.values() if refund.state != "closed")

    @property
    def fee_fen(self) -> int:
        return get_fee(self.fen)


def get_fee(fen: int) -> int:
    """Fee of the gateway, rounded half up to a fen."""
    return (fen * FEE_PER_MILLE + 500) // 1000


def make_number(prefix: str, now: datetime) -> str:
    """A gateway's own number, 28 digits."""
    digits = f"{prefix}{now:%Y%m%d}"
    return digits + "".join(str(randbelow(10)) for _ in range(28 - len(digits)))


class Ledger:
    """prefixes: of the numbers given to payments and refunds."""

    def __init__(self, payment_prefix: str = "4200", refund_prefix: str = "5030", *, refunds_by_order=False):
        self._prefixes = payment_prefix, refund_prefix
        self._refunds_by_order = refunds_by_order  # Alipay: another order may use the same refund number
        self.orders: dict[str, Order] = {}

    def create(self, order: Order, now: datetime) -> Order:
        """The order; that of before, when the same number comes again with the same values."""
        known = self.orders.get(order.number)
        if known is None:
            self.orders[order.number] = order
            return order
        self._expire(known, now)
        if known.state in ("paid", "refunded"):
            raise Refusal("paid")
        if known.state == "closed":
            raise Refusal("closed")
        if known.params != order.params:
            raise Refusal("differs")
        return known

    def get(self, number: str, now: datetime) -> Order:
        order = self.orders.get(number)
        if order is None:
            raise Refusal("unknown")
        self._expire(order, now)
        return order

    def find(self, now: datetime, **values) -> Order:
        """The order with these field values (gateway_number=..., code=...)."""
        for order in list(self.orders.values()):
            if all(value and getattr(order, name) == value for name, value in values.items()):
                return self.get(order.number, now)
        raise Refusal("unknown")

    def pay(self, number: str, now: datetime, *, buyer: str = "", event: str = "pay") -> Order:
        """event: "late_pay" pays a closed order. `now` may lie in the past, for a bill of that day."""
        order = self.get(number, now)
        if event == "late_pay" and order.state == "unpaid":
            event = "pay"
        self._move(order, event)
        order.paid_at = now
        order.gateway_number = order.gateway_number or make_number(self._prefixes[0], now)
        order.buyer = order.buyer or buyer
        return order

    def close(self, number: str, now: datetime) -> Order:
        order = self.get(number, now)
        self._move(order, "close")
        return order

    def refund(self, number: str, refund: Refund, now: datetime, *, total: int | None = None) -> Refund:
        """Begin a refund; the one of before, when the same number comes again with the same amount."""
        order = self.get(number, now)
        known = order.refunds.get(refund.number)
        if known is not None:
            if known.fen != refund.fen:
                raise Refusal("refund_differs")
            return known
        elsewhere = any(refund.number in other.refunds for other in self.orders.values())
        if elsewhere and not self._refunds_by_order:
            raise Refusal("refund_differs")
        self._check_refund(order, refund, now, total)
        self._move(order, "refund")
        refund.gateway_number = refund.gateway_number or make_number(self._prefixes[1], now)
        order.refunds[refund.number] = refund
        return refund

    def _check_refund(self, order, refund, now, total):
        if order.state not in ("paid", "refunded"):
            raise Refusal("closed" if order.state == "closed" else "not_paid")
        if order.is_finished or now - order.paid_at > timedelta(days=REFUND_DAYS):
            raise Refusal("too_old")
        if total is not None and total != order.fen:
            raise Refusal("differs")
        if refund.fen < 1 or order.refunded_fen + refund.fen > order.fen:
            raise Refusal("too_much")
        if len(order.refunds) >= MAX_REFUNDS:
            raise Refusal("too_many")

    def settle(self, refund: Refund, outcome: str, now: datetime) -> bool:
        """outcome: success, closed, abnormal. Whether anything changed: what has ended stays as it is."""
        if refund.state not in ("processing", "abnormal") or refund.state == outcome:
            return False
        refund.state, refund.ended_at = outcome, now
        return True

    def find_refund(self, refund_number: str) -> tuple[Order, Refund]:
        for order in list(self.orders.values()):
            if refund_number in order.refunds:
                return order, order.refunds[refund_number]
        raise Refusal("refund_unknown")

    def _expire(self, order, now):
        if order.state == "unpaid" and now >= order.expires_at:
            self._move(order, "expire")

    def _move(self, order, event):
        following = TRANSITIONS.get((order.state, event))
        if following is None:
            raise Refusal(_REFUSALS[order.state])
        order.state = following
