"""DL/T 645-1997: older electricity meters; read-only for us, plus broadcast time."""

from .describe import describe
from .frame import Decoder, Frame
from .matching import matches

__all__ = ["Decoder", "Frame", "describe", "matches"]
