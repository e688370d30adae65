"""Past readings, so that charts have something to show."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo


def start_registers(meter):
    """Opening registers {total, t1..t4} as Decimals."""
    start = meter.get("start", {"total": "0"})
    if not isinstance(start, dict):
        start = {"total": start}
    return {key: Decimal(str(value)) for key, value in start.items()}


def hourly_use(demo, meter):
    """kWh or m³ per hour of the local day, from the meter's load curve."""
    return [Decimal(str(value)) for value in demo.site_file["loads"].get(meter.get("load"), ["0"] * 24)]


def day_use(demo, meter):
    ratio = Decimal(str(meter.get("ct_ratio", 1)))
    return (sum(hourly_use(demo, meter)) / ratio).quantize(Decimal("0.01"))


def opening_registers(demo, meter):
    """Registers `history_days` ago: today's less what the load curve uses in that time, rates in proportion."""
    now = start_registers(meter)
    used = day_use(demo, meter) * demo.history_days
    total = now["total"]
    if not total or used >= total:
        return now
    return {key: (value - value / total * used).quantize(Decimal("0.01")) for key, value in now.items()}


def history_hours(demo):
    """Hours after the opening at which readings are made up: daily, and hourly for the last two days' curves."""
    return [
        hour
        for hour in range(1, demo.history_days * 24 + 1)
        if hour % 24 == 0 or hour > (demo.history_days - 2) * 24
    ]


def used_shares(demo, meter):
    """Per hour after the opening: which part of the whole use lies before it, by the meter's load curve."""
    local = demo.opened_at.replace(tzinfo=UTC).astimezone(ZoneInfo(demo.site_file["site"]["timezone"]))
    curve = hourly_use(demo, meter)
    if not sum(curve):
        curve = [Decimal(1)] * 24
    weights = [curve[(local + timedelta(hours=hour)).hour] for hour in range(demo.history_days * 24)]
    return [Decimal(0), *(used / sum(weights) for used in itertools.accumulate(weights))]


def load_history(demo):
    """Readings from the opening to now, through the connector's own door."""
    connector_model = demo.env["meter.connector"].with_user(
        demo.env["meter.connector"].search([], limit=1).user_id
    )
    circuits = {circuit.meter_id.serial: circuit.id for circuit in demo.env["meter.circuit"].search([])}
    meters = [m for g in demo.site_file["gateways"] for b in g["buses"] for m in b["meters"] if "start" in m]
    ends = [
        (meter, opening_registers(demo, meter), start_registers(meter), used_shares(demo, meter))
        for meter in meters
    ]
    for hour in history_hours(demo):
        at = (demo.opened_at + timedelta(hours=hour) - datetime(1970, 1, 1)).total_seconds()
        columns = {
            "circuit_id": [circuits[meter["serial"]] for meter in meters],
            "at": [at] * len(meters),
            "source": ["scheduled"] * len(meters),
        }
        for key in ("total", "t1", "t2", "t3", "t4"):
            columns[key] = [
                str((opening[key] + (now[key] - opening[key]) * shares[hour]).quantize(Decimal("0.01")))
                if now.get(key)
                else ""
                for _meter, opening, now, shares in ends
            ]
        answer = connector_model.api_ingest({"batch": f"history-{hour}", **columns})
        assert answer["accepted"] == len(meters), answer
        if hour % 24 == 0:
            demo.env["prepaid.settlement"]._settle_due()
