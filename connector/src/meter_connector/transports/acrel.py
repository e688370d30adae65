"""The conversation with Acrel's 4G meters that dial in themselves. No clock, no socket: bytes in, Modbus bytes and replies out. The messages
are in ``codecs/acrel``.

Known and done: 84 registration (the serial number says who calls) with its fixed acknowledgement, 93 time, 94 heartbeat, 90 as envelope of
Modbus RTU in both directions. Kept for a person, decoded as far as the sources agree: 91 upload, 89 alarm, 82 and 88 configuration. How 91
and 89 are acknowledged is not documented: they are not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..codecs.acrel.frame import (
    ALARM,
    CONFIGURATION,
    CONFIGURATION_2,
    DOWNLINK,
    HEAD,
    HEARTBEAT,
    MAX_FRAME,
    REGISTER,
    SERIAL_SIZE,
    TIME,
    UPLOAD,
    AcrelFrame,
    take_frame,
)

__all__ = [
    "DOWNLINK",
    "GATEWAY_HEAD",
    "HEAD",
    "KNOWN_KINDS",
    "MAX_FRAME",
    "PREFIX",
    "REGISTER",
    "REGISTERED",
    "SERIAL_SIZE",
    "TIME",
    "UPLOAD",
    "AcrelFilter",
    "AcrelFrame",
    "kind_of",
    "serial_of",
    "take_frame",
    "time_reply",
]

REGISTERED = bytes.fromhex("7B7B84BF237D7D")
PREFIX = b"acrel:"
"""Of a configured registration: `acrel:` and the serial number."""

GATEWAY_HEAD = b"\x1f\x1f"
"""Of Acrel's concentrators, whose messages are not documented beyond their heads."""

_SUNDAY = 7
_KINDS = {
    UPLOAD: "acrel_upload",
    CONFIGURATION: "acrel_config",
    CONFIGURATION_2: "acrel_config",
    ALARM: "acrel_alarm",
}
KNOWN_KINDS = frozenset({"acrel_upload", "acrel_config"})
"""Of messages that a meter sends as a matter of course: one an hour is told, and nobody is alarmed."""


def serial_of(frame: AcrelFrame) -> bytes:
    """Who registers: the serial number without its padding; empty when this is no registration."""
    if frame.command != REGISTER or len(frame.payload) < SERIAL_SIZE:
        return b""
    return frame.payload[:SERIAL_SIZE].strip(b"\0 ")


def kind_of(message: bytes) -> str:
    """What an event calls a message that is no answer, by its command."""
    return _KINDS.get(message[2], "acrel") if len(message) > 2 else "acrel"


def time_reply(now: datetime) -> bytes:
    """YY MM DD W hh mm ss, binary, naive local time. Whether Sunday is 0 or 7 is not documented: on Sundays there is no reply."""
    weekday = now.isoweekday()
    if weekday == _SUNDAY:
        return b""
    fields = (now.year % 100, now.month, now.day, weekday, now.hour, now.minute, now.second)
    return AcrelFrame(TIME, bytes(fields)).encode()


class AcrelFilter:
    """In the place of a heartbeat filter: gives the Modbus bytes of 90 frames, and answers the rest by `reply`.

    `padded`: the serial number as the meter sent it, twenty bytes. `now`: the site's local time, None = it is not told. `on_other` gets messages that a person may want to see.
    """

    hold_s = 2.0
    """A message that stays incomplete so long is given up."""

    def __init__(
        self,
        padded: bytes,
        reply: Callable[[bytes], None],
        now: Callable[[], datetime] | None,
        on_other: Callable[[AcrelFrame], None],
    ) -> None:
        self.padded = padded
        self.swallowed = 0
        self.dropped_bytes = 0
        self._reply = reply
        self._now = now
        self._on_other = on_other
        self._held = b""

    @property
    def is_holding(self) -> bool:
        """See HeartbeatFilter."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """See HeartbeatFilter."""
        out = b""
        for begin in range(0, len(data), MAX_FRAME):
            self._held += data[begin : begin + MAX_FRAME]
            out += self._scan()
        return out

    def flush(self) -> bytes:
        """Give up the candidate; what is behind it may be a message."""
        out = b""
        while self._held:
            self._drop(1)
            out += self._scan()
        return out

    def clear(self) -> None:
        """See HeartbeatFilter."""
        self._held = b""

    def wrap(self, request: bytes) -> bytes:
        """A Modbus request for the meter."""
        return AcrelFrame(DOWNLINK, self.padded + request).encode()

    def _scan(self) -> bytes:
        out = b""
        while self._held:
            at = self._held.find(HEAD[:1])
            self._drop(len(self._held) if at < 0 else at)
            if not self._held:
                break
            frame, size, is_open = take_frame(self._held)
            if is_open:
                break
            if frame is None:
                self._drop(size)
                continue
            self._held = self._held[size:]
            out += self._take(frame)
        return out

    def _take(self, frame: AcrelFrame) -> bytes:
        if frame.command == DOWNLINK:
            payload = frame.payload
            return payload[SERIAL_SIZE:] if payload.startswith(self.padded) else payload
        self.swallowed += 1
        if frame.command == REGISTER:
            self._reply(REGISTERED)
        elif frame.command == TIME:
            if self._now is not None and (answer := time_reply(self._now())):
                self._reply(answer)
        elif frame.command != HEARTBEAT:
            self._on_other(frame)
        return b""

    def _drop(self, count: int) -> None:
        self.dropped_bytes += count
        self._held = self._held[count:]
