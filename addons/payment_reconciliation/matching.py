"""A bill's lines against our transactions: plain data in, plain data out.

A line is one of `_gateway_fetch_bill`. A transaction is {"id", "kind": "payment" | "refund", "reference", "fen": int >= 0,
"state", "gateway_references": set, "is_due": whether the bill of this day has to have it}.
"""

from decimal import Decimal, InvalidOperation

from .const import AGREEING_STATES


def get_key(line):
    """What a line and a transaction have in common: kind and our own reference."""
    is_refund = line["kind"] == "refund"
    return line["kind"], (line.get("refund_reference") if is_refund else line.get("reference")) or ""


def match(lines, transactions):
    """[{"line": dict | None, "transaction": dict | None, "result": str}], lines in their order, then what they lack."""
    by_key = {(transaction["kind"], transaction["reference"]): transaction for transaction in transactions}
    rows, seen = [], set()
    for line in lines:
        key = get_key(line)
        transaction = by_key.get(key)
        if key in seen:
            result = "duplicate"
        else:
            result = compare(line, transaction)
        if transaction:
            seen.add(key)
        rows.append({"line": line, "transaction": transaction, "result": result})
    for key, transaction in by_key.items():
        if transaction["is_due"] and key not in seen:
            rows.append({"line": None, "transaction": transaction, "result": "missing_there"})
    return rows


def compare(line, transaction):
    if not transaction:
        return "missing_here"
    if type(line["fen"]) is not int or line["fen"] != transaction["fen"]:
        return "amount_differs"
    if transaction["state"] not in AGREEING_STATES.get(line["state"], ()):
        return "state_differs"
    if transaction["state"] == "done" and line["gateway_reference"] not in transaction["gateway_references"]:
        return "state_differs"
    return "matched"


def add_up(lines):
    """{"payment_count", "payment_fen", "refund_count", "refund_fen", "fee_fen": Decimal} of what really moved."""
    moved = [line for line in lines if line["state"] in ("paid", "refunded")]
    totals = {"fee_fen": sum((read_fee_fen(line) for line in lines), Decimal(0))}
    for kind in ("payment", "refund"):
        amounts = [line["fen"] for line in moved if line["kind"] == kind]
        totals |= {f"{kind}_count": len(amounts), f"{kind}_fen": sum(amounts)}
    return totals


def read_fee_fen(line):
    """Fee in fen, exact: gateways give up to three decimals of a fen."""
    try:
        fee = Decimal(line.get("fee_fen_text") or "0")
    except InvalidOperation:
        return Decimal(0)
    return fee if fee.is_finite() else Decimal(0)
