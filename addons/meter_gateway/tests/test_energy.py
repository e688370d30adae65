from decimal import Decimal

from odoo.tests import tagged

from .common import MeterCase

NOON = 1_790_913_600.0  # 2026-10-02 04:00:00 UTC = 12:00 in Shanghai
HOUR, DAY = 3600, 86400


@tagged("post_install", "-at_install")
class TestEnergy(MeterCase):
    def get_rows(self, model, *columns):
        self.env.cr.execute(
            f"SELECT {', '.join(f'{name}::text' for name in columns)} FROM {model} WHERE circuit_id = %s ORDER BY 1",
            [self.circuit.id],
        )
        return self.env.cr.fetchall()

    def feed(self, *readings):
        self.ingest([{"circuit": self.circuit, "at": at, "total": total} for at, total in readings])

    def test_hours_add_up_to_the_register(self):
        self.feed((NOON - 60, "100.00"), (NOON + 60, "100.50"))
        self.feed((NOON + 1800, "101.00"))
        self.feed((NOON + HOUR, "102.25"), (NOON + HOUR + 60, "102.50"))
        self.assertEqual(
            [
                (hour, Decimal(energy))
                for hour, energy in self.get_rows("meter_energy_hour", "hour", "energy")
            ],
            [
                ("2026-10-02 03:00:00", Decimal("0.50")),
                ("2026-10-02 04:00:00", Decimal("1.75")),
                ("2026-10-02 05:00:00", Decimal("0.25")),
            ],
        )

    def test_days_begin_at_the_sites_midnight(self):
        midnight = NOON + 12 * HOUR
        self.feed((NOON, "10"), (midnight - 1, "12"), (midnight, "13"), (midnight + HOUR, "15"))
        self.assertEqual(
            [(day, Decimal(energy)) for day, energy in self.get_rows("meter_energy_day", "day", "energy")],
            [("2026-10-02", Decimal(3)), ("2026-10-03", Decimal(2))],
        )

    def test_readings_that_come_in_any_order_give_the_same_sums(self):
        readings = [(NOON + step * 1000.0, f"{50 + step}.00") for step in range(12)]
        self.feed(*readings)
        hours, days = self.get_rows("meter_energy_hour_data", "hour", "first_at", "first_total"), None
        days = self.get_rows("meter_energy_day_data", "day", "first_at", "first_total")
        self.env.cr.execute("DELETE FROM meter_energy_hour_data; DELETE FROM meter_energy_day_data")
        circuit = self.far_meter.circuit_ids
        self.circuit, first = circuit, self.circuit
        for at, total in [readings[index] for index in (11, 3, 7, 0, 5, 1, 2, 10, 4, 9, 6, 8)]:
            self.feed((at, total))
        self.assertEqual(self.get_rows("meter_energy_hour_data", "hour", "first_at", "first_total"), hours)
        self.assertEqual(self.get_rows("meter_energy_day_data", "day", "first_at", "first_total"), days)
        self.circuit = first

    def test_a_refused_or_repeated_reading_opens_nothing(self):
        self.feed((NOON, "10"))
        before = self.get_rows("meter_energy_hour_data", "hour", "first_total")
        self.feed((NOON, "10"), (NOON, "11"), (NOON + HOUR, "-1"))
        self.assertEqual(self.get_rows("meter_energy_hour_data", "hour", "first_total"), before)

    def test_the_ratio_of_transformers_counts(self):
        self.meter.write({"ct_ratio": 40, "vt_ratio": 2})
        self.feed((NOON, "1.00"), (NOON + HOUR, "1.50"))
        self.assertEqual(Decimal(self.get_rows("meter_energy_day", "energy")[0][0]), Decimal("40"))

    def test_a_register_that_fell_never_gives_negative_use(self):
        self.feed((NOON, "500"), (NOON + HOUR, "3"))
        self.assertEqual([Decimal(row[0]) for row in self.get_rows("meter_energy_hour", "energy")], [0, 0])

    def test_the_models_can_be_grouped(self):
        self.feed((NOON, "10"), (NOON + HOUR, "12"))
        groups = self.env["meter.energy.day"]._read_group(
            [("meter_id", "=", self.meter.id)], ["building_id", "day:month"], ["energy:sum"]
        )
        self.assertEqual([(building, energy) for building, _month, energy in groups], [(self.building, 2.0)])
