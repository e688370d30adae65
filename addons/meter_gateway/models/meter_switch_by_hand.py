"""Switches that no order can move: somebody has to go there. One alarm says who, where and why; nothing is repeated."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import OPEN_ORDER_STATES, SLEEPING_SWITCH_PROTOCOLS, SWITCH_ORDER_KINDS

#: So long a switch that waits for a hand is left alone by the timer.
LOOK_AGAIN_S = 600
ALARM = "switch_by_hand"


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    is_read_only = fields.Boolean(
        "Can Only Be Read",
        compute="_compute_is_read_only",
        store=True,
        help="The meter is behind an operator's platform, and no command reaches it there.",
    )
    is_closed_by_hand = fields.Boolean(
        "Closed by Hand",
        compute="_compute_is_closed_by_hand",
        store=True,
        help="It trips an external breaker that only a hand can close again.",
    )
    hand_reason = fields.Char("By Hand", compute="_compute_hand_reason")

    @api.depends(
        "meter_id.is_sleeping", "meter_id.imei", "meter_id.model_id.protocol",
        "meter_id.connector_id.has_nbiot_downlink",
    )  # fmt: skip
    def _compute_is_read_only(self):
        for switch in self:
            switch.is_read_only = bool(switch._get_read_only_reason())

    def _get_read_only_reason(self):
        """What the connector would refuse for ever, in words; empty when nothing stands in the way."""
        meter = self.meter_id
        if not meter.is_sleeping:
            return ""
        if not meter.connector_id.has_nbiot_downlink:
            return self.env._(
                "Meters behind this platform can only be read: the connector has no way to the platform's commands."
            )
        if not meter.imei:
            return self.env._(
                "It can only be read: the platform finds a meter by its IMEI, and none is entered."
            )
        if meter.model_id.protocol not in SLEEPING_SWITCH_PROTOCOLS:
            return self.env._(
                "It can only be read: meters of its protocol are not switched behind a platform."
            )
        return ""

    @api.depends("meter_id.model_id.definition")
    def _compute_is_closed_by_hand(self):
        for switch in self:
            spec = (switch.meter_id.model_id.definition or {}).get("switch") or {}
            switch.is_closed_by_hand = spec.get("close") == "by_hand"

    @api.depends("is_read_only", "is_closed_by_hand", "meter_id.imei", "meter_id.model_id.protocol")
    def _compute_hand_reason(self):
        for switch in self:
            switch.hand_reason = switch._get_hand_reason("on")

    def _get_hand_reason(self, state):
        """Why no order can switch it to ``state``, in words; empty when one can."""
        self.ensure_one()
        refusal = self._get_read_only_reason()
        if refusal:
            return refusal
        if state == "on" and self.is_closed_by_hand:
            return self.env._("It is an external breaker that only a hand can close.")
        return ""

    def _place_order(self, state, reason, source, expires_at):
        """No order where none can help, unless the connector may hold an older one that only a newer one ends."""
        refusal = self._get_hand_reason(state)
        if not refusal:
            self.env["meter.alarm"]._resolve(ALARM, self.circuit_id)
            return super()._place_order(state, reason, source, expires_at)
        if source == "operator" and self.is_read_only:
            raise UserError(self.env._("%(name)s: %(reason)s", name=self.display_name, reason=refusal))
        self._ask_for_hand(refusal)
        if self._has_older_order():
            return super()._place_order(state, reason, source, expires_at)
        return self.env["meter.order"]

    def _has_older_order(self):
        """Has the connector perhaps an order that it may still carry out?"""
        domain = [("circuit_id", "=", self.circuit_id.id), ("kind", "in", SWITCH_ORDER_KINDS)]
        return bool(
            self.env["meter.order"].search_count([*domain, ("state", "in", OPEN_ORDER_STATES)], limit=1)
        )

    def _ask_for_hand(self, refusal):
        """Tell people once what is to be done and where; when it is as wanted already, there is nothing to do."""
        self.ensure_one()
        alarms = self.env["meter.alarm"]
        if self.reported == self.desired:
            alarms._resolve(ALARM, self.circuit_id)
            return
        self.next_try_at = fields.Datetime.now() + timedelta(seconds=LOOK_AGAIN_S)
        key = alarms._prepare_target(self.circuit_id)["target_key"]
        is_open = [("kind", "=", ALARM), ("target_key", "=", key), ("state", "!=", "resolved")]
        if not alarms.sudo().search_count(is_open, limit=1):  # alarms are raised whoever asks
            alarms._open(ALARM, self.circuit_id, self._make_hand_message(refusal))

    def _make_hand_message(self, refusal):
        meter = self.meter_id
        place = meter.place or self.unit_id.display_name or meter.gateway_id.place or meter.display_name
        names = {"name": self.display_name, "place": place, "reason": refusal}
        if self.desired == "on":
            return self.env._(
                "%(name)s may have power again: go and close it at %(place)s. %(reason)s", **names
            )
        return self.env._("%(name)s shall be off: go and switch it off at %(place)s. %(reason)s", **names)

    def _repeat(self, state):
        """A hand is asked for, not ordered."""
        refusal = self._get_hand_reason(state)
        if refusal:
            return self._ask_for_hand(refusal)
        return super()._repeat(state)

    def _note_failure(self, detail):
        """What only a hand can do is no disobedience."""
        by_hand = self.filtered(lambda switch: switch.desired and switch._get_hand_reason(switch.desired))
        for switch in by_hand:
            switch._ask_for_hand(switch._get_hand_reason(switch.desired))
        return super(MeterSwitch, self - by_hand)._note_failure(detail)

    def _note_obeyed(self):
        self.env["meter.alarm"]._resolve(ALARM, self.circuit_id, at=self.reported_at)
        return super()._note_obeyed()
