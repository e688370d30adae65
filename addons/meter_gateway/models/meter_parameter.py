from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from .. import parameter_catalogue
from ..const import OPEN_ORDER_STATES

STATES = [
    ("read", "Read"),
    ("pending", "Pending"),
    ("applied", "Applied"),
    ("different", "Different"),
    ("refused", "Refused"),
    ("failed", "Not Answered"),
]
PARAMETERS_GROUP = "property_utility.property_utility_group_function_parameters"


class MeterParameter(models.Model):
    """A setting of a meter: what is wanted and what the meter showed when it was read back, kept apart."""

    _name = "meter.parameter"
    _description = "Setting of a Meter"
    _order = "meter_id, sequence, id"
    _rec_name = "type_id"

    meter_id = fields.Many2one("meter.meter", required=True, ondelete="cascade", readonly=True, index=True)
    type_id = fields.Many2one(
        "meter.parameter.type", "Setting", required=True, ondelete="cascade", readonly=True
    )
    name = fields.Char("Key", related="type_id.name", store=True)
    sequence = fields.Integer(related="type_id.sequence", store=True)
    unit = fields.Char(related="type_id.unit")
    kind_id = fields.Many2one(related="meter_id.kind_id", store=True)
    gateway_id = fields.Many2one(related="meter_id.gateway_id", store=True)
    building_id = fields.Many2one(related="meter_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="meter_id.company_id", store=True)
    wanted = fields.Char(readonly=True, help="Empty: nobody wants anything; the meter keeps what it has.")
    wanted_at = fields.Datetime(readonly=True)
    shown = fields.Char("In the Meter", readonly=True, help="As read back.")
    shown_at = fields.Datetime("Read At", readonly=True)
    state = fields.Selection(STATES, default="read", required=True, readonly=True, index=True)
    reason = fields.Char(readonly=True, help="Why the meter refused it, or why nothing came back.")
    order_id = fields.Many2one("meter.order", readonly=True, ondelete="set null")
    batch_id = fields.Many2one("meter.parameter.batch", readonly=True, ondelete="set null")

    _type_uniq = models.UniqueIndex("(meter_id, type_id)", "A meter has each setting once.")
    _pending_idx = models.Index("(meter_id) WHERE state = 'pending'")

    @api.depends("meter_id", "type_id")
    def _compute_display_name(self):
        for row in self:
            row.display_name = f"{row.meter_id.display_name}: {row.type_id.label}"

    # -- rights -------------------------------------------------------------------------------------

    @api.model
    def _check_right(self, meters):
        """Function, utility and building of these meters belong to the user; raises AccessError."""
        user = self.env.user
        if self.env.su:
            return
        if not user.has_group(PARAMETERS_GROUP):
            raise AccessError(self.env._("You have no right to set meters."))
        self._check_reach(meters)

    @api.model
    def _check_reach(self, meters):
        """Utility and building of these meters belong to the user, whatever the function; raises AccessError."""
        if self.env.su:
            return
        meters.check_access("read")  # the record rules know the user's buildings
        allowed = set(self.env.user.allowed_kind_ids.mapped("code"))
        forbidden = meters.sudo().filtered(lambda meter: allowed and meter.kind_id.code not in allowed)
        if forbidden:
            raise AccessError(
                self.env._(
                    "Your role does not set %(kind)s meters: %(names)s",
                    kind=", ".join(set(forbidden.kind_id.mapped("name"))),
                    names=", ".join(forbidden.mapped("display_name")),
                )
            )

    # -- wanting ------------------------------------------------------------------------------------

    @api.model
    def _want(self, meters, values, reason, batch=None):
        """Want settings of these meters, and send them. The one place that does so.

        :param dict values: {key: text} as a person wrote them; every meter's model must have them
        :param batch: ``meter.parameter.batch`` the orders belong to
        """
        self._check_right(meters)
        spelled = {model: self._spell(model, values) for model in meters.model_id}
        rows = self.sudo()  # rights were checked; states have no writer of their own
        now = fields.Datetime.now()
        for meter in meters.sudo():
            found = rows._get_rows(meter, list(values))
            before = {name: row.wanted or row.shown or None for name, row in found.items()}
            for name, text in spelled[meter.model_id].items():
                found[name].write(
                    {
                        "wanted": text,
                        "wanted_at": now,
                        "state": "pending",
                        "reason": False,
                        "order_id": False,
                        "batch_id": batch.id if batch else False,
                    }
                )
            self.env["audit.entry"]._log(
                "meter.parameters", meter, before=before, after=spelled[meter.model_id], reason=reason
            )
        return rows._send(meters.sudo(), reason)

    @api.model
    def _spell(self, model, values):
        """{key: the one spelling}; UserError with everything that is wrong at once."""
        definition, problems, spelled = model.definition or {}, [], {}
        for name, text in values.items():
            problem = parameter_catalogue.find_problem(model.protocol, definition, name, text or "")
            if problem:
                problems.append(problem)
            spelled[name] = parameter_catalogue.spell(model.protocol, definition, name, text or "")
        if problems:
            raise UserError(self.env._("Meter model %s:", model.display_name) + "\n" + "\n".join(problems))
        return spelled

    @api.model
    def _get_rows(self, meter, names):
        """{key: row} of a meter; rows that are not there yet are made. Unknown keys are left out."""
        rows = {row.name: row for row in self.search([("meter_id", "=", meter.id), ("name", "in", names)])}
        types = self.env["meter.parameter.type"].with_context(active_test=False)
        absent = types.search(
            [
                ("model_id", "=", meter.model_id.id),
                ("name", "in", [name for name in names if name not in rows]),
            ]
        )
        for row in self.create([{"meter_id": meter.id, "type_id": kind.id} for kind in absent]):
            rows[row.name] = row
        return rows

    @api.model
    def _send(self, meters, reason=""):
        """One order a meter with all that is pending; a meter with an order under way gets the next when that ends."""
        orders = self.env["meter.order"]
        waiting = self.search(
            [("meter_id", "in", meters.ids), ("state", "=", "pending"), ("order_id", "=", False)]
        )
        busy = orders.search(
            [
                ("meter_id", "in", meters.ids),
                ("kind", "=", "write_parameters"),
                ("state", "in", OPEN_ORDER_STATES),
            ]
        )
        by_meter = waiting.grouped("meter_id")
        ready = meters.filtered(lambda meter: meter in by_meter) - busy.meter_id
        data = {meter.id: {"values": {row.name: row.wanted for row in by_meter[meter]}} for meter in ready}
        placed = orders._place("write_parameters", ready, data, reason)
        for order in placed:
            rows = by_meter[order.meter_id]
            rows.order_id = order
            order.batch_id = rows.batch_id[:1]
        return placed

    @api.model
    def _request_read(self, meters, names=(), batch=None):
        """Read settings back; all the model has when no names are given. A read under way is not repeated."""
        self._check_right(meters)
        orders = self.env["meter.order"].sudo()  # rights were checked
        busy = orders.search(
            [
                ("meter_id", "in", meters.ids),
                ("kind", "=", "read_parameters"),
                ("state", "in", ("pending", "received")),
            ]
        )
        placed = orders._place("read_parameters", meters - busy.meter_id, {"names": list(names)})
        (placed | busy).batch_id = batch
        return placed | busy

    def action_read_back(self):
        """Read these settings again."""
        for meter, rows in self.grouped("meter_id").items():
            self._request_read(meter, rows.mapped("name"))

    def action_send_again(self):
        """Send again what is not as wanted."""
        self._check_right(self.meter_id)
        rows = self.sudo().filtered(
            lambda row: row.wanted and row.state in ("different", "refused", "failed")
        )
        rows.write({"state": "pending", "reason": False, "order_id": False})
        self.sudo()._send(rows.meter_id, self.env._("Sent again"))

    def action_keep_meters_value(self):
        """What the meter shows is right: want that."""
        self._check_right(self.meter_id)
        for row in self.sudo().filtered(lambda row: row.state == "different" and row.shown):
            before = {row.name: row.wanted}
            row.write({"wanted": row.shown, "wanted_at": fields.Datetime.now(), "state": "applied"})
            self.env["audit.entry"]._log(
                "meter.parameters", row.meter_id, before=before, after={row.name: row.shown}
            )
