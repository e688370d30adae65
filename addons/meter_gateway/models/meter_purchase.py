from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import OPEN_ORDER_STATES
from .meter_parameter import PARAMETERS_GROUP

COUNTER_GROUP = "property_utility.property_utility_group_function_counter"
#: Purchase counts roll over after the digits that a meter has.
COUNT_SIZE = {"cjt188": 100}
#: Nothing else may be sent to the meter before these are settled.
UNSETTLED = ("checking", "sent", "unknown", "mismatch")
#: What people write, and while: the rest of the book is written by what the meter says.
WRITABLE_IN = {
    "meter_id": ("draft",),
    "amount": ("draft",),
    "reason": ("draft",),
    "settled_note": ("unknown", "mismatch"),
}


class MeterPurchase(models.Model):
    """Money pushed into a meter that counts down by itself. Never sent twice: the meter's purchase count decides.

    draft -> checking (count read) -> sent -> done; away from it: mismatch (counts differ), unknown (no answer), failed
    (it did not arrive; may be sent again), cancelled.
    """

    _name = "meter.purchase"
    _description = "Purchase in the Meter"
    _inherit = ["property.facts.mixin"]
    _order = "id desc"
    _rec_name = "number"

    number = fields.Char(readonly=True, copy=False, required=True, default=lambda self: self._next_number())
    meter_id = fields.Many2one("meter.meter", required=True, ondelete="restrict", index=True)
    kind_id = fields.Many2one(related="meter_id.kind_id", store=True)
    building_id = fields.Many2one(related="meter_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="meter_id.company_id", store=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    amount = fields.Float(required=True, digits=(12, 2))
    reason = fields.Char()
    state = fields.Selection(
        [
            ("draft", "Not Sent"),
            ("checking", "Reading the Count"),
            ("sent", "Sent"),
            ("done", "Arrived"),
            ("mismatch", "Counts Differ"),
            ("unknown", "No Answer"),
            ("failed", "Did Not Arrive"),
            ("cancelled", "Cancelled"),
        ],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
    )
    count = fields.Integer(
        "Count After", readonly=True, copy=False, help="Purchase count this purchase makes."
    )
    book_count = fields.Integer("Count in the Book", readonly=True, copy=False)
    meter_count = fields.Integer("Count in the Meter", readonly=True, copy=False)
    remaining = fields.Char("Remaining after It", readonly=True, copy=False)
    order_ids = fields.One2many("meter.order", "purchase_id", string="Orders", readonly=True)
    requested_by = fields.Many2one("res.users", readonly=True, default=lambda self: self.env.uid)
    sent_at = fields.Datetime(readonly=True, copy=False)
    done_at = fields.Datetime(readonly=True, copy=False)
    result = fields.Char(readonly=True, copy=False)
    settled_note = fields.Char("What Was Found", copy=False, help="Needed when a person settles it.")

    _number_uniq = models.UniqueIndex("(number)", "Another purchase has this number.")
    _unsettled_uniq = models.UniqueIndex(
        "(meter_id) WHERE state IN ('checking', 'sent', 'unknown', 'mismatch')",
        "Another purchase of this meter is not settled yet.",
    )
    _amount_positive = models.Constraint(
        "CHECK (amount > 0 AND amount < 1000000)", "The amount must be above zero and below one million."
    )

    @api.model
    def _next_number(self):
        return self.env["ir.sequence"].sudo().next_by_code("meter.purchase") or "/"  # anybody's next number

    # -- rights -------------------------------------------------------------------------------------

    def _check_right(self, groups=(COUNTER_GROUP, PARAMETERS_GROUP)):
        """Function, utility and building belong to the user; raises AccessError."""
        user = self.env.user
        if self.env.su:
            return
        if not any(user.has_group(group) for group in groups):
            raise AccessError(self.env._("You have no right to sell into meters."))
        self.check_access("read")  # the record rules know the user's buildings
        allowed = set(user.allowed_kind_ids.mapped("code"))
        if allowed and not set(self.sudo().kind_id.mapped("code")) <= allowed:
            raise AccessError(self.env._("Your role does not cover these meters."))

    def write(self, vals):
        for name, states in () if self.env.su else WRITABLE_IN.items():
            closed = self.filtered(lambda purchase, states=states: purchase.state not in states)
            if name in vals and closed:
                raise UserError(
                    self.env._(
                        "%(number)s: %(field)s is not changed in the state “%(state)s”.",
                        number=closed[0].number,
                        field=self._fields[name]._description_string(self.env),
                        state=dict(self._fields["state"]._description_selection(self.env))[closed[0].state],
                    )
                )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_sent(self):
        if any(purchase.state not in ("draft", "cancelled") for purchase in self):
            raise UserError(self.env._("A purchase that was sent stays in the book."))

    # -- the way of a purchase ----------------------------------------------------------------------

    def action_send(self):
        """Read the meter's count first; only when it is the book's is the purchase sent."""
        self._check_right()
        for purchase in self.sudo():  # states have no writer of their own
            if purchase.state not in ("draft", "failed"):
                raise UserError(self.env._("%s was sent already.", purchase.number))
            purchase._lock_meter()
            other = self.sudo().search(
                [("meter_id", "=", purchase.meter_id.id), ("state", "in", UNSETTLED)], limit=1
            )
            if other:
                raise UserError(self.env._("Purchase %s of this meter is not settled yet.", other.number))
            purchase.state = "checking"
            purchase._ask("read_prepayment")
            self.env["audit.entry"]._log(
                "meter.purchase.send",
                purchase,
                after={"amount": f"{purchase.amount:.2f}", "number": purchase.number},
                reason=purchase.reason,
            )

    def action_check(self):
        """Ask the meter for its count; that says whether the purchase arrived."""
        self._check_right()
        for purchase in self.sudo().filtered(lambda one: one.state in ("unknown", "mismatch")):
            if not purchase.order_ids.filtered(
                lambda order: order.kind == "read_prepayment" and order.state in OPEN_ORDER_STATES
            ):
                purchase._ask("read_prepayment")

    def action_cancel(self):
        """Only what never left."""
        self._check_right()
        for purchase in self.sudo():
            if purchase.state not in ("draft", "failed"):
                raise UserError(
                    self.env._("%s may be in the meter already; check it first.", purchase.number)
                )
            purchase.state = "cancelled"

    def action_settle_arrived(self):
        """A person has seen that the money is in the meter."""
        self._settle("done")

    def action_settle_not_arrived(self):
        """A person has seen that it is not."""
        self._settle("failed")

    def _settle(self, state):
        self._check_right((PARAMETERS_GROUP,))
        for purchase in self.sudo():
            if purchase.state != "mismatch":
                raise UserError(
                    self.env._("Read the meter's count first; only differing counts need a person.")
                )
            if not (purchase.settled_note or "").strip():
                raise UserError(self.env._("Write down what was found at the meter."))
            before = {"book": purchase.meter_id.purchase_count, "meter": purchase.meter_count}
            purchase.meter_id._set_purchase_count(purchase.meter_count)
            purchase._end(state, self.env._("Settled by %s", self.env.user.name))
            self.env["audit.entry"]._log(
                "meter.purchase.settle",
                purchase,
                before=before,
                after={"book": purchase.meter_count, "state": state},
                reason=purchase.settled_note,
            )

    # -- behind it ----------------------------------------------------------------------------------

    def _lock_meter(self):
        """Purchases of one meter come one after the other."""
        self.env.flush_all()
        self.env.cr.execute("SELECT id FROM meter_meter WHERE id = %s FOR NO KEY UPDATE", [self.meter_id.id])
        self.invalidate_recordset()

    def _ask(self, kind, data=None):
        order = self.env["meter.order"]._place(kind, self.meter_id, data, self.reason or "")
        order.purchase_id = self
        return order

    def _next_count(self, count):
        return (count + 1) % COUNT_SIZE.get(self.meter_id.protocol, 10000)

    def _end(self, state, result=""):
        """A purchase that is settled: done, failed, cancelled."""
        self.write({"state": state, "result": result or False, "done_at": fields.Datetime.now()})
        for kind in ("purchase_mismatch", "purchase_unknown"):
            self.env["meter.alarm"]._resolve(kind, self.meter_id)

    def _stop(self, state, result):
        """It needs a person: counts differ, or nobody knows."""
        self.write({"state": state, "result": result})
        kind = "purchase_mismatch" if state == "mismatch" else "purchase_unknown"
        message = f"{self.meter_id.display_name}: {self.number}: {result}"
        self.env["meter.alarm"]._open(kind, self.meter_id, message)
