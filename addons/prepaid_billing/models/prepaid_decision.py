from odoo import api, fields, models
from odoo.addons.property_utility.tools import protect_table
from odoo.exceptions import AccessError

STATES = [
    ("normal", "Supplied"),
    ("warned", "Warned"),
    ("due", "Due, Held Back"),
    ("trip", "Cut Off"),
    ("tripped", "Stays Cut Off"),
    ("reclose", "Back On"),
]


class PrepaidDecision(models.Model):
    """What the policy decided for a tenancy, with the facts and reasons of that moment. Kept for ever."""

    _name = "prepaid.decision"
    _description = "Supply Decision"
    _order = "id desc"
    _rec_name = "state"
    _log_access = False

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, readonly=True, index=True, ondelete="restrict"
    )
    case_id = fields.Many2one("prepaid.case", readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one("res.company", readonly=True)
    at = fields.Datetime(readonly=True, required=True)
    state = fields.Selection(STATES, required=True, readonly=True)
    trigger = fields.Char(readonly=True)
    reasons = fields.Json(readonly=True)
    facts = fields.Json(readonly=True)
    policy_id = fields.Many2one("prepaid.policy", readonly=True, ondelete="restrict")
    reason_text = fields.Text(compute="_compute_reason_text", string="Why")

    def init(self):
        protect_table(self.env.cr, self._table)

    def write(self, vals):
        raise AccessError(self.env._("A decision is never changed."))

    def unlink(self):
        raise AccessError(self.env._("A decision is never deleted."))

    @api.depends("reasons")
    def _compute_reason_text(self):
        for decision in self:
            decision.reason_text = "\n".join(self._get_reason_texts(decision.reasons or []))

    @api.model
    def _get_reason_texts(self, reasons):
        """Sentences for people of [{"code", "values"}]."""
        texts = self._get_texts()
        return [self._format(texts.get(row["code"], row["code"]), row["values"]) for row in reasons]

    @api.model
    def _format(self, text, values):
        shown = {key: self._show(key, value) for key, value in values.items()}
        return text % shown if shown else text

    @api.model
    def _show(self, key, value):
        if value and value.startswith("9999"):
            return self.env._("further notice")
        if value and key in ("until", "at", "next"):
            at = fields.Datetime.to_datetime(value.replace("T", " ")[:19])
            return fields.Datetime.context_timestamp(self, at).strftime("%m-%d %H:%M")
        return value if value is not None else "—"

    @api.model
    def _get_texts(self):
        _ = self.env._
        return {
            "money": _(
                "¥%(available)s may be used (balance ¥%(balance)s, credit ¥%(credit_limit)s, fees due ¥%(fees_waiting)s); days left: %(days_left)s."
            ),
            "postpaid": _("The tenancy pays afterwards."),
            "keep_power": _("Keep-power until %(until)s."),
            "special_supply": _("Special supply until %(until)s."),
            "no_switch": _("There is no power meter that can be switched from afar."),
            "payment_undecided": _("A payment is under way."),
            "reading_stale": _("The newest reading is too old (%(at)s)."),
            "reading_implausible": _("A reading waits to be looked at."),
            "not_warned": _("No warning was delivered yet."),
            "warned_too_recently": _("The warning is too fresh; it counts from %(until)s."),
            "grace": _("Grace until %(until)s."),
            "outside_hours": _("Not within the allowed hours; next at %(next)s."),
            "mass_unconfirmed": _("Many would be cut off at once; a person has to confirm."),
        }
