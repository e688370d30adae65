from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import MeterCase

#: A day of Shanghai that is over: 2026-03-10 16:00 UTC is midnight there.
DAY = fields.Date.to_date("2026-03-11")
MIDNIGHT = fields.Datetime.to_datetime("2026-03-10 16:00:00")


@tagged("post_install", "-at_install")
class TestCompleteness(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["meter.read.group"].create({"name": "Hourly", "code": "hourly", "energy_s": 3600})
        cls.env["meter.meter"].search([]).write({"read_group": "hourly"})
        cls.env["property.site"].search([]).write({"tz": "Asia/Shanghai"})
        cls.env.flush_all()
        cls.env.cr.execute("UPDATE meter_meter SET create_date = '2026-01-01'")
        cls.rows = cls.env["meter.completeness"]

    def read(self, hours, circuit=None, late=(), source="scheduled", start=MIDNIGHT):
        for hour in hours:
            at = start + timedelta(hours=hour, minutes=5)
            received = at + timedelta(seconds=3000 if hour in late else 5)
            self.env.cr.execute(
                "INSERT INTO meter_reading_data (circuit_id, at, total, source, received_at) VALUES (%s, %s, 1, %s, %s)",
                [(circuit or self.circuit).id, at, source, received],
            )

    def refresh(self, day=DAY, now=None, meter=None):
        self.rows._refresh(day, now)
        row = self.rows.search([("meter_id", "=", (meter or self.meter).id), ("day", "=", day)])
        return row.expected, row.received, row.late, row.missing

    def test_what_came_what_came_late_what_is_missing(self):
        self.read(range(20), late=(3, 4))
        self.assertEqual(self.refresh(), (24, 20, 2, 4))
        self.assertEqual(self.refresh(meter=self.far_meter), (24, 0, 0, 24))
        self.read(range(20, 24), late=(20,))
        self.assertEqual(self.refresh(), (24, 24, 3, 0), "what comes later is counted later")

    def test_days_begin_at_the_sites_midnight(self):
        self.read([-1, 24])
        self.assertEqual(self.refresh()[1], 0)

    def test_today_counts_up_to_now(self):
        self.read(range(3))
        self.assertEqual(self.refresh(now=MIDNIGHT + timedelta(hours=4, minutes=10)), (4, 3, 0, 1))

    def test_reading_by_hand_fills_no_gap_and_too_many_are_not_more_than_all(self):
        self.read(range(4), source="on_demand")
        self.assertEqual(self.refresh()[1], 0)
        self.read([hour / 3 + 0.1 for hour in range(72)])
        self.assertEqual(self.refresh(), (24, 24, 0, 0))

    def test_a_meter_counts_from_its_first_day(self):
        self.env.cr.execute(
            "UPDATE meter_meter SET create_date = %s WHERE id = %s",
            [MIDNIGHT + timedelta(hours=18), self.meter.id],
        )
        self.assertEqual(self.refresh()[0], 6)
        brought_along = MIDNIGHT.replace(tzinfo=UTC).timestamp() - 3600
        self.ingest([{"circuit": self.circuit, "at": brought_along, "total": "1"}])
        self.assertEqual(self.refresh()[0], 6, "older readings make nothing due")

    def test_who_is_not_read_by_schedule_misses_nothing(self):
        self.meter.bus_id = False
        self.env["meter.read.group"].create({"name": "Never", "code": "never", "energy_s": 0})
        self.far_meter.read_group = "never"
        self.refresh()
        self.assertFalse(self.rows.search([("meter_id", "in", (self.meter | self.far_meter).ids)]))

    def test_a_meter_is_as_complete_as_its_worst_circuit(self):
        second = self.env["meter.circuit"].create({"meter_id": self.meter.id, "number": 2})
        self.read(range(24))
        self.read(range(10), second)
        self.assertEqual(self.refresh(), (24, 10, 0, 14))

    def test_alarms_once_a_day_is_over_and_gone_when_a_day_is_good(self):
        self.read(range(20))
        self.read(range(24), self.far_meter.circuit_ids)
        self.read(range(24), self.water_meter.circuit_ids)
        self.refresh()
        self.rows._judge(MIDNIGHT + timedelta(hours=23))
        self.assertFalse(self.open_alarms("readings_missing"), "the day is not over")
        for _again in range(2):
            self.rows._judge(MIDNIGHT + timedelta(hours=25))
        alarm = self.open_alarms("readings_missing")
        self.assertEqual((alarm.meter_id, alarm.times), (self.meter, 1))
        self.assertIn("4 of 24", alarm.message)
        self.read(range(24), start=MIDNIGHT + timedelta(days=1))
        self.refresh(DAY + timedelta(days=1))
        self.rows._judge(MIDNIGHT + timedelta(hours=49))
        self.assertEqual(alarm.state, "resolved")

    def test_a_gateway_without_readings_is_one_alarm(self):
        for number in range(4):
            self.make_meter(self.bus, f"30000000000{number}", read_group="hourly")
        self.env.cr.execute("UPDATE meter_meter SET create_date = '2026-01-01'")
        self.refresh()
        self.rows._judge(MIDNIGHT + timedelta(hours=25))
        gateways = self.open_alarms("readings_missing").filtered("gateway_id").gateway_id
        self.assertEqual(gateways, self.bus.gateway_id)
        self.assertEqual(self.open_alarms("readings_missing").meter_id, self.far_meter)

    def test_a_voltage_is_no_reading_to_bill(self):
        self.read(range(6))
        self.env.cr.execute(
            "INSERT INTO meter_reading_data (circuit_id, at, voltage_v, source) "
            "SELECT %s, at, 220, 'scheduled' FROM generate_series(%s::timestamp, %s::timestamp, '1 minute') at",
            [self.circuit.id, MIDNIGHT + timedelta(seconds=30), MIDNIGHT + timedelta(hours=23)],
        )
        self.assertEqual(self.refresh(), (24, 6, 0, 18))

    def test_a_sleeping_meter_owes_one_report_a_day_within_26_hours(self):
        self.far_meter.read_group = "default"
        self.far_meter.bus_id.link_kind = "nbiot"
        far = self.far_meter.circuit_ids
        self.assertEqual(self.refresh(meter=self.far_meter), (1, 0, 0, 1))
        self.read([25.5], far)  # half past one of the next day
        self.assertEqual(self.refresh(meter=self.far_meter), (1, 1, 0, 0))
        self.assertEqual(self.refresh(DAY + timedelta(days=1), meter=self.far_meter), (1, 1, 0, 0))
        self.assertEqual(self.refresh(DAY + timedelta(days=2), meter=self.far_meter), (1, 0, 0, 1))
        noon = MIDNIGHT + timedelta(days=1, hours=12)
        self.rows._refresh(DAY + timedelta(days=1), noon)
        self.rows._judge(noon)
        self.assertFalse(
            self.open_alarms("readings_missing").filtered(lambda a: a.meter_id == self.far_meter)
        )

    def test_a_sleeping_meter_is_offline_after_26_hours(self):
        self.far_meter.gateway_id.link_kind = "nbiot"
        self.assertTrue(self.far_meter.is_sleeping)
        far = self.far_meter.circuit_ids
        meters = self.env["meter.meter"]
        at = datetime.fromtimestamp(self.now - 60, UTC).replace(tzinfo=None)
        self.ingest([{"circuit": far, "at": self.now - 60, "total": "1.00"}])
        for hours, state in ((25, "online"), (27, "offline")):
            with freeze_time(at + timedelta(hours=hours)):
                meters._cron_find_silent()
            self.far_meter.invalidate_recordset()
            self.assertEqual(self.far_meter.state, state, hours)

    def test_days_are_counted_again_when_their_readings_come_at_last(self):
        """Ten days of outage: what came later is counted although nobody looks at these days any more."""
        at = datetime.fromtimestamp(self.now - 10 * 86400, UTC)
        day = at.astimezone(ZoneInfo("Asia/Shanghai")).date()
        self.assertEqual(self.refresh(day)[1], 0)
        self.ingest([{"circuit": self.circuit, "at": self.now - 10 * 86400, "total": "1.00"}])
        self.rows._cron_refresh()
        self.assertEqual(self.rows.search([("meter_id", "=", self.meter.id), ("day", "=", day)]).received, 1)
        self.assertFalse(self.env["meter.completeness.due"].search([]))
        self.ingest([{"circuit": self.circuit, "at": self.now - 60, "total": "2.00"}])
        self.assertFalse(self.env["meter.completeness.due"].search([]), "counted every hour anyway")

    def test_every_day_is_judged_in_its_order(self):
        others = (self.far_meter | self.water_meter).circuit_ids
        for circuit in others:
            self.read(range(72), circuit)
        self.read(range(24), start=MIDNIGHT + timedelta(days=1))
        for back in range(3):
            self.refresh(DAY + timedelta(days=back))
        self.rows._judge(MIDNIGHT + timedelta(days=3, hours=1))
        alarm = self.env["meter.alarm"].search([("kind", "=", "readings_missing")], order="id")
        self.assertEqual(alarm.mapped("state"), ["resolved", "open"])
        self.assertEqual([str(DAY) in alarm[0].message, len(alarm)], [True, 2])
        self.assertFalse(self.rows.search([("is_checked", "!=", True)]))
        self.read(range(24), start=MIDNIGHT + timedelta(days=2))
        self.refresh(DAY + timedelta(days=2))
        self.rows._judge(MIDNIGHT + timedelta(days=3, hours=2))
        self.assertFalse(self.open_alarms("readings_missing"), "filled after it was judged")

    def test_who_reads_meters_may_have_days_counted_again(self):
        self.refresh()
        self.read(range(24))
        row = self.rows.search([("meter_id", "=", self.meter.id)])
        with self.assertRaises(AccessError):
            row.with_user(self.make_user("u_auditor", "auditor")).action_count_again()
        row.with_user(
            self.make_user("u_power", "power_operator", buildings=self.building)
        ).action_count_again()
        self.assertEqual(row.missing, 0)

    def test_the_percent_of_a_period(self):
        self.read(range(18))
        self.refresh()
        self.assertEqual(self.rows._get_percent(self.meter, DAY, DAY), {self.meter.id: 75.0})

    def test_the_map_shows_gateways_then_meters_of_the_own_buildings(self):
        self.read(range(18))
        self.refresh()
        user = self.make_user("near", "power_operator", buildings=self.building)
        shown = self.rows.with_user(user).action_get_map({"month": "2026-03"})
        self.assertEqual([row["id"] for row in shown["rows"]], self.bus.gateway_id.ids)
        self.assertEqual(len(shown["days"]), 31)
        inside = self.rows.with_user(user).action_get_map(
            {"month": "2026-03", "gateway_id": self.bus.gateway_id.id}
        )
        cells = {row["id"]: row["cells"][10] for row in inside["rows"]}
        self.assertEqual((cells[self.meter.id]["percent"], cells[self.meter.id]["missing"]), (75.0, 6))
        with self.assertRaises(AccessError):
            self.rows.with_user(user).action_get_map({"gateway_id": self.other_bus.gateway_id.id})
        self.assertTrue(self.rows.with_user(user).action_get_map({"month": "x"})["month"])

    def test_nobody_writes_counts(self):
        self.refresh()
        for role in ("power_operator", "supervisor", "auditor"):
            user = self.make_user(f"u_{role}", role)
            row = self.rows.with_user(user).search([], limit=1)
            self.assertTrue(row)
            with self.assertRaises(AccessError):
                row.write({"missing": 0})
