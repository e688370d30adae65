"""One place where money moves: nothing is lost, nothing is changed, and tampering shows."""

from datetime import datetime
from decimal import Decimal

import psycopg2
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..exact import fetch_exact_dicts
from .core_common import SettlementCase

AT = datetime(2025, 7, 1, 12)


@tagged("post_install", "-at_install")
class TestLedger(SettlementCase):
    def post(self, amount, source, kind="topup", **kwargs):
        return self.wallet._post_entry(
            kind, self.env["utility.kind"], Decimal(amount), source, "text", at=AT, **kwargs
        )

    def get_rows(self):
        return fetch_exact_dicts(
            self.env.cr,
            "SELECT sequence, amount, balance_after FROM prepaid_entry WHERE wallet_id = %s ORDER BY sequence",
            [self.wallet.id],
        )

    def test_entries_are_numbered_and_carry_the_running_balance(self):
        self.post("100.00", "t,1")
        self.post("-12.34", "t,2", "charge")
        self.post("-0.01", "t,3", "fee")
        self.assertEqual(
            [tuple(row.values()) for row in self.get_rows()],
            [
                (1, Decimal("100.00"), Decimal("100.00")),
                (2, Decimal("-12.34"), Decimal("87.66")),
                (3, Decimal("-0.01"), Decimal("87.65")),
            ],
        )
        self.assertEqual(self.get_balance(), Decimal("87.65"))
        self.assertEqual(self.wallet._find_problems(), [])
        self.assertEqual(self.env["prepaid.wallet"]._find_sum_mismatches(), [])

    def test_the_same_fact_counts_once_and_other_content_is_a_conflict(self):
        first = self.post("100.00", "t,1")
        self.assertEqual(self.post("100.00", "t,1"), first)
        self.assertEqual(self.get_balance(), Decimal("100.00"))
        with self.assertRaisesRegex(UserError, "other content"):
            self.post("100.01", "t,1")

    def test_amounts_that_no_ledger_takes_are_refused(self):
        for amount, kind in (
            ("0", "topup"),
            ("0.001", "topup"),
            ("-1", "topup"),
            ("1", "charge"),
            ("NaN", "topup"),
        ):
            with self.subTest(amount=amount, kind=kind), self.assertRaises(UserError):
                self.post(amount, f"bad,{amount},{kind}", kind)
        self.assertEqual(self.get_rows(), [])

    def test_nobody_writes_entries_charges_or_balances_through_the_orm(self):
        self.read(("2025-07-01 10:00", "1010"))
        entry = self.wallet.entry_ids
        charge = self.env["prepaid.charge"].search([("contract_id", "=", self.contract.id)])
        attempts = (
            lambda: entry.write({"amount": 5}),
            entry.unlink,
            lambda: entry.create({"wallet_id": self.wallet.id, "amount": 5}),
            lambda: charge.write({"amount": 5}),
            charge.unlink,
            lambda: charge.create({"service_point_id": self.point.id}),
            lambda: self.wallet.write({"balance": 5}),
            lambda: self.wallet.create({"contract_id": self.contract.id, "balance": 5}),
        )
        for number, attempt in enumerate(attempts):
            with self.subTest(number), self.assertRaises(AccessError):
                attempt()

    @mute_logger("odoo.sql_db")
    def test_the_database_itself_refuses_change(self):
        self.read(("2025-07-01 10:00", "1010"))
        wallet = {"id": self.wallet.id}
        statements = (
            "UPDATE prepaid_entry SET amount = 5 WHERE wallet_id = %(id)s",
            "DELETE FROM prepaid_entry WHERE wallet_id = %(id)s",
            "TRUNCATE prepaid_entry CASCADE",
            "UPDATE prepaid_charge SET amount = 5 WHERE wallet_id = %(id)s",
            "UPDATE prepaid_charge SET quantity = 0, invoice_line_id = NULL WHERE wallet_id = %(id)s",
            "DELETE FROM prepaid_charge WHERE wallet_id = %(id)s",
            "UPDATE prepaid_wallet SET balance = balance + 1 WHERE id = %(id)s",
            "UPDATE prepaid_wallet SET balance = 0, last_sequence = 0, last_hash = '' WHERE id = %(id)s",
            """INSERT INTO prepaid_entry (wallet_id, contract_id, company_id, sequence, at, kind, amount, balance_after, source, hash, prev_hash)
               SELECT wallet_id, contract_id, company_id, sequence + 1, at, 'topup', 5, balance_after + 6, 'forged', 'x', hash
                 FROM prepaid_entry WHERE wallet_id = %(id)s""",
        )
        for statement in statements:
            with self.subTest(statement), self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
                self.env.cr.execute(statement, wallet)

    def tamper(self, statement):
        """What somebody with the database's own rights could do: switch the guards off, change, switch them on."""
        for table in ("prepaid_entry", "prepaid_wallet"):
            self.env.cr.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        self.env.cr.execute(statement, {"id": self.wallet.id})
        for table in ("prepaid_entry", "prepaid_wallet"):
            self.env.cr.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        self.env.invalidate_all()

    def test_the_walk_along_the_chain_finds_tampering(self):
        for number in range(1, 6):
            self.post("10.00", f"t,{number}")
        cases = (
            (
                "UPDATE prepaid_entry SET description = 'other' WHERE wallet_id = %(id)s AND sequence = 2",
                {"hash"},
            ),
            (
                "UPDATE prepaid_entry SET amount = 11 WHERE wallet_id = %(id)s AND sequence = 3",
                {"balance", "hash"},
            ),
            (
                "DELETE FROM prepaid_entry WHERE wallet_id = %(id)s AND sequence = 4",
                {"number", "link", "balance"},
            ),
            ("DELETE FROM prepaid_entry WHERE wallet_id = %(id)s AND sequence = 5", {"wallet"}),
            ("UPDATE prepaid_wallet SET balance = 51 WHERE id = %(id)s", {"wallet"}),
        )
        for statement, rules in cases:
            savepoint = self.env.cr.savepoint()
            self.tamper(statement)
            with self.subTest(statement):
                self.assertEqual({rule for _wallet, _number, rule in self.wallet._find_problems()}, rules)
                params = self.wallet.action_verify()["params"]
                self.assertEqual(params["type"], "danger")
            savepoint.close(rollback=True)
            self.env.invalidate_all()
        self.assertEqual(self.wallet.action_verify()["params"]["type"], "success")
