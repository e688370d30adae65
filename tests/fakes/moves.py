"""What moved on a day, for the bills of both gateways, and the differences planted in it."""

from datetime import date, timedelta

EDITS = ("drop", "amount", "state", "duplicate", "extra", "date", "formula", "truncate")


def list_moves(orders, day: date) -> list[dict]:
    """Payments and refunds of the day as plain dicts, in order of time."""
    moves = []
    for order in orders:
        common = {"number": order.number, "gateway": order.gateway_number, "subject": order.subject}
        common |= {"type": order.kind, "buyer": order.buyer, "created_at": order.created_at}
        if order.paid_at and order.paid_at.date() == day:
            moves.append(common | {"kind": "payment", "fen": order.fen, "state": "paid", "at": order.paid_at})
        for refund in order.refunds.values():
            if refund.created_at.date() == day:
                values = {"kind": "refund", "fen": refund.fen, "state": refund.state, "at": refund.created_at}
                moves.append(
                    common | values | {"refund": refund.number, "refund_gateway": refund.gateway_number}
                )
    return sorted(moves, key=lambda move: move["at"])


def get_edits(gateway, day: date) -> tuple[list[dict], date]:
    """(the edits of the day's bill, the day the file shall show)"""
    edits = [edit for edit in gateway.bill_edits if edit.get("date") == day.isoformat()]
    is_shifted = any(edit["op"] == "date" for edit in edits)
    return edits, day - timedelta(days=1) if is_shifted else day


def apply_edits(moves: list[dict], edits: list[dict], day: date, stranger: dict) -> list[dict]:
    """Planted differences. `number` is an out_trade_no or a refund's number; without it all lines are meant.
    `stranger`: the values of an extra line.
    """
    for move in moves:
        move["at"] = move["at"].replace(year=day.year, month=day.month, day=day.day)
    for edit in edits:
        moves = _apply(moves, edit, stranger)
    return moves


def _apply(moves, edit, stranger):
    def is_meant(move):
        return edit.get("number") in (move.get("refund", move["number"]), None)

    match edit["op"]:
        case "drop":
            return [move for move in moves if not is_meant(move)]
        case "amount":
            return [move | {"fen": edit["fen"]} if is_meant(move) else move for move in moves]
        case "state":
            return [move | {"state": edit["state"]} if is_meant(move) else move for move in moves]
        case "duplicate":
            return moves + [dict(move) for move in moves if is_meant(move)]
        case "formula":
            return [move | {"subject": "=cmd|'/c calc'!A1"} if is_meant(move) else move for move in moves]
        case "extra":
            return [*moves, stranger | edit.get("values", {})]
    return moves


def make_stranger(gateway, day: date, kind: str) -> dict:
    """A payment that nobody ordered."""
    at = gateway.clock.now().replace(year=day.year, month=day.month, day=day.day, microsecond=0)
    number = {"number": "STRANGER0001", "gateway": "4200009999999999999999999999", "subject": "extra"}
    who = {"type": kind, "buyer": "stranger", "created_at": at, "at": at}
    return number | who | {"kind": "payment", "fen": 1, "state": "paid"}
