"""DL/T 645-2007: multi-function electricity meters on 485 (and most prepaid meters with a relay)."""

from .describe import describe
from .followup import FollowUp
from .frame import Decoder, Frame
from .matching import matches

__all__ = ["Decoder", "FollowUp", "Frame", "describe", "matches"]
