from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from .. import parameter_catalogue
from .meter_switch_protection import IN_A_ROW, TRIPS_BEFORE_LOCK


class MeterParameterProfile(models.Model):
    """Settings that all meters of a kind of place shall have: shops, kitchens, offices."""

    _name = "meter.parameter.profile"
    _description = "Parameter Profile"
    _inherit = ["mail.thread", "meter.shared.mixin", "meter.config.mixin"]
    _shared_parts = frozenset(("line_ids",))
    _order = "name, id"

    name = fields.Char(required=True, tracking=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    model_id = fields.Many2one("meter.model", required=True, ondelete="restrict", tracking=True)
    line_ids = fields.One2many("meter.parameter.profile.line", "profile_id", string="Settings", copy=True)
    meter_ids = fields.One2many("meter.meter", "parameter_profile_id", string="Meters", readonly=True)
    is_auto_recovery = fields.Boolean(
        "Recover after a Protective Trip", tracking=True,
        help="The connector closes again by itself; after three trips in a row only a person does.",
    )  # fmt: skip
    recovery_delay_s = fields.Integer("Recover after (s)", default=300)
    note = fields.Text()
    meter_count = fields.Integer(compute="_compute_counts")
    applied_count = fields.Integer("As Wanted", compute="_compute_counts")
    pending_count = fields.Integer("Pending", compute="_compute_counts")
    different_count = fields.Integer("Different", compute="_compute_counts")
    unsent_count = fields.Integer("Not Sent", compute="_compute_counts")

    _delay_range = models.Constraint(
        "CHECK (recovery_delay_s BETWEEN 1 AND 86400)", "Recovery takes between 1 second and a day."
    )

    def _get_config_fields(self):
        return frozenset(("is_auto_recovery", "recovery_delay_s"))

    def _get_config_connectors(self):
        return self.sudo().meter_ids.connector_id  # whoever may change it: all that go by it must know

    def _get_shared_meters(self):
        return self.meter_ids

    def _prepare_shared_audit(self):
        names = ("name", "active", "is_auto_recovery", "recovery_delay_s")
        values = {line.type_id.name: line.value or None for line in self.line_ids}
        return {name: self[name] for name in names} | {"model": self.model_id.code, "values": values}

    def _prepare_auto_recovery(self):
        """How the connector closes again what the meter tripped (``api_config``)."""
        self.ensure_one()
        limit = self.env["meter.switch"]._get_setting("meter_gateway.trips_before_lock", TRIPS_BEFORE_LOCK)
        return {
            "tries": max(limit - 1, 1),
            "delay_s": self.recovery_delay_s,
            "stable_s": int(IN_A_ROW.total_seconds()),
        }

    @api.depends("meter_ids", "line_ids.value")
    def _compute_counts(self):
        for profile in self:
            states = profile._get_meter_states()
            profile.meter_count = len(states)
            for name in ("applied", "pending", "different", "unsent"):
                profile[f"{name}_count"] = list(states.values()).count(name)

    def _get_meter_states(self):
        """{meter id: applied | pending | different | unsent}, as far as this profile's settings go."""
        self.ensure_one()
        wanted = {line.type_id.name: line._get_spelled() for line in self.line_ids if line.value}
        rows = self.env["meter.parameter"].search(
            [("meter_id", "in", self.meter_ids.ids), ("name", "in", list(wanted))]
        )
        states = {}
        for meter in self.meter_ids:
            own = {row.name: row for row in rows if row.meter_id == meter}
            sent = all(name in own and own[name].wanted == text for name, text in wanted.items())
            found = {own[name].state for name in wanted if name in own}
            if not sent:
                states[meter.id] = "unsent"
            elif "pending" in found:
                states[meter.id] = "pending"
            else:
                states[meter.id] = "applied" if found <= {"applied"} else "different"
        return states

    def _get_values(self):
        self.ensure_one()
        values = {line.type_id.name: line.value for line in self.line_ids if line.value}
        if not values:
            raise UserError(self.env._("Profile %s has no settings with a value.", self.name))
        return values

    def action_send(self):
        """Send the profile to its meters; those that have everything already are left alone."""
        self.ensure_one()
        self.env["meter.parameter"]._check_right(self.meter_ids)
        states = self._get_meter_states()
        meters = self.meter_ids.filtered(lambda meter: states[meter.id] != "applied")
        if not self.meter_ids:
            raise UserError(self.env._("No meter has this profile yet: choose meters first."))
        if not meters:
            raise UserError(self.env._("Every meter has these settings already."))
        batch = self.env["meter.parameter.batch"]._start_write(
            meters, self._get_values(), self.env._("Profile %s", self.name), self
        )
        return batch._get_view_action()

    def action_read_back(self):
        """Read the profile's settings from its meters."""
        self.ensure_one()
        self.env["meter.parameter"]._check_right(self.meter_ids)
        if not self.meter_ids:
            raise UserError(self.env._("No meter has this profile yet: choose meters first."))
        names = self.line_ids.type_id.mapped("name")
        return self.env["meter.parameter.batch"]._start_read(self.meter_ids, names, self)._get_view_action()

    def action_choose_meters(self):
        """Meters of the profile's model, to be marked in the list."""
        self.ensure_one()
        self.env["meter.parameter"]._check_right(self.meter_ids)
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_meter_action")
        return action | {
            "view_mode": "list,form",
            "views": [(False, "list"), (False, "form")],
            "domain": [("model_id", "=", self.model_id.id)],
            "context": {"default_profile_id": self.id},
        }

    def action_view_parameters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_parameter_action")
        domain = [
            ("meter_id", "in", self.meter_ids.ids),
            ("type_id", "in", self.line_ids.type_id.ids),
        ]
        return action | {"domain": domain, "context": {}}


class MeterParameterProfileLine(models.Model):
    """A setting of a profile."""

    _name = "meter.parameter.profile.line"
    _description = "Setting of a Profile"
    _inherit = ["meter.shared.mixin", "property.facts.mixin"]
    _order = "profile_id, sequence, id"

    profile_id = fields.Many2one("meter.parameter.profile", required=True, ondelete="cascade", index=True)
    model_id = fields.Many2one(related="profile_id.model_id")
    type_id = fields.Many2one(
        "meter.parameter.type",
        "Setting",
        required=True,
        ondelete="cascade",
        domain="[('model_id', '=', model_id), ('is_readonly', '=', False)]",
    )
    sequence = fields.Integer(related="type_id.sequence", store=True)
    value = fields.Char(help="As text: 12.5, 2026-12-01 00:00, or 00:00 4, 07:00 3 for a table.")
    unit = fields.Char(related="type_id.unit")
    limits = fields.Char(related="type_id.limits")
    kind = fields.Selection(related="type_id.kind")

    _type_uniq = models.UniqueIndex("(profile_id, type_id)", "A profile has each setting once.")

    def _get_shared(self):
        return self.profile_id

    @api.model
    def _get_shared_of(self, vals_list):
        return self.profile_id.browse({vals["profile_id"] for vals in vals_list if vals.get("profile_id")})

    @api.constrains("type_id", "value", "profile_id")
    def _check_value(self):
        problems = []
        for line in self:
            model = line.profile_id.model_id
            if line.type_id.model_id != model:
                problems.append(
                    self.env._(
                        "%(name)s is no setting of %(model)s", name=line.type_id.name, model=model.name
                    )
                )
            elif line.value:
                problem = parameter_catalogue.find_problem(
                    model.protocol, model.definition or {}, line.type_id.name, line.value
                )
                problems += [problem] if problem else []
        if problems:
            raise ValidationError("\n".join(problems))

    def _get_spelled(self):
        model = self.profile_id.model_id
        return parameter_catalogue.spell(
            model.protocol, model.definition or {}, self.type_id.name, self.value
        )


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    parameter_profile_id = fields.Many2one(
        "meter.parameter.profile", ondelete="set null", index="btree_not_null", tracking=True,
        readonly=True, copy=False,  # given by "Set Meters" alone, which checks the right and asks for a reason
    )  # fmt: skip
    parameter_ids = fields.One2many("meter.parameter", "meter_id", string="Settings", readonly=True)

    def _get_config_fields(self):
        return super()._get_config_fields() | {"parameter_profile_id"}

    @api.constrains("parameter_profile_id", "model_id")
    def _check_parameter_profile(self):
        for meter in self.filtered("parameter_profile_id"):
            if meter.parameter_profile_id.model_id != meter.model_id:
                raise ValidationError(
                    self.env._(
                        "Profile %(profile)s is for %(model)s; %(meter)s is another model.",
                        profile=meter.parameter_profile_id.name,
                        model=meter.parameter_profile_id.model_id.name,
                        meter=meter.display_name,
                    )
                )

    def action_read_parameters(self):
        """Read all settings of these meters."""
        batch = self.env["meter.parameter.batch"]._start_read(self)
        return batch._get_view_action() if len(self) > 1 else self._notify_soon()

    def action_set_parameters(self):
        """Ask for values or a profile, then send."""
        self.env["meter.parameter"]._check_right(self)
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.parameter.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Set Meters"),
            "context": {
                "default_meter_ids": self.ids,
                "default_profile_id": self.env.context.get("default_profile_id", False),
            },
        }

    def _notify_soon(self):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("Asked for; the page shows the answer when it is there."),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
