"""Who is calling? Judges what a caller has said so far. No clock, no socket.

A box that is not configured must never be taken for one that is: it would be asked, and switched, in its place. So a name counts only as a
whole: GW-10 is not GW-1, workshop12 is not shop1.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

NAME_BYTES = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:#@+" + bytes(range(0x80, 0xFE))
)
"""What names are made of, also those in UTF-8: such a byte next to a name is part of a longer one. FE, the preamble of meters, is none."""

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
        self._texts = {name for name in known if _is_text(name)}
        self._heartbeats = {heartbeat for heartbeat in known.values() if heartbeat}
        named = sorted((re.escape(name) for name in known if len(name) >= MIN_BEHIND_BANNER), reverse=True)
        self._somewhere = re.compile(b"|".join(named)) if named else None

    def judge(self, said: bytes, *, is_final: bool = False) -> tuple[Verdict, bytes, bytes]:
        """(verdict, the registration packet, the bytes behind it).

        AMBIGUOUS: it is a known packet, and may be the beginning of a longer name, known or not; `is_final` (nothing more came) settles
        for the one it is. UNKNOWN is what is known so far: a name may still follow behind a banner.
        """
        said = self._without_heartbeats(said)
        verdict = self._begins(said, is_final)
        if verdict[0] is not Verdict.UNKNOWN or self._somewhere is None:
            return verdict
        for found in self._somewhere.finditer(said):
            if found.start() and self._may_begin(found[0], said[: found.start()]):
                behind_banner = self._begins(said[found.start() :], is_final)
                if behind_banner[0] is not Verdict.UNKNOWN:
                    return behind_banner
        return verdict

    def _begins(self, said: bytes, is_final: bool) -> tuple[Verdict, bytes, bytes]:
        ends = {
            packet: self._ends(packet, said[len(packet) :], is_final)
            for packet in self._known
            if said.startswith(packet)
        }
        whole = [packet for packet, is_end in ends.items() if is_end]
        could_become = any(len(packet) > len(said) and packet.startswith(said) for packet in self._known)
        is_open = not is_final and (could_become or None in ends.values())
        if whole and not is_open:
            packet = max(whole, key=len)
            return Verdict.KNOWN, packet, said[len(packet) :].lstrip(b"\r\n")
        if is_open and (whole or None in ends.values()):
            return Verdict.AMBIGUOUS, b"", b""
        if could_become or not said or self._may_be_heartbeat(said):
            return Verdict.NEED_DATA, b"", b""
        return Verdict.UNKNOWN, b"", b""

    def _ends(self, packet: bytes, rest: bytes, is_final: bool) -> bool | None:
        """Does the name end where `rest` begins? None: more bytes, or none for a while, will tell.

        Only a text can be the beginning of a longer name; digits alone are no heartbeat there.
        """
        if packet not in self._texts or packet[-1] not in NAME_BYTES:
            return True
        heartbeat = self._known[packet]
        if heartbeat and not heartbeat.isdigit():
            if rest.startswith(heartbeat):
                return True
            if not is_final and heartbeat.startswith(rest):
                return None
        if not rest:
            return True if is_final else None
        return rest[0] not in NAME_BYTES

    def _may_begin(self, packet: bytes, banner: bytes) -> bool:
        """May a name begin behind these bytes? One that is no text only behind lines of text: in noise any few bytes occur."""
        if packet in self._texts:
            return packet[0] not in NAME_BYTES or banner[-1] not in NAME_BYTES
        return banner[-1:] in (b"\r", b"\n", b"\0", b" ") and _is_text(banner.translate(None, _PADDING))

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


def _is_text(packet: bytes) -> bool:
    try:
        return packet.decode().isprintable()
    except UnicodeDecodeError:
        return False
