from datetime import timedelta

import pytz
from odoo import api, fields, models
from odoo.exceptions import ValidationError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLAN_SETTING = "supply_plan"
#: A plan's period has begun: the meter or connector gets so long to switch on by itself.
PLAN_GRACE = timedelta(minutes=2)


class MeterSupplyPlan(models.Model):
    """Hours in which a group of meters has supply, by weekday."""

    _name = "meter.supply.plan"
    _description = "Timed Supply"
    _inherit = ["meter.shared.mixin", "meter.config.mixin"]
    _shared_parts = frozenset(("period_ids",))
    _order = "name, id"

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    kept_by = fields.Selection(
        [("connector", "The Connector"), ("meter", "The Meter")],
        required=True,
        default="connector",
        help="A connector keeps the hours with Odoo away too; a meter that can keep them needs nobody.",
    )
    period_ids = fields.One2many("meter.supply.period", "plan_id", string="Periods", copy=True)
    meter_ids = fields.One2many("meter.meter", "supply_plan_id", string="Meters", readonly=True)
    meter_count = fields.Integer(compute="_compute_meter_count")
    summary = fields.Char(compute="_compute_summary")

    def _get_config_fields(self):
        return frozenset(("active", "kept_by", "period_ids"))

    def _get_config_connectors(self):
        return (
            self.sudo().meter_ids.connector_id
        )  # whoever may change the hours: all that keep them must know

    def _get_shared_meters(self):
        return self.meter_ids

    def _prepare_shared_audit(self):
        hours = [period._prepare_setting() for period in self.period_ids.sorted("from_hour")]
        return {
            "name": self.name,
            "active": self.active,
            "kept_by": self.kept_by,
            "hours": ", ".join(hours),
        }

    @api.depends("meter_ids")
    def _compute_meter_count(self):
        for plan in self:
            plan.meter_count = len(plan.meter_ids)

    @api.depends("period_ids.summary")
    def _compute_summary(self):
        for plan in self:
            plan.summary = "; ".join(plan.period_ids.mapped("summary"))

    def _prepare_document(self):
        """The plan as the connector gets it (``api_config``)."""
        self.ensure_one()
        return {
            "periods": [period._prepare_document() for period in self.period_ids],
            "kept_by": self.kept_by,
        }

    def _prepare_setting(self):
        """The plan as one text for meters that keep it themselves."""
        self.ensure_one()
        return ", ".join(period._prepare_setting() for period in self.period_ids)

    def _is_supply_time(self, at, tz):
        """Shall there be supply at this moment (naive UTC) on the site's clock?"""
        self.ensure_one()
        local = pytz.utc.localize(at).astimezone(pytz.timezone(tz or "Asia/Shanghai"))
        hour = local.hour + local.minute / 60 + local.second / 3600
        return any(
            period[WEEKDAYS[local.weekday()]] and period.from_hour <= hour < period.to_hour
            for period in self.period_ids
        )

    def action_view_meters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_meter_action")
        return action | {"domain": [("supply_plan_id", "=", self.id)], "context": {}}


class MeterSupplyPeriod(models.Model):
    """Hours on some weekdays."""

    _name = "meter.supply.period"
    _description = "Period of Supply"
    _inherit = ["meter.shared.mixin", "meter.config.mixin"]
    _order = "plan_id, from_hour, id"

    plan_id = fields.Many2one("meter.supply.plan", required=True, ondelete="cascade", index=True)
    monday = fields.Boolean("Mon", default=True)
    tuesday = fields.Boolean("Tue", default=True)
    wednesday = fields.Boolean("Wed", default=True)
    thursday = fields.Boolean("Thu", default=True)
    friday = fields.Boolean("Fri", default=True)
    saturday = fields.Boolean("Sat", default=True)
    sunday = fields.Boolean("Sun", default=True)
    from_hour = fields.Float("From", required=True, default=8)
    to_hour = fields.Float("To", required=True, default=22)
    summary = fields.Char(compute="_compute_summary")

    _hours = models.Constraint(
        "CHECK (from_hour >= 0 AND to_hour <= 24 AND from_hour < to_hour)",
        "A period ends after it begins, between 0:00 and 24:00; past midnight it is two periods.",
    )

    def _get_config_fields(self):
        return frozenset(("plan_id", "from_hour", "to_hour", *WEEKDAYS))

    def _get_config_connectors(self):
        return self.plan_id._get_config_connectors()

    def _get_shared(self):
        return self.plan_id

    @api.model
    def _get_shared_of(self, vals_list):
        return self.plan_id.browse({vals["plan_id"] for vals in vals_list if vals.get("plan_id")})

    @api.constrains(*WEEKDAYS)
    def _check_weekdays(self):
        for period in self:
            if not period._get_weekdays():
                raise ValidationError(self.env._("A period needs at least one weekday."))

    def _get_weekdays(self):
        """1 = Monday."""
        return [number for number, name in enumerate(WEEKDAYS, 1) if self[name]]

    @api.depends("from_hour", "to_hour", *WEEKDAYS)
    def _compute_summary(self):
        for period in self:
            days = [self._fields[name]._description_string(self.env) for name in WEEKDAYS if period[name]]
            shown = self.env._("daily") if len(days) == 7 else " ".join(days)
            period.summary = f"{shown} {_clock(period.from_hour)}–{_clock(period.to_hour)}"

    def _prepare_document(self):
        return {
            "weekdays": self._get_weekdays(),
            "from": _clock(self.from_hour),
            "to": _clock(self.to_hour),
        }

    def _prepare_setting(self):
        days = "".join(str(day) for day in self._get_weekdays())
        return f"{days} {_clock(self.from_hour)}-{_clock(self.to_hour)}"


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    supply_plan_id = fields.Many2one(
        "meter.supply.plan",
        string="Timed Supply",
        ondelete="restrict",
        index="btree_not_null",
        tracking=True,
        readonly=True,  # assigned by its button alone, which checks the right, asks for a reason and is audited
        copy=False,
    )

    def _get_config_fields(self):
        return super()._get_config_fields() | {"supply_plan_id"}

    @api.constrains("supply_plan_id", "model_id")
    def _check_supply_plan(self):
        for meter in self.filtered("supply_plan_id"):
            if not meter.has_switch:
                raise ValidationError(
                    self.env._("%s has no switch; it cannot keep hours.", meter.display_name)
                )
            if meter.supply_plan_id.kept_by == "meter" and not meter._can_keep_plan():
                raise ValidationError(
                    self.env._(
                        "%(model)s has no setting for hours of supply; let the connector keep them.",
                        model=meter.model_id.name,
                    )
                )

    def _can_keep_plan(self):
        return PLAN_SETTING in self.model_id.parameter_type_ids.mapped("name")

    def _get_active_plan(self):
        """The plan that counts now: none while somebody keeps the power on."""
        self.ensure_one()
        is_kept = any(switch._is_kept_on() for switch in self.switch_ids)
        return self.env["meter.supply.plan"] if is_kept else self.supply_plan_id.filtered("active")

    def _is_off_by_plan(self, now=None):
        """Is this an hour without supply? Then an open switch is as it should be."""
        self.ensure_one()
        plan = self._get_active_plan()
        now = now or fields.Datetime.now()
        tz = self.circuit_ids[:1].tz
        return bool(plan) and not (
            plan._is_supply_time(now, tz) and plan._is_supply_time(now - PLAN_GRACE, tz)
        )

    def action_set_supply_plan(self):
        self.env["meter.parameter"]._check_right(self)
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.supply.plan.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Timed Supply"),
            "context": {"default_meter_ids": self.ids},
        }


def _clock(hour):
    minutes = round(hour * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
