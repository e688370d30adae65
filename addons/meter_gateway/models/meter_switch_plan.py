"""Hours of supply kept by a connector: its plan holds a switch off, people's orders pass, nobody else fights it."""

from datetime import UTC, datetime

from odoo import fields, models

from ..const import OVERRIDE_DATA, PERSON_SOURCES
from .meter_order_data import dump_data
from .meter_supply_plan import PLAN_GRACE


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    plan_off_until = fields.Datetime(
        "Off by Its Hours until", readonly=True, help="The connector switches on again by itself then."
    )
    plan_event_at = fields.Datetime(readonly=True, help="When the connector last said what its plan did.")

    def _note_plan(self, at, data):
        """The connector's plan has switched. ``data`` as in docs/rpc.md; what does not fit counts as no hold."""
        for switch in self:
            if switch.plan_event_at and at < switch.plan_event_at:
                continue
            is_off = data.get("wanted") == "off" and data.get("result") == "confirmed"
            until = _read_until(data.get("until")) if is_off else False
            switch.write({"plan_event_at": at, "plan_off_until": until})

    def _is_off_by_plan(self):
        """Is it off as it should be: by what the connector said, or by the hours as they are known here?"""
        self.ensure_one()
        meter = self.meter_id
        is_held = self.plan_off_until and fields.Datetime.now() < self.plan_off_until + PLAN_GRACE
        return bool(is_held and meter._get_active_plan()) or meter._is_off_by_plan()

    def _note_desired(self, state, reason, source, expires_at):
        result = super()._note_desired(state, reason, source, expires_at)
        if state == "on" and source in PERSON_SOURCES:
            self.plan_off_until = False  # a person's order ends the hold
        return result

    def _get_sufficient_order(self, state, source):
        """A person's wish for supply needs an order that may overrule the connector's holds."""
        order = super()._get_sufficient_order(state, source)
        is_person = state == "on" and source in PERSON_SOURCES
        return order.filtered("data") if is_person else order

    def _place_order(self, state, reason, source, expires_at):
        order = super()._place_order(state, reason, source, expires_at)
        if order and source in PERSON_SOURCES:
            order.data = dump_data(OVERRIDE_DATA)
        return order

    def _note_failure(self, detail):
        """A plan that holds the switch is no switch that disobeys."""
        obeying = self.filtered(lambda switch: switch.desired == "on" and switch._is_off_by_plan())
        return super(MeterSwitch, self - obeying)._note_failure(detail)


def _read_until(value):
    """Epoch seconds as naive UTC; False when it is none."""
    if type(value) not in (int, float) or not 0 < value < 1e11:
        return False
    return datetime.fromtimestamp(value, UTC).replace(tzinfo=None, microsecond=0)
