"""How each protocol reads and switches meters, over the wire of one bus. Model data decide; nothing here knows a schedule."""

from __future__ import annotations

from ..model import Bus
from .base import ENERGY_KEYS, Driver, MeterValues, Wanted, is_column, keys_of
from .cjt188 import Cjt188Driver
from .dlt645_1997 import Dlt645v1997Driver
from .dlt645_2007 import Dlt645v2007Driver, is_permit
from .exchange import Exchange, Unknown, WireStats, WireTiming
from .line import Line
from .modbus import ModbusDriver, make_adu
from .operations import ItemValues, ParameterValues, Prepayment, Purchase, PurchaseResult

__all__ = [
    "ENERGY_KEYS",
    "Driver",
    "Exchange",
    "ItemValues",
    "Line",
    "MeterValues",
    "ParameterValues",
    "Prepayment",
    "Purchase",
    "PurchaseResult",
    "Unknown",
    "Wanted",
    "WireStats",
    "WireTiming",
    "is_column",
    "is_permit",
    "keys_of",
    "make_driver",
]


def make_driver(protocol: str, bus: Bus) -> Driver:
    """The driver of a protocol for one bus."""
    if protocol == "dlt645-2007":
        return Dlt645v2007Driver()
    if protocol == "dlt645-1997":
        return Dlt645v1997Driver()
    if protocol == "cjt188":
        return Cjt188Driver()
    if protocol in ("modbus-rtu", "modbus-tcp"):
        return ModbusDriver(make_adu(bus, protocol))
    raise ValueError(f"no driver for the protocol {protocol!r}")
