"""What 645-2007 and 645-1997 meters share: frame, addresses, time setting."""

from __future__ import annotations

from .. import bits
from ..scanners import Frame
from .base import Meter

BROADCAST = b"\x99" * 6
ANY_NIBBLES = 0xAA
DEFAULT_PASSWORD = "000000"  # noqa: S105 - what meters leave the factory with


class Dlt645Meter(Meter):
    """Frames and addresses."""

    @property
    def own_address(self) -> bytes:
        """In wire order."""
        return bits.reversed_hex(self.spec.address)

    @property
    def preamble(self) -> int:
        """FE bytes before answers: as the site file says, else by seed 0, 2 or 4."""
        default = (0, 2, 4)[sum(self.own_address) % 3]
        return int(self.spec.setting("preamble", default))

    def build(self, control: int, data: bytes = b"") -> bytes:
        """An answer frame."""
        body = b"\x68" + self.own_address + b"\x68" + bytes((control, len(data))) + bits.plus33(data)
        return b"\xfe" * self.preamble + body + bytes((bits.checksum(body), 0x16))

    def refuse(self, frame: Frame, code: int) -> bytes | None:
        """Control | C0 and the error byte; never to a broadcast."""
        if frame.address == BROADCAST:
            return None
        return self.build(frame.control | 0xC0, bytes((code,)))

    def password_matches(self, level_and_password: bytes) -> bool:
        """PA P0 P1 P2 against the site file: 6 digits (any level below ESAM's 98), or 8 with the level in front."""
        wanted = self.spec.password or DEFAULT_PASSWORD
        level, given = level_and_password[0], bits.printed(level_and_password[1:4])
        if len(wanted) == 8:
            return f"{level:02X}{given}" == wanted.upper()
        return level < 0x98 and given == wanted.upper()

    def hear_time(self, data: bytes) -> None:
        """08H: ss mm hh DD MM YY."""
        fields = bits.clock_fields(data, "smhDMY")
        limit_s = int(self.spec.setting("time_limit_s", 0))
        if fields is None:
            return
        try:
            shown_ms = self.world.time.from_local(
                2000 + fields["Y"], fields["M"], fields["D"], fields["h"], fields["m"], fields["s"]
            )
        except ValueError:
            return
        off_ms = abs(shown_ms - self.clock_ms())
        if limit_s and off_ms > limit_s * 1000:
            self.command("broadcast_time", error="off_limits", off_ms=off_ms)
            return
        self.set_clock(shown_ms)
        self.command("broadcast_time", off_ms=off_ms)
