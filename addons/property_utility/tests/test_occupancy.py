from datetime import timedelta

import psycopg2
from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import NOON, EstateCase, after


@tagged("post_install", "-at_install")
class TestOccupancy(EstateCase):
    def test_a_second_tenancy_in_the_same_period_is_refused_naming_unit_dates_and_other_tenancy(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=10))
        with self.assertRaises(ValidationError) as raised:
            self.move_in(self.unit_a1, self.tenancy_b, after(days=9), after(days=20))
        message = str(raised.exception)
        for word in (
            "A-101",
            "示例商户甲",
            "示例商户乙",
            "2024-03-01 12:00",
            "2024-03-11 12:00",
            "2024-03-10 12:00",
        ):
            self.assertIn(word, message)

    def test_the_database_refuses_an_overlap_that_the_code_never_saw(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=10))
        self.env.flush_all()
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.ExclusionViolation),
            self.cr.savepoint(),
        ):
            self.cr.execute(
                "INSERT INTO property_occupancy (unit_id, contract_id, start_at) VALUES (%s, %s, %s)",
                (self.unit_a1.id, self.tenancy_b.id, after(days=9)),
            )

    def test_periods_that_touch_do_not_overlap_and_an_empty_period_is_refused(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=1))
        self.move_in(self.unit_a1, self.tenancy_b, after(days=1))
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.CheckViolation),
            self.cr.savepoint(),
        ):
            self.move_in(self.unit_a2, self.tenancy_b, NOON, NOON)

    def test_moving_the_end_into_the_next_tenancy_is_refused(self):
        first = self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=1))
        self.move_in(self.unit_a1, self.tenancy_b, after(days=1))
        for end_at in (after(days=1, seconds=1), False):
            with self.assertRaises(ValidationError):
                first.end_at = end_at
        first.end_at = after(hours=1)

    def test_the_tenancy_of_a_service_point_changes_exactly_at_the_instant(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=1))
        self.move_in(self.unit_a1, self.tenancy_b, after(days=1))
        points = self.point_a1 | self.point_a2
        rows = [
            (NOON - timedelta(seconds=1), {}),
            (NOON, {self.point_a1.id: self.tenancy_a}),
            (after(days=1, seconds=-1), {self.point_a1.id: self.tenancy_a}),
            (after(days=1), {self.point_a1.id: self.tenancy_b}),
            (after(days=400), {self.point_a1.id: self.tenancy_b}),
        ]
        for at, expected in rows:
            with self.subTest(at=at):
                self.assertEqual(points._get_tenancy_at(at), expected)

    def test_occupancies_of_a_window_leave_out_those_that_only_touch_it(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=1))
        self.move_in(self.unit_a1, self.tenancy_b, after(days=1), after(days=2))
        rows = self.point_a1._get_occupancies(after(days=1), after(days=3))
        self.assertEqual(rows, [(self.point_a1.id, self.tenancy_b.id, after(days=1), after(days=2))])
        self.assertEqual(len(self.point_a1._get_occupancies()), 2)

    def test_a_public_service_point_has_a_building_and_no_tenancy(self):
        point = self.env["utility.service.point"].create(
            {"name": "走廊", "code": "T-PUB", "building_id": self.building_a.id, "kind_id": self.power.id}
        )
        self.assertEqual(point.building_id, self.building_a)
        self.assertFalse(point._get_tenancy_at(NOON))

    def test_a_room_change_at_an_instant_leaves_no_gap_and_no_overlap(self):
        self.move_in(self.unit_a1, self.tenancy_a)
        wizard = self.env["property.room.change"].create(
            {
                "contract_id": self.tenancy_a.id,
                "unit_id": self.unit_b1.id,
                "at": after(days=5),
                "reason": "扩店",
            }
        )
        wizard.action_apply()
        at = after(days=5)
        points = self.point_a1 | self.point_b1
        self.assertEqual(
            points._get_tenancy_at(at - timedelta(seconds=1)), {self.point_a1.id: self.tenancy_a}
        )
        self.assertEqual(points._get_tenancy_at(at), {self.point_b1.id: self.tenancy_a})
        self.assertEqual(self.tenancy_a.building_ids, self.building_a | self.building_b)

    def test_a_room_change_into_a_let_unit_changes_nothing(self):
        self.move_in(self.unit_a1, self.tenancy_a)
        self.move_in(self.unit_b1, self.tenancy_b)
        wizard = self.env["property.room.change"].create(
            {"contract_id": self.tenancy_a.id, "unit_id": self.unit_b1.id, "at": after(days=5), "reason": "x"}
        )
        with self.assertRaises(ValidationError), self.cr.savepoint():
            wizard.action_apply()
        self.assertFalse(self.tenancy_a.occupancy_ids.end_at)

    def test_move_in_offers_free_units_only_and_move_out_ends_them_all(self):
        self.move_in(self.unit_a1, self.tenancy_b)
        with Form(self.env["property.move.in"].with_context(default_contract_id=self.tenancy_a.id)) as form:
            self.assertNotIn(self.unit_a1.id, form.free_unit_ids.ids)
            form.start_at = NOON
            form.unit_ids.add(self.unit_a2)
            form.unit_ids.add(self.unit_b2)
        form.save().action_apply()
        self.assertEqual(self.tenancy_a.unit_ids, self.unit_a2 | self.unit_b2)
        out = self.env["property.move.out"].create(
            {"contract_id": self.tenancy_a.id, "end_at": after(days=3), "reason": "退租"}
        )
        self.assertTrue(out.is_last)
        out.action_apply()
        self.assertEqual(set(self.tenancy_a.occupancy_ids.mapped("end_at")), {after(days=3)})
        self.assertEqual(self.tenancy_a.moved_out_at, after(days=3))

    def test_a_blocked_unit_is_not_let(self):
        self.unit_a1.is_blocked = True
        self.assertEqual(self.unit_a1.state, "blocked")
        wizard = self.env["property.move.in"].create(
            {"contract_id": self.tenancy_a.id, "unit_ids": self.unit_a1.ids, "start_at": NOON}
        )
        with self.assertRaises(UserError):
            wizard.action_apply()


@tagged("post_install", "-at_install")
class TestStates(EstateCase):
    def test_unit_and_tenancy_states_follow_the_occupancy(self):
        now = fields.Datetime.now()
        self.assertEqual((self.unit_a1.state, self.tenancy_a.tenancy_state), ("vacant", "draft"))
        occupancy = self.move_in(self.unit_a1, self.tenancy_a, now - timedelta(days=2))
        self.assertEqual((self.unit_a1.state, self.tenancy_a.tenancy_state), ("occupied", "active"))
        self.assertEqual(self.unit_a1.contract_id, self.tenancy_a)
        occupancy.end_at = now - timedelta(days=1)
        self.assertEqual((self.unit_a1.state, self.tenancy_a.tenancy_state), ("vacant", "ended"))
        self.assertFalse(self.unit_a1.contract_id)

    def test_a_planned_move_in_becomes_true_when_its_time_has_come(self):
        now = fields.Datetime.now()
        self.move_in(self.unit_a1, self.tenancy_a, now + timedelta(hours=1), now + timedelta(hours=2))
        self.assertEqual((self.unit_a1.state, self.tenancy_a.tenancy_state), ("vacant", "draft"))
        rows = [(90, "occupied", "active"), (150, "vacant", "ended")]
        for minutes, unit_state, tenancy_state in rows:
            self.env.flush_all()
            with self.subTest(minutes=minutes):
                with freeze_time(now + timedelta(minutes=minutes)):
                    self.env["property.occupancy"]._cron_refresh_states()
                self.assertEqual(
                    (self.unit_a1.state, self.tenancy_a.tenancy_state), (unit_state, tenancy_state)
                )

    def test_the_board_states_come_from_one_overridable_place(self):
        self.move_in(self.unit_a1, self.tenancy_a)
        self.unit_b1.is_blocked = True
        units = self.unit_a1 | self.unit_a2 | self.unit_b1
        states = units._get_overview_state()
        self.assertEqual([states[unit.id]["state"] for unit in units], ["occupied", "vacant", "blocked"])
        self.assertEqual(states[self.unit_a1.id]["label"], "示例商户甲")

    def test_units_are_found_by_their_present_tenant(self):
        self.move_in(self.unit_a1, self.tenancy_a, NOON, after(days=1))
        self.move_in(self.unit_a2, self.tenancy_a)
        units = self.env["property.unit"]
        self.assertEqual(units.search([("contract_id", "=", self.tenancy_a.id)]), self.unit_a2)
        self.assertEqual(units.search([("tenant_id", "ilike", "示例商户甲")]), self.unit_a2)
        ours = fields.Domain("site_id", "=", self.site.id)
        self.assertEqual(
            units.search(ours & fields.Domain("contract_id", "=", False)),
            self.unit_a1 | self.unit_b1 | self.unit_b2,
        )

    def test_account_numbers_are_given_once_per_company(self):
        self.assertNotEqual(self.tenancy_a.account_number, self.tenancy_b.account_number)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.UniqueViolation),
            self.cr.savepoint(),
        ):
            self.tenancy_b.account_number = self.tenancy_a.account_number
            self.env.flush_all()

    def test_an_account_number_given_by_hand_is_passed_over_by_the_sequence(self):
        taken = str(int(self.tenancy_b.account_number) + 1)
        self.tenancy_a.account_number = taken
        self.assertEqual(self.make_tenancy("示例商户丙").account_number, str(int(taken) + 1))

    def test_a_contract_that_is_no_tenancy_cannot_move_in(self):
        contract = self.env["contract.contract"].create(
            {"name": "保洁", "partner_id": self.tenancy_a.partner_id.id}
        )
        self.assertFalse(contract.account_number)
        with self.assertRaises(ValidationError):
            self.move_in(self.unit_a1, contract)
