"""Hours of supply that meters keep themselves: what a meter shall keep follows its plan, and leaves the meter before a connector takes over."""

from odoo import api, fields, models

from .meter_supply_plan import PLAN_SETTING

#: What a meter keeps that shall cut nothing by the hour.
ALL_HOURS = "1234567 00:00-24:00"


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    def write(self, vals):
        result = super().write(vals)
        if "supply_plan_id" in vals:
            self._send_own_hours(self.env._("Timed supply"))
        return result

    def _get_own_hours(self):
        """The hours this meter shall keep by itself, as its setting."""
        plan = self._get_active_plan()
        return plan._prepare_setting() if plan.kept_by == "meter" else ALL_HOURS

    def _get_hours_row(self):
        domain = [("meter_id", "=", self.id), ("name", "=", PLAN_SETTING)]
        return self.env["meter.parameter"].sudo().search(domain)  # a fact of the meter, whoever asks

    def _spell_hours(self, text):
        return self.env["meter.parameter"]._spell(self.model_id, {PLAN_SETTING: text})[PLAN_SETTING]

    def _may_cut_by_itself(self):
        """Were hours sent to this meter that it has not shown to be gone?"""
        row = self._get_hours_row()
        return bool(row.wanted) and not (
            row.state == "applied" and row.wanted == self._spell_hours(ALL_HOURS)
        )

    def _send_own_hours(self, reason):
        """Meters that keep hours get those they shall keep now, as settings with progress; what is wanted already is left alone."""
        by_text = {}
        for meter in self.sudo().filtered(lambda meter: meter.connector_id and meter._can_keep_plan()):
            text, row = meter._get_own_hours(), meter._get_hours_row()
            if row.wanted != meter._spell_hours(text) and (row.wanted or text != ALL_HOURS):
                by_text.setdefault(text, self.browse().sudo())
                by_text[text] |= meter
        for text, meters in by_text.items():  # rights were checked by whoever changed the hours
            self.env["meter.parameter.batch"].sudo()._start_write(meters, {PLAN_SETTING: text}, reason)

    def _get_configured_plan(self):
        """The plan as the connector gets it: its own hours begin when the meter has let go of others."""
        plan = self._get_active_plan()
        is_too_early = plan.kept_by == "connector" and self._may_cut_by_itself()
        return self.env["meter.supply.plan"] if is_too_early else plan


class MeterSupplyPlan(models.Model):
    _inherit = "meter.supply.plan"

    pending_count = fields.Integer("Meters Not Set Yet", compute="_compute_own_hours")
    different_count = fields.Integer("Meters That Keep Other Hours", compute="_compute_own_hours")

    @api.depends("meter_ids.parameter_ids.state")
    def _compute_own_hours(self):
        for plan in self:
            rows = plan.meter_ids.parameter_ids.filtered(lambda row: row.name == PLAN_SETTING)
            plan.pending_count = len(rows.filtered(lambda row: row.state == "pending"))
            plan.different_count = len(
                rows.filtered(lambda row: row.state in ("different", "refused", "failed"))
            )

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint(("kept_by", "active", "period_ids")):
            self._send_hours()
        return result

    def _send_hours(self):
        """To the meters that keep them, be they in the user's buildings or not: a plan is one for all."""
        self.sudo().meter_ids._send_own_hours(self.env._("Timed supply"))


class MeterSupplyPeriod(models.Model):
    _inherit = "meter.supply.period"

    @api.model_create_multi
    def create(self, vals_list):
        periods = super().create(vals_list)
        periods.plan_id._send_hours()
        return periods

    def write(self, vals):
        result = super().write(vals)
        self.plan_id._send_hours()
        return result

    def unlink(self):
        plans = self.plan_id
        result = super().unlink()
        plans.exists()._send_hours()
        return result


class MeterParameter(models.Model):
    _inherit = "meter.parameter"

    def _note_shown(self, order, text, at):
        """Once a meter has let go of its hours the connector's may begin."""
        result = super()._note_shown(order, text, at)
        if self.name == PLAN_SETTING:
            self.meter_id.connector_id._bump_config_version()
        return result


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    def _set_keep_power(self, until, reason, in_meter=False):
        result = super()._set_keep_power(until, reason, in_meter)
        self.meter_id._send_own_hours(reason)
        return result

    def _clear_keep_power(self, reason):
        result = super()._clear_keep_power(reason)
        self.meter_id._send_own_hours(reason)
        return result
