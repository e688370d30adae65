"""Who is warned, who is tripped, who is supplied again: facts in, decision and reasons out. No Odoo, no clock, no database."""

from .decide import decide
from .terms import BLOCKS, STATES, Decision, Facts, Policy, Reason

__all__ = ["BLOCKS", "STATES", "Decision", "Facts", "Policy", "Reason", "decide"]
