"""Orders to a meter that switch nothing: reads for somebody who waits, settings, purchases, keep-power, alarm, clock.

reads      asked at once; a meter that does not answer ends them
changes    received ──check the meter──> STARTED on the disk ──sent once──> read back ──> confirmed or failed, with what was read back
               │ cannot be reached, nothing was sent: later, until the order expires
               └ sent and then cut off, also by kill -9: only read from then on
"""

from __future__ import annotations

from .base import Errand, as_text
from .commanding import AlarmErrand, ClockErrand, KeepPowerErrand
from .purchasing import PurchaseErrand
from .reading import ItemsErrand, PrepaymentErrand, ProfileErrand, ReadErrand
from .settings import ReadParametersErrand, WriteParametersErrand

ERRANDS: dict[str, type[Errand]] = {
    "read": ReadErrand,
    "read_items": ItemsErrand,
    "read_profile": ProfileErrand,
    "read_parameters": ReadParametersErrand,
    "write_parameters": WriteParametersErrand,
    "purchase": PurchaseErrand,
    "read_prepayment": PrepaymentErrand,
    "keep_power_on": KeepPowerErrand,
    "keep_power_off": KeepPowerErrand,
    "alarm_on": AlarmErrand,
    "alarm_off": AlarmErrand,
    "sync_clock": ClockErrand,
}

__all__ = ["ERRANDS", "Errand", "as_text"]
