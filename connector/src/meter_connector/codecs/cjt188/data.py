"""Data identifiers of CJ/T 188: payload <-> values. The tables are TOML files beside this module."""

from collections.abc import Mapping

from ..values import Reading, Writable

#: Status layouts seen in the field (protocols.md section 4, "ST byte 1"): valve and battery bits differ by vendor.
STATUS_LAYOUTS = ("a", "b", "c")


def decode_item(di: str, payload: bytes, *, meter_type: int = 0x10, status_layout: str = "a") -> Reading:
    """What a meter answered to a read of ``di``; heat meters (2x) have another 901F. Never raises for payloads.

    901F values: ``current``, ``settle``, ``clock`` (heat: see items.toml) and details ``st``, ``valve``, ``battery_low``.
    """
    raise NotImplementedError


def encode_item(di: str, values: Mapping[str, Writable | None], *, meter_type: int = 0x10) -> bytes:
    """The reverse for the simulator: values by key (current, settle, clock, valve, battery_low, ...)."""
    raise NotImplementedError


def valve_state(status: bytes, layout: str = "a") -> str:
    """ "on" (open), "off" (closed), "pending" (moving or abnormal: valve bits 11) from the two ST bytes."""
    raise NotImplementedError
