"""Every cell of ``rights_table`` against Odoo: rights, record rules and the models' own guards together."""

from contextlib import contextmanager

from odoo.exceptions import AccessError, UserError
from odoo.models import MAGIC_COLUMNS
from odoo.tests import tagged
from odoo.tools import mute_logger

from . import rights_table
from .rights_common import QUIET, RightsCase

BY_HAND = "by hand|手工|手动"
LETTERS = {"r": "read", "w": "write", "c": "create", "u": "unlink"}


@tagged("post_install", "-at_install")
class TestRightsTable(RightsCase):
    def models_of_this_addon(self, is_transient):
        return {
            name
            for name, model in self.env.registry.items()
            if name.startswith("meter.") and not model._abstract and bool(model._transient) == is_transient
        }

    @contextmanager
    def undone(self):
        with mute_logger(*QUIET), self.cr.savepoint() as point:
            yield
            point.rollback()
            self.env.invalidate_all()

    def is_refused(self, call, *arguments):
        with self.undone():
            try:
                call(*arguments)
                self.env.flush_all()
            except UserError:  # AccessError is one
                return True
        return False

    def try_read(self, record, user):
        mine = record.with_user(user)
        if not mine.search([("id", "=", record.id)]):
            with self.assertRaises(AccessError):
                mine.read(["display_name"])
            raise AccessError("not found")
        mine.read(["display_name"])

    def try_write(self, record, user):
        name = self.writable_field(record)
        record.with_user(user).write({name: record._fields[name].convert_to_write(record[name], record)})

    def try_create(self, record, user):
        self.env[record._name].with_user(user).create(self.prepare_new(record._name))

    def try_unlink(self, record, user):
        vals = self.prepare_new(record._name)
        victim = record.create(vals) if vals else record
        victim.with_user(user).unlink()

    def writable_field(self, record):
        names = (
            "note",
            "reason",
            "name",
            "model_id",
            "from_hour",
            "value",
            "place",
            "number",
            "bus_id",
            "id",
        )
        facts = getattr(record, "_is_fact", lambda name: False)
        return next(
            name for name in names
            if name in record._fields and record._fields[name].store and not facts(name)
        )  # fmt: skip

    def test_every_model_has_its_row(self):
        self.assertEqual(self.models_of_this_addon(False), set(rights_table.RECORDS))
        self.assertEqual(self.models_of_this_addon(True), set(rights_table.WIZARDS))
        self.assertEqual(set(self.records), set(rights_table.RECORDS))

    def test_every_cell(self):
        for model, row in sorted(rights_table.RECORDS.items()):
            cells = row.split()
            self.assertEqual(len(cells), len(rights_table.USERS), model)
            found = [self.probe(self.records[model], self.users[user]) for user in rights_table.USERS]
            with self.subTest(model=model):
                self.assertEqual(
                    dict(zip(rights_table.USERS, found, strict=True)),
                    dict(zip(rights_table.USERS, cells, strict=True)),
                )

    def probe(self, record, user):
        """What this user may do with the record, as a cell of the table."""
        return "".join(
            "." if self.is_refused(getattr(self, f"try_{operation}"), record, user) else letter
            for letter, operation in LETTERS.items()
        )

    def test_who_opens_which_wizard(self):
        for model, row in sorted(rights_table.WIZARDS.items()):
            allowed = {
                name
                for name in rights_table.USERS
                if self.env[model].with_user(self.users[name]).has_access("create")
            }
            with self.subTest(model=model):
                self.assertEqual(allowed, set(row.split()))

    # -- facts --------------------------------------------------------------------------------------

    def test_facts_are_the_named_ones_at_least(self):
        for model, names in rights_table.FACTS.items():
            for name in names.split():
                with self.subTest(model=model, field=name):
                    self.assertTrue(self.env[model]._is_fact(name))

    def test_no_model_that_people_write_is_without_the_guard(self):
        for model, row in rights_table.RECORDS.items():
            fields = self.env[model]._fields.values()
            has_facts = any(
                f.store and f.column_type and f.readonly and f.name not in MAGIC_COLUMNS for f in fields
            )
            if has_facts and ("w" in row or "c" in row):
                with self.subTest(model=model):
                    self.assertTrue(hasattr(self.env[model], "_is_fact"))

    def test_nobody_writes_a_fact(self):
        for model, row in sorted(rights_table.RECORDS.items()):
            record = self.records[model]
            facts = [name for name in record._fields if getattr(record, "_is_fact", lambda name: False)(name)]
            for user, cell in zip(rights_table.USERS, row.split(), strict=True):
                for name in facts if "w" in cell else ():
                    vals = {name: record._fields[name].convert_to_write(record[name], record)}
                    mine = record.with_user(self.users[user])
                    with self.subTest(model=model, user=user, field=name):
                        with self.assertRaisesRegex(AccessError, BY_HAND):
                            mine.write(vals)
                        if "c" in cell:
                            with self.assertRaisesRegex(AccessError, BY_HAND):
                                mine.create(self.prepare_new(model) | vals)

    def test_no_context_and_no_default_of_ones_own_makes_a_fact(self):
        cashier = self.users["cashier"]
        purchases = self.env["meter.purchase"].with_user(cashier)
        vals = self.prepare_new("meter.purchase")
        self.assertEqual(purchases.with_context(default_state="done").create(vals).state, "draft")
        self.env["ir.default"].with_user(cashier).set("meter.purchase", "state", "done", user_id=True)
        mine = purchases.create(vals)
        self.assertEqual((mine.state, mine.requested_by), ("draft", cashier))
        self.assertNotEqual(mine.number, "/")

    def test_a_copy_begins_anew(self):
        purchase = self.records["meter.purchase"]
        purchase.write({"state": "done", "count": 7})
        copy = purchase.with_user(self.users["cashier"]).copy()
        self.assertEqual((copy.state, copy.count, copy.requested_by), ("draft", 0, self.users["cashier"]))

    # -- screens ------------------------------------------------------------------------------------

    def test_which_role_finds_which_screen(self):
        menus = self.env["ir.model.data"].search(
            [("module", "=", "meter_gateway"), ("model", "=", "ir.ui.menu")]
        )
        self.assertEqual(set(menus.mapped("name")), set(rights_table.MENUS))
        for role in rights_table.EVERYBODY.split():
            shown = self.env["ir.ui.menu"].with_user(self.users[role]).load_menus(False)
            found = {menu.name for menu in menus if menu.res_id in shown}
            expected = {name for name, row in rights_table.MENUS.items() if role in row.split()}
            with self.subTest(role=role):
                self.assertEqual(found, expected)

    def test_every_screen_is_of_a_model_with_a_row(self):
        actions = self.env["ir.model.data"].search(
            [("module", "=", "meter_gateway"), ("model", "=", "ir.actions.act_window")]
        )
        models = set(self.env["ir.actions.act_window"].browse(actions.mapped("res_id")).mapped("res_model"))
        known = set(rights_table.RECORDS) | set(rights_table.WIZARDS)
        self.assertEqual(models - known, set())
