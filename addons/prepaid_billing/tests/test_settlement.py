"""From the connector's reading to the fen in the wallet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest.mock import patch

from freezegun import freeze_time
from odoo.tests import tagged

from ..exact import fetch_exact
from .core_common import SettlementCase, utc


@tagged("post_install", "-at_install")
class TestSettlement(SettlementCase):
    def test_a_flat_price_charges_the_exact_fen(self):
        self.read(("2025-07-01 01:00", "1000.37"))
        self.assertEqual(
            self.get_charges(),
            [(Decimal("0.3700"), Decimal("0.31"), self.contract.id)],  # 0.3145
        )
        self.assert_charged("0.31")

    def get_waiting(self, minutes, building=None):
        """(minutes, state) of the overview's card, seen so much later."""
        with freeze_time(datetime.now(UTC) + timedelta(minutes=minutes, seconds=30)):
            cards = self.env["meter.overview"]._get_cards(building or self.building)
        return next((card["value"], card["state"]) for card in cards if card["key"] == "settlement")

    def test_the_overview_says_how_long_readings_wait_for_their_charge(self):
        self.settle()
        self.assertEqual(self.get_waiting(0), ("0", "ok"))
        self.ingest(
            [(self.point, "2025-07-01 01:00", "1000.37"), (self.point, "2025-07-01 02:00", "1000.50")]
        )
        self.assertEqual(self.get_waiting(45), ("45", "ok"))
        self.assertEqual(self.get_waiting(61), ("61", "warning"))
        other = self.make_building("PZ", self.building.site_id)
        self.assertEqual(self.get_waiting(61, other), ("0", "ok"))
        self.env["ir.config_parameter"].set_param("prepaid_billing.settlement_minutes", "30")
        self.assertEqual(self.get_waiting(61), ("61", "ok"), "they wait on purpose")
        self.env["ir.config_parameter"].set_param("prepaid_billing.settlement_minutes", "0")
        self.settle()
        self.assertEqual(self.get_waiting(61), ("0", "ok"))

    def test_rounding_is_carried_so_that_pieces_cost_what_the_whole_costs(self):
        self.read(*[(f"2025-07-01 {hour:02}:00", f"{1000 + hour * 0.01:.2f}") for hour in range(1, 24)])
        for hour in range(1, 24):
            self.read((f"2025-07-02 {hour:02}:00", f"{1000.23 + hour * 0.01:.2f}"))
        # 0.46 kWh × 0.85 = 0.391; each hundredth alone would round to 0.01
        self.assertEqual(sum(row[0] for row in self.get_charges()), Decimal("0.46"))
        self.assert_charged("0.39")

    def test_rates_are_priced_by_their_registers(self):
        tariff = self.make_tariff(
            "TOU", structure="tou", price_t1=1.2, price_t2=1.0, price_t3=0.7, price_t4=0.35
        )
        point = self.make_shop(
            "A-102", tariff, {"total": 100, "t1": 10, "t2": 20, "t3": 30, "t4": 40}, model="dts645-3p"
        )
        tenant = self.make_tenant("Shop Two", point)
        self.read(
            (
                "2025-07-01 12:00",
                {"total": "110.00", "t1": "11.00", "t2": "22.00", "t3": "33.00", "t4": "44.00"},
            ),
            point=point,
        )
        self.assert_charged("6.70", tenant)  # 1.2 + 2 × 1.0 + 3 × 0.7 + 4 × 0.35
        charge = self.env["prepaid.charge"].search([("contract_id", "=", tenant.id)])
        self.assertIn("Valley: 4 kWh × 0.35 = 1.4", charge.explanation_text)
        self.assertTrue(charge.has_rates)

    def test_use_before_the_first_rates_counts_as_flat(self):
        tariff = self.make_tariff(
            "TOU", structure="tou", price_t1=1.2, price_t2=1.0, price_t3=0.7, price_t4=0.35
        )
        point = self.make_shop("A-102", tariff, "100", model="dts645-3p")
        tenant = self.make_tenant("Shop Two", point)
        registers = {"total": "110.00", "t1": "11.00", "t2": "22.00", "t3": "33.00", "t4": "44.00"}
        self.read(("2025-07-01 12:00", registers), point=point)
        self.assert_charged("7.00", tenant)
        self.read(("2025-07-01 13:00", registers | {"total": "111.00", "t1": "12.00"}), point=point)
        self.assert_charged("8.20", tenant)

    def test_tiers_count_the_use_of_the_month_and_begin_anew(self):
        tariff = self.make_tariff(
            "Tiers", structure="tiered", period="month", tiers=[(100, 0.5), (200, 0.6), (0, 0.9)]
        )
        point = self.make_shop("A-102", tariff, "0")
        tenant = self.make_tenant("Shop Two", point)
        self.read(("2025-07-10 00:00", "90"), ("2025-07-20 00:00", "150"), point=point)
        self.assert_charged("80.00", tenant)  # 100 × 0.5 + 50 × 0.6
        self.read(("2025-07-31 00:00", "250"), point=point)
        self.assert_charged("155.00", tenant)  # + 50 × 0.6 + 50 × 0.9
        self.read(("2025-08-01 00:00", "250"), ("2025-08-02 00:00", "260"), point=point)
        self.assert_charged("160.00", tenant)  # the first tier again
        lines = self.env["prepaid.charge"].search([("contract_id", "=", tenant.id)], order="to_reading_at")
        self.assertTrue(lines[1].has_tiers)
        self.assertIn("Tier 2 (above 100): 50 kWh × 0.6 = 30", lines[1].explanation_text)

    def test_a_charge_never_reaches_over_the_end_of_a_month(self):
        self.read(("2025-07-31 12:00", "1100"), ("2025-08-01 12:00", "1124"))
        charges = self.env["prepaid.charge"].search(
            [("service_point_id", "=", self.point.id)], order="from_reading_at"
        )
        self.assertEqual(
            [charge.to_reading_at for charge in charges],
            [utc("2025-08-01 00:00"), utc("2025-08-01 12:00")],
        )
        self.assertTrue(charges[0].is_computed and charges[1].is_computed)
        self.assertEqual(charges[0].to_total, 1112)
        self.assertEqual([charge.period_start.month for charge in charges], [7, 8])
        self.assert_charged("105.40")

    def test_who_moves_out_pays_to_the_instant_and_nobody_pays_a_vacant_unit(self):
        point = self.make_shop("A-103", self.flat, "0")
        leaver = self.make_tenant("Leaver", point, until="2025-07-01 06:00")
        comer = self.make_tenant("Comer", point, since="2025-07-01 18:00")
        self.read(("2025-07-02 00:00", "24.00"), point=point)
        self.assertEqual(
            self.get_charges(point),
            [
                (Decimal("6.0000"), Decimal("5.10"), leaver.id),
                (Decimal("12.0000"), Decimal("10.20"), None),
                (Decimal("6.0000"), Decimal("5.10"), comer.id),
            ],
        )
        self.assert_charged("5.10", leaver)
        self.assert_charged("5.10", comer)
        vacant = self.env["prepaid.charge"].search(
            [("contract_id", "=", False), ("service_point_id", "=", point.id)]
        )
        self.assertFalse(vacant.wallet_id or vacant.entry_ids)

    def test_a_new_price_begins_at_its_instant(self):
        self.read(("2025-07-10 00:00", "1090"))
        self.make_version(self.flat, "2025-07-11 00:00", structure="flat", price=1.0)
        self.read(("2025-07-12 00:00", "1110"))
        # 90 + 10 kWh at 0.85, 10 at 1.00
        self.assert_charged("95.00")
        versions = (
            self.env["prepaid.charge"].search([("contract_id", "=", self.contract.id)]).tariff_version_id
        )
        self.assertEqual(len(versions), 2)

    def test_another_tariff_begins_at_its_instant(self):
        dear = self.make_tariff("Dear", structure="flat", price=2.0)
        self.assign(self.point, dear, "2025-07-01 12:00")
        self.read(("2025-07-02 00:00", "1024"))
        self.assert_charged("34.20")  # 12 × 0.85 + 12 × 2

    def test_water_is_charged_into_its_own_sub_account(self):
        water = self.make_tariff("Water", kind="water", structure="flat", price=4.95)
        point = self.make_shop("A-101", water, "10", model="cjt188-cold")
        self.read(("2025-07-01 10:00", "11.00"), point=point)
        self.read(("2025-07-01 10:00", "1001.00"))
        power, water_kind = (
            self.env.ref(f"property_utility.utility_kind_{code}") for code in ("power", "water")
        )
        balances = self.wallet._get_subaccount_balances()[self.wallet.id]
        self.assertEqual(balances, {power.id: Decimal("-0.85"), water_kind.id: Decimal("-4.95")})
        self.assert_charged("5.80")

    def test_ct_ratio_multiplies(self):
        point = self.make_shop("A-104", self.flat, "0", ct_ratio=40)
        tenant = self.make_tenant("Big", point)
        self.read(("2025-07-01 10:00", "2.5"), point=point)
        self.assert_charged("85.00", tenant)

    def test_the_closing_reading_ends_the_charges_of_an_installation(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.get_installation().write({"end_at": utc("2025-07-01 12:00"), "end_total": 1012.5})
        self.ingest([(self.point, "2025-07-01 14:00", "5")])
        self.settle()
        self.assert_charged("10.63")  # 12.5 × 0.85 = 10.625
        self.assertFalse(self.get_reviews())

    def test_settling_again_changes_nothing(self):
        self.read(("2025-07-01 10:00", "1010"))
        before = self.get_charges(), self.get_balance(), self.wallet.last_sequence
        circuit = self.get_installation().circuit_id
        for _round in range(3):
            self.env["prepaid.settlement"]._mark_due(circuit.ids)
            self.settle()
        self.assertEqual((self.get_charges(), self.get_balance(), self.wallet.last_sequence), before)

    def test_a_reading_that_comes_late_changes_nothing_that_was_charged(self):
        self.read(("2025-07-01 10:00", "1010"))
        self.read(("2025-07-01 09:00", "1009"))
        self.assert_charged("8.50")
        self.assertEqual(len(self.get_charges()), 1)

    def test_the_chain_of_charges_has_no_gap(self):
        readings = [(f"2025-07-{day:02} 09:17", f"{1000 + day * 7.77:.2f}") for day in range(1, 29)]
        for index in range(0, len(readings), 5):
            self.read(*readings[index : index + 5])
        rows = fetch_exact(
            self.env.cr,
            """SELECT from_reading_at, to_reading_at, from_total, to_total FROM prepaid_charge
                WHERE installation_id = %s ORDER BY from_reading_at""",
            [self.get_installation().id],
        )
        self.assertEqual((rows[0][0], rows[0][2]), (utc(self.START), Decimal(1000)))
        for before, after in zip(rows, rows[1:], strict=False):
            self.assertEqual((before[1], before[3]), (after[0], after[2]))
        self.assertEqual(rows[-1][3], Decimal("1217.56"))
        self.assert_charged("184.93")  # 217.56 × 0.85 = 184.926

    def test_more_readings_than_one_run_takes_are_settled_all_the_same(self):
        rows = [
            (
                self.point,
                f"2025-07-{1 + n // 48:02} {n % 48 // 2:02}:{n % 2 * 30:02}",
                f"{1000 + n * 0.1:.1f}",
            )
            for n in range(1, 620)
        ]
        self.ingest(rows)
        self.settle()
        self.assert_charged("52.62")  # 61.9 × 0.85 = 52.615

    def test_the_ledger_speaks_the_language_of_the_tenant(self):
        point = self.make_shop("A-105", self.flat, "0")
        tenant = self.make_tenant("示例商户", point, lang="zh_CN")
        self.read(("2025-07-01 10:00", "2.5"), point=point)
        description = tenant.wallet_id.entry_ids.description
        self.assertEqual(description, "电 0.00 – 2.50：2.50 kWh")

    def test_a_new_tenant_begins_the_tiers_anew(self):
        tariff = self.make_tariff("Tiers", structure="tiered", period="month", tiers=[(100, 0.5), (0, 1.0)])
        point = self.make_shop("A-102", tariff, "0")
        first = self.make_tenant("First", point, until="2025-07-11 00:00")
        second = self.make_tenant("Second", point, since="2025-07-11 00:00")
        self.read(("2025-07-11 00:00", "150"), ("2025-07-20 00:00", "250"), point=point)
        self.assert_charged("100.00", first)
        self.assert_charged("50.00", second)

    def test_tiers_go_on_when_the_price_changes_within_the_month(self):
        tariff = self.make_tariff("Tiers", structure="tiered", period="month", tiers=[(100, 0.5), (0, 1.0)])
        point = self.make_shop("A-102", tariff, "0")
        tenant = self.make_tenant("Shop Two", point)
        self.read(("2025-07-10 00:00", "80"), point=point)
        self.make_version(
            tariff, "2025-07-11 00:00", structure="tiered", period="month", tiers=[(100, 0.6), (0, 1.2)]
        )
        self.read(("2025-07-11 00:00", "80"), ("2025-07-12 00:00", "130"), point=point)
        self.assert_charged("88.00", tenant)  # 80 × 0.5 + 20 × 0.6 + 30 × 1.2

    def test_ingest_enqueues_one_job_for_all_that_is_due(self):
        self.env["queue.job"].search([("identity_key", "=", "prepaid.settlement")]).unlink()
        other = self.make_shop("A-106", self.flat, "0")
        self.ingest([(self.point, "2025-07-01 10:00", "1001")])
        self.ingest([(other, "2025-07-01 10:00", "1"), (self.point, "2025-07-01 11:00", "1002")])
        jobs = self.env["queue.job"].search([("identity_key", "=", "prepaid.settlement")])
        self.assertEqual(len(jobs), 1)
        self.assertEqual(len(self.get_due() & set(self.bus.meter_ids.circuit_ids.ids)), 2)
        self.settle()
        self.assert_charged("1.70")

    def get_due(self):
        return {
            circuit_id
            for row in self.env["prepaid.settlement.due"].search([])
            for circuit_id in row.circuit_ids
        }

    def test_a_circuit_read_many_times_meanwhile_is_settled_once(self):
        self.env.cr.execute("DELETE FROM prepaid_settlement_due")
        for hour in range(10, 15):
            self.ingest([(self.point, f"2025-07-01 {hour}:00", f"{1000 + hour}")])
        self.assertEqual(self.env["prepaid.settlement"]._settle_due(limit=5), 1)
        self.assertFalse(self.get_due())

    def test_a_batch_takes_no_more_than_its_limit(self):
        shops = [self.make_shop(f"L-{n}", self.flat, "0") for n in range(12)]
        self.env.cr.execute("DELETE FROM prepaid_settlement_due")
        self.ingest([(shop, "2025-07-01 10:00", "10") for shop in shops])
        taken = []
        while count := self.env["prepaid.settlement"]._settle_due(limit=5):
            taken.append(count)
        self.assertEqual(taken, [5, 5, 2])

    @freeze_time(utc("2025-07-10 12:00"))
    def test_with_an_interval_only_who_is_nearly_out_of_money_is_charged_at_once(self):
        self.env["ir.config_parameter"].set_param("prepaid_billing.settlement_minutes", "60")
        kind = self.env["utility.kind"]
        self.wallet._post_entry("topup", kind, Decimal(20000), "interval,1", "money")
        self.read(("2025-07-10 10:30", "1010"))
        self.read(("2025-07-10 11:10", "1011"))  # the last charge is 90 minutes old
        self.assertEqual(self.get_balance(), Decimal("19990.65"))
        self.read(("2025-07-10 11:20", "1012"))
        self.assertEqual(self.get_balance(), Decimal("19990.65"))
        self.assertIn(self.get_installation().circuit_id.id, self.get_due())
        self.wallet._post_entry("fee", kind, Decimal("-19990.00"), "interval,2", "rent")
        self.settle()
        self.assertEqual(self.get_balance(), Decimal("-0.20"))

    def test_the_batch_is_audited_once_with_the_heads_of_its_ledgers(self):
        self.read(("2025-07-01 10:00", "1010"))
        entry = self.env["audit.entry"].search([("action", "=", "settlement.post")], limit=1)
        self.assertIn('"entries":1', entry.after.replace(" ", ""))
        self.assertIn("heads", entry.after)


@tagged("post_install", "-at_install")
class TestSettlementCost(SettlementCase):
    """A batch is a fixed number of statements; only what its tenancies need comes per tenancy."""

    def count_queries(self, number, prefix):
        shops = [self.make_shop(f"{prefix}-{n}", self.flat, "0") for n in range(number)]
        for n, shop in enumerate(shops):
            self.make_tenant(f"{prefix} {n}", shop)
        self.ingest([(shop, "2025-07-01 10:00", "10") for shop in shops])
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.settle()
        return self.env.cr.sql_log_count - before

    def test_the_number_of_statements_does_not_grow_with_the_batch(self):
        # what the policy costs per tenancy is its own matter; the test below has it in
        with patch.object(type(self.env["contract.contract"]), "_evaluate_supply", lambda *_args: None):
            self.count_queries(1, "W")  # what is fetched once
            self.assertEqual(self.count_queries(3, "X"), self.count_queries(30, "Y"))

    def test_a_point_costs_no_more_in_a_large_batch(self):
        self.count_queries(1, "W")
        few, many = self.count_queries(3, "X"), self.count_queries(30, "Y")
        self.assertLessEqual(many / 30, few / 3)
