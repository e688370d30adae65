"""What meters say about purchases: the count before and after decides, never the silence."""

from decimal import Decimal, InvalidOperation

from odoo import fields, models

COUNT_MISMATCH = "count mismatch"
#: How a connector's word for an order begins that it let expire without sending anything.
NEVER_SENT = "expired before"


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    purchase_count = fields.Integer("Purchases Counted", readonly=True, copy=False)
    is_purchase_counted = fields.Boolean(
        readonly=True, copy=False, help="The meter's purchase count is known."
    )
    prepay_remaining = fields.Char("Remaining in the Meter", readonly=True, copy=False)
    prepay_overdraft = fields.Char("Overdraft in the Meter", readonly=True, copy=False)
    prepay_at = fields.Datetime("Prepayment Read At", readonly=True, copy=False)
    purchase_ids = fields.One2many("meter.purchase", "meter_id", string="Purchases", readonly=True)

    def _set_purchase_count(self, count):
        self.sudo().write(
            {"purchase_count": count, "is_purchase_counted": True}
        )  # the book has no other writer

    def _take_prepayment(self, data, at):
        """Remaining amount and overdraft as the meter shows them; returns the count, or None."""
        count = _to_count(data.get("count"))
        if not self.prepay_at or at >= self.prepay_at:
            vals = {
                name: _to_amount(data.get(key)) for name, key in AMOUNTS.items() if data.get(key) is not None
            }
            self.sudo().write({**vals, "prepay_at": at})
        return count

    def action_read_prepayment(self):
        """Count and remaining amount of meters that count down by themselves."""
        orders = self.env["meter.order"]
        orders._check_read_right()
        self.check_access("read")
        orders._place("read_prepayment", self)
        return self._notify_soon()

    def action_purchase(self):
        """A purchase for this meter."""
        self.ensure_one()
        self.check_access("read")
        self.env["meter.purchase"]._check_right()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.purchase",
            "view_mode": "form",
            "name": self.env._("Purchase in the Meter"),
            "context": {"default_meter_id": self.id},
        }


AMOUNTS = {"prepay_remaining": "remaining", "prepay_overdraft": "overdraft"}


class MeterOrder(models.Model):
    _inherit = "meter.order"

    purchase_id = fields.Many2one(
        "meter.purchase", readonly=True, ondelete="restrict", index="btree_not_null"
    )

    def _follow_read_prepayment(self, state, data, at):
        if state in ("received", "accepted"):
            return
        meter = self.meter_id
        count = meter._take_prepayment(data, at) if state == "confirmed" else None
        if self.purchase_id:
            self.purchase_id.sudo()._note_count(count, self.result or "")
        elif count is not None and meter.is_purchase_counted and count != meter.purchase_count:
            message = self.env._(
                "%(name)s: the meter counts %(meter)s purchases, the book %(book)s.",
                name=meter.display_name,
                meter=count,
                book=meter.purchase_count,
            )
            self.env["meter.alarm"]._open("purchase_mismatch", meter, message)
        elif count is not None and not meter.is_purchase_counted:
            meter._set_purchase_count(count)

    def _follow_purchase(self, state, data, at):
        if state in ("received", "accepted") or not self.purchase_id:
            return
        purchase, detail = self.purchase_id.sudo(), self.result or ""
        is_unsent = state == "expired" and (not self.attempts or detail.startswith(NEVER_SENT))
        if is_unsent and purchase.state == "sent":
            purchase._end("failed", self.env._("Nothing was sent to the meter; it may be sent again."))
            return
        purchase._note_result(state, data, detail, at)


class MeterPurchase(models.Model):
    _inherit = "meter.purchase"

    def _note_count(self, count, detail):
        """The meter's count was read: before sending, or to find out what became of it."""
        self.ensure_one()
        if self.state == "checking":
            self._note_count_before(count, detail)
        elif self.state in ("unknown", "mismatch", "sent") and count is not None:
            self.meter_count = count
            if count == self.count and self.sent_at:
                self._arrive(self.meter_id.prepay_remaining)
            elif count == self.book_count:
                self._end("failed", self.env._("The meter's count did not move: it did not arrive."))
            else:
                self._stop("mismatch", self._describe_counts())

    def _note_count_before(self, count, detail):
        meter = self.meter_id
        if count is None:
            self._end(
                "failed",
                self.env["meter.order"]._explain_result(detail)
                or self.env._("The meter's count could not be read; nothing was sent."),
            )
            return
        if not meter.is_purchase_counted:
            meter._set_purchase_count(count)
        self.write({"book_count": meter.purchase_count, "meter_count": count})
        if count != meter.purchase_count:
            self.count = self._next_count(meter.purchase_count)
            self._stop("mismatch", self._describe_counts())
            return
        self.write({"count": self._next_count(count), "state": "sent", "sent_at": fields.Datetime.now()})
        data = {"amount": f"{self.amount:.2f}", "count": self.count, "number": self.number}
        self._ask("purchase", data)

    def _note_result(self, state, data, detail, at):
        """The end of the purchase's own order, which may come late."""
        if self.state not in ("sent", "unknown"):
            return
        before, after = _to_count(data.get("count_before")), _to_count(data.get("count_after"))
        if after is not None or before is not None:
            self.meter_count = after if after is not None else before
        if state == "confirmed" and after in (None, self.count):
            self.meter_id._take_prepayment(data, at)
            self._arrive(_to_amount(data.get("remaining")))
        elif state == "confirmed" or detail == COUNT_MISMATCH:
            self._stop("mismatch", self._describe_counts())
        elif state == "failed" and after == self.book_count:
            self._end("failed", self.env["meter.order"]._explain_result(detail))
        else:
            text = self.env._(
                "Nobody knows whether it arrived: check the meter's count. %s",
                self.env["meter.order"]._explain_result(detail),
            )
            self._stop("unknown", text)

    def _arrive(self, remaining):
        self.meter_id._set_purchase_count(self.count)
        self.write({"meter_count": self.count, "remaining": remaining or False})
        self._end("done")

    def _describe_counts(self):
        return self.env._(
            "the meter counts %(meter)s purchases, the book %(book)s",
            meter=self.meter_count,
            book=self.book_count,
        )


def _to_count(value):
    """A purchase count, number or digits; None when it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 6:
        value = int(value)
    return value if type(value) is int and 0 <= value < 10**6 else None


def _to_amount(value):
    """An amount as text; False when it is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    return str(number)[:20] if number.is_finite() else False
