"""Meters behind transformers: people see what flows, the reading stays what the meter showed."""

import json
from decimal import Decimal

from odoo.tests import tagged

from ..ratios import ratio_of
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestRatios(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.meter.write({"ct_ratio": 40, "vt_ratio": 1})

    def read(self, minutes=0, **vals):
        extras = vals.pop("extras", None)
        row = {"circuit": self.circuit, "at": self.now + 60 * minutes, **vals}
        self.assert_all_accepted(self.ingest([row | ({"extras": json.dumps(extras)} if extras else {})]), 1)
        self.env.invalidate_all()

    def test_each_quantity_has_its_ratios(self):
        table = [
            ("voltage_v", "100"),
            ("voltage_b_v", "100"),
            ("current_a", "40"),
            ("neutral_current_a", "40"),
            ("power_kw", "4000"),
            ("power_a_kw", "4000"),
            ("reactive_power_kvar", "4000"),
            ("power_factor", "1"),
            ("frequency_hz", "1"),
            ("total", "1"),
            ("t1", "1"),
            ("energy_a", "1"),
            ("temperature_c", "1"),
        ]
        for key, ratio in table:
            self.assertEqual(ratio_of(key, 40.0, 100.0), Decimal(ratio), key)
        self.assertEqual(str(ratio_of("current_a", 0.1 + 0.2, 1.0)), "0.3")

    def test_every_screen_shows_what_flows_and_the_reading_stays(self):
        self.read(
            total="12.50",
            voltage_v="220.1",
            current_a="2.273",
            power_kw="0.5001",
            power_factor="0.950",
            extras={"current_b_a": "1.100", "voltage_b_v": "221.0", "frequency_hz": "50.01"},
        )
        shown = (self.meter.live_power_kw, self.meter.live_current_a, self.meter.live_voltage_v)
        self.assertEqual(shown, (20.004, 90.92, 220.1), "form and list of meters")
        self.assertEqual(
            (self.circuit.live_power_kw, self.circuit.live_current_a, self.circuit.live_voltage_v),
            (20.004, 90.92, 220.1),
        )
        panel = self.meter.action_get_panel()
        [circuit] = panel["circuits"]
        self.assertEqual(
            {item["key"]: Decimal(item["value"]) for item in circuit["values"]},
            {
                "voltage_v": Decimal("220.1"),
                "current_a": Decimal("90.92"),
                "power_kw": Decimal("20.004"),
                "power_factor": Decimal("0.950"),
            },
        )
        self.assertEqual([item["value"] for item in circuit["extras"]], ["44.000 A", "50.01 Hz", "221.0 V"])
        self.assertEqual((circuit["total"], panel["multiplier"]), ("12.50", 40.0))
        point = self.meter.action_get_curve(self.circuit.id)["points"][-1]
        self.assertEqual((point[1], round(point[2], 6)), (12.5, 20.004))
        reading = self.env["meter.reading"].search([("circuit_id", "=", self.circuit.id)])
        self.assertEqual((reading.power_kw, reading.current_a), (0.5001, 2.273), "as the meter showed it")
        self.assertEqual((reading.shown_power_kw, reading.shown_current_a), (20.004, 90.92))

    def test_a_register_that_is_too_coarse_for_the_load_has_not_stopped(self):
        for minutes in (-130, -65, -1):  # 2 kW flow, 0.05 kW at the meter
            self.read(minutes, total="100.00", power_kw="0.05")
        self.env["meter.alarm"]._cron_check_values()
        self.assertFalse(self.open_alarms())

    def test_a_broken_line_is_seen_behind_voltage_transformers(self):
        self.meter.vt_ratio = 100
        self.read(voltage_v="57.7", extras={"voltage_b_v": "0.3", "voltage_c_v": "57.8"})
        self.env["meter.alarm"]._cron_check_values()
        self.assertEqual(self.open_alarms().mapped("kind"), ["broken_line"])
        self.read(1, voltage_v="57.7", extras={"voltage_b_v": "57.6", "voltage_c_v": "57.8"})
        self.env["meter.alarm"]._cron_check_values()
        self.assertFalse(self.open_alarms())
