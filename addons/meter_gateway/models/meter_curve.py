"""What the meter's page shows by itself: live values and readings as a curve (widget ``meter_panel``)."""

import json
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from odoo import api, fields, models

from ..ratios import ratio_of

#: period: (hours, length of a step in seconds): about 200 points, whatever the period
PERIODS = {"24h": (24, 450), "7d": (7 * 24, 3600), "30d": (30 * 24, 4 * 3600)}

CURVE_SQL = """
SELECT floor(extract(epoch FROM at) / %(step)s) * %(step)s AS moment,
       (array_agg(total ORDER BY at DESC) FILTER (WHERE total IS NOT NULL))[1]::float8 AS total,
       avg(power_kw)::float8 AS power_kw,
       (array_agg(switch ORDER BY at DESC) FILTER (WHERE switch IS NOT NULL))[1] AS switch
  FROM meter_reading
 WHERE circuit_id = %(circuit_id)s AND at >= %(start)s
 GROUP BY 1 ORDER BY 1
"""


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    def action_get_panel(self):
        """Live values of each circuit; voltage, current and power behind the transformers, registers as on the meter.

        :return: {"state", "kind", "unit", "multiplier" of the registers, "server_time", "circuits": [{"id", "name", "at", "total", "values": [{"key",
            "label", "value", "unit"}], "switch": {...} or False}]}; values are exact decimals as text
        """
        self.ensure_one()
        self.check_access("read")
        rows = self.circuit_ids._get_live_rows()
        return {
            "state": self.state,
            "kind": self.kind_id.code,
            "unit": self.kind_id.uom_name,
            "multiplier": self.multiplier,
            "server_time": fields.Datetime.to_string(fields.Datetime.now()),
            "circuits": [
                self._prepare_panel_circuit(circuit, rows.get(circuit.id, {})) for circuit in self.circuit_ids
            ],
        }

    @api.model
    def _prepare_panel_circuit(self, circuit, row):
        labels = [
            ("voltage_v", self.env._("Voltage"), "V"),
            ("current_a", self.env._("Current"), "A"),
            ("power_kw", self.env._("Power"), "kW"),
            ("power_factor", self.env._("Power Factor"), ""),
            ("t1", self.env._("Sharp"), "kWh"),
            ("t2", self.env._("Peak"), "kWh"),
            ("t3", self.env._("Flat"), "kWh"),
            ("t4", self.env._("Valley"), "kWh"),
        ]
        return {
            "id": circuit.id,
            "number": circuit.number,
            "name": circuit.service_point_id.display_name or self.env._("Circuit %s", circuit.number),
            "at": fields.Datetime.to_string(row["at"]) if row.get("at") else False,
            "total": str(row["total"]) if row.get("total") is not None else False,
            "values": [
                {
                    "key": key,
                    "label": label,
                    "value": _plain(circuit.meter_id._to_primary(key, row[key])),
                    "unit": unit,
                }
                for key, label, unit in labels
                if row.get(key) is not None
            ],
            "extras": self._prepare_panel_extras(circuit.meter_id, row.get("extras")),
            "switch": self._prepare_panel_switch(circuit.switch_id),
        }

    @api.model
    def _prepare_panel_extras(self, meter, extras):
        """Further values of a reading, with the names and units people know them by."""
        try:
            values = json.loads(extras or "{}")
        except ValueError:
            return []
        known = {
            "voltage_b_v": (self.env._("Voltage B"), "V"),
            "voltage_c_v": (self.env._("Voltage C"), "V"),
            "current_b_a": (self.env._("Current B"), "A"),
            "current_c_a": (self.env._("Current C"), "A"),
            "power_a_kw": (self.env._("Power A"), "kW"),
            "power_b_kw": (self.env._("Power B"), "kW"),
            "power_c_kw": (self.env._("Power C"), "kW"),
            "apparent_power_kva": (self.env._("Apparent power"), "kVA"),
            "reactive_power_kvar": (self.env._("Reactive power"), "kvar"),
            "combined_total": (self.env._("Combined energy"), "kWh"),
            "forward_total": (self.env._("Forward energy"), "kWh"),
            "reverse_total": (self.env._("Reverse energy"), "kWh"),
            "flow_m3h": (self.env._("Flow"), "m³/h"),
            "volume_m3": (self.env._("Volume"), "m³"),
            "supply_c": (self.env._("Supply temperature"), "°C"),
            "return_c": (self.env._("Return temperature"), "°C"),
            "frequency_hz": (self.env._("Frequency"), "Hz"),
            "temperature_c": (self.env._("Temperature"), "°C"),
            "meter_clock": (self.env._("Meter clock"), ""),
            "settlement_total": (self.env._("On settlement day"), ""),
        }
        return [
            {
                "label": known.get(key, (key,))[0],
                "value": f"{_extra(meter, key, value)} {known.get(key, ('', ''))[1]}".strip(),
            }
            for key, value in sorted(values.items())
            if value not in (None, "", {}, [])
        ]

    @api.model
    def _prepare_panel_switch(self, switch):
        if not switch:
            return False
        order = switch.open_order_id
        order_states = dict(order._fields["state"]._description_selection(self.env))
        return {
            "id": switch.id,
            "reported": switch.reported,
            "label": switch._label("reported"),
            "reported_at": fields.Datetime.to_string(switch.reported_at) if switch.reported_at else False,
            "desired": switch.desired or False,
            "reason": switch.desired_reason or "",
            "is_mismatch": switch.is_mismatch,
            "is_unverified": switch.is_unverified,
            "keep_power": switch._is_kept_on(),
            "keep_power_until": fields.Datetime.to_string(switch.keep_power_until)
            if switch.keep_power_until
            else False,
            "order": order_states.get(order.state, "") if order else False,
        }

    def action_get_curve(self, circuit_id, period="24h"):
        """Readings of a circuit as a curve: the register as on the meter, the power behind the transformers.

        :param str period: key of PERIODS
        :return: {"start", "end", "step": seconds, "points": [[epoch, total or False, power_kw or False, switch or False]]}
        """
        self.ensure_one()
        self.check_access("read")
        circuit = self.circuit_ids.filtered(lambda circuit: circuit.id == circuit_id)
        hours, step = PERIODS.get(period, PERIODS["24h"])
        now = fields.Datetime.now()
        start = now - timedelta(hours=hours)
        power_ratio = float(ratio_of("power_kw", self.ct_ratio, self.vt_ratio))
        self.env.cr.execute(CURVE_SQL, {"step": step, "circuit_id": circuit.id or 0, "start": start})
        points = [
            [
                float(moment),
                False if total is None else total,
                False if power is None else power * power_ratio,
                switch or False,
            ]
            for moment, total, power, switch in self.env.cr.fetchall()
        ]
        return {"start": start.timestamp(), "end": now.timestamp(), "step": step, "points": points}


def _plain(number):
    """An exact decimal as text, never with an exponent."""
    return f"{number:f}"


def _extra(meter, key, value):
    """A further value behind the transformers; what is no number stays as it came."""
    ratio = ratio_of(key, meter.ct_ratio, meter.vt_ratio)
    if ratio == 1:
        return value
    try:
        return _plain(Decimal(str(value)) * ratio)
    except InvalidOperation:
        return value
