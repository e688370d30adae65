"""Frames of DL/T 645-2007: the shared 645 frame with four-byte data identifiers."""

from dataclasses import dataclass

from ..dlt645_frame import Dlt645Decoder, Dlt645Frame

BROADCAST = "999999999999"
ANY = "AAAAAAAAAAAA"

READ = 0x11
READ_MORE = 0x12
READ_ADDRESS = 0x13
WRITE = 0x14
WRITE_ADDRESS = 0x15
FREEZE = 0x16
CHANGE_BAUD = 0x17
CHANGE_PASSWORD = 0x18
CLEAR_DEMAND = 0x19
CLEAR_METER = 0x1A
CLEAR_EVENTS = 0x1B
RELAY = 0x1C
OUTPUT = 0x1D
BROADCAST_TIME = 0x08
SECURITY = 0x03

_DI_IN_BOTH = frozenset({SECURITY, READ, READ_MORE})
_DI_IN_REQUEST = frozenset({WRITE, CHANGE_PASSWORD})


@dataclass(frozen=True, slots=True)
class Frame(Dlt645Frame):
    """A checked 2007 frame."""

    @property
    def di(self) -> str | None:
        """Data identifier as printed (DI3 first, eight digits), or None where this frame carries none."""
        has_di = self.function in _DI_IN_BOTH or (self.function in _DI_IN_REQUEST and not self.is_answer)
        if not has_di or self.is_abnormal or len(self.data) < 4:
            return None
        return self.data[3::-1].hex().upper()

    @property
    def payload(self) -> bytes:
        """What follows the data identifier, without the SEQ byte of a follow-up answer."""
        if self.di is None:
            return self.data
        return self.data[4:-1] if self.function == READ_MORE and self.is_answer else self.data[4:]

    @property
    def seq(self) -> int | None:
        """SEQ of a follow-up request or answer (12H), else None."""
        if self.function != READ_MORE or self.di is None or len(self.data) < 5:
            return None
        return self.data[-1]


class Decoder(Dlt645Decoder[Frame]):
    """Byte stream -> frames."""

    frame_class = Frame
