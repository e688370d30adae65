import json

from odoo.tests import tagged

from ..const import ALARM_KINDS, EVENT_ALARMS, SEVERITIES
from ..models.meter_alarm_values import VALUE_ALARMS
from ..models.meter_switch_protection import PROTECTIVE_TRIPS
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestAlarmValues(MeterCase):
    def read(self, minutes, total, meter=None, **vals):
        circuit = (meter or self.meter).circuit_ids[:1]
        row = {"circuit": circuit, "at": self.now + 60 * minutes, "total": str(total), **vals}
        if "extras" in row:
            row["extras"] = json.dumps(row["extras"])
        self.ingest([row])

    def check(self):
        self.env.flush_all()
        self.env["meter.alarm"]._cron_check_values()

    def test_every_kind_has_a_severity_and_every_rule_a_kind(self):
        for kind, (label, severity, _target) in ALARM_KINDS.items():
            self.assertTrue(label and severity in dict(SEVERITIES), kind)
        used = (
            {kind for _action, kind in EVENT_ALARMS.values()} | set(PROTECTIVE_TRIPS.values()) | VALUE_ALARMS
        )
        self.assertLessEqual(used, set(ALARM_KINDS))

    def test_flags_beside_the_values_open_and_resolve(self):
        self.read(-2, 1, self.water_meter, extras={"battery_low": "1", "valve_fault": "1"})
        for _again in range(2):
            self.check()
        alarm = self.open_alarms("low_battery")
        self.assertEqual((alarm.meter_id, alarm.times), (self.water_meter, 1))
        self.assertTrue(self.open_alarms("valve_fault"))
        self.read(-1, 1, self.water_meter, extras={"meter_clock": "2026-01-01T00:00:00"})
        self.check()
        self.assertEqual((alarm.state, self.open_alarms("valve_fault").ids), ("resolved", []))

    def test_power_without_counting(self):
        self.read(-130, "100.00", power_kw="2.0")
        self.read(-65, "100.00", power_kw="2.0")
        self.read(-1, "100.00", power_kw="2.0")
        self.check()
        self.assertEqual(self.open_alarms("stopped_counting").circuit_id, self.circuit)
        self.read(0, "100.01", power_kw="2.0")
        self.check()
        self.assertFalse(self.open_alarms("stopped_counting"))

    def test_nothing_used_and_nothing_counted_is_fine(self):
        for minutes in (-130, -65, -1):
            self.read(minutes, "100.00", power_kw="0.001")
        self.check()
        self.assertFalse(self.open_alarms())

    def test_a_register_that_jumps_or_goes_back(self):
        for meter, last in ((self.meter, "5000"), (self.far_meter, "90")):
            self.read(-130, "100", meter)
            self.read(-65, "101", meter)
            self.read(-1, last, meter)
        self.check()
        self.assertEqual(
            self.open_alarms("reading_jump").circuit_id, self.meter.circuit_ids | self.far_meter.circuit_ids
        )

    def test_a_phase_that_is_gone(self):
        extras = {"voltage_b_v": "3.1", "voltage_c_v": "229.8"}
        self.read(-1, 1, voltage_v="230.1", extras=extras)
        self.check()
        self.assertEqual(self.open_alarms("broken_line").meter_id, self.meter)

    def test_what_the_connector_tells_opens_and_resolves(self):
        for number, (kind, (action, alarm_kind)) in enumerate(EVENT_ALARMS.items()):
            if ALARM_KINDS[alarm_kind][2] != "meter_id" or kind.startswith("meter_"):
                continue
            event = {"key": f"e{number}", "kind": kind, "at": self.now + number, "meter_id": self.meter.id}
            self.assert_all_accepted(self.face.api_events({"events": [event]}), 1)
            with self.subTest(kind=kind):
                self.assertEqual(bool(self.open_alarms(alarm_kind)), action == "open")

    def test_a_silent_meter_says_nothing(self):
        self.read(-2, 1, self.water_meter, extras={"battery_low": "1"})
        self.check()
        self.water_meter.state = "offline"
        self.env.cr.execute("UPDATE meter_live SET at = at - interval '1 day'")
        self.check()
        self.assertTrue(self.open_alarms("low_battery"))
