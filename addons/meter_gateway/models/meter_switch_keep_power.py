"""Keep-power in the meter itself: it then refuses every trip, whoever commands it."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import OPEN_ORDER_STATES

#: A meter that would not end keep-power is asked again after so long.
ASK_AGAIN = timedelta(minutes=10)


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    can_keep_power = fields.Boolean(
        compute="_compute_can_keep_power", help="The meter knows keep-power (1CH, 3A and 3B)."
    )
    keep_power_meter = fields.Selection(
        [("wanted", "Ordered"), ("on", "Kept by the Meter"), ("ending", "Ending"), ("failed", "Not Done")],
        string="Keep Power in the Meter",
        readonly=True,
    )

    def _compute_can_keep_power(self):
        for switch in self:
            model = switch.meter_id.model_id
            kind = ((model.definition or {}).get("switch") or {}).get("kind")
            switch.can_keep_power = kind == "dlt645"

    def _set_keep_power(self, until, reason, in_meter=False):
        """``in_meter``: order it in the meters that can, besides refusing trips here."""
        locked = self.filtered("is_locked")
        if locked:
            raise UserError(
                self.env._(
                    "Locked after protective trips: %s. Look at it and use Restore first; then keep power on.",
                    ", ".join(locked.mapped("display_name")),
                )
            )
        result = super()._set_keep_power(until, reason)
        for switch in self.filtered(lambda switch: in_meter and switch.can_keep_power):
            switch._order_keep_power("keep_power_on", reason)
            switch.sudo().keep_power_meter = "wanted"  # rights were checked by whoever calls
        self.sudo().connector_id._bump_config_version()  # hours of supply do not count meanwhile
        return result

    def _clear_keep_power(self, reason):
        """Here, and in the meter as long as it may still keep power: it would refuse every trip."""
        kept = self.filtered("keep_power")
        result = super()._clear_keep_power(reason)
        for switch in self.filtered(lambda switch: switch.keep_power_meter and not switch._is_ending()):
            switch._order_keep_power("keep_power_off", reason)
            switch.sudo().keep_power_meter = "ending"  # rights were checked by whoever calls
        kept.sudo().connector_id._bump_config_version()
        return result

    def _is_ending(self):
        """Is its end ordered already?"""
        domain = [("circuit_id", "=", self.circuit_id.id), ("kind", "=", "keep_power_off")]
        return bool(
            self.env["meter.order"].sudo().search([*domain, ("state", "in", OPEN_ORDER_STATES)], limit=1)
        )

    @api.model
    def _cron_reconcile(self):
        """A meter that keeps power although nobody wants it any more is asked again, until it shows that it does not."""
        result = super()._cron_reconcile()
        before = fields.Datetime.now() - ASK_AGAIN
        for switch in self.search([("keep_power", "=", False), ("keep_power_meter", "!=", False)]):
            last = self.env["meter.order"].search(
                [("circuit_id", "=", switch.circuit_id.id), ("kind", "=", "keep_power_off")],
                order="id desc",
                limit=1,
            )
            if not last or (last.state not in OPEN_ORDER_STATES and last.done_at <= before):
                switch._clear_keep_power(self.env._("Asked again"))
        return result

    def _order_keep_power(self, kind, reason):
        order = self.env["meter.order"]._place(kind, self.meter_id, None, reason, "keep_power")
        order.circuit_id = self.circuit_id  # of a meter with several, the one that is meant


class MeterOrder(models.Model):
    _inherit = "meter.order"

    def _follow_keep_power_on(self, state, data, _at):
        self._note_keep_power("on", state, data)

    def _follow_keep_power_off(self, state, data, _at):
        self._note_keep_power("off", state, data)

    def _note_keep_power(self, wanted, state, data):
        """What was read back counts, not that it was accepted."""
        switch = self.circuit_id.switch_ids[:1].sudo()  # states have no writer of their own
        if state == "confirmed" and data.get("keep_power") == wanted:
            switch.keep_power_meter = "on" if wanted == "on" else False
        elif state in ("confirmed", "failed", "expired"):
            switch.keep_power_meter = "failed"
            message = self.env._(
                "%(name)s: keep-power in the meter is not %(wanted)s. %(detail)s",
                name=switch.display_name,
                wanted=wanted,
                detail=self.result or "",
            )
            self.env["meter.alarm"]._open("keep_power_failed", switch.circuit_id, message)
            return
        if state == "confirmed":
            self.env["meter.alarm"]._resolve("keep_power_failed", switch.circuit_id)
