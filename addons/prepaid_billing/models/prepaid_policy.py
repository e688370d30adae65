from datetime import time, timedelta
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..policy import Policy

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACE = ("company_id", "site_id", "building_id", "contract_id")
TRACKED = ("active", "is_prepaid", "warn_amount_1", "warn_amount_2", "warn_days", "trip_at", "credit_limit", "reclose_at",
           "grace_hours", "warn_lead_hours", "hour_from", "hour_to", "reading_age_max_hours", "mass_limit")  # fmt: skip


class PrepaidPolicy(models.Model):
    """When tenants are warned, tripped and supplied again. The nearest record wins as a whole: tenancy, building, site,
    company. As a whole, because a rule put together from four places is a rule nobody can read.
    """

    _name = "prepaid.policy"
    _description = "Trip Policy"
    _inherit = ["mail.thread", "property.facts.mixin"]
    _order = "company_id, sequence, id"

    name = fields.Char(required=True, tracking=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    currency_id = fields.Many2one(related="company_id.currency_id")
    site_id = fields.Many2one("property.site", ondelete="cascade", index=True)
    building_id = fields.Many2one("property.building", ondelete="cascade", index=True)
    contract_id = fields.Many2one(
        "contract.contract",
        string="Tenancy",
        ondelete="cascade",
        index=True,
        domain=[("is_tenancy", "=", True)],
    )
    sequence = fields.Integer(compute="_compute_sequence", store=True)
    is_prepaid = fields.Boolean(
        "Prepaid", default=True, tracking=True, help="Off: postpaid, never tripped for money."
    )
    warn_amount_1 = fields.Monetary("First Warning at", default=50, tracking=True)
    warn_amount_2 = fields.Monetary("Second Warning at", default=20, tracking=True)
    warn_days = fields.Float(
        "Warn at Days Left", digits=(6, 1), default=3, tracking=True, help="0: not by days."
    )
    trip_at = fields.Monetary("Cut Off at", default=0, tracking=True)
    credit_limit = fields.Monetary(default=0, tracking=True, help="May be used beyond the balance.")
    reclose_at = fields.Monetary("Back on above", default=0, tracking=True)
    grace_hours = fields.Float(
        "Grace (Hours)", default=0, tracking=True, help="So long after the money is gone."
    )
    warn_lead_hours = fields.Float(
        "Warned Before (Hours)",
        default=4,
        tracking=True,
        help="A warning must have been delivered this long before.",
    )
    hour_from = fields.Float("Allowed From", default=9, tracking=True)
    hour_to = fields.Float("Allowed Until", default=17, tracking=True)
    monday = fields.Boolean(default=True)
    tuesday = fields.Boolean(default=True)
    wednesday = fields.Boolean(default=True)
    thursday = fields.Boolean(default=True)
    friday = fields.Boolean(default=True)
    saturday = fields.Boolean(default=True)
    sunday = fields.Boolean(default=True)
    holiday_ids = fields.Many2many("prepaid.holiday", string="Holidays", help="No trips on these days.")
    reading_age_max_hours = fields.Float("Readings Not Older Than (Hours)", default=2, tracking=True)
    mass_limit = fields.Integer(
        "Trips per Hour without Confirmation",
        default=10,
        tracking=True,
        help="More wait for a person. 0: each one waits.",
    )
    summary = fields.Text(compute="_compute_summary", string="What It Says")

    _hours = models.Constraint(
        "CHECK (hour_from >= 0 AND hour_from < 24 AND hour_to > 0 AND hour_to <= 24)",
        "Hours are between 0 and 24.",
    )
    _not_negative = models.Constraint(
        "CHECK (grace_hours >= 0 AND warn_lead_hours >= 0 AND reading_age_max_hours > 0 AND mass_limit >= 0"
        " AND credit_limit >= 0 AND warn_days >= 0)",
        "Hours, days, limits and credit are not negative.",
    )
    _contract_uniq = models.UniqueIndex(
        "(contract_id) WHERE contract_id IS NOT NULL AND active", "This tenancy has a policy."
    )

    @api.depends("site_id", "building_id", "contract_id")
    def _compute_sequence(self):
        """Nearest first."""
        for policy in self:
            policy.sequence = (
                1 if policy.contract_id else 2 if policy.building_id else 3 if policy.site_id else 4
            )

    @api.constrains("warn_amount_1", "warn_amount_2", "trip_at", "reclose_at")
    def _check_amounts(self):
        for policy in self:
            if not policy.warn_amount_1 >= policy.warn_amount_2 >= policy.trip_at:
                raise ValidationError(
                    self.env._(
                        "%s: the first warning comes before the second, and both before the cut-off.",
                        policy.name,
                    )
                )
            if policy.reclose_at < policy.trip_at:
                raise ValidationError(self.env._("%s: back on cannot be below cut off.", policy.name))

    @api.depends(*TRACKED, *DAYS)
    def _compute_summary(self):
        for policy in self:
            policy.summary = policy._get_summary()

    def _get_summary(self):
        if not self.is_prepaid:
            return self.env._("Postpaid: nobody is cut off for money.")
        return self.env._(
            "Warned at ¥%(first).2f and ¥%(second).2f. Cut off at ¥%(trip).2f, between %(begin)s and %(end)s, not before"
            " %(lead).1f hours after a delivered warning and %(grace).1f hours of grace. Back on by itself above"
            " ¥%(back).2f. Water is never cut off.",
            first=self.warn_amount_1,
            second=self.warn_amount_2,
            trip=self.trip_at,
            begin=_clock(self.hour_from).strftime("%H:%M"),
            end="24:00" if self.hour_to >= 24 else _clock(self.hour_to).strftime("%H:%M"),
            lead=self.warn_lead_hours,
            grace=self.grace_hours,
            back=self.reclose_at,
        )

    def _get_rules(self, timezone):
        """The pure Policy of this record in a site's time zone."""
        hours = ((_clock(self.hour_from), _clock(self.hour_to)),)
        return Policy(
            is_prepaid=self.is_prepaid,
            warn_amounts=(_money(self.warn_amount_1), _money(self.warn_amount_2)),
            warn_days=(Decimal(str(self.warn_days)),) if self.warn_days else (),
            trip_at=_money(self.trip_at),
            credit_limit=_money(self.credit_limit),
            reclose_at=_money(self.reclose_at),
            grace=timedelta(hours=self.grace_hours),
            warn_lead=timedelta(hours=self.warn_lead_hours),
            hours=hours,
            weekdays=frozenset(number for number, day in enumerate(DAYS) if self[day]),
            holidays=frozenset(self.holiday_ids.mapped("date")),
            reading_age_max=timedelta(hours=self.reading_age_max_hours),
            timezone=timezone,
        )

    @api.model
    def _get_for(self, contracts):
        """{contract id: policy record}: the nearest one of each tenancy; the company's is made when there is none."""
        found = {}
        policies = self.search([("company_id", "in", contracts.company_id.ids)])
        for contract in contracts:
            own = policies.filtered(lambda p, c=contract: p._applies_to(c))
            found[contract.id] = own.sorted("sequence")[:1] or self._make_default(contract.company_id)
        return found

    def _applies_to(self, contract):
        return (
            self.company_id == contract.company_id
            and self.contract_id in (contract, self.contract_id.browse())
            and (not self.building_id or self.building_id in contract.building_ids)
            and (not self.site_id or self.site_id == contract.site_id)
        )

    @api.model
    def _make_default(self, company):
        return self.sudo().search(
            [("company_id", "=", company.id), ("sequence", "=", 4)], limit=1
        ) or self.sudo().create({"name": self.env._("Standard"), "company_id": company.id})

    @api.model_create_multi
    def create(self, vals_list):
        policies = super().create(vals_list)
        for policy in policies:
            self.env["audit.entry"]._log("policy.change", policy, after=policy._get_tracked())
        policies._look_again_sudo()
        return policies

    def write(self, vals):
        before = {policy: policy._get_tracked() for policy in self}
        result = super().write(vals)
        for policy, values in before.items():
            self.env["audit.entry"]._log("policy.change", policy, before=values, after=policy._get_tracked())
        self._look_again_sudo()
        return result

    def unlink(self):
        for policy in self:
            self.env["audit.entry"]._log("policy.change", policy, before=policy._get_tracked())
        self._look_again_sudo()
        return super().unlink()

    def _look_again_sudo(self):
        """Open cases are judged by the new rules within a minute. As superuser: who sets rules may not write cases."""
        self.env["prepaid.case"].sudo().search([("state", "!=", "closed")])._look_again()

    def _get_tracked(self):
        """Everything that the rule says, and for whom, as the audit keeps it."""
        values = {name: str(self[name]) for name in (*TRACKED, *DAYS)}
        values |= {name: self[name].display_name for name in PLACE if self[name]}
        return values | {"holiday_ids": ", ".join(map(str, sorted(self.holiday_ids.mapped("date"))))}


class PrepaidHoliday(models.Model):
    _name = "prepaid.holiday"
    _description = "Day without Trips"
    _order = "date"

    name = fields.Char(required=True, translate=True)
    date = fields.Date(required=True)

    _date_uniq = models.UniqueIndex("(date, name)", "This holiday is there already.")


def _clock(hours):
    minutes = min(round(hours * 60), 24 * 60 - 1)
    return time(minutes // 60, minutes % 60)


def _money(value):
    return Decimal(str(round(value, 2)))
