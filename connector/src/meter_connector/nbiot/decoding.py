"""From a report's bytes to values of its meter, by the codecs that also serve the buses. No clock, no socket.

A frame counts when its checksum is right and it carries the meter's own address; the report's time is the time of its values, since
NB-IoT meters' own clocks are often unset (the meter's clock comes along as an extra).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..codecs import cjt188, dlt645_1997, dlt645_2007
from ..codecs.base import CodecError, ScanDecoder
from ..drivers import cjt188 as cjt188_driver
from ..drivers import dlt645_1997 as driver_1997
from ..drivers import dlt645_2007 as driver_2007
from ..drivers.base import Item, MeterValues, keys_of, plan_items
from ..drivers.dlt645 import Dlt645Driver
from ..model import Meter, ProtocolName
from . import payload
from .push import Push

PROTOCOLS: dict[ProtocolName, type[ScanDecoder[Any]]] = {
    "cjt188": cjt188.Decoder,
    "dlt645-2007": dlt645_2007.Decoder,
    "dlt645-1997": dlt645_1997.Decoder,
}
_DRIVERS: dict[str, Callable[[], Dlt645Driver[Any]]] = {
    "dlt645-2007": driver_2007.Dlt645v2007Driver,
    "dlt645-1997": driver_1997.Dlt645v1997Driver,
}
_VALVE = "A017"
PROPERTIES = "nbiot_properties"
"""Quirk of a model: {register key: `path.of.a.property`} for modelled products, whose names are the vendor's."""


@dataclass
class Decoded:
    """What a report says. `unknown`: (hex, reason) of bytes a person should look at. `acknowledged`: the meter took a command; `refused`:
    it did not, with its words."""

    meters: dict[int, MeterValues] = field(default_factory=dict)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    frames: int = 0


class Roster:
    """The configured NB-IoT meters, found by IMEI or, where a platform tells none, by the address in the frame."""

    def __init__(self, meters: Sequence[tuple[str, Meter]] = ()) -> None:
        self._by_imei: dict[str, list[Meter]] = {}
        self._by_address: dict[tuple[str, str], list[Meter]] = {}
        for imei, meter in meters:
            if imei:
                self._by_imei.setdefault(imei, []).append(meter)
            self._by_address.setdefault((meter.model.protocol, meter.address), []).append(meter)

    def of_device(self, imei: str) -> list[Meter]:
        """The meters behind a device; a box may carry several."""
        return self._by_imei.get(imei, [])

    def of_frame(self, imei: str, protocol: str, address: str) -> Meter | None:
        """The meter of a frame: behind this device, or, without an IMEI, the only one with this address."""
        named = self._by_address.get((protocol, address), [])
        if imei:
            behind = self.of_device(imei)
            named = [meter for meter in named if meter in behind]
        return named[0] if len(named) == 1 else None


def decode(push: Push, roster: Roster, at: float) -> Decoded:
    """Everything a report says of configured meters; never raises for what a report holds."""
    found = Decoded()
    pieces = payload.byte_strings(push.content)
    for data in pieces:
        _decode_bytes(push, data, roster, at, found)
    for meter in roster.of_device(push.imei):
        if meter.id not in found.meters:
            _read_properties(push, meter, at, found)
    is_told = found.meters or found.acknowledged or found.refused
    if not is_told and not found.unknown and pieces and roster.of_device(push.imei):
        found.unknown.append((pieces[0].hex().upper(), "no_frame"))
    return found


def _decode_bytes(push: Push, data: bytes, roster: Roster, at: float, found: Decoded) -> None:
    for protocol, make in PROTOCOLS.items():
        for located in _scan(make(), data):
            raw = data[located.offset : located.offset + located.size].hex().upper()
            frame = located.frame
            meter = roster.of_frame(push.imei, protocol, frame.address)
            if meter is None:
                is_other = any(each.model.protocol == protocol for each in roster.of_device(push.imei))
                if is_other or not push.imei:
                    found.unknown.append((raw, "other_address"))
                continue
            found.frames += 1
            try:
                _decode_frame(meter, frame, raw, at, found)
            except CodecError:
                found.unknown.append((raw, "model"))


def _scan(decoder: ScanDecoder[Any], data: bytes) -> list[Any]:
    located = decoder.scan(data)
    while decoder.incomplete:
        located += decoder.expire_once()
    return located


def _decode_frame(meter: Meter, frame: Any, raw: str, at: float, found: Decoded) -> None:
    if not frame.is_answer:
        found.unknown.append((raw, "not_an_answer"))
        return
    if _is_command(meter, frame):
        _take_answer(meter, frame, found)
    if frame.is_abnormal:
        return
    items = [] if frame.di is None else _items(meter, frame.di)
    if not items:
        if not _is_command(meter, frame):
            found.unknown.append((raw, "not_in_model"))
        return
    values = found.meters.setdefault(meter.id, MeterValues())
    for item in items:
        if _take(meter, item, frame, values, at):
            found.unknown.append((raw, "unit"))


def _take(meter: Meter, item: Item, frame: Any, values: MeterValues, at: float) -> bool:
    """Through the same code as an answer that was asked for; True when its units cannot be."""
    if meter.model.protocol == "cjt188":
        decoded = cjt188_driver.decode(meter, frame.payload, item.di, frame.meter_type)
        return bool(cjt188_driver.take_answer(item, decoded, values, at, meter, frame.meter_type))
    _DRIVERS[meter.model.protocol]().take_answer(item, frame.payload, values, at)
    return False


def _items(meter: Meter, di: str) -> list[Item]:
    """What the model makes of an identifier, as block or as single registers."""
    keys = frozenset().union(*keys_of(meter.model).values())
    plans = [plan_items(meter.model, keys), plan_items(meter.model, keys, lambda _di: True)]
    return next(([item] for plan in plans for item in plan if item.di == di), [])


def _is_command(meter: Meter, frame: Any) -> bool:
    """Is it the answer to a switch command?"""
    if meter.model.protocol == "cjt188":
        return bool(frame.function != 0x01 and (frame.is_abnormal or frame.di == _VALVE))
    return meter.model.protocol == "dlt645-2007" and bool(frame.function == 0x1C)


def _take_answer(meter: Meter, frame: Any, found: Decoded) -> None:
    if frame.is_abnormal:
        found.refused[meter.id] = f"refused with {frame.data.hex().upper()}"
    else:
        found.acknowledged.add(meter.id)


def _read_properties(push: Push, meter: Meter, at: float, found: Decoded) -> None:
    """Registers from the vendor's JSON, where the model says where they stand."""
    paths = meter.model.quirks.get(PROPERTIES)
    if not isinstance(paths, dict):
        return
    circuits = {register.key: register.circuit for register in meter.model.registers}
    for key, path in paths.items():
        value = payload.number(payload.member(push.content, str(path)))
        if value is not None and str(key) in circuits:
            values = found.meters.setdefault(meter.id, MeterValues())
            values.put(circuits[str(key)], str(key), value, at)
