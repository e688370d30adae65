from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import (
    COUNTED_ORDER_KINDS,
    OPEN_ORDER_STATES,
    ORDER_KINDS,
    ORDER_STATES,
    ORDER_TRANSITIONS,
    READ_ORDER_KINDS,
    SWITCH_ORDER_KINDS,
    SWITCH_SOURCES,
    get_order_life_s,
)


class MeterOrder(models.Model):
    """Something a meter shall do. Its life is ``const.ORDER_TRANSITIONS``; only ``_move`` changes the state."""

    _name = "meter.order"
    _description = "Order"
    _inherit = ["property.facts.mixin"]
    _order = "id desc"

    kind = fields.Selection(ORDER_KINDS, required=True, readonly=True)
    meter_id = fields.Many2one("meter.meter", ondelete="cascade", readonly=True, index=True)
    bus_id = fields.Many2one(
        "meter.bus", ondelete="cascade", readonly=True, help="Of an order to a bus as a whole."
    )
    circuit_id = fields.Many2one("meter.circuit", ondelete="cascade", readonly=True, index=True)
    switch_id = fields.Many2one("meter.switch", ondelete="cascade", readonly=True, index=True)
    connector_id = fields.Many2one("meter.connector", compute="_compute_place", store=True)
    building_id = fields.Many2one("property.building", compute="_compute_place", store=True, index=True)
    company_id = fields.Many2one("res.company", compute="_compute_place", store=True)
    generation = fields.Integer(readonly=True, default=0)
    state = fields.Selection(ORDER_STATES, required=True, default="pending", readonly=True)
    reason = fields.Char(readonly=True)
    source = fields.Selection(SWITCH_SOURCES, readonly=True)
    requested_by = fields.Many2one("res.users", readonly=True, default=lambda self: self.env.uid)
    created = fields.Datetime("Ordered At", required=True, readonly=True, default=fields.Datetime.now)
    expires_at = fields.Datetime(readonly=True)
    received_at = fields.Datetime(readonly=True)
    accepted_at = fields.Datetime(readonly=True)
    done_at = fields.Datetime(readonly=True)
    duration_s = fields.Float("Took (s)", compute="_compute_duration_s", digits=(12, 1))
    result = fields.Char(readonly=True)
    data = fields.Text("Order Data", readonly=True, help="JSON object that travels with the order.")
    result_data = fields.Text("Answer", readonly=True, help="JSON object that came back.")
    attempts = fields.Integer("Times Delivered", readonly=True)

    _generation_uniq = models.UniqueIndex(
        "(circuit_id, generation) WHERE kind IN ('switch_on', 'switch_off')",
        "A generation of a switch is ordered once.",
    )
    _has_target = models.Constraint(
        "CHECK (meter_id IS NOT NULL OR bus_id IS NOT NULL)", "An order is for a meter or for a bus."
    )
    _open_idx = models.Index("(connector_id, id) WHERE state IN ('pending', 'received', 'accepted')")

    @api.depends(
        "meter_id.connector_id", "meter_id.building_id", "meter_id.company_id",
        "bus_id.connector_id", "bus_id.building_id", "bus_id.company_id",
    )  # fmt: skip
    def _compute_place(self):
        for order in self:
            target = order.meter_id or order.bus_id
            order.connector_id = target.connector_id
            order.building_id = target.building_id
            order.company_id = target.company_id

    @api.depends("created", "done_at")
    def _compute_duration_s(self):
        for order in self:
            order.duration_s = (order.done_at - order.created).total_seconds() if order.done_at else 0

    @api.depends("kind", "meter_id", "bus_id")
    def _compute_display_name(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for order in self:
            order.display_name = (
                f"{labels.get(order.kind, '')} {(order.meter_id or order.bus_id).display_name or ''}"
            )

    # -- the life of an order -----------------------------------------------------------------------

    def _move(self, state, **vals):
        """Change the state if ``ORDER_TRANSITIONS`` allows it; False when it does not (nothing is written)."""
        self.ensure_one()
        if state not in ORDER_TRANSITIONS[self.state]:
            return False
        self.write({"state": state, **vals})
        return True

    def _finish(self, state, result, at=None):
        """End of an order."""
        return self._move(state, result=(result or "")[:200], done_at=at or fields.Datetime.now())

    @api.model
    def _supersede(self, circuit):
        """No older wish of this circuit may be carried out any more."""
        orders = self.search(
            [
                ("circuit_id", "=", circuit.id),
                ("kind", "in", SWITCH_ORDER_KINDS),
                ("state", "in", OPEN_ORDER_STATES),
            ]
        )
        for order in orders:
            order._finish("superseded", self.env._("A newer order took its place."))

    @api.model
    def _expire(self, now):
        """Orders nobody carried out in time."""
        orders = self.search([("state", "in", OPEN_ORDER_STATES), ("expires_at", "<=", now)])
        for order in orders:
            order._finish("expired", self.env._("Not carried out in time."), now)
            order._follow("expired", {}, now)
        orders.switch_id.sudo()._note_failure(self.env._("The order expired."))

    @api.model
    def _fail_unconfirmed(self, before):
        """The meter said yes and nobody ever read back; the wish must be ordered again. A meter that sleeps is read
        when it reports next: its orders end by their own time."""
        orders = self.search(
            [
                ("state", "=", "accepted"),
                ("accepted_at", "<", before),
                ("meter_id.is_sleeping", "=", False),
                ("kind", "not in", COUNTED_ORDER_KINDS),
            ]
        )
        for order in orders:
            order._finish("failed", self.env._("Accepted, but never read back."))
            order._follow("failed", {}, fields.Datetime.now())
        orders.switch_id.sudo()._note_failure(self.env._("No read-back."))

    # -- reads on demand ----------------------------------------------------------------------------

    @api.model
    def _check_read_right(self):
        user = self.env.user
        if not self.env.su and not user.has_group(
            "property_utility.property_utility_group_function_read_meter"
        ):
            raise AccessError(self.env._("You have no right to read meters."))

    @api.model
    def _request_reads(self, meters):
        """One read order a meter, unless one is waiting; returns the open orders."""
        self._check_read_right()
        meters.check_access("read")
        meters = meters.sudo()  # rights were checked above; orders have no writer of their own
        unconnected = meters.filtered(lambda meter: not meter.connector_id)
        if unconnected:
            raise UserError(
                self.env._("Not connected to a bus: %s", ", ".join(unconnected.mapped("display_name")))
            )
        orders = self.sudo()
        now = fields.Datetime.now()
        waiting = orders.search(
            [
                ("meter_id", "in", meters.ids),
                ("kind", "=", "read"),
                ("state", "in", ("pending", "received")),
                ("expires_at", ">", now),
            ]
        )
        return waiting | orders.create(
            [
                {
                    "kind": "read",
                    "meter_id": meter.id,
                    "circuit_id": meter.circuit_ids[:1].id,
                    "expires_at": now + timedelta(seconds=get_order_life_s("read", meter.is_sleeping)),
                    "source": "operator",
                }
                for meter in meters - waiting.meter_id
            ]
        )

    def action_cancel_read(self):
        """A read that is no longer needed."""
        self.check_access("read")
        self._check_read_right()
        for order in self.sudo().filtered(
            lambda order: order.kind in READ_ORDER_KINDS and order.state in OPEN_ORDER_STATES
        ):
            order._finish("superseded", self.env._("Cancelled by %s", self.env.user.name))
            order._follow("superseded", {}, fields.Datetime.now())
