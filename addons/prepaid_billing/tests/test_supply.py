"""From a meter's reading to the cut-off and back, by the connector's door, the counter and the timers."""

from datetime import timedelta
from unittest.mock import patch

import psycopg2
from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .core_common import utc
from .supply_common import DAY, SupplyCase

MODELS = "odoo.addons.prepaid_billing.models."


@tagged("post_install", "-at_install")
class TestSupplyStory(SupplyCase):
    def test_warned_cut_off_and_back(self):
        with self.clock("08:00"):
            self.use("08:00", "1080")
            self.assert_balance("32.00")
            self.assertEqual(self.case.notice_ids.mapped("state"), ["queued"])
            self.deliver()
            self.assertEqual(self.case.notice_ids.mapped("state"), ["delivered"])
        with self.clock("08:30"):
            self.use("08:30", "1100")
            self.deliver()
            self.assertEqual(self.case.notice_ids.mapped("kind"), ["warning_2", "warning_1"])
        with self.clock("10:00"):
            self.use("10:00", "1118")
            self.assert_balance("-0.30")
            self.assert_held_back("warned_too_recently")
        with self.clock("12:29"):
            self.use("12:20", "1119")
            self.run_timer()
            self.assert_held_back("warned_too_recently")
        with self.clock("12:31"):
            self.run_timer()
            self.assertEqual((self.switch.desired, self.switch.desired_source), ("off", "policy"))
            self.assertEqual(self.report(self.switch, "off", "12:31").kind, "switch_off")
        with self.clock("13:00"):
            self.pay("50")
            self.assertEqual((self.switch.desired, self.switch.open_order_id.kind), ("on", "switch_on"))
            self.report(self.switch, "on", "13:00")
        self.assertFalse(self.switch.is_mismatch)
        self.assertEqual(self.case.state, "closed")
        self.assertEqual(self.get_states(), ["normal", "warned", "due", "trip", "reclose"][1:])
        self.assertFalse(self.valve.desired)

    def test_water_that_used_up_the_money_cuts_power_and_never_the_valve(self):
        with self.clock("08:00"):
            self.use("08:00", "1001")
            self.use("08:00", "30", point=self.water_point)
            self.deliver()
        with self.clock("12:10"):
            self.use("12:10", "1001.1")
            self.assertEqual(self.switch.desired, "off")
            self.assertFalse(self.valve.desired or self.valve.order_ids)

    def test_a_message_is_written_once_in_a_case(self):
        self.run_out()
        with self.clock("11:00"):
            self.use("11:00", "1118.5")
            self.run_timer()
        self.assertEqual(sorted(self.case.notice_ids.mapped("kind")), ["warning_1", "warning_2"])

    def test_a_payment_that_is_not_enough_leaves_it_dark_and_the_next_one_does_not(self):
        self.trip()
        with self.clock("13:00"):
            self.pay("1")  # -1.15 + 1
            self.assertEqual((self.switch.desired, self.case.state), ("off", "tripped"))
            self.pay("1")
            self.assertEqual((self.switch.desired, self.case.state), ("on", "closed"))

    def test_the_decision_keeps_what_was_known(self):
        self.trip()
        decision = self.get_decision()
        self.assertEqual(decision.facts["balance"], "-1.15")
        self.assertIn("-1.15", decision.with_context(lang="en_US").reason_text)
        with self.assertRaises(AccessError):
            decision.write({"state": "normal"})
        with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
            self.env.cr.execute("UPDATE prepaid_decision SET state = 'normal' WHERE id = %s", [decision.id])


@tagged("post_install", "-at_install")
class TestSupplyHeldBack(SupplyCase):
    """What must keep a trip from happening, each alone."""

    def test_a_warning_that_did_not_arrive(self):
        self.contract.partner_id.email = False
        self.run_out()
        with self.clock("16:00"):
            self.use("16:00", "1119")
            self.assert_held_back("not_warned")
        self.assertIn("queued", self.case.notice_ids.mapped("state"))
        self.assertTrue(all(self.case.notice_ids.mapped("error")))

    def test_the_night(self):
        self.run_out()
        with self.clock("17:30"):
            self.use("17:30", "1119")
            self.assert_held_back("outside_hours")
        with self.clock("09:00", "2025-07-11"):
            self.use("08:55", "1119.1", "2025-07-11")
            self.assertEqual(self.switch.desired, "off")

    def test_a_meter_that_can_only_be_read(self):
        """Nobody is told that power is cut where nobody can cut it."""
        self.bus.link_kind = "nbiot"
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("no_switch")

    def test_an_old_reading(self):
        self.run_out()
        with self.clock("12:40"):
            self.run_timer()
            self.assert_held_back("reading_stale")

    def test_a_power_meter_that_was_never_read(self):
        self.make_shop("A-101-2", self.flat)
        silent = self.env["utility.service.point"].search([("code", "=", "PA-A-101-2-power")])
        silent.unit_id = self.point.unit_id
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("reading_stale")

    def test_a_doubtful_reading_also_when_the_tenant_moves_out_next_month(self):
        self.contract.occupancy_ids.end_at = utc("2025-08-01 00:00")
        self.run_out()
        with self.clock("12:40"):
            self.use("12:00", "90000")
            self.assertTrue(self.get_reviews())
            self.contract._evaluate_supply("timer")
            self.assert_held_back("reading_implausible")

    def make_transaction(self, state, **values):
        provider = self.env["payment.provider"].search([], limit=1)
        transaction = self.env["payment.transaction"].create(
            {
                "provider_id": provider.id,
                "payment_method_id": self.env["payment.method"].search([], limit=1).id,
                "reference": f"supply-{state}",
                "amount": 50,
                "currency_id": self.wallet.currency_id.id,
                "partner_id": self.contract.partner_id.id,
                "wallet_id": self.wallet.id,
                "state": state,
                **values,
            }
        )
        transaction.flush_recordset()
        now = fields.Datetime.now()  # the database's own clock is not that of the test
        self.env.cr.execute(
            "UPDATE payment_transaction SET create_date = %s WHERE id = %s", [now, transaction.id]
        )

    def test_a_payment_under_way(self):
        self.run_out()
        with self.clock("12:20"):
            self.make_transaction("pending")
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("payment_undecided")
        with self.clock("12:51"):
            self.use("12:51", "1119.1")
            self.assertEqual(self.switch.desired, "off")

    def test_a_payment_that_is_done_and_not_yet_in_the_wallet(self):
        self.make_transaction("done")
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("payment_undecided")

    def test_attempts_to_pay_win_ten_minutes_once(self):
        self.run_out()
        with self.clock("12:35"):
            self.make_transaction("draft")
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("payment_undecided")
            self.make_transaction("draft", reference="again")
        with self.clock("12:46"):
            self.use("12:46", "1119.1")
            self.assertEqual(self.switch.desired, "off")

    def test_keep_power_until_further_notice(self):
        self.switch._set_keep_power(None, "hospital")
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("keep_power")
        self.assertIn("further notice", self.get_decision().with_context(lang="en_US").reason_text)

    def test_a_special_supply_period(self):
        self.contract.special_supply_until = utc(f"{DAY} 15:00")
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("special_supply")
        with self.clock("15:01"):
            self.use("15:00", "1119.1")
            self.assertEqual(self.switch.desired, "off")

    def test_the_fixed_grace(self):
        self.policy.grace_hours = 5
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("grace")

    def test_postpaid(self):
        self.env["prepaid.policy"].create(
            {"name": "Bank", "contract_id": self.contract.id, "is_prepaid": False}
        )
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("postpaid")


@tagged("post_install", "-at_install")
class TestSupplyBack(SupplyCase):
    """Who has paid does not stay dark; what others have cut stays cut."""

    def test_what_an_operator_has_cut_is_not_switched_on_by_money(self):
        self.switch._set_desired("off", "works", "operator")
        self.report(self.switch, "off", "07:00")
        self.trip()
        with self.clock("13:00"):
            self.pay("50")
        self.assertEqual((self.switch.desired, self.switch.desired_source), ("off", "operator"))
        self.assertEqual(self.case.state, "closed")

    def test_a_meter_that_was_off_before_the_cut_comes_back_with_the_money(self):
        self.switch._note_reported("off", utc(f"{DAY} 07:00"))
        self.trip()
        with self.clock("13:00"):
            self.pay("50")
        self.assertEqual(self.switch.desired, "on")

    def test_a_cut_that_was_ordered_again_comes_back_with_the_money(self):
        self.trip()
        with self.clock("12:50"):
            self.switch.open_order_id._finish("failed", "x")
            self.switch._note_reported("on", utc(f"{DAY} 12:50"))
            self.switch._reconcile()
            self.assertEqual((self.switch.desired, self.switch.desired_source), ("off", "reconcile"))
            self.pay("50")
        self.assertEqual(self.switch.desired, "on")

    def test_keep_power_lights_who_is_dark(self):
        self.trip()
        with self.clock("13:00"):
            self.contract.special_supply_until = utc("2025-07-12 00:00")
            self.run_timer()
        self.assertEqual((self.switch.desired, self.get_decision().state), ("on", "reclose"))

    def test_the_next_tenant_is_not_dark_for_the_debts_of_the_last_one(self):
        self.trip()
        with self.clock("13:00"):
            self.report(self.switch, "off", "13:00")
            self.contract.occupancy_ids.end_at = utc(f"{DAY} 14:00")
        with self.clock("14:05"):
            heir = self.make_tenant("Next Shop", self.point, since=f"{DAY} 14:00")
            self.pay("100", heir.wallet_id)
        self.assertEqual(self.switch.desired, "on")

    def test_an_offline_meter_is_ordered_on_again_when_it_comes_back(self):
        self.trip()
        with self.clock("12:45"):
            self.report(self.switch, "off", "12:45")
        with self.clock("13:00"):
            self.pay("50")
            self.switch.open_order_id._finish("expired", "offline")
        with self.clock("14:00", "2025-07-11"):
            self.switch._get_candidates()._reconcile()
            self.assertEqual(self.switch.open_order_id.kind, "switch_on")


@tagged("post_install", "-at_install")
class TestSupplyMass(SupplyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.policy.mass_limit = 0

    def hold_back(self):
        self.run_out()
        with self.clock("12:40"):
            self.use("12:40", "1119")
            self.assert_held_back("mass_unconfirmed")

    def test_a_person_with_the_function_confirms(self):
        self.hold_back()
        with self.clock("12:45"):
            self.case.with_user(self.power_operator).action_confirm_trip()
        self.assertEqual(self.switch.desired, "off")
        entry = self.env["audit.entry"].search([("action", "=", "case.confirm")], limit=1)
        self.assertEqual((entry.res_id, entry.user_id), (self.case.id, self.power_operator))

    def test_all_of_a_run_wait_and_not_only_those_beyond_the_limit(self):
        self.policy.mass_limit = 2
        others = [self.make_shop(f"A-20{number}", self.flat) for number in range(2)]
        contracts = [self.make_tenant(f"Shop {point.code}", point) for point in others]
        for contract in contracts:
            contract.partner_id.email = "more@example.com"
        with self.clock("08:00"):
            for point in others:
                self.use("08:00", "1010", point=point)
        self.run_out()
        with self.clock("12:40"):
            totals = ((self.point, "1119"), *((point, "1011") for point in others))
            self.ingest([(point, f"{DAY} 12:30", total) for point, total in totals])
            self.settle()
            everybody = [self.contract, *contracts]
            for contract in everybody:
                self.assertEqual(
                    (self.get_decision(contract).state, self.get_blocks(contract)),
                    ("due", ["mass_unconfirmed"]),
                )
            self.policy.mass_limit = 3
            self.run_timer()
            self.assertEqual({self.get_decision(contract).state for contract in everybody}, {"trip"})

    def test_one_by_one_they_are_counted_with_those_that_wait(self):
        self.hold_back()
        self.policy.mass_limit = 1
        second = self.make_shop("A-301", self.flat)
        contract = self.make_tenant("Shop 301", second)
        contract.partner_id.email = "later@example.com"
        with self.clock("08:00"):
            self.use("08:00", "1010", point=second)
            self.deliver()
        with self.clock("12:50"):
            self.use("12:50", "1011", point=second)
            self.assertEqual(self.get_blocks(contract), ["mass_unconfirmed"])

    def test_nobody_else_confirms(self):
        self.hold_back()
        water = self.make_user("supply_water", "water_operator")
        auditor = self.make_user("supply_auditor", "auditor")
        other_building = self.make_building("PX", self.building.site_id)
        stranger = self.make_user("supply_stranger", "power_operator", buildings=other_building)
        for user in (self.cashier, auditor, water, stranger):
            with self.subTest(user=user.login), self.clock("12:45"), self.assertRaises(AccessError):
                self.case.with_user(user).action_confirm_trip()
        self.assertFalse(self.case.is_confirmed or self.switch.desired == "off")


@tagged("post_install", "-at_install")
class TestSupplyTimers(SupplyCase):
    """One tenancy that fails holds up nobody, and what was sent is not sent again."""

    def make_second(self):
        point = self.make_shop("A-102", self.flat)
        contract = self.make_tenant("Shop Two", point)
        contract.partner_id.email = "two@example.com"
        return contract

    def test_a_tenancy_that_fails_holds_up_nobody(self):
        self.trip()
        second = self.make_second()
        self.env["prepaid.case"].create({"contract_id": second.id, "state": "tripped"})
        real = type(self.contract)._decide
        seen = []

        def fail(contract, *args):
            seen.append(contract.id)
            if contract == self.contract:
                raise ValueError("broken")
            return real(contract, *args)

        with (
            patch.object(type(self.contract), "_decide", fail),
            self.clock("13:00"),
            mute_logger(MODELS + "prepaid_supply"),
        ):
            self.run_timer()
        self.assertEqual(sorted(seen), sorted([self.contract.id, second.id]))

    def test_a_message_that_left_is_not_sent_again_when_the_decision_fails(self):
        with self.clock("08:00"):
            self.use("08:00", "1080")
            sent = []
            notices = type(self.env["prepaid.notice"])
            with (
                patch.object(notices, "_deliver_email", lambda _self, notice: sent.append(notice.id)),
                patch.object(type(self.contract), "_evaluate_supply", side_effect=ValueError("broken")),
                mute_logger(MODELS + "prepaid_supply"),
            ):
                self.deliver()
                self.deliver()
        self.assertEqual((len(sent), self.case.notice_ids.state), (1, "delivered"))

    def test_a_failing_message_is_tried_again_later_and_later(self):
        self.contract.partner_id.email = False
        with self.clock("08:00"):
            self.use("08:00", "1080")
            self.deliver()
            notice = self.case.notice_ids
            self.assertEqual((notice.state, notice.tries), ("queued", 1))
            self.assertEqual(notice.next_try_at, fields.Datetime.now() + timedelta(minutes=1))
            self.deliver()
            self.assertEqual(notice.tries, 1)
        with self.clock("08:02"):
            self.contract.partner_id.email = "now@example.com"
            self.deliver()
            self.assertEqual((notice.state, notice.delivered_at), ("delivered", fields.Datetime.now()))


@tagged("post_install", "-at_install")
class TestSupplyScreens(SupplyCase):
    def test_the_dry_run_changes_nothing(self):
        self.run_out()
        with self.clock("12:40"):
            self.ingest([(self.point, f"{DAY} 12:40", "1119")])
            before = self.get_states()
            user = self.make_user("supply_manager", "property_manager")
            action = self.env["prepaid.dry.run"].with_user(user).action_look()
            lines = self.env["prepaid.dry.run"].with_user(user).search(action["domain"])
        line = lines.filtered(lambda row: row.contract_id == self.contract)
        self.assertEqual((line.state, line.available), ("trip", -0.3))
        self.assertEqual(self.get_states(), before)
        self.assertNotEqual(self.switch.desired, "off")

    def test_the_dry_run_shows_only_the_users_buildings(self):
        other_building = self.make_building("PX", self.building.site_id)
        user = self.make_user("supply_far", "property_manager", buildings=other_building)
        action = self.env["prepaid.dry.run"].with_user(user).action_look()
        lines = self.env["prepaid.dry.run"].with_user(user).search(action["domain"])
        self.assertNotIn(self.contract.id, lines.contract_id.ids)

    def test_the_summary_says_what_the_portal_shows(self):
        with self.clock("08:00"):
            self.use("08:00", "1080")
            summary = self.contract._get_supply_summary()
        self.assertEqual((str(summary["balance"]), summary["state"]), ("32.00", "warned"))
        self.assertEqual([row["kind"] for row in summary["switches"]], ["power"])
        self.assertNotIn("subaccounts", summary)  # a sum over the whole ledger, asked every few seconds

    def test_the_unit_shows_what_its_tenancy_owes(self):
        self.contract.occupancy_ids.end_at = utc("2025-08-01 00:00")
        self.trip()
        with self.clock("13:00"):
            self.assertEqual(self.point.unit_id._get_case_states(), {self.point.unit_id.id: "tripped"})

    def test_the_overview_counts_money_of_the_users_buildings(self):
        self.trip()
        with self.clock("13:00"):
            cards = {card["key"]: card for card in self.env["meter.overview"]._get_cards(self.building)}
        self.assertEqual((cards["wallets"]["value"], cards["tripped"]["value"]), ("¥-1.15", "1"))


@tagged("post_install", "-at_install")
class TestSupplyRights(SupplyCase):
    def test_nobody_writes_cases_decisions_and_messages(self):
        for role in ("power_operator", "cashier", "accountant", "property_manager", "supervisor", "auditor"):
            user = self.make_user(f"supply_w_{role}", role)
            for model in ("prepaid.case", "prepaid.decision", "prepaid.notice"):
                records = self.env[model].with_user(user)
                with self.subTest(role=role, model=model):
                    self.assertTrue(records.has_access("read"))
                    for operation in ("write", "create", "unlink"):
                        self.assertFalse(records.has_access(operation), operation)

    def test_other_buildings_are_not_seen(self):
        self.trip()
        other_building = self.make_building("PX", self.building.site_id)
        stranger = self.make_user("supply_far2", "supervisor", buildings=other_building)
        native = self.make_user("supply_near2", "supervisor", buildings=self.building)
        for records in (self.case, self.get_decision(), self.case.notice_ids):
            found = self.env[records._name].search([("id", "in", records.ids)])
            self.assertEqual(found.with_user(native)._filtered_access("read"), found)
            self.assertFalse(found.with_user(stranger)._filtered_access("read"))

    def test_rules_are_changed_by_those_who_may_and_where_they_may(self):
        other_building = self.make_building("PX", self.building.site_id)
        own = self.env["prepaid.policy"].create({"name": "A", "building_id": self.building.id})
        far = self.env["prepaid.policy"].create({"name": "X", "building_id": other_building.id})
        local = self.make_user("supply_local", "supervisor", buildings=self.building)
        everywhere = self.make_user("supply_all", "supervisor")
        own.with_user(local).write({"warn_amount_1": 60})
        for policy in (far, self.policy):
            with self.subTest(policy=policy.name), self.assertRaises(AccessError):
                policy.with_user(local).write({"warn_amount_1": 60})
            policy.with_user(everywhere).write({"warn_amount_1": 60})
        for role in ("cashier", "power_operator", "auditor"):
            user = self.make_user(f"supply_p_{role}", role)
            with self.subTest(role=role), self.assertRaises(AccessError):
                own.with_user(user).write({"warn_amount_1": 61})


@tagged("post_install", "-at_install")
class TestPolicyRecord(SupplyCase):
    def get_audit(self, policy):
        domain = [("model", "=", "prepaid.policy"), ("res_id", "=", policy.id)]
        return self.env["audit.entry"].search(domain, limit=1)

    def test_the_nearest_rule_wins(self):
        policies = self.env["prepaid.policy"]

        def get():
            return policies._get_for(self.contract)[self.contract.id]

        self.assertEqual(get(), self.policy)
        for name, scope in (
            ("site", {"site_id": self.building.site_id.id}),
            ("building", {"building_id": self.building.id}),
            ("tenancy", {"contract_id": self.contract.id}),
        ):
            nearer = policies.create({"name": name, **scope})
            self.assertEqual(get(), nearer)

    def test_days_holidays_and_place_are_in_the_audit_too(self):
        holiday = self.env["prepaid.holiday"].create({"name": "Spring Festival", "date": "2026-02-17"})
        self.policy.write({"sunday": False, "holiday_ids": [(4, holiday.id)]})
        entry = self.get_audit(self.policy)
        self.assertIn('"sunday":"True"', entry.before)
        self.assertIn('"sunday":"False"', entry.after)
        self.assertIn("2026-02-17", entry.after)

    def test_a_deleted_rule_leaves_a_line(self):
        policy = self.env["prepaid.policy"].create({"name": "Gone", "building_id": self.building.id})
        policy.unlink()
        self.assertEqual(
            (self.get_audit(policy).action, self.get_audit(policy).after), ("policy.change", False)
        )

    def test_a_special_supply_period_leaves_a_line(self):
        until = utc("2026-01-01 00:00")
        self.contract.special_supply_until = until
        entry = self.env["audit.entry"].search([("action", "=", "supply.special")], limit=1)
        self.assertEqual((entry.model, entry.res_id), ("contract.contract", self.contract.id))
        self.assertIn("2025-12-31", entry.after)
