"""Entries of one wallet: numbered without a gap, with a running balance, each hash covering the one before."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

GENESIS = ""
FEN = Decimal("0.01")
SIGNS = {
    # kind: amounts it may have; the balance is what the tenant has left
    "topup": 1,
    "subsidy": 1,
    "charge": -1,
    "fee": -1,
    "refund": -1,
    "adjustment": 0,
    "reversal": 0,
}


class LedgerError(ValueError):
    """The posting breaks a rule of the ledger; nothing was written."""


@dataclass(frozen=True, slots=True)
class Posting:
    """What somebody wants to enter. links: {field of prepaid.entry: id}."""

    wallet_id: int
    kind: str
    subaccount_id: int | None
    amount: Decimal
    source: str
    description: str
    at: datetime
    links: dict = field(default_factory=dict)

    @property
    def content(self):
        """What must be equal for a posting of a known source to be the same posting."""
        return (self.wallet_id, self.kind, self.subaccount_id, self.amount)


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a wallet's chain ends."""

    sequence: int = 0
    balance: Decimal = Decimal("0.00")
    hash: str = GENESIS


def check_amount(kind, amount):
    """Raises LedgerError, with a rule for people, unless `amount` may be posted as `kind`."""
    if kind not in SIGNS:
        raise LedgerError(f"unknown kind of entry {kind!r}")
    if not isinstance(amount, Decimal):
        raise LedgerError(f"amount {amount!r} must be a Decimal")
    if not amount.is_finite() or amount == 0:
        raise LedgerError(f"amount {amount} must be a number other than zero")
    if amount != amount.quantize(FEN):
        raise LedgerError(f"amount {amount} has fractions of a fen")
    if SIGNS[kind] * amount < 0:
        raise LedgerError(f"amount {amount} of a {kind} has the wrong sign")


def append(tail, posting):
    """(row, new tail): the entry that `posting` becomes behind `tail`."""
    check_amount(posting.kind, posting.amount)
    row = {
        "wallet_id": posting.wallet_id,
        "sequence": tail.sequence + 1,
        "at": posting.at.replace(microsecond=0),
        "kind": posting.kind,
        "subaccount_id": posting.subaccount_id,
        "amount": posting.amount.quantize(FEN),
        "balance_after": (tail.balance + posting.amount).quantize(FEN),
        "source": posting.source,
        "description": posting.description,
        "prev_hash": tail.hash,
    }
    row["hash"] = compute_hash(row)
    return row, Tail(row["sequence"], row["balance_after"], row["hash"])


def compute_hash(row):
    """sha256 over the one spelling of an entry's content and the hash before it."""
    content = [
        row["wallet_id"],
        row["sequence"],
        row["at"].isoformat(timespec="seconds"),
        row["kind"],
        row["subaccount_id"],
        format(row["amount"].quantize(FEN), "f"),
        format(row["balance_after"].quantize(FEN), "f"),
        row["source"],
        row["description"],
        row["prev_hash"],
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def find_problems(rows, tail):
    """[(sequence, rule)] that a wallet's entries (in order) break; `tail`: what the wallet says of their end."""
    problems, expected = [], Tail()
    for row in rows:
        if row["sequence"] != expected.sequence + 1:
            problems.append((row["sequence"], "number"))
        if row["prev_hash"] != expected.hash:
            problems.append((row["sequence"], "link"))
        if row["balance_after"] != expected.balance + row["amount"]:
            problems.append((row["sequence"], "balance"))
        if compute_hash(row) != row["hash"]:
            problems.append((row["sequence"], "hash"))
        expected = Tail(row["sequence"], row["balance_after"], row["hash"])
    if expected != tail:
        problems.append((expected.sequence, "wallet"))
    return problems
