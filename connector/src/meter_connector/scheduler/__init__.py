"""One task a bus, orders before reads, and what becomes of them."""

from .links import make_link
from .site import SiteScheduler
from .tuning import Tuning

__all__ = ["SiteScheduler", "Tuning", "make_link"]
