"""What a CJ/T 188 meter tells and takes (protocols §4): current data of water, gas and heat, months, days, prices, purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import bits

if TYPE_CHECKING:
    from .cjt188 import Cjt188Meter

CUBIC_METRE, KWH, KW, CUBIC_METRE_PER_HOUR = 0x2C, 0x05, 0x17, 0x35
WRITES = {"A010": "8102", "A011": "8103", "A012": "8104"}
SIZES = {"A010": 16, "A011": 1, "A012": 1}
SUPPLY_C, RETURN_C = 5520, 4130
"""0.01 °C of the heat meter's pipes."""


class Items188:
    """Values by printed identifier, as payloads."""

    def __init__(self, meter: Cjt188Meter) -> None:
        self.meter = meter
        self.stored: dict[str, bytes] = {
            "8102": (bits.bcd(250, 3) + bits.bcd(10, 3)) * 2 + bits.bcd(400, 3),
            "8103": bits.bcd(1, 1),
            "8104": bits.bcd(25, 1),
        }
        prepaid = meter.spec.setting("prepaid")
        self.is_prepaid = isinstance(prepaid, dict)
        settings: dict[str, Any] = prepaid if isinstance(prepaid, dict) else {}
        self.serial = int(settings.get("count", 0))
        self.bought = self.cumulated = 0
        self.credit = round(float(settings.get("balance", 0)) * 100)
        self.price = round(float(settings.get("price", 0)) * 100)
        by_type = KWH if meter.meter_type >> 4 == 2 else CUBIC_METRE
        self.unit = bytes((int(str(meter.spec.setting("unit", f"{by_type:02X}")), 16),))
        self._from = meter.energy.cents()["total"]

    def read(self, di: str) -> bytes | None:
        """The payload behind SER; None = this meter has no such data."""
        if self.meter.is_missing(di):
            return None
        if di == "901F":
            return self.heat() if self.meter.meter_type >> 4 == 2 else self.volume()
        if di == "8105":
            return self.purchase() if self.is_prepaid else None
        if di[:3] == "D12" and di[3] <= "B":
            return self._month(int(di[3], 16))
        return self.stored.get(di)

    def write(self, di: str, payload: bytes) -> bool:
        """A010 prices, A011 and A012 days, A013 purchase, A015 clock; False = refused."""
        if self.meter.is_missing(di):
            return False
        if di == "A013":
            return self._buy(payload)
        if di == "A015":
            return self._set_clock(payload)
        if di not in WRITES or len(payload) != SIZES[di] or bits.unbcd(payload) is None:
            return False
        if di in ("A011", "A012") and not 1 <= (bits.unbcd(payload) or 0) <= 31:
            return False
        self.stored[WRITES[di]] = payload[:15] if di == "A010" else payload
        return True

    def volume(self) -> bytes:
        """Current and settlement volume with units, clock, status."""
        total = bits.bcd(self.meter.energy.cents()["total"], 4)
        return total + self.unit + self._settled() + self.unit + self._clock() + self.meter.status()

    def heat(self) -> bytes:
        """Settlement heat, heat, power, flow, volume, two temperatures, hours, clock, status; the register counts kWh of heat."""
        cents, watts = self.meter.energy.cents()["total"], self.meter.power_w()
        spread = (SUPPLY_C - RETURN_C) / 100
        flow = round(watts / (1163 * spread) * 10_000)  # 1.163 kWh heat one cubic metre by one kelvin
        volume = round(cents / (1.163 * spread))
        return (
            self._settled()
            + self.unit
            + bits.bcd(cents, 4)
            + self.unit
            + bits.bcd(watts // 10, 4)
            + bytes((KW,))
            + bits.bcd(flow, 4)
            + bytes((CUBIC_METRE_PER_HOUR,))
            + bits.bcd(volume, 4)
            + bytes((CUBIC_METRE,))
            + bits.bcd(SUPPLY_C, 3)
            + bits.bcd(RETURN_C, 3)
            + bits.bcd(4321, 3)
            + self._clock()
            + self.meter.status()
        )

    def purchase(self) -> bytes:
        """8105: serial, bought, cumulated, remaining, status."""
        amounts = (self.bought, self.cumulated, self.remaining)
        return (
            bits.bcd(self.serial, 1) + b"".join(bits.bcd(each, 4) for each in amounts) + self.meter.status()
        )

    @property
    def remaining(self) -> int:
        """Money left, in hundredths."""
        used = self.meter.energy.cents()["total"] - self._from
        return max(self.credit - used * self.price // 100, 0)

    def _buy(self, payload: bytes) -> bool:
        serial, amount = bits.unbcd(payload[:1]), bits.unbcd(payload[1:])
        if not self.is_prepaid or len(payload) != 5 or serial != (self.serial + 1) % 100 or amount is None:
            return False
        self.serial, self.bought = serial, amount
        self.cumulated += amount
        self.credit += amount
        return True

    def _set_clock(self, payload: bytes) -> bool:
        fields = bits.clock_fields(payload, "smhDMYC") if len(payload) == 7 else None
        if fields is None:
            return False
        year = 100 * fields["C"] + fields["Y"]
        time = self.meter.world.time
        try:
            shown = time.from_local(year, fields["M"], fields["D"], fields["h"], fields["m"], fields["s"])
        except ValueError:
            return False
        self.meter.set_clock(shown)
        return True

    def _settled(self) -> bytes:
        months = self.meter.energy.months
        return bits.bcd(months[0].cents["total"] if months else 0, 4)

    def _month(self, index: int) -> bytes:
        months = self.meter.energy.months
        cents = months[index].cents["total"] if index < len(months) else 0
        return bits.bcd(cents, 4) + self.unit

    def _clock(self) -> bytes:
        has_clock = bool(self.meter.spec.setting("has_clock", True))
        return bits.clock_bytes(self.meter.clock(), "smhDMYC") if has_clock else b"\xff" * 7
