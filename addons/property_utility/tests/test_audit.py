from datetime import datetime
from decimal import Decimal

import psycopg2
from odoo import api
from odoo.exceptions import AccessError, UserError
from odoo.modules.registry import Registry
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from ..models.audit_entry import DIGEST_FIELDS, canonical_json, compute_digest
from ..models.audit_seal import PROTECTED
from .common import EstateCase


@tagged("post_install", "-at_install")
class TestAuditEntry(EstateCase):
    def setUp(self):
        super().setUp()
        self.log = self.env["audit.entry"]._log
        self.env["audit.seal"]._seal(full=True)

    def entry(self):
        return self.env["audit.entry"].search([], limit=1)

    def test_an_entry_says_who_what_when_before_and_after(self):
        cashier = self.user("cashier", self.building_a)
        entries = self.env["audit.entry"].with_user(cashier)
        entries._log(
            "test.thing",
            self.unit_a1.with_user(cashier),
            {"price": Decimal("0.80")},
            {"price": "0.85"},
            "调价",
        )
        entry = self.entry()
        self.assertEqual((entry.user_id, entry.login), (cashier, cashier.login))
        self.assertEqual(
            (entry.model, entry.res_id, entry.res_name), ("property.unit", self.unit_a1.id, "A-101")
        )
        self.assertEqual((entry.before, entry.after), ('{"price":"0.80"}', '{"price":"0.85"}'))
        self.assertEqual((entry.building_id, entry.reason), (self.building_a, "调价"))
        self.assertLess(abs((datetime.utcnow() - entry.at).total_seconds()), 60)

    def test_values_have_one_spelling_and_floats_of_unknown_kind_are_not_hidden(self):
        self.assertEqual(canonical_json({"b": 1, "a": Decimal("1.10")}), '{"a":"1.10","b":1}')
        with self.assertRaises(TypeError):
            canonical_json({"a": object()})

    def test_a_log_of_several_records_writes_one_entry_each_and_of_none_one_without_a_record(self):
        before = self.env["audit.entry"].search_count([])
        self.log("test.thing", self.unit_a1 | self.unit_b1)
        self.log("test.thing", self.env["property.unit"])
        self.assertEqual(self.env["audit.entry"].search_count([]), before + 3)
        self.assertFalse(self.entry().res_id)

    def test_the_database_refuses_to_change_or_delete(self):
        self.log("test.thing", self.unit_a1)
        self.env["audit.seal"]._seal(full=True)
        for table in PROTECTED:
            column = "hash" if table == "audit_seal" else "id"
            for sql in (
                f"UPDATE {table} SET {column} = {column}",
                f"DELETE FROM {table}",
                f"TRUNCATE {table} CASCADE",
                f"SET LOCAL session_replication_role = replica; DELETE FROM {table}",
            ):
                refused = psycopg2.errors.InsufficientPrivilege
                with (
                    self.subTest(sql=sql),
                    mute_logger("odoo.sql_db"),
                    self.assertRaises(refused),
                    self.cr.savepoint(),
                ):
                    self.cr.execute(sql)

    def test_the_orm_refuses_too_for_the_superuser(self):
        self.log("test.thing", self.unit_a1)
        for attempt in (
            lambda: self.entry().sudo().write({"action": "x"}),
            lambda: self.entry().sudo().unlink(),
            lambda: self.env["audit.entry"].sudo().create({"action": "x"}),
            lambda: self.env["audit.seal"].sudo().search([], limit=1).unlink(),
        ):
            with self.assertRaises(UserError):
                attempt()

    def test_no_context_from_outside_keeps_a_change_out_of_the_audit(self):
        domain = [("action", "=", "tenancy.change"), ("res_id", "=", self.tenancy_a.id)]
        before = self.env["audit.entry"].search_count(domain)
        self.tenancy_a.with_context(tenancy_opening=True).partner_id = self.tenancy_b.partner_id
        self.assertEqual(self.env["audit.entry"].search_count(domain), before + 1)

    def test_only_auditors_and_supervisors_read_the_audit_and_only_of_their_buildings(self):
        self.log("test.thing", self.unit_a1 | self.unit_b1)
        for role in ("cashier", "accountant", "property_manager", "joint_operator"):
            user = self.user(role, everywhere=True)
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.env["audit.entry"].with_user(user).search([])
        auditor = self.user("auditor", self.building_a)
        seen = self.env["audit.entry"].with_user(auditor).search([("action", "=", "test.thing")])
        self.assertEqual(seen.building_id, self.building_a)

    def test_a_change_reads_like_a_sentence(self):
        self.log("tenancy.change", self.tenancy_a, {"a": 1, "same": 2}, {"a": "<b>", "same": 2})
        entry = self.entry()
        self.assertEqual(entry.change_text, "a: 1 → <b>")
        self.assertIn("&lt;b&gt;", entry.change_html)
        self.assertNotIn("same", entry.change_html)


@tagged("post_install", "-at_install")
class TestAuditChain(EstateCase):
    def setUp(self):
        super().setUp()
        self.seals = self.env["audit.seal"]
        for number in range(3):
            self.env["audit.entry"]._log("test.thing", self.unit_a1, after={"n": number})
            self.seals._seal(full=True)
        self.cr.execute("SELECT id FROM audit_entry WHERE action = 'test.thing' ORDER BY id LIMIT 1")
        self.entry_id = self.cr.fetchone()[0]
        self.assertEqual(self.env["audit.entry"]._verify(), [])

    def tamper(self, sql, *args, table="audit_entry"):
        """What somebody with all rights on the database can do: switch the guard off, act, switch it on."""
        self.cr.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        self.cr.execute(sql, args)
        self.cr.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER property_utility_refuse_row")
        self.cr.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER property_utility_refuse_truncate")

    def test_a_changed_row_is_found(self):
        for column in ("after", "before", "login", "reason", "res_name", "action", "remote_address"):
            with self.subTest(column=column), self.cr.savepoint() as savepoint:
                self.tamper(f"UPDATE audit_entry SET {column} = 'forged' WHERE id = %s", self.entry_id)
                problems = self.env["audit.entry"]._verify()
                self.assertTrue(any(str(self.entry_id) in problem for problem in problems), problems)
                savepoint.rollback()
        self.assertEqual(self.env["audit.entry"]._verify(), [])

    def test_a_changed_row_with_a_matching_new_digest_breaks_its_seal(self):
        self.tamper("UPDATE audit_entry SET reason = 'forged' WHERE id = %s", self.entry_id)
        columns = ", ".join(f'"{name}"' for name in DIGEST_FIELDS)
        self.cr.execute(f"SELECT {columns} FROM audit_entry WHERE id = %s", (self.entry_id,))
        digest = compute_digest(dict(zip(DIGEST_FIELDS, self.cr.fetchone(), strict=True)))
        self.tamper("UPDATE audit_entry SET digest = %s WHERE id = %s", digest, self.entry_id)
        problems = self.env["audit.entry"]._verify()
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("does not match", problems[0])

    def test_a_deleted_row_is_found(self):
        line_table = "audit_seal_line"
        self.tamper("DELETE FROM audit_seal_line WHERE entry_id = %s", self.entry_id, table=line_table)
        self.tamper("DELETE FROM audit_entry WHERE id = %s", self.entry_id)
        self.assertTrue(any("are there" in problem for problem in self.env["audit.entry"]._verify()))

    def test_a_deleted_seal_is_found(self):
        self.cr.execute("SELECT id, number FROM audit_seal ORDER BY number DESC OFFSET 1 LIMIT 1")
        seal_id, number = self.cr.fetchone()
        self.tamper("DELETE FROM audit_seal_line WHERE seal_id = %s", seal_id, table="audit_seal_line")
        self.tamper("DELETE FROM audit_seal WHERE id = %s", seal_id, table="audit_seal")
        problems = self.env["audit.entry"]._verify()
        self.assertTrue(any(f"{number} is missing" in problem for problem in problems), problems)

    def test_a_guard_that_is_off_is_a_problem(self):
        self.cr.execute("ALTER TABLE audit_entry DISABLE TRIGGER property_utility_refuse_row")
        problems = self.env["audit.entry"]._verify()
        self.assertEqual(len(problems), 1)
        self.assertIn("property_utility_refuse_row", problems[0])

    def test_the_verify_page_shows_the_result_and_knows_a_replaced_head(self):
        auditor = self.user("auditor", everywhere=True)
        wizard = self.env["audit.verify.wizard"].with_user(auditor).create({})
        wizard.action_verify()
        self.assertEqual(wizard.state, "good", wizard.problems)
        again = self.env["audit.verify.wizard"].with_user(auditor).create({"known_head": wizard.head})
        again.action_verify()
        self.assertEqual(again.state, "good")
        foreign = self.env["audit.verify.wizard"].with_user(auditor).create({"known_head": "f" * 64})
        foreign.action_verify()
        self.assertEqual((foreign.state, foreign.problem_count), ("bad", 1))
        with self.assertRaises(AccessError):
            self.env["audit.verify.wizard"].with_user(self.user("cashier", everywhere=True)).create({})

    def test_the_head_is_mailed_and_the_mail_itself_is_audited(self):
        self.env["ir.config_parameter"].set_param("property_utility.audit_mail_to", "auditor@example.com")
        with mute_logger("odoo.addons.mail.models.mail_mail"):
            self.seals._cron_send_head()
        mail = self.env["mail.mail"].search([("email_to", "=", "auditor@example.com")], limit=1)
        head = self.seals.search([], limit=1)
        self.assertIn(head.hash, mail.body_html)
        self.assertEqual(self.env["audit.entry"].search([], limit=1).action, "audit.head_sent")


@tagged("post_install", "-at_install")
class TestSealConcurrency(BaseCase):
    """Two real transactions. What they commit cannot be taken back: entries are append-only."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())

    def make_env(self, cr):
        return api.Environment(cr, api.SUPERUSER_ID, {})

    def log(self, cr, word):
        env = self.make_env(cr)
        env["audit.entry"]._log("test.concurrent", env["property.unit"], after={"word": word})
        cr.execute("SELECT max(id) FROM audit_entry WHERE action = 'test.concurrent'")
        return cr.fetchone()[0]

    def seal_of(self, cr, entry_id):
        cr.execute(
            "SELECT seal.number FROM audit_seal seal JOIN audit_seal_line line ON line.seal_id = seal.id "
            "WHERE line.entry_id = %s",
            (entry_id,),
        )
        row = cr.fetchone()
        return row and row[0]

    def test_an_entry_that_commits_late_goes_into_a_later_seal_and_the_chain_is_whole(self):
        with self.registry.cursor() as slow, self.registry.cursor() as fast:
            low_id = self.log(slow, "late")
            high_id = self.log(fast, "early")
            self.assertLess(low_id, high_id)
            fast.commit()
            with self.registry.cursor() as sealer:
                self.make_env(sealer)["audit.seal"]._seal()
            slow.commit()
        with self.registry.cursor() as sealer:
            self.assertIsNotNone(self.seal_of(sealer, high_id))
            self.assertIsNone(self.seal_of(sealer, low_id))
            self.make_env(sealer)["audit.seal"]._seal()
            self.assertGreater(self.seal_of(sealer, low_id), self.seal_of(sealer, high_id))
            self.assertEqual(self.make_env(sealer)["audit.entry"]._verify(), [])

    def test_a_second_sealer_gives_way_instead_of_forking_the_chain(self):
        with self.registry.cursor() as first, self.registry.cursor() as second:
            self.log(first, "two sealers")
            first.commit()
            self.assertTrue(self.make_env(first)["audit.seal"]._seal())
            self.assertFalse(self.make_env(second)["audit.seal"]._seal())
            first.commit()

    def test_a_sealer_with_an_old_snapshot_is_refused_by_the_unique_keys(self):
        with self.registry.cursor() as writer, self.registry.cursor() as old, self.registry.cursor() as new:
            self.log(writer, "old snapshot")
            writer.commit()
            old.execute("SELECT 1")  # the snapshot is taken here
            self.assertTrue(self.make_env(new)["audit.seal"]._seal())
            new.commit()
            with mute_logger("odoo.sql_db"), self.assertRaises(psycopg2.errors.UniqueViolation):
                self.make_env(old)["audit.seal"]._seal()
            old.rollback()

    def test_writers_do_not_wait_for_each_other(self):
        with self.registry.cursor() as holder, self.registry.cursor() as writer:
            self.log(holder, "first writer, not committed")
            writer.execute("SET LOCAL lock_timeout = '2s'")
            self.log(writer, "second writer")  # raises LockNotAvailable if it had to wait
            writer.commit()
            holder.rollback()
