from odoo import api, fields, models

from ..const import OPEN_ORDER_STATES


class MeterParameterBatch(models.Model):
    """Settings of many meters sent or read at once: how far it is, who is left."""

    _name = "meter.parameter.batch"
    _description = "Change of Many Meters"
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    kind = fields.Selection([("write", "Send"), ("read", "Read Back")], required=True, readonly=True)
    profile_id = fields.Many2one("meter.parameter.profile", readonly=True, ondelete="set null")
    reason = fields.Char(readonly=True)
    company_id = fields.Many2one("res.company", readonly=True, default=lambda self: self.env.company)
    order_ids = fields.One2many("meter.order", "batch_id", string="Orders", readonly=True)
    meter_count = fields.Integer("Meters", readonly=True)
    done_count = fields.Integer("Finished", compute="_compute_progress")
    failed_count = fields.Integer("Failed", compute="_compute_progress")
    open_count = fields.Integer("Under Way", compute="_compute_progress")
    progress = fields.Float(compute="_compute_progress")

    @api.depends("order_ids.state")
    def _compute_progress(self):
        counts = {}
        for batch, state, count in self.env["meter.order"]._read_group(
            [("batch_id", "in", self.ids)], ["batch_id", "state"], ["__count"]
        ):
            counts.setdefault(batch.id, {})[state] = count
        for batch in self:
            states = counts.get(batch.id, {})
            ended = sum(count for state, count in states.items() if state not in OPEN_ORDER_STATES)
            batch.done_count = states.get("confirmed", 0)
            batch.failed_count = ended - batch.done_count
            batch.open_count = max(batch.meter_count - ended, 0)
            batch.progress = 100.0 * min(ended / batch.meter_count, 1) if batch.meter_count else 0

    @api.model
    def _start_write(self, meters, values, reason, profile=None):
        """Send ``values`` (or {model: values}) to many meters; returns the batch."""
        self.env["meter.parameter"]._check_right(meters)
        batch = self._make("write", meters, reason, profile)
        for model, of_model in meters.grouped("model_id").items():
            chosen = values.get(model) if model in values else values
            self.env["meter.parameter"]._want(of_model, chosen, reason, batch)
        return batch

    @api.model
    def _start_read(self, meters, names=(), profile=None):
        """Read settings of many meters; returns the batch."""
        self.env["meter.parameter"]._check_right(meters)
        batch = self._make("read", meters, "", profile)
        self.env["meter.parameter"]._request_read(meters, names, batch)
        return batch

    @api.model
    def _make(self, kind, meters, reason, profile):
        what = profile.name if profile else self.env._("%s meters", len(meters))
        vals = {
            "name": what,
            "kind": kind,
            "reason": reason,
            "profile_id": profile.id if profile else False,
            "meter_count": len(meters),
        }
        return self.sudo().create(vals)  # whoever calls has checked the right

    def action_send_again(self):
        """Those that failed, once more."""
        self.ensure_one()
        failed = self.order_ids.filtered(lambda order: order.state in ("failed", "expired", "superseded"))
        meters = failed.meter_id
        if self.kind == "read":
            names = {
                meter: order._read_data().get("names") or ()
                for meter, order in failed.grouped("meter_id").items()
            }
            failed.sudo().batch_id = False  # each meter counts once
            for meter, wanted in names.items():
                self.env["meter.parameter"]._request_read(meter, wanted, self)
            return
        rows = self.env["meter.parameter"].search(
            [
                ("meter_id", "in", meters.ids),
                ("batch_id", "=", self.id),
                ("state", "in", ("different", "refused", "failed")),
            ]
        )
        self.env["meter.parameter"]._check_right(meters)
        failed.sudo().batch_id = False
        rows.sudo().write({"state": "pending", "reason": False, "order_id": False, "batch_id": self.id})
        rows.sudo()._send(rows.sudo().meter_id, self.reason or "")

    def action_withdraw(self):
        """What no connector has yet is not sent."""
        self.ensure_one()
        self.check_access("read")
        self.env["meter.parameter"]._check_right(self.sudo().order_ids.meter_id.with_env(self.env))
        rows = self.env["meter.parameter"].search([("batch_id", "=", self.id), ("state", "=", "pending")])
        rows.action_withdraw()

    def action_view_parameters(self):
        """Settings of these meters that are not as wanted."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_parameter_action")
        return action | {
            "domain": [("meter_id", "in", self.order_ids.meter_id.ids)],
            "context": {"search_default_not_applied": 1},
        }

    def _get_view_action(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "name": self.name,
        }


class MeterOrder(models.Model):
    _inherit = "meter.order"

    batch_id = fields.Many2one(
        "meter.parameter.batch", readonly=True, ondelete="set null", index="btree_not_null"
    )
