"""Messages of Acrel's 4G meters that dial in (protocols.md section 5.1); what a conversation needs of them is in ``transports/acrel.py``."""

from .describe import describe
from .frame import AcrelFrame, Decoder

__all__ = ["AcrelFrame", "Decoder", "describe"]
