"""Units of CJ/T 188 quantities: what a field measures, and its value in the unit that readings have. Tables: ``items.toml``."""

from decimal import Decimal
from fractions import Fraction

from ..items import load_table

#: Decimals of a converted value whose ratio has no end as a decimal (joules to kilowatt-hours).
ENDLESS_DECIMALS = 4

#: The unit of each measure that readings have.
TOLD_IN = {"volume": "m3", "energy": "kWh", "power": "kW", "flow": "m3/h"}

_MEASURES: dict[str, dict[str, Fraction]] = {
    measure: {unit: Fraction(ratio) for unit, ratio in row["ratios"].items()}
    for measure, row in load_table(__package__, "items.toml")["measure"].items()
}
_OF_FIELD = {"power": "power", "flow": "flow", "volume": "volume"}
_CUMULATIVE = ("current", "settle")
#: Kind of utility -> what its register counts.
_OF_KIND = {"water": "volume", "hot_water": "volume", "gas": "volume", "heat": "energy", "power": "energy"}
#: First digit of the type byte -> the same, for models that do not say their kind.
_OF_TYPE = {1: "volume", 2: "energy", 3: "volume", 4: "energy"}


def measure_of(key: str, kind: str, meter_type: int) -> str | None:
    """What the field ``key`` of a meter of this kind (or type byte) measures; None where its value has no unit code.

    A meter that says neither counts volume: that is what most of them are, and a register in kWh then gives no value.
    """
    if key in _CUMULATIVE:
        return _OF_KIND.get(kind) or _OF_TYPE.get(meter_type >> 4, "volume")
    return _OF_FIELD.get(key)


def convert(value: Decimal, unit: str, measure: str) -> Decimal | None:
    """The value in m3, kWh, kW or m3/h; None when the unit is of another measure or unknown.

    Exact where the ratio is a finite decimal. A register in joules is rounded (half to even) to four decimals of a kWh: it is the
    register that is rounded, so differences never drift, however many readings lie between two bills.
    """
    ratio = _MEASURES[measure].get(unit)
    if ratio is None:
        return None
    if _is_finite(ratio.denominator):
        return value * (Decimal(ratio.numerator) / Decimal(ratio.denominator))
    return Decimal(round(Fraction(value) * ratio * 10**ENDLESS_DECIMALS)).scaleb(-ENDLESS_DECIMALS)


def _is_finite(denominator: int) -> bool:
    """Only twos and fives in it."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1
