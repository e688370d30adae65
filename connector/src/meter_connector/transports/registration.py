"""Who is calling? Judges what a caller has said so far. No clock, no socket."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

_PADDING = b"\r\n \t\0"
"""Units put line ends before and behind their packet; none of them is meant."""

MIN_BEHIND_BANNER = 4
"""A name this long is also found behind what a unit prints first ("CONNECT OK")."""

IMEI_PREFIX = b"imei:"
"""Of a configured registration: `imei:` and fifteen digits."""

_IMEI = re.compile(rb"imei:([0-9]{15})\Z", re.IGNORECASE)
_SAID_IMEI = re.compile(rb"(?:imei[:=])?([0-9]{15})\Z", re.IGNORECASE)
_PACKED_IMEI = re.compile(rb"0([0-9]{15})\Z")


class Verdict(enum.Enum):
    """What is known after the bytes so far."""

    NEED_DATA = "need_data"
    AMBIGUOUS = "ambiguous"
    KNOWN = "known"
    UNKNOWN = "unknown"


def forms_of(registration: bytes) -> tuple[bytes, ...]:
    """The packets that mean this gateway. `imei:` and fifteen digits: units send the digits as text, with the word before them or not, or
    packed into eight bytes; everything else means itself."""
    match = _IMEI.match(registration)
    if match is None:
        return (registration,)
    digits = match[1]
    packed = bytes.fromhex("0" + digits.decode("ascii"))
    return (digits, b"IMEI:" + digits, b"IMEI=" + digits, packed)


def key_of(registration: bytes) -> bytes:
    """Equal for two configured packets that one caller could mean by the same bytes: every form of an IMEI has the key of `imei:`.
    Odoo keeps gateways apart by the same key (meter_link_mixin.py)."""
    match = _SAID_IMEI.match(registration) or _PACKED_IMEI.match(registration.hex().encode("ascii"))
    return registration if match is None else IMEI_PREFIX + match[1]


class Registrar:
    """Knows the registration packets, each with the heartbeat of its gateway."""

    def __init__(self, known: Mapping[bytes, bytes]) -> None:
        self._known = dict(known)
        self._heartbeats = {heartbeat for heartbeat in known.values() if heartbeat}
        named = sorted((re.escape(name) for name in known if len(name) >= MIN_BEHIND_BANNER), reverse=True)
        self._somewhere = re.compile(b"|".join(named)) if named else None

    def judge(self, said: bytes, *, is_final: bool = False) -> tuple[Verdict, bytes, bytes]:
        """(verdict, the registration packet, the bytes behind it).

        AMBIGUOUS: it is a known packet, and the beginning of a longer known one; `is_final` settles for the one it is. UNKNOWN is what
        is known so far: a name may still follow behind a banner.
        """
        said = self._without_heartbeats(said)
        verdict = self._begins(said, is_final)
        if verdict[0] is not Verdict.UNKNOWN or self._somewhere is None:
            return verdict
        found = self._somewhere.search(said)
        return verdict if found is None else self._begins(said[found.start() :], is_final)

    def _begins(self, said: bytes, is_final: bool) -> tuple[Verdict, bytes, bytes]:
        matches = [packet for packet in self._known if said.startswith(packet)]
        could_become = [
            packet for packet in self._known if len(packet) > len(said) and packet.startswith(said)
        ]
        if matches and (is_final or not could_become):
            packet = max(matches, key=len)
            return Verdict.KNOWN, packet, said[len(packet) :].lstrip(b"\r\n")
        if matches:
            return Verdict.AMBIGUOUS, b"", b""
        if could_become or not said or self._may_be_heartbeat(said):
            return Verdict.NEED_DATA, b"", b""
        return Verdict.UNKNOWN, b"", b""

    def _without_heartbeats(self, said: bytes) -> bytes:
        """Some units send a heartbeat before they register."""
        while said and not self._begins_known(said):
            shorter = said.lstrip(_PADDING)
            heartbeat = next((each for each in self._heartbeats if shorter.startswith(each)), b"")
            shorter = shorter[len(heartbeat) :]
            if shorter == said:
                break
            said = shorter
        return said

    def _begins_known(self, said: bytes) -> bool:
        return any(packet.startswith(said) or said.startswith(packet) for packet in self._known)

    def _may_be_heartbeat(self, said: bytes) -> bool:
        return any(heartbeat.startswith(said) for heartbeat in self._heartbeats)
