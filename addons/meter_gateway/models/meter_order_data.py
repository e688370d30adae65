"""Orders with data: placing them, and what follows from their results."""

import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import HANDED_OUT_KINDS, OPEN_ORDER_STATES, get_order_life_s


class MeterOrder(models.Model):
    _inherit = "meter.order"

    progress = fields.Float(
        compute="_compute_progress", help="0 to 100; of an order that reports on its way."
    )
    is_open = fields.Boolean(compute="_compute_is_open")

    @api.depends("result_data", "state")
    def _compute_progress(self):
        for order in self:
            done = order._read_result().get("done")
            known = done if isinstance(done, int | float) and 0 <= done <= 1 else 0
            order.progress = 100 if order.state == "confirmed" else known * 100

    @api.depends("state")
    def _compute_is_open(self):
        for order in self:
            order.is_open = order.state in OPEN_ORDER_STATES

    def _read_data(self):
        """What travels with the order, as a dict."""
        self.ensure_one()
        return json.loads(self.data or "{}")

    def _read_result(self):
        """What came back, as a dict; kept only when it was one."""
        self.ensure_one()
        return json.loads(self.result_data or "{}")

    @api.model
    def _place(self, kind, targets, data=None, reason="", source="operator"):
        """One order of ``kind`` for each meter (or bus); callers have checked the rights.

        :param recordset targets: ``meter.meter`` or ``meter.bus``
        :param dict data: the same for all, or {id: dict}
        :return: the new orders, in the order of the targets
        """
        targets = targets.sudo()  # orders have no writer of their own; the caller's rights were checked
        unconnected = targets.filtered(lambda target: not target.connector_id)
        if unconnected:
            raise UserError(
                self.env._("Not connected to a bus: %s", ", ".join(unconnected.mapped("display_name")))
            )
        now = fields.Datetime.now()
        is_bus = targets._name == "meter.bus"
        return self.sudo().create(
            [
                {
                    "kind": kind,
                    "bus_id" if is_bus else "meter_id": target.id,
                    "circuit_id": False if is_bus else target.circuit_ids[:1].id,
                    "expires_at": now + timedelta(seconds=get_order_life_s(kind, target.is_sleeping)),
                    "reason": reason,
                    "source": source,
                    "requested_by": self.env.uid,
                    "data": dump_data((data or {}).get(target.id, data) if data else data),
                }
                for target in targets
            ]
        )

    @api.model
    def _get_open(self, kind, meter):
        """The open order of a kind for a meter, or empty."""
        domain = [("meter_id", "=", meter.id), ("kind", "=", kind), ("state", "in", OPEN_ORDER_STATES)]
        return self.search(domain, limit=1)

    @api.model
    def _note_handed_out(self, orders):
        """A connector gets these (``api_orders``): from now on they may be carried out, whatever is heard of them."""
        ids = [order["id"] for order in orders if order["kind"] in HANDED_OUT_KINDS]
        if ids:
            self.env.cr.execute(
                "UPDATE meter_order SET attempts = COALESCE(attempts, 0) + 1 WHERE id = ANY(%s)", [ids]
            )
            self.browse(ids).invalidate_recordset(["attempts"])

    def _follow(self, state, data, at):
        """What follows from a result; kinds with consequences have a method ``_follow_<kind>(state, data, at)``.

        Nothing in ``data`` raises: it came from outside, and what does not fit is left out.
        """
        self.ensure_one()
        method = getattr(self, f"_follow_{self.kind}", None)
        if method:
            method(state, data, at)


def dump_data(data):
    """An order's data as it travels: JSON text, False when there is none."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True) if data else False
