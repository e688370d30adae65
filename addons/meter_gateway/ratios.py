"""What a meter behind current and voltage transformers shows, and what really flows there. No Odoo in here.

A reading is what the meter shows (secondary side) and stays so for ever; people are shown what flows (primary side): voltage x VT,
current x CT, power x both. Energy registers stay as on the display of the meter; use is multiplied where it is counted.
"""

import re
from decimal import Decimal

#: Key of a value -> which ratios multiply it; the first pattern that fits counts.
QUANTITIES = (
    (re.compile(r"voltage(_\w+)?_v"), ("vt",)),
    (re.compile(r"(\w+_)?current(_\w+)?_a"), ("ct",)),
    (re.compile(r"(\w+_)?(power|demand)(_\w+)?_(kw|kvar|kva)"), ("ct", "vt")),
)


def ratio_of(key, ct, vt):
    """Decimal by which the value ``key`` of a reading is multiplied for people; 1 for energies, factors and all that is no electrical
    quantity.

    :param float ct: current transformer, 200/5 = 40
    :param float vt: voltage transformer, 10000/100 = 100
    """
    ratios = {"ct": ct, "vt": vt}
    for pattern, names in QUANTITIES:
        if pattern.fullmatch(key):
            result = Decimal(1)
            for name in names:
                result *= _exact(ratios[name])
            return result
    return Decimal(1)


def _exact(ratio):
    """A stored ratio (four places) without digits that float and database add."""
    exact = Decimal(f"{ratio or 1:.4f}")
    return Decimal(int(exact)) if exact == exact.to_integral_value() else exact.normalize()
