"""Load profile of a 645-2007 meter: one record every half hour, as it was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import bits
from ..energy import Frozen
from .live import live_values

if TYPE_CHECKING:
    from .dlt645_2007 import Dlt645Meter2007

CLASSES = ("01", "02", "03", "04", "05", "06")
EARLIEST, SINCE, LATEST = "00", "01", "02"


def profile(meter: Dlt645Meter2007, di: str, rest: bytes) -> bytes | None:
    """06 cc 00 pp with N, or N mm hh DD MM YY; None = the meter keeps no such profile."""
    halves = list(reversed(meter.energy.halves))
    if not meter.energy.halves.maxlen or di[4:6] != "00" or di[6:] not in (EARLIEST, SINCE, LATEST):
        return None
    if di[2:4] not in ("00", *CLASSES):
        return None
    count = bits.unbcd(rest[:1]) or 1 if rest else 1
    if di[6:] == SINCE:
        since = _since(meter, rest[1:6])
        halves = [each for each in halves if since is not None and each.at_ms >= since]
    chosen = halves[-count:] if di[6:] == LATEST else halves[:count]
    return b"".join(_record(meter, each, di[2:4]) for each in chosen)


def _since(meter: Dlt645Meter2007, wire: bytes) -> int | None:
    fields = bits.clock_fields(wire, "mhDMY") if len(wire) == 5 else None
    if fields is None:
        return None
    try:
        return meter.world.time.from_local(
            2000 + fields["Y"], fields["M"], fields["D"], fields["h"], fields["m"], 0
        )
    except ValueError:
        return None


def _record(meter: Dlt645Meter2007, frozen: Frozen, wanted: str) -> bytes:
    """A0 A0 n time, six classes each with AA behind, sum, E5; classes that were not asked for are empty."""
    body = bits.clock_bytes(meter.world.time.local(frozen.at_ms), "mhDMY")
    for kind in CLASSES:
        body += (_class(meter, frozen, kind) if wanted in ("00", kind) else b"") + b"\xaa"
    record = b"\xa0\xa0" + bytes((len(body),)) + body
    return record + bytes((bits.checksum(record), 0xE5))


def _class(meter: Dlt645Meter2007, frozen: Frozen, kind: str) -> bytes:
    live = live_values(meter, frozen.at_ms)
    phase = meter.items.phase
    if kind == "01":
        voltages = b"".join(phase(live, "01", n) for n in (1, 2, 3))
        return voltages + b"".join(phase(live, "02", n) for n in (1, 2, 3)) + bits.bcd(live.frequency, 2)
    if kind == "02":
        return b"".join(phase(live, what, n) for what in ("03", "04") for n in range(4))
    if kind == "03":
        return b"".join(phase(live, "06", n) for n in range(4))
    if kind == "04":
        return bits.bcd(frozen.cents["total"], 4) + bits.bcd(0, 4) * 3
    if kind == "05":
        return bits.bcd(0, 4) * 4
    return bits.bcd(live.total_dw, 3) + phase(live, "04", 0)
