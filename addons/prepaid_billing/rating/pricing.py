"""Cumulative pricing: what the use of a period costs, and what one more piece of it adds.

A piece costs round(price(all so far)) - charged so far. So any way of cutting a period into pieces adds up to the price of
the whole to the fen, no piece is negative (prices are not), and rounding never piles up.
"""

from decimal import ROUND_HALF_UP, Decimal

from .registers import RATES, ZERO

FEN = Decimal("0.01")


def round_fen(amount):
    """Half-up to the fen."""
    return amount.quantize(FEN, rounding=ROUND_HALF_UP)


def price(spec, use, opening=ZERO):
    """Exact money for `use` (cumulative in the period); `opening`: use of the period priced by an earlier version."""
    amount = spec.price * use.total
    amount += sum((p * q for p, q in zip(spec.rates, use.rates, strict=True)), ZERO) if spec.rates else ZERO
    return amount + sum(
        (row["quantity"] * row["price"] for row in _get_tier_rows(spec, opening, opening + use.total)), ZERO
    )


def price_step(spec, use, charged, opening=ZERO):
    """Fen to charge now so that charged + result = round(price(use))."""
    return round_fen(price(spec, use, opening)) - charged


def explain(spec, before, after, opening=ZERO):
    """Lines for people: what the piece from `before` to `after` (cumulative use) was priced by.

    Each {"line": "flat"|"rate"|"tier", "quantity", "price", "amount"} plus "rate" or "tier", "above", "upto"; amounts exact,
    so that their sum is price(after) - price(before). Decimals as strings.
    """
    rows, piece = [], after - before
    if spec.structure == "flat":
        rows.append({"line": "flat", "quantity": piece.total, "price": spec.price})
    for rate, unit_price, quantity in zip(RATES, spec.rates, piece.rates, strict=False):
        rows.append({"line": "rate", "rate": rate, "quantity": quantity, "price": unit_price})
    rows += _get_tier_rows(spec, opening + before.total, opening + after.total)
    return [_format_row(row) for row in rows if row["quantity"]]


def _get_tier_rows(spec, start, end):
    """The part of [start, end) of the period's use that lies in each tier."""
    rows, above = [], ZERO
    for index, tier in enumerate(spec.tiers, 1):
        upper = end if tier.upto is None else min(end, tier.upto)
        quantity = upper - max(start, above)
        if quantity > 0:
            rows.append(
                {
                    "line": "tier",
                    "tier": index,
                    "above": above,
                    "upto": tier.upto,
                    "quantity": quantity,
                    "price": tier.price,
                }
            )
        if tier.upto is None or end <= tier.upto:
            break
        above = tier.upto
    return rows


def _format_row(row):
    row = dict(row, amount=row["quantity"] * row["price"])
    return {
        key: _format_decimal(value) if isinstance(value, Decimal) else value for key, value in row.items()
    }


def _format_decimal(value):
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
