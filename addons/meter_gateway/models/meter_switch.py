from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import (
    DESIRED_STATES,
    OPEN_ORDER_STATES,
    REPORTED_STATES,
    SWITCH_ORDER_KINDS,
    SWITCH_SOURCES,
    get_order_life_s,
)


class MeterSwitch(models.Model):
    """The switch or valve of a circuit: what is wanted and what was reported, kept apart.

    Life of a wish: ``_set_desired`` (new generation, older orders superseded) -> order -> the connector carries it out and
    reads back -> ``api_report`` -> reported. Whenever both differ and nothing is under way, ``_reconcile`` orders again.
    """

    _name = "meter.switch"
    _description = "Switch"
    _inherit = ["property.facts.mixin"]
    _order = "circuit_id"
    _rec_name = "circuit_id"

    circuit_id = fields.Many2one("meter.circuit", required=True, ondelete="cascade", readonly=True)
    meter_id = fields.Many2one(related="circuit_id.meter_id", store=True, index=True)
    kind_id = fields.Many2one(related="circuit_id.kind_id", store=True)
    building_id = fields.Many2one(related="circuit_id.building_id", store=True, index=True)
    connector_id = fields.Many2one(related="circuit_id.connector_id", store=True)
    service_point_id = fields.Many2one(related="circuit_id.service_point_id", store=True)
    unit_id = fields.Many2one(related="service_point_id.unit_id")
    company_id = fields.Many2one(related="circuit_id.company_id", store=True)
    desired = fields.Selection(DESIRED_STATES, readonly=True)
    generation = fields.Integer(
        readonly=True, default=0, help="Grows with every wish; a connector only carries out the newest."
    )
    desired_at = fields.Datetime(readonly=True)
    desired_reason = fields.Char("Reason", readonly=True)
    desired_source = fields.Selection(SWITCH_SOURCES, "Wanted By", readonly=True)
    origin = fields.Selection(
        SWITCH_SOURCES, "First Wanted By", readonly=True, help="Who wanted it, not who ordered it again."
    )
    expires_at = fields.Datetime(
        "Wish Ends", readonly=True, help="After this the wish is not repeated. Empty: it stands."
    )
    reported = fields.Selection(REPORTED_STATES, default="unknown", required=True, readonly=True)
    reported_at = fields.Datetime(readonly=True)
    reported_generation = fields.Integer(readonly=True)
    is_mismatch = fields.Boolean(
        "Not as Wanted", compute="_compute_is_mismatch", search="_search_is_mismatch"
    )
    tries = fields.Integer("Tries without Success", readonly=True)
    next_try_at = fields.Datetime(readonly=True)
    keep_power = fields.Boolean(readonly=True, help="Supply is kept on whatever the balance says.")
    keep_power_until = fields.Datetime(readonly=True)
    keep_power_reason = fields.Char(readonly=True)
    order_ids = fields.One2many("meter.order", "switch_id", string="Orders", readonly=True)
    open_order_id = fields.Many2one("meter.order", compute="_compute_open_order_id")

    _circuit_uniq = models.UniqueIndex("(circuit_id)", "A circuit has one switch.")
    _mismatch_idx = models.Index("(circuit_id) WHERE desired IS NOT NULL AND reported <> desired")

    @api.depends("desired", "reported")
    def _compute_is_mismatch(self):
        for switch in self:
            switch.is_mismatch = bool(switch.desired) and switch.reported != switch.desired

    def _search_is_mismatch(self, operator, value):
        if operator != "in":
            return NotImplemented
        return [
            "|",
            "&", ("desired", "=", "on"), ("reported", "!=", "on"),
            "&", ("desired", "=", "off"), ("reported", "!=", "off"),
        ]  # fmt: skip

    @api.depends("order_ids.state")
    def _compute_open_order_id(self):
        for switch in self:
            switch.open_order_id = switch.order_ids.filtered(lambda order: order.state in OPEN_ORDER_STATES)[
                :1
            ]

    # -- the one place where a wish is made ---------------------------------------------------------

    def _set_desired(self, state, reason, source, expires_at=None, force=False):
        """Want the switch on or off, and have it ordered. The one place that does so.

        :param str state: ``on`` or ``off``
        :param str reason: for people and the audit
        :param str source: key of ``desired_source``
        :param datetime expires_at: naive UTC; afterwards the wish is neither carried out nor repeated
        :param bool force: order again although it is wanted already, and trip in spite of keep-power
        :return: the open ``meter.order``; empty when the switch is already so
        """
        self.ensure_one()
        if state not in dict(DESIRED_STATES):
            raise ValueError(f"a switch is wanted on or off, not {state!r}")
        switch = (
            self.sudo()
        )  # rules decide who may ask (see action_*); the wish itself has no reader or writer of its own
        switch._lock()
        if state == "off" and switch._is_kept_on() and not force:
            raise UserError(
                self.env._(
                    "%(name)s is on keep-power (%(reason)s).",
                    name=switch.display_name,
                    reason=switch.keep_power_reason,
                )
            )
        order = switch._get_sufficient_order(state, source)
        if not force and switch.desired == state and (order or switch.reported == state):
            return order
        is_already_so = not force and not switch.desired and switch.reported == state
        switch._note_desired(state, reason, source, expires_at)
        return order.browse() if is_already_so else switch._place_order(state, reason, source, expires_at)

    def _lock(self):
        """Wait for the row, so that wishes come one after the other; a newer wish meanwhile makes this transaction retry."""
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT id FROM meter_switch WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [self.ids]
        )
        self.invalidate_recordset()

    def _is_kept_on(self):
        self.ensure_one()
        return self.keep_power and (
            not self.keep_power_until or self.keep_power_until > fields.Datetime.now()
        )

    def _get_open_order(self):
        """The order of the newest generation that may still be carried out, or empty."""
        self.ensure_one()
        return self.env["meter.order"].search(
            [
                ("circuit_id", "=", self.circuit_id.id),
                ("kind", "in", SWITCH_ORDER_KINDS),
                ("state", "in", OPEN_ORDER_STATES),
                ("generation", "=", self.generation),
                "|", ("expires_at", "=", False), ("expires_at", ">", fields.Datetime.now()),
            ],
            limit=1,
        )  # fmt: skip

    def _get_sufficient_order(self, state, source):
        """The open order that a wish like this may leave as it is, or empty."""
        return self._get_open_order()

    def _note_desired(self, state, reason, source, expires_at):
        self.ensure_one()
        before = {"desired": self.desired or None, "reported": self.reported, "generation": self.generation}
        vals = {
            "desired": state,
            "generation": self.generation + 1,
            "desired_at": fields.Datetime.now(),
            "desired_reason": reason,
            "desired_source": source,
            "expires_at": expires_at,
        }
        if source != "reconcile" or state != self.desired:
            vals["origin"] = source
        if state != self.desired:
            vals |= {"tries": 0, "next_try_at": False}
        self.write(vals)
        after = {"desired": state, "generation": self.generation, "source": source}
        self.env["audit.entry"]._log("switch.order", self, before=before, after=after, reason=reason)

    def _place_order(self, state, reason, source, expires_at):
        """New order of the present generation; whatever was ordered before is superseded."""
        self.ensure_one()
        kind = f"switch_{state}"
        self.env["meter.order"]._supersede(self.circuit_id)
        limit = fields.Datetime.now() + timedelta(seconds=get_order_life_s(kind, self.meter_id.is_sleeping))
        return self.env["meter.order"].create(
            {
                "circuit_id": self.circuit_id.id,
                "meter_id": self.meter_id.id,
                "switch_id": self.id,
                "kind": kind,
                "generation": self.generation,
                "reason": reason,
                "source": source,
                "requested_by": self.env.uid,
                "expires_at": min(limit, expires_at) if expires_at else limit,
            }
        )

    # -- what the meter says ------------------------------------------------------------------------

    def _note_reported(self, reported, at, generation=None):
        """The meter's own word about its switch. Older than what we know: ignored. True when it was news."""
        self.ensure_one()
        if self.reported_at and at < self.reported_at:
            return False
        is_news = reported != self.reported
        vals = {"reported": reported, "reported_at": at}
        if generation is not None:
            vals["reported_generation"] = generation
        self.write(vals)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE meter_live SET switch = %s, switch_at = %s WHERE circuit_id = %s AND switch_at IS DISTINCT FROM %s",
            [reported, at, self.circuit_id.id, at],
        )
        self.circuit_id.live_id.invalidate_recordset(["switch", "switch_at"])
        return is_news

    @api.model
    def _after_report(self, switches):
        """Hook: the reported state of these switches changed in this transaction."""

    # -- keep power ---------------------------------------------------------------------------------

    def _set_keep_power(self, until, reason):
        """Keep the supply on until ``until`` (naive UTC; None = until revoked), and switch it on if it is off."""
        for switch in self:
            switch._lock()
            before = switch._prepare_keep_power_audit()
            switch.sudo().write({"keep_power": True, "keep_power_until": until, "keep_power_reason": reason})
            self.env["audit.entry"]._log(
                "switch.keep_power",
                switch,
                before=before,
                after=switch._prepare_keep_power_audit(),
                reason=reason,
            )
            switch._set_desired("on", reason, "keep_power")

    def _clear_keep_power(self, reason):
        for switch in self.filtered("keep_power"):
            before = switch._prepare_keep_power_audit()
            switch.sudo().write({"keep_power": False, "keep_power_until": False, "keep_power_reason": False})
            self.env["audit.entry"]._log(
                "switch.keep_power_end", switch, before=before, after={"keep_power": False}, reason=reason
            )

    def _prepare_keep_power_audit(self):
        until = self.keep_power_until
        return {"keep_power": self.keep_power, "until": until.isoformat() if until else None}

    # -- people -------------------------------------------------------------------------------------

    def _check_right(self):
        """Function, utility and building of these switches belong to the user; raises AccessError."""
        user = self.env.user
        if self.env.su:
            return
        if not user.has_group("property_utility.property_utility_group_function_switch"):
            raise AccessError(self.env._("You have no right to switch supplies."))
        self.check_access("read")  # the record rules know the user's buildings
        allowed = self._get_allowed_kinds()
        forbidden = self.filtered(
            lambda switch: allowed is not None and switch.sudo().kind_id.code not in allowed
        )
        if forbidden:
            raise AccessError(
                self.env._(
                    "Your role does not switch %(kind)s: %(names)s",
                    kind=", ".join(set(forbidden.sudo().kind_id.mapped("name"))),
                    names=", ".join(forbidden.sudo().mapped("display_name")),
                )
            )

    def _get_allowed_kinds(self):
        """Codes of utilities that the user's roles cover; None = all: the function alone, granted without a role that
        names utilities, covers everything in the user's buildings."""
        return set(self.env.user.allowed_kind_ids.mapped("code")) or None

    def _open_wizard(self, state):
        self._check_right()
        if not self:
            raise UserError(self.env._("There is no switch here."))
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.switch.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Switch On") if state == "on" else self.env._("Switch Off"),
            "context": {"default_state": state, "default_switch_ids": self.ids},
        }

    def action_switch_on(self):
        """Ask for the reason, then order."""
        return self._open_wizard("on")

    def action_switch_off(self):
        """Ask for the reason, then order."""
        return self._open_wizard("off")

    def action_keep_power(self):
        self._check_right()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.keep.power.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Keep Power"),
            "context": {"default_switch_ids": self.ids},
        }

    def action_end_keep_power(self):
        self._check_right()
        self._clear_keep_power(self.env._("Ended by %s", self.env.user.name))

    def action_view_history(self):
        """All orders of these switches."""
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_order_action")
        return action | {"domain": [("switch_id", "in", self.ids)], "context": {}}
