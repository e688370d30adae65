"""What meters say about their settings."""

from odoo import api, fields, models

from .. import parameter_catalogue

MAX_TEXT = 2000


class MeterOrder(models.Model):
    _inherit = "meter.order"

    def _follow_read_parameters(self, state, data, at):
        self._take_parameters(data, at)

    def _follow_write_parameters(self, state, data, at):
        """The read-back decides; what was sent and not spoken of did not arrive."""
        self._take_parameters(data, at)
        if state in ("received", "accepted"):
            return
        rows = self.env["meter.parameter"].sudo()  # states have no writer of their own
        open_rows = rows.search([("order_id", "=", self.id), ("state", "=", "pending")])
        open_rows.write({"state": "failed", "reason": self.result or self.env._("Nothing came back.")})
        rows._send(self.meter_id, self.reason or "")

    def _take_parameters(self, data, at):
        """Read back values and refusals; only newer ones than are known, and nothing of it raises."""
        shown = data.get("parameters") if isinstance(data.get("parameters"), dict) else {}
        refused = data.get("refused") if isinstance(data.get("refused"), dict) else {}
        if not shown and not refused:
            return
        rows = self.env["meter.parameter"].sudo()._get_rows(self.meter_id, [*shown, *refused])
        for name, row in rows.items():
            if row.shown_at and row.shown_at > at:
                continue
            if name in refused:
                row._note_refused(self, str(refused[name])[:200], at)
            else:
                text = shown[name]
                row._note_shown(self, str(text)[:MAX_TEXT] if text not in (None, "") else None, at)


class MeterParameter(models.Model):
    _inherit = "meter.parameter"

    reason_text = fields.Char("Why", compute="_compute_reason_text")

    @api.depends("reason")
    @api.depends_context("lang")
    def _compute_reason_text(self):
        for row in self:
            row.reason_text = self.env["meter.order"]._explain_result(row.reason)

    def _note_shown(self, order, text, at):
        """The meter's own word about a setting."""
        self.ensure_one()
        model = self.meter_id.model_id
        vals = {"shown": text or False, "shown_at": at}
        is_awaited = self.state == "pending" and self.order_id != order
        if not self.wanted:
            vals |= {"state": "read", "reason": False}
        elif not is_awaited:
            is_equal = parameter_catalogue.is_equal(
                model.protocol, model.definition or {}, self.name, self.wanted, text
            )
            vals |= {"state": "applied" if is_equal else "different", "reason": False}
        self.write(vals)

    def _note_refused(self, order, reason, at):
        self.ensure_one()
        if self.state == "pending" and self.order_id != order:
            return
        state = "refused" if self.wanted or order.kind == "write_parameters" else "read"
        self.write({"state": state, "reason": reason, "shown_at": at if state == "read" else self.shown_at})
