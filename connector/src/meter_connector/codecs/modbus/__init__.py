"""Modbus RTU framing (for ``decode``, the simulator and captures) and register maps as data.

The exchange with real meters goes through pymodbus in the drivers; scaling of registers is done here.
"""

from .describe import describe
from .frame import Decoder, Frame
from .matching import matches
from .mbap import TcpDecoder
from .mbap import describe as describe_tcp

__all__ = ["Decoder", "Frame", "TcpDecoder", "describe", "describe_tcp", "matches"]
