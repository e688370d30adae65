"""Exact amounts of yuan: Decimal with two places, or integer fen. Floats are only read, never summed."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

CENT = Decimal("0.01")
LARGEST = Decimal(10) ** 12  # more is a slip of the finger, and beyond what Decimal's 28 digits round exactly
ZERO = Decimal("0.00")


def to_decimal(value):
    """A Decimal with two places of a float, int, str or Decimal; a float is taken as the amount it displays."""
    if isinstance(value, float):
        value = repr(round(value, 6))
    return Decimal(value or 0).quantize(CENT, rounding=ROUND_HALF_UP)


def to_fen(value):
    """Integer fen of an amount in yuan."""
    return int(to_decimal(value) * 100)


def parse_amount(value):
    """A positive amount with at most two decimals, or ValueError with the key of what is wrong.

    Keys: 'not_a_number', 'not_positive', 'too_large', 'too_precise'.
    """
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise ValueError("not_a_number") from None
    if not amount.is_finite():
        raise ValueError("not_a_number")
    if amount <= 0:
        raise ValueError("not_positive")
    if amount > LARGEST:
        raise ValueError("too_large")
    if amount != amount.quantize(CENT):
        raise ValueError("too_precise")
    return amount.quantize(CENT)
