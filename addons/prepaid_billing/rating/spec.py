"""A tariff version's definition: what people may write, checked once, then frozen.

    {"structure": "flat", "price": "0.85"}
    {"structure": "tou", "prices": {"t1": "1.20", "t2": "1.00", "t3": "0.70", "t4": "0.35"}}
    {"structure": "tiered", "period": "month", "tiers": [{"upto": "230", "price": "0.50"}, {"price": "0.80"}]}
    {"structure": "tiered_tou", "period": "year", "prices": {"t1": ...},
     "tiers": [{"upto": "2760", "price": "0"}, {"upto": "4800", "price": "0.05"}, {"price": "0.30"}]}

Rates: t1 sharp, t2 peak, t3 flat, t4 valley. In "tiered_tou" a tier's price is the surcharge on top of the rate's price.
Decimals are strings (or integers); floats are refused, they have already lost the value that was meant.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from .registers import RATES

PERIODS = ("month", "year")
STRUCTURES = {
    # structure: the keys it must have
    "flat": {"price"},
    "tou": {"prices"},
    "tiered": {"period", "tiers"},
    "tiered_tou": {"period", "tiers", "prices"},
}
MAX_DECIMALS = 8


class RatingError(ValueError):
    """Something about prices or use that only a person can put right."""


class TariffError(RatingError):
    """The definition breaks a rule: `path` names the key, `rule` the rule."""

    def __init__(self, path, rule):
        super().__init__(f"{path}: {rule}")
        self.path, self.rule = path, rule


@dataclass(frozen=True, slots=True)
class Tier:
    upto: Decimal | None  # None: no upper end
    price: Decimal


@dataclass(frozen=True, slots=True)
class Spec:
    """price(use) = price x total + sum(rates x rate use) + tiers(total); what a structure lacks is zero."""

    structure: str
    period: str = "month"
    price: Decimal = Decimal(0)
    rates: tuple[Decimal, ...] = ()
    tiers: tuple[Tier, ...] = ()

    @property
    def needs_rates(self):
        return bool(self.rates)


def parse(definition):
    """Spec of a definition (dict); raises TariffError."""
    if not isinstance(definition, dict):
        raise TariffError("definition", "must be an object")
    structure = definition.get("structure")
    if structure not in STRUCTURES:
        raise TariffError("structure", f"must be one of {', '.join(STRUCTURES)}")
    given = set(definition) - {"structure"}
    wanted = STRUCTURES[structure]
    for key in sorted(wanted - given):
        raise TariffError(key, f"is missing for structure {structure}")
    for key in sorted(given - wanted):
        raise TariffError(key, f"is not known for structure {structure}")
    return Spec(
        structure=structure,
        period=_parse_period(definition),
        price=_parse_price("price", definition["price"]) if "price" in wanted else Decimal(0),
        rates=_parse_rates(definition["prices"]) if "prices" in wanted else (),
        tiers=_parse_tiers(definition["tiers"]) if "tiers" in wanted else (),
    )


def _parse_period(definition):
    period = definition.get("period", "month")
    if period not in PERIODS:
        raise TariffError("period", f"must be one of {', '.join(PERIODS)}")
    return period


def _parse_price(path, value):
    number = _parse_decimal(path, value)
    if number < 0:
        raise TariffError(path, "must not be negative")
    return number


def _parse_rates(prices):
    if not isinstance(prices, dict):
        raise TariffError("prices", f"must be an object with {', '.join(RATES)}")
    unknown = set(prices) - set(RATES)
    if unknown:
        raise TariffError(f"prices.{sorted(unknown)[0]}", "is not a known rate")
    missing = [rate for rate in RATES if rate not in prices]
    if missing:
        raise TariffError(
            f"prices.{missing[0]}", "is missing (a rate that is not used gets the price of another)"
        )
    return tuple(_parse_price(f"prices.{rate}", prices[rate]) for rate in RATES)


def _parse_tiers(rows):
    if not isinstance(rows, list) or not rows:
        raise TariffError("tiers", "must be a list of at least one tier")
    tiers = []
    for index, row in enumerate(rows):
        tiers.append(_parse_tier(f"tiers[{index}]", row, is_last=index == len(rows) - 1, previous=tiers[-1:]))
    return tuple(tiers)


def _parse_tier(path, row, is_last, previous):
    if not isinstance(row, dict) or not set(row) <= {"upto", "price"} or "price" not in row:
        raise TariffError(path, "must be an object with price and, but for the last, upto")
    upto = row.get("upto")
    if is_last:
        if upto is not None:
            raise TariffError(f"{path}.upto", "the last tier has no upper end")
        return Tier(None, _parse_price(f"{path}.price", row["price"]))
    if upto is None:
        raise TariffError(f"{path}.upto", "is missing")
    end = _parse_decimal(f"{path}.upto", upto)
    if end <= (previous[0].upto if previous else 0):
        raise TariffError(f"{path}.upto", "must be above the tier before")
    return Tier(end, _parse_price(f"{path}.price", row["price"]))


def _parse_decimal(path, value):
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TariffError(path, "must be a decimal written as a string")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise TariffError(path, f"{value!r} is not a decimal") from error
    if not number.is_finite():
        raise TariffError(path, f"{value!r} is not a finite decimal")
    if number != 0 and (-number.as_tuple().exponent > MAX_DECIMALS or number.adjusted() > 9):
        raise TariffError(path, f"at most {MAX_DECIMALS} decimals and 10 digits before them")
    return number
