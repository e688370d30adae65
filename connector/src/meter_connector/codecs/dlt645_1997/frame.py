"""Frames of DL/T 645-1997: the shared 645 frame with two-byte data identifiers."""

from dataclasses import dataclass

from ..dlt645_frame import Dlt645Decoder, Dlt645Frame

BROADCAST = "999999999999"

READ = 0x01
READ_MORE = 0x02
READ_AGAIN = 0x03
WRITE = 0x04
BROADCAST_TIME = 0x08
WRITE_ADDRESS = 0x0A
CHANGE_BAUD = 0x0C
CHANGE_PASSWORD = 0x0F
CLEAR_DEMAND = 0x10

_DI_IN_BOTH = frozenset({READ, READ_MORE})


@dataclass(frozen=True, slots=True)
class Frame(Dlt645Frame):
    """A checked 1997 frame."""

    @property
    def di(self) -> str | None:
        """Data identifier as printed (DI1 first, four digits), or None where this frame carries none."""
        has_di = self.function in _DI_IN_BOTH or (self.function == WRITE and not self.is_answer)
        if not has_di or self.is_abnormal or len(self.data) < 2:
            return None
        return self.data[1::-1].hex().upper()

    @property
    def payload(self) -> bytes:
        """What follows the data identifier."""
        return self.data if self.di is None else self.data[2:]


class Decoder(Dlt645Decoder[Frame]):
    """Byte stream -> frames."""

    frame_class = Frame
