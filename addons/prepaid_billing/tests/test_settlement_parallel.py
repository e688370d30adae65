"""A settlement that began before readings were committed must not take their mark away: on real connections."""

from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged

CIRCUITS = (-1, -2)  # marks are looked at; there is nothing to settle


@tagged("post_install", "-at_install")
class TestSettlementParallel(TransactionCase):
    def setUp(self):
        super().setUp()
        self._clear()
        self.addCleanup(self._clear)

    def _connect(self):
        return db_connect(self.env.cr.dbname).cursor()

    def _clear(self):
        with self._connect() as cr:
            cr.execute("DELETE FROM prepaid_settlement_due")

    def _mark(self, *circuit_ids):
        with self._connect() as cr:
            settlement = api.Environment(cr, SUPERUSER_ID, {})["prepaid.settlement"]
            with patch.object(type(settlement), "_ensure_job"):
                settlement._mark_due(circuit_ids)

    def _get_marks(self):
        with self._connect() as cr:
            cr.execute("SELECT circuit_ids FROM prepaid_settlement_due ORDER BY id")
            return [row[0] for row in cr.fetchall()]

    def _settle(self, cr, limit=None):
        return api.Environment(cr, SUPERUSER_ID, {})["prepaid.settlement"]._settle_due(limit=limit)

    def test_a_mark_made_meanwhile_is_not_taken(self):
        self._mark(CIRCUITS[0])
        with self._connect() as cr:
            cr.execute("SELECT 1 FROM prepaid_settlement_due")  # the settlement's snapshot
            self._mark(CIRCUITS[0])  # of readings it cannot see
            self.assertEqual(self._settle(cr), 1)
        self.assertEqual(self._get_marks(), [[CIRCUITS[0]]])

    def test_the_ingest_does_not_wait_for_a_settlement(self):
        self._mark(*CIRCUITS)
        with self._connect() as cr:
            self.assertEqual(self._settle(cr, limit=1), 1)
            with self._connect() as other:
                other.execute("SET LOCAL lock_timeout = '2s'")
                settlement = api.Environment(other, SUPERUSER_ID, {})["prepaid.settlement"]
                with patch.object(type(settlement), "_ensure_job"):
                    settlement._mark_due(CIRCUITS)
        self.assertEqual(self._get_marks(), [[CIRCUITS[0]], list(CIRCUITS)])

    def test_a_mark_that_another_settlement_holds_is_left_to_it(self):
        self._mark(CIRCUITS[0])
        with self._connect() as first, self._connect() as second:
            first.execute("SELECT 1 FROM prepaid_settlement_due FOR UPDATE")
            self.assertEqual(self._settle(second, limit=5), 0)
            second.rollback()
            first.rollback()
        self.assertEqual(self._get_marks(), [[CIRCUITS[0]]])

    def test_a_settlement_that_is_rolled_back_leaves_its_marks(self):
        self._mark(*CIRCUITS)
        with self._connect() as cr:
            self.assertEqual(self._settle(cr, limit=1), 1)
            cr.rollback()
        self.assertEqual(self._get_marks(), [list(CIRCUITS)])
