"""CJ/T 188-2004: water, heat and gas meters on M-Bus or 485, many with a valve."""

from .describe import describe
from .frame import Decoder, Frame
from .matching import matches

__all__ = ["Decoder", "Frame", "describe", "matches"]
