"""The money inside a prepaid meter: what was bought, what the energy since cost, and how a purchase order is read.

Money in ten-thousandths, so that a price of 0.6512 for 0.01 kWh is exact enough; the display shows hundredths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .. import bits

if TYPE_CHECKING:
    from .base import Meter

MONEY = 10_000
UNIT = 3_600_000_000
REPEATED, MISMATCH, COUNT_WRONG, OVER_LIMIT, OTHER = 0x02, 0x10, 0x20, 0x40, 0x01


@dataclass(frozen=True)
class Bought:
    """One purchase, money in hundredths."""

    at: datetime
    count: int
    amount: int
    before: int
    after: int
    total: int


class Wallet:
    """`simulate: {prepaid: {balance, price, customer, limit, trips}}`; texts in CNY and CNY/kWh."""

    def __init__(self, meter: Meter, spec: Mapping[str, Any]) -> None:
        self.meter = meter
        self.price = int(Decimal(str(spec.get("price", "0"))) * MONEY)
        self.credit = int(Decimal(str(spec.get("balance", "0"))) * MONEY)
        self.limit = int(Decimal(str(spec.get("limit", "999999.99"))) * 100)
        self.customer = str(spec.get("customer") or meter.spec.address)
        self.trips = bool(spec.get("trips", False))
        self.count = int(spec.get("count", 0))
        self.bought: list[Bought] = []
        self.total = 0
        self._seen = sum(meter.energy.counted)
        self._rest = 0

    def settle(self) -> None:
        """Take the price of the energy since last time; units and price divide without loss over time."""
        units = sum(self.meter.energy.counted)
        cost = (units - self._seen) * self.price + self._rest
        self._seen = units
        self.credit -= cost // UNIT
        self._rest = cost % UNIT

    @property
    def cents(self) -> int:
        """Balance in hundredths, below zero when owing."""
        return self.credit // (MONEY // 100) if self.credit >= 0 else -(-self.credit // (MONEY // 100))

    @property
    def remaining(self) -> int:
        """As shown: never below zero."""
        return max(self.cents, 0)

    @property
    def overdraft(self) -> int:
        """As shown: what is owed."""
        return max(-self.cents, 0)

    def buy(self, amount: int, count: int | None, customer: str | None = None) -> int:
        """Hundredths; the bits of SERR, 0 = taken. `count` None: this meter does not check it."""
        if count is not None and count == self.count:
            return REPEATED
        if count is not None and count != (self.count + 1) % 10_000:
            return COUNT_WRONG
        if customer is not None and customer != self.customer:
            return MISMATCH
        before = self.remaining
        if before + amount > self.limit:
            return OVER_LIMIT
        self.credit += amount * (MONEY // 100)
        self.count = (self.count + 1) % 10_000
        self.total += amount
        now = self.meter.clock()
        self.bought.insert(0, Bought(now, self.count, amount, before, self.remaining, self.total))
        del self.bought[10:]
        return 0

    def memory(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "credit": self.credit,
            "count": self.count,
            "total": self.total,
            "seen": self._seen,
            "rest": self._rest,
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        """As it was."""
        self.credit, self.count, self.total = memory["credit"], memory["count"], memory["total"]
        self._seen, self._rest = memory["seen"], memory["rest"]

    # -- data items of 645-2007 -----------------------------------------------------------------------------------------------------
    def item(self, di: str) -> bytes | None:
        """0090020x, 0333xx0n; None = not such."""
        if di == "00900200":
            return bits.bcd(self.remaining, 4)
        if di == "00900201":
            return bits.bcd(self.overdraft, 4)
        if di == "03330201":
            return bits.bcd(self.count, 2)
        if di[:4] != "0333" or not "01" <= di[6:] <= "0A":
            return None
        index = int(di[6:], 16) - 1
        bought = self.bought[index] if index < len(self.bought) else None
        if di[4:6] == "01":
            return bits.clock_bytes(bought.at, "mhDMY") if bought else bytes(5)
        names = {"02": "count", "03": "amount", "04": "before", "05": "after", "06": "total"}
        if di[4:6] not in names:
            return None
        return bits.bcd(getattr(bought, names[di[4:6]]) if bought else 0, 2 if di[4:6] == "02" else 4)


def read_order(spec: Mapping[str, Any], data: bytes) -> tuple[int, int | None, str | None] | None:
    """Amount in hundredths, count and customer of a purchase order behind its head; None when it has another size.

    `spec` is the model's quirk `purchase`; the two named layouts are cut here by hand, so that a fault of the connector's tables shows.
    """
    is_bcd = spec.get("amount_format") == "bcd"

    def number(part: bytes) -> int:
        return (bits.unbcd(part) or 0) if is_bcd else int.from_bytes(part, "little")

    if spec.get("layout") == "security-30" and len(data) == 22:
        return number(data[:4]), int.from_bytes(data[4:8], "little"), bits.printed(data[12:18])
    if spec.get("layout") == "security-34" and len(data) == 26:
        return number(data[:4]), None, bits.printed(data[16:22])
    if "fields" in spec and "layout" not in spec:
        return _own(spec, data)
    return None


def _own(spec: Mapping[str, Any], data: bytes) -> tuple[int, int | None, str | None] | None:
    found: dict[str, int] = {}
    at = 0
    for field in spec["fields"]:
        part = data[at : at + int(field["size"])]
        at += int(field["size"])
        if field["value"] in ("amount", "count"):
            is_bcd = field["format"] == "bcd"
            found[field["value"]] = (bits.unbcd(part) or 0) if is_bcd else int.from_bytes(part, "little")
    return (found.get("amount", 0), found.get("count"), None) if at == len(data) else None
