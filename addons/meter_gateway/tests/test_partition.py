from datetime import date

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import MeterCase


@tagged("post_install", "-at_install")
class TestPartition(MeterCase):
    def setUp(self):
        super().setUp()
        self.readings = self.env["meter.reading"]

    def get_table_of(self, circuit, at):
        self.env.cr.execute(
            "SELECT tableoid::regclass::text FROM meter_reading_data WHERE circuit_id = %s AND at = %s",
            [circuit.id, at],
        )
        return self.env.cr.fetchone()[0]

    def test_months_around_today_have_their_tables(self):
        today = fields.Date.today()
        self.assertTrue(self.readings._table_exists(f"meter_reading_data_{today:%Y_%m}"))
        made = self.readings._create_partitions(date(2031, 12, 15))
        self.assertEqual(
            made,
            [
                f"meter_reading_data_{month}"
                for month in ("2031_10", "2031_11", "2031_12", "2032_01", "2032_02", "2032_03")
            ],
        )
        self.assertEqual(self.readings._create_partitions(date(2031, 12, 31)), [])

    def test_the_model_works_through_the_view(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "5.25", "voltage_v": "230"}])
        reading = self.readings.search([("circuit_id", "=", self.circuit.id)])
        self.assertEqual((reading.total, reading.voltage_v, reading.at), (5.25, 230, self.utc(self.now)))
        groups = self.readings._read_group([("circuit_id", "=", self.circuit.id)], ["at:day"], ["total:max"])
        self.assertEqual(len(groups), 1)
        self.assertEqual(
            self.get_table_of(self.circuit, reading.at), f"meter_reading_data_{reading.at:%Y_%m}"
        )

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_to_change_readings(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        partition = f"meter_reading_data_{self.utc(self.now):%Y_%m}"
        statements = [
            f"{verb} {table} {rest}"
            for table in ("meter_reading", "meter_reading_data", partition)
            for verb, rest in (("UPDATE", "SET total = 2"), ("DELETE FROM", ""))
        ] + ["TRUNCATE meter_reading_data", f"TRUNCATE {partition}", "TRUNCATE meter_reading_data_default"]
        for statement in statements:
            refused = self.assertRaisesRegex(Exception, "append-only")
            with self.subTest(statement=statement), refused, self.env.cr.savepoint():
                self.env.cr.execute(statement)
        self.env.cr.execute("SELECT total::text FROM meter_reading WHERE circuit_id = %s", [self.circuit.id])
        self.assertEqual(self.env.cr.fetchall(), [("1",)])

    def test_the_model_refuses_to_change_readings(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        reading = self.readings.search([("circuit_id", "=", self.circuit.id)])
        with self.assertRaises(UserError):
            reading.write({"total": 2})
        with self.assertRaises(UserError):
            reading.unlink()
        with self.assertRaises(UserError):
            self.readings.create({"circuit_id": self.circuit.id, "at": "2026-01-01", "total": 1})

    def test_readings_outside_the_months_raise_an_alarm_and_can_be_given_their_month(self):
        at = 1_262_304_000.0  # 2010-01-01
        rows = [
            {"circuit": self.circuit, "at": at + 86400 * 20 * day, "total": f"{day}.5"} for day in range(4)
        ]
        self.assert_all_accepted(self.ingest(rows), 4)
        self.assertEqual(self.get_table_of(self.circuit, "2010-01-01"), "meter_reading_data_default")
        self.readings._cron_partitions()
        alarm = self.open_alarms("default_partition")
        self.assertIn("2010-01: 2", alarm.message)
        alarm.action_make_partitions()
        self.assertEqual(alarm.state, "resolved")
        self.assertEqual(self.get_table_of(self.circuit, "2010-01-01"), "meter_reading_data_2010_01")
        self.assertEqual(self.readings.search_count([("circuit_id", "=", self.circuit.id)]), 4)
        self.assertEqual(
            self.ingest(rows)["exceptions"],
            [[i, "duplicate", ""] for i in range(4)],
            "identity survives the move",
        )
        with (
            self.assertRaisesRegex(Exception, "append-only"),
            mute_logger("odoo.sql_db"),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute("DELETE FROM meter_reading_data_2010_01")

    def test_a_month_can_be_detached_for_the_archive(self):
        self.readings._create_partition(date(2012, 5, 1))
        self.ingest([{"circuit": self.circuit, "at": 1_336_000_000.0, "total": "1"}])
        self.env.cr.execute("ALTER TABLE meter_reading_data DETACH PARTITION meter_reading_data_2012_05")
        self.assertFalse(self.readings.search_count([("circuit_id", "=", self.circuit.id)]))
