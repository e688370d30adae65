"""A settlement that began before readings were committed must not take their mark away: on real connections."""

from unittest.mock import patch

import psycopg2
from odoo import SUPERUSER_ID, api
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

CIRCUIT = -1  # marks are looked at, circuits are not: the key to them is off during the test
FIND_KEY = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid = 'prepaid_settlement_due'::regclass AND confrelid = 'meter_circuit'::regclass
"""


@tagged("post_install", "-at_install")
class TestSettlementParallel(TransactionCase):
    def setUp(self):
        super().setUp()
        with self._connect() as cr:
            cr.execute(FIND_KEY)
            self.key = cr.fetchone()
            cr.execute("DELETE FROM prepaid_settlement_due")  # of tests that commit
            cr.execute(f"ALTER TABLE prepaid_settlement_due DROP CONSTRAINT {self.key[0]}")
        self.addCleanup(self._restore)

    def _connect(self):
        return db_connect(self.env.cr.dbname).cursor()

    def _restore(self):
        with self._connect() as cr:
            cr.execute("DELETE FROM prepaid_settlement_due WHERE circuit_id = %s", [CIRCUIT])
            cr.execute(f"ALTER TABLE prepaid_settlement_due ADD CONSTRAINT {self.key[0]} {self.key[1]}")

    def _mark(self):
        with self._connect() as cr:
            settlement = api.Environment(cr, SUPERUSER_ID, {})["prepaid.settlement"]
            with patch.object(type(settlement), "_ensure_job"):
                settlement._mark_due([CIRCUIT])

    def _count(self):
        with self._connect() as cr:
            cr.execute("SELECT count(*) FROM prepaid_settlement_due WHERE circuit_id = %s", [CIRCUIT])
            return cr.fetchone()[0]

    @mute_logger("odoo.sql_db")
    def test_a_mark_touched_meanwhile_is_not_taken(self):
        self._mark()
        with self._connect() as cr:
            cr.execute("SELECT 1")  # the settlement's snapshot
            self._mark()  # readings it cannot see
            settlement = api.Environment(cr, SUPERUSER_ID, {})["prepaid.settlement"]
            with self.assertRaises(psycopg2.errors.SerializationFailure):
                settlement._settle_due()
            cr.rollback()
        self.assertEqual(self._count(), 1)

    def test_a_mark_that_another_settlement_holds_is_left_to_it(self):
        self._mark()
        with self._connect() as first, self._connect() as second:
            first.execute("SELECT 1 FROM prepaid_settlement_due WHERE circuit_id = %s FOR UPDATE", [CIRCUIT])
            settlement = api.Environment(second, SUPERUSER_ID, {})["prepaid.settlement"]
            self.assertEqual(settlement._settle_due(limit=5), 0)
            second.rollback()
            first.rollback()
        self.assertEqual(self._count(), 1)
