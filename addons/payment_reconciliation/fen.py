"""Money of the gateways: integer fen, compared as integers."""

from decimal import ROUND_HALF_UP, Decimal

#: What an integer column of the database can hold: 21 474 836.47 yuan.
LARGEST_FEN = 2**31 - 1


def to_fen(amount):
    """Integer fen of an amount in yuan (float of a Monetary field, Decimal or str)."""
    yuan = Decimal(str(amount)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return int(yuan * 100)


def to_yuan(fen):
    """Amount in yuan of integer or decimal fen; exact for everything an integer column holds."""
    return float(Decimal(fen) / 100)
