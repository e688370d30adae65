"""Every public method of this addon, called by users of every kind: ``rights_table`` says who gets anything from it."""

import inspect

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import rpc_guard
from . import rights_table
from .rights_common import QUIET, RightsCase

ADDON = "odoo.addons.meter_gateway."
#: Odoo's own methods that this addon extends.
OVERRIDDEN = {"create", "write", "unlink", "copy_data", "default_get", "fields_get", "init", "search_read"}
ARGUMENTS = {"action_get_curve": lambda test: [test.circuit.id]}


@tagged("post_install", "-at_install")
class TestWrongUsers(RightsCase):
    def public_methods(self):
        """{(model, method)} that this addon makes callable from outside."""
        found = set()
        for name, model in self.env.registry.items():
            if model._abstract and model._inherit_children:
                continue  # a mixin: its methods are those of the models that have it
            for base in model.mro():
                if getattr(base, "__module__", "").startswith(ADDON):
                    functions = {key for key, value in vars(base).items() if inspect.isfunction(value)}
                    found |= {(name, key) for key in functions if not key.startswith("_")}
        return {(model, method) for model, method in found if method not in OVERRIDDEN}

    def listed_methods(self):
        return {
            (model, method): set(users.split())
            for model, methods in rights_table.METHODS.items()
            for method, users in methods.items()
        }

    def test_every_public_method_has_its_row(self):
        face = {("meter.connector", method) for method in rpc_guard.FACE_METHODS}
        self.assertEqual(self.public_methods() - face, set(self.listed_methods()))

    def test_who_gets_something_from_each_method(self):
        for (model, method), expected in sorted(self.listed_methods().items()):
            allowed = {name for name in rights_table.USERS if not self.is_call_refused(model, method, name)}
            with self.subTest(model=model, method=method):
                self.assertEqual(allowed, expected)

    def is_call_refused(self, model, method, name):
        """Refused for lack of rights, or a page on which this user finds nothing. What is refused for another reason
        (no reason was given, nothing to send) would have been allowed."""
        user = self.users[name]
        arguments = ARGUMENTS[method](self) if method in ARGUMENTS else []
        with mute_logger(*QUIET), self.cr.savepoint() as point:
            try:
                answer = getattr(self.make_target(model, user), method)(*arguments)
                self.env.flush_all()
                return self.is_empty_page(answer, user)
            except AccessError:
                return True
            except UserError:
                return False
            finally:
                point.rollback()
                self.env.invalidate_all()

    def make_target(self, model, user):
        """The record of building A, or a wizard that the user made for it."""
        records = self.env[model].with_user(user)
        if self.env[model]._abstract:
            return records
        return (
            records.create(self.prepare_wizard(model))
            if records._transient
            else self.records[model].with_user(user)
        )

    def is_empty_page(self, answer, user):
        """A page of records that this user may not see?"""
        if not (isinstance(answer, dict) and answer.get("type") == "ir.actions.act_window"):
            return False
        records = self.env[answer["res_model"]].with_user(user)
        if not records.has_access("read"):
            return True
        if records._transient:
            return False
        if answer.get("res_id"):
            return not records.search([("id", "=", answer["res_id"])])
        return bool(answer.get("domain")) and not records.with_context(active_test=False).search(
            answer["domain"]
        )

    def prepare_wizard(self, model):
        switches, meters = {"switch_ids": self.switch.ids}, {"meter_ids": self.meter.ids}
        checked = dict.fromkeys(("is_load_removed", "is_wiring_checked", "is_tenant_informed"), True)
        profile, plan = self.records["meter.parameter.profile"], self.records["meter.supply.plan"]
        until = fields.Datetime.add(fields.Datetime.now(), hours=1)
        vals = {
            "meter.connector.key.wizard": {"connector_id": self.connector.id},
            "meter.keep.power.wizard": switches | {"until": until},
            "meter.map.import.wizard": {"model_id": self.meter.model_id.id},
            "meter.parameter.wizard": meters | {"profile_id": profile.id},
            "meter.load.profile.wizard": {"meter_id": self.meter.id},
            "meter.read.items.wizard": {"meter_id": self.meter.id, "items": "total"},
            "meter.restore.wizard": switches | checked,
            "meter.supply.plan.wizard": meters | {"plan_id": plan.id},
            "meter.switch.wizard": switches | {"state": "on"},
        }[model]
        return vals | ({"reason": "x"} if "reason" in self.env[model]._fields else {})

    def test_the_face_is_for_connectors_only(self):
        for method in sorted(rpc_guard.FACE_METHODS):
            for name, user in self.users.items():
                if name == "connector":
                    continue
                with self.subTest(method=method, user=name), self.assertRaises(AccessError):
                    getattr(self.env["meter.connector"].with_user(user), method)({})
