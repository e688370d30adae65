from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

KINDS = [
    ("rollback", "Register Went Back"),
    ("rollover", "Register Rolled Over"),
    ("jump", "Implausible Jump"),
    ("rates", "Rates Do Not Add Up"),
    ("ratio", "CT/VT Ratio Changed"),
    ("replaced", "Meter Exchanged Without Procedure"),
    ("no_tariff", "No Tariff"),
    ("no_rates", "Rate Registers Missing"),
    ("error", "Cannot Be Priced"),
]
READING_KINDS = ("rollback", "rollover", "jump", "rates")
NUMBERS = ("before_total", "reading_total", "proposal", "quantity", "limit_quantity")
FUNCTION_GROUP = "property_utility.property_utility_group_function_tariff"


class PrepaidReview(models.Model):
    """A reading held back by a guard. Until a person decides, the installation is neither charged nor tripped for it."""

    _name = "prepaid.review"
    _description = "Reading to Review"
    _inherit = ["mail.thread", "property.facts.mixin"]
    _order = "state, id desc"
    _rec_name = "service_point_id"

    installation_id = fields.Many2one(
        "meter.installation", required=True, readonly=True, index=True, ondelete="restrict"
    )
    service_point_id = fields.Many2one(
        "utility.service.point", required=True, readonly=True, index=True, ondelete="restrict"
    )
    circuit_id = fields.Many2one("meter.circuit", readonly=True, ondelete="restrict")
    meter_id = fields.Many2one(related="circuit_id.meter_id")
    unit_id = fields.Many2one(related="service_point_id.unit_id")
    building_id = fields.Many2one("property.building", readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one("res.company", readonly=True, index=True, ondelete="restrict")
    contract_id = fields.Many2one(related="service_point_id.contract_id", string="Tenancy")
    kind = fields.Selection(KINDS, required=True, readonly=True)
    state = fields.Selection(
        [
            ("open", "To Decide"),
            ("accepted", "Accepted"),
            ("rejected", "Ignored"),
            ("resolved", "Settled by Itself"),
        ],
        default="open",
        required=True,
        readonly=True,
        index=True,
        tracking=True,
    )
    before_at = fields.Datetime("Last Good Reading At", readonly=True)
    before_total = fields.Float("Last Good Reading", digits=(18, 4), readonly=True)
    reading_at = fields.Datetime("Reading At", required=True, readonly=True)
    reading_total = fields.Float("Reading", digits=(18, 4), readonly=True)
    proposal = fields.Float("Proposed Use", digits=(18, 4), readonly=True)
    limit_quantity = fields.Float("Believable Use", digits=(18, 4), readonly=True)
    quantity = fields.Float(
        "Use to Charge",
        digits=(18, 4),
        help="Charged when the reading is accepted; the chain goes on from it.",
    )
    uom_name = fields.Char(related="service_point_id.uom_name")
    detail = fields.Char(readonly=True)
    is_reading = fields.Boolean(compute="_compute_is_reading")
    hint = fields.Text(compute="_compute_hint")
    note = fields.Text("Reason of the Decision")
    ignored_until = fields.Datetime(
        readonly=True, help="An ignored reading, and those after it up to here, are left out."
    )
    resolved_at = fields.Datetime(readonly=True)
    resolved_by_id = fields.Many2one("res.users", readonly=True, string="Decided By")

    _open_uniq = models.UniqueIndex(
        "(installation_id) WHERE state = 'open'", "This installation already waits for a decision."
    )
    _ignored_idx = models.Index("(circuit_id, reading_at) WHERE state IN ('rejected', 'accepted')")

    @api.depends("kind")
    def _compute_is_reading(self):
        for review in self:
            review.is_reading = review.kind in READING_KINDS

    @api.depends("kind")
    def _compute_hint(self):
        hints = self._get_hints()
        for review in self:
            review.hint = hints.get(review.kind)

    @api.model
    def _get_hints(self):
        _ = self.env._
        return {
            "rollback": _(
                "The register shows less than before. Was the meter exchanged or reset? Ignore a single wrong reading; accept a new starting point with the use to charge for the gap (0 for none)."
            ),
            "rollover": _(
                "The register passed its highest number. The proposal is the use over that point; accept it if it is right."
            ),
            "jump": _(
                "More was used than the connection can carry or than is usual here. Accept it if it is real, or ignore the reading."
            ),
            "rates": _(
                "The rate registers do not add up to the total. Look at the meter's rate table; accept to go on from this reading."
            ),
            "ratio": _(
                "The meter's CT or VT ratio is not the one of its installation. End the installation and begin a new one with the new ratio, or accept to go on with the old."
            ),
            "replaced": _(
                "The meter has another number than when it was installed. Use the exchange procedure (end and start reading), or accept if only the number was corrected."
            ),
            "no_tariff": _(
                "The unit is occupied but the service point has no tariff in force. Assign one; the use is charged then."
            ),
            "no_rates": _(
                "The tariff needs rate registers, this reading has none. Assign another tariff, or enter the rates of the closing reading, and try again."
            ),
            "error": _("The use could not be priced. See the detail."),
        }

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su:
            raise AccessError(self.env._("Reviews are opened by the settlement."))
        return super().create(vals_list)

    def write(self, vals):
        if not self.env.su and {"quantity", "note"} & set(vals) and any(r.state != "open" for r in self):
            raise UserError(self.env._("This was decided already."))
        return super().write(vals)

    @api.model
    def _update(self, installation_ids, problems, outliers):
        """Make the reviews of these installations say what holds them now.

        :param problems: values of what waits for a person, at most one per installation
        :param outliers: values of single odd readings that were left out; told once
        """
        self.flush_model()
        domain = [("installation_id", "in", installation_ids), ("state", "=", "open")]
        waiting = {review._get_key(): review for review in self.search(domain)}
        wanted = {self._make_key(values): values for values in problems}
        cleared = self.union(*(review for key, review in waiting.items() if key not in wanted))
        if cleared:
            cleared.write({"state": "resolved", "resolved_at": fields.Datetime.now()})
            cleared.flush_recordset()
        new = [values for key, values in wanted.items() if key not in waiting]
        new += [values | {"state": "resolved"} for values in self._get_untold(outliers)]
        return self.create([values | {name: float(values[name] or 0) for name in NUMBERS} for values in new])

    @api.model
    def _get_untold(self, outliers):
        if not outliers:
            return []
        domain = [("installation_id", "in", [values["installation_id"] for values in outliers])]
        told = {review._get_key() for review in self.search(domain)}
        return [values for values in outliers if self._make_key(values) not in told]

    def _get_key(self):
        return self._make_key(
            {
                "installation_id": self.installation_id.id,
                "kind": self.kind,
                "reading_at": self.reading_at,
            }
        )

    @api.model
    def _make_key(self, values):
        """What makes two reviews the same one: a reading, or that something is missing."""
        at = values["reading_at"].replace(microsecond=0) if values["kind"] in READING_KINDS else None
        return values["installation_id"], values["kind"], at

    def action_accept(self):
        """The reading is right (or becomes the new start): charge `quantity` up to it and go on from there."""
        self._check_may_decide()
        for review in self:
            if review.is_reading and review.quantity < 0:
                raise UserError(self.env._("The use to charge cannot be negative."))
            if review.kind in ("no_tariff", "no_rates", "error"):
                raise UserError(self.env._("There is nothing to accept here; the cause has to be put right."))
        return self._decide("accepted")

    def action_reject(self):
        """The reading is wrong: leave it, and what came after it up to now, out; go on with later ones.

        Nothing is lost by it: registers count on, the next good reading has all the use.
        """
        self._check_may_decide()
        if not all(review.is_reading for review in self):
            raise UserError(self.env._("Only a reading can be ignored."))
        # As superuser: people write a quantity and a note, the buttons the rest.
        for review in self.sudo():
            review.ignored_until = max(fields.Datetime.now(), review.reading_at)
        return self._decide("rejected")

    def action_retry(self):
        """The cause was put right: try again."""
        self.check_access("read")
        self._unblock()
        self.service_point_id.sudo()._request_settlement()
        return True

    def action_assign_tariff(self):
        """The wizard that gives the service points a tariff; what waited is settled then."""
        return self.service_point_id.action_open_tariff_assign()

    def _check_may_decide(self):
        self.check_access("read")
        if not self.env.user.has_group(FUNCTION_GROUP):
            raise AccessError(
                self.env._("Deciding on readings needs the right to set tariffs: it moves money.")
            )
        if any(review.state != "open" for review in self):
            raise UserError(self.env._("This was decided already."))

    def _decide(self, state):
        for review in self:
            # As superuser: people write a quantity and a note, the buttons the rest.
            review.sudo().write(
                {"state": state, "resolved_at": fields.Datetime.now(), "resolved_by_id": self.env.uid}
            )
            values = {
                "state": state,
                "kind": review.kind,
                "reading": str(review.reading_total),
                "quantity": str(review.quantity),
            }
            self.env["audit.entry"]._log("review.decide", review, after=values, reason=review.note or None)
        self._unblock()
        # As superuser: the settlement reads and writes tables no person may write.
        self.service_point_id.sudo()._request_settlement()
        return True

    def _unblock(self):
        """Let the settlement look at these installations again."""
        self.env.flush_all()
        for review in self:
            self.env.cr.execute(
                """UPDATE prepaid_cursor p SET is_blocked = false,
                          meter_serial = CASE WHEN %(take)s THEN m.serial ELSE p.meter_serial END,
                          meter_ratio = CASE WHEN %(take)s THEN m.ct_ratio * m.vt_ratio ELSE p.meter_ratio END
                     FROM meter_circuit c JOIN meter_meter m ON m.id = c.meter_id
                    WHERE p.installation_id = %(installation)s AND c.id = %(circuit)s""",
                {
                    "take": review.state == "accepted" and review.kind in ("ratio", "replaced"),
                    "installation": review.installation_id.id,
                    "circuit": review.circuit_id.id,
                },
            )

    def _get_quantity_decimal(self):
        return Decimal(str(round(self.quantity, 4)))
