"""Pricing of metered use. Plain Python: no Odoo, no clock, no float.

spec.py      a tariff version's definition (JSON) -> Spec, with errors that name the key
pricing.py   Spec x cumulative use -> money, and the lines that explain it
registers.py readings, use between them, interpolation in time
guards.py    what a reading must not do before it may cost anybody money
periods.py   month and year boundaries in the zone of the site
settle.py    readings of one installation -> charges, cursor, accumulators, reviews
"""

from .guards import Guard, Problem
from .periods import get_month_cuts, get_period_start
from .pricing import explain, price, price_step, round_fen
from .registers import RATES, Reading, Use
from .settle import Accumulator, ChargeDraft, Point, Settlement, Span, hold_back, settle
from .spec import RatingError, Spec, TariffError, parse
