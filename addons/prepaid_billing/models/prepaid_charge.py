import json
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import AccessError


class PrepaidCharge(models.Model):
    """Priced use between two points of an installation's chain. Inserted by the settlement only, never changed; only
    which invoice line it went to is added later."""

    _name = "prepaid.charge"
    _description = "Charge"
    _order = "to_reading_at desc, id desc"
    _log_access = False

    service_point_id = fields.Many2one(
        "utility.service.point", required=True, readonly=True, index=True, ondelete="restrict"
    )
    installation_id = fields.Many2one("meter.installation", required=True, readonly=True, ondelete="restrict")
    meter_id = fields.Many2one(related="installation_id.meter_id")
    building_id = fields.Many2one("property.building", readonly=True, index=True, ondelete="restrict")
    kind_id = fields.Many2one("utility.kind", readonly=True, ondelete="restrict")
    uom_name = fields.Char(related="kind_id.uom_name")
    contract_id = fields.Many2one(
        "contract.contract",
        string="Tenancy",
        readonly=True,
        ondelete="restrict",
        help="Empty: nobody occupied the unit.",
    )
    wallet_id = fields.Many2one("prepaid.wallet", readonly=True, index="btree_not_null", ondelete="restrict")
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    currency_id = fields.Many2one(related="company_id.currency_id")
    tariff_version_id = fields.Many2one(
        "utility.tariff.version", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    period_start = fields.Date(readonly=True, help="First day of the month or year whose tiers counted.")
    from_reading_at = fields.Datetime("From", required=True, readonly=True)
    to_reading_at = fields.Datetime("To", required=True, readonly=True)
    from_total = fields.Float("Reading From", digits=(18, 4), readonly=True)
    to_total = fields.Float("Reading To", digits=(18, 4), readonly=True)
    from_t1 = fields.Float("Sharp From", digits=(18, 4), readonly=True)
    from_t2 = fields.Float("Peak From", digits=(18, 4), readonly=True)
    from_t3 = fields.Float("Flat From", digits=(18, 4), readonly=True)
    from_t4 = fields.Float("Valley From", digits=(18, 4), readonly=True)
    to_t1 = fields.Float("Sharp To", digits=(18, 4), readonly=True)
    to_t2 = fields.Float("Peak To", digits=(18, 4), readonly=True)
    to_t3 = fields.Float("Flat To", digits=(18, 4), readonly=True)
    to_t4 = fields.Float("Valley To", digits=(18, 4), readonly=True)
    is_computed = fields.Boolean(
        "Between Readings", readonly=True, help="An end lies between two readings (month, move)."
    )
    multiplier = fields.Float(digits=(18, 4), readonly=True)
    quantity = fields.Float(digits=(18, 4), readonly=True)
    amount = fields.Monetary(readonly=True)
    explanation = fields.Json(readonly=True, help="What it was priced by, line by line.")
    has_rates = fields.Boolean(compute="_compute_has_rates")
    has_tiers = fields.Boolean(compute="_compute_has_rates")
    explanation_text = fields.Text(compute="_compute_explanation_text", string="How It Is Made")
    review_id = fields.Many2one(
        "prepaid.review", readonly=True, help="A person accepted a reading of this charge."
    )
    entry_ids = fields.One2many("prepaid.entry", "charge_id", string="Ledger Entries")
    entry_id = fields.Many2one("prepaid.entry", compute="_compute_entry_id", compute_sudo=True)
    invoice_line_id = fields.Many2one(
        "account.move.line", readonly=True, index="btree_not_null", ondelete="restrict"
    )

    _chain_uniq = models.UniqueIndex("(installation_id, to_reading_at)", "This use has been charged already.")
    _contract_idx = models.Index("(contract_id, to_reading_at)")
    _period_order = models.Constraint(
        "CHECK (to_reading_at > from_reading_at)", "A charge ends after it begins."
    )
    _sign = models.Constraint("CHECK (quantity >= 0 AND amount >= 0)", "Use and its price are not negative.")

    def init(self):
        """Only the invoice line may change; nothing may go."""
        self.env.cr.execute(
            """
            CREATE OR REPLACE FUNCTION prepaid_charge_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'invoice_line_id' = to_jsonb(OLD) - 'invoice_line_id' THEN
                    RETURN NEW;
                END IF;
                RAISE EXCEPTION 'charge % stays as it is: % refused', OLD.id, TG_OP USING ERRCODE = 'insufficient_privilege';
            END $$;
            CREATE OR REPLACE TRIGGER prepaid_charge_refuse_change BEFORE UPDATE OR DELETE ON prepaid_charge
                FOR EACH ROW EXECUTE FUNCTION prepaid_charge_refuse_change();
            ALTER TABLE prepaid_charge ENABLE ALWAYS TRIGGER prepaid_charge_refuse_change;
            """
        )

    @api.depends("entry_ids")
    def _compute_entry_id(self):
        for charge in self:
            charge.entry_id = charge.entry_ids[:1]

    @api.depends("service_point_id", "to_reading_at")
    def _compute_display_name(self):
        for charge in self:
            at = fields.Datetime.context_timestamp(charge, charge.to_reading_at).strftime("%Y-%m-%d %H:%M")
            charge.display_name = f"{charge.service_point_id.display_name} {at}"

    def _compute_has_rates(self):
        for charge in self:
            charge.has_rates = any(charge[f"to_t{number}"] for number in range(1, 5))
            charge.has_tiers = any(row["line"] == "tier" for row in charge._get_explanation_rows())

    def _get_explanation_rows(self):
        return (
            self.explanation if isinstance(self.explanation, list) else json.loads(self.explanation or "[]")
        )

    def _compute_explanation_text(self):
        for charge in self:
            charge.explanation_text = "\n".join(charge._get_explanation_lines())

    def _get_explanation_lines(self):
        """Sentences for people: one per rate or tier, then the rounding."""
        self.ensure_one()
        rows = self._get_explanation_rows()
        names, uom = self.env["utility.tariff.version"]._get_rate_names(), self.uom_name or ""
        lines, exact = [], Decimal(0)
        for row in rows:
            exact += Decimal(row["amount"])
            lines.append(
                self.env._(
                    "%(what)s: %(quantity)s %(uom)s × %(price)s = %(amount)s",
                    what=self._get_line_name(row, names),
                    quantity=row["quantity"],
                    uom=uom,
                    price=row["price"],
                    amount=row["amount"],
                )
            )
        carry = Decimal(str(round(self.amount, 2))) - exact
        if rows and carry:
            lines.append(
                self.env._("Rounding carried within the period: %s", format(carry.normalize(), "+f"))
            )
        if not rows and not self.contract_id:
            lines.append(
                self.env._("Nobody occupied the unit: the use is recorded, nobody pays it from a wallet.")
            )
        return lines

    def _get_line_name(self, row, rate_names):
        if row["line"] == "rate":
            return rate_names[row["rate"]]
        if row["line"] == "tier":
            return self.env._("Tier %(number)s (above %(above)s)", number=row["tier"], above=row["above"])
        return self.env._("Use")

    @api.model_create_multi
    def create(self, vals_list):
        raise AccessError(self.env._("Charges are made by the settlement only."))

    def write(self, vals):
        raise AccessError(self.env._("Charges are never changed."))

    def unlink(self):
        raise AccessError(self.env._("Charges are never deleted."))
