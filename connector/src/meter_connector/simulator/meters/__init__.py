"""One class a kind of meter; `make_meter` picks it."""

from __future__ import annotations

from ..site import MeterSpec
from .base import Meter, World
from .cjt188 import Cjt188Meter
from .dlt645_1997 import Dlt645Meter1997
from .dlt645_2007 import Dlt645Meter2007
from .modbus import ModbusMeter
from .playback import PlaybackMeter

__all__ = ["Meter", "World", "make_meter"]

KINDS: dict[str, type[Meter]] = {
    "dlt645-2007": Dlt645Meter2007,
    "dlt645-1997": Dlt645Meter1997,
    "cjt188": Cjt188Meter,
    "modbus-rtu": ModbusMeter,
    "modbus-tcp": ModbusMeter,
}


def make_meter(spec: MeterSpec, world: World) -> Meter:
    """The meter of a row of the site file."""
    kind = PlaybackMeter if spec.setting("playback") else KINDS[spec.model.protocol]
    return kind(spec, world)
