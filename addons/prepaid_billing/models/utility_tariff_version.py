from datetime import datetime, time, timedelta
from decimal import Decimal

import pytz
from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..rating import RATES, TariffError, Use, explain, parse, price, round_fen
from .utility_tariff import STRUCTURES

FROZEN_FIELDS = frozenset(
    ("tariff_id", "valid_from", "structure", "price", "period", "tier_ids", *(f"price_{r}" for r in RATES))
)


class UtilityTariffVersion(models.Model):
    """What a tariff costs from an instant on. Frozen once confirmed: charges name the version that made them."""

    _name = "utility.tariff.version"
    _description = "Tariff Version"
    _inherit = ["property.facts.mixin"]
    _order = "valid_from desc, id desc"

    tariff_id = fields.Many2one("utility.tariff", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="tariff_id.company_id", store=True, index=True)
    kind_id = fields.Many2one(related="tariff_id.kind_id", store=True)
    uom_name = fields.Char(related="kind_id.uom_name")
    valid_from = fields.Datetime(required=True, default=lambda self: self._get_default_valid_from())
    state = fields.Selection(
        [("draft", "Draft"), ("confirmed", "Confirmed")], default="draft", required=True, readonly=True
    )
    structure = fields.Selection(STRUCTURES, required=True, default="flat")
    period = fields.Selection(
        [("month", "Per Month"), ("year", "Per Year")], default="month", string="Tiers Counted"
    )
    price = fields.Float(digits=(12, 6))
    price_t1 = fields.Float("Sharp", digits=(12, 6))
    price_t2 = fields.Float("Peak", digits=(12, 6))
    price_t3 = fields.Float("Flat Rate", digits=(12, 6))
    price_t4 = fields.Float("Valley", digits=(12, 6))
    tier_ids = fields.One2many("utility.tariff.tier", "version_id", string="Tiers", copy=True)
    definition = fields.Json(
        compute="_compute_definition", store=True, help="What the rating reads; exact decimals as text."
    )
    summary = fields.Char(compute="_compute_summary", string="Prices")
    sentence = fields.Text(compute="_compute_summary", string="Price in Words")
    try_quantity = fields.Float("Try a Use", digits=(12, 2), store=False, default=100)
    try_text = fields.Text(compute="_compute_try_text", string="Costs")
    charge_count = fields.Integer(compute="_compute_charge_count")

    _valid_uniq = models.UniqueIndex(
        "(tariff_id, valid_from)", "This tariff has a version from this moment already."
    )

    @api.model
    def _get_default_valid_from(self):
        """First version of a tariff: the beginning of the year, so that no use is without a price. Later: next midnight."""
        zone = pytz.timezone(self.env.user.tz or "Asia/Shanghai")
        today = datetime.now(zone).date()
        day = today.replace(month=1, day=1) if self.env.context.get("first_version") else today + timedelta(1)
        return zone.localize(datetime.combine(day, time())).astimezone(pytz.utc).replace(tzinfo=None)

    @api.depends(
        "structure",
        "period",
        "price",
        "price_t1",
        "price_t2",
        "price_t3",
        "price_t4",
        "tier_ids.upto",
        "tier_ids.price",
    )
    def _compute_definition(self):
        for version in self:
            version.definition = version._prepare_definition()

    def _prepare_definition(self):
        definition = {"structure": self.structure}
        if self.structure == "flat":
            definition["price"] = _to_text(self.price)
        if self.structure in ("tou", "tiered_tou"):
            definition["prices"] = {rate: _to_text(self[f"price_{rate}"]) for rate in RATES}
        if self.structure in ("tiered", "tiered_tou"):
            definition["period"] = self.period or "month"
            definition["tiers"] = [
                tier._prepare_definition() for tier in self.tier_ids.sorted(lambda t: (not t.upto, t.upto))
            ]
        return definition

    @api.constrains(
        "structure", "period", "price", "price_t1", "price_t2", "price_t3", "price_t4", "tier_ids"
    )
    def _check_definition(self):
        for version in self:
            version._get_spec()

    def _get_spec(self):
        """The rating's Spec; ValidationError for people when the definition breaks a rule."""
        self.ensure_one()
        try:
            return parse(self.definition)
        except TariffError as error:
            raise ValidationError(
                self.env._(
                    "Tariff %(tariff)s, %(key)s: %(rule)s.",
                    tariff=self.tariff_id.name,
                    key=error.path,
                    rule=error.rule,
                )
            ) from error

    @api.depends("definition", "uom_name")
    def _compute_summary(self):
        for version in self:
            version.summary = version._get_summary()
            version.sentence = "\n".join(version._get_sentences())

    def _get_summary(self):
        """All prices in one line, for lists."""
        uom, definition = self.uom_name or "", self.definition or {}
        parts = []
        if "price" in definition:
            parts.append(f"{definition['price']} / {uom}")
        if "prices" in definition:
            names = self._get_rate_names()
            parts += [f"{names[rate]} {value}" for rate, value in definition["prices"].items()]
        above = "0"
        for tier in definition.get("tiers", []):
            bounds = f"{above}–{tier['upto']}" if tier.get("upto") else f"> {above}"
            sign = "+" if "prices" in definition else ""
            parts.append(f"{bounds} {uom}: {sign}{tier['price']}")
            above = tier.get("upto") or above
        return " · ".join(parts)

    def _get_sentences(self):
        """What a tenant pays, as one would say it at the counter."""
        definition, _ = self.definition or {}, self.env._
        words = {"uom": self.uom_name or "", "currency": self.company_id.currency_id.symbol or ""}
        if "price" in definition:
            yield _("Each %(uom)s costs %(currency)s%(price)s.", **words, price=definition["price"])
        if "prices" in definition:
            names = self._get_rate_names()
            prices = ", ".join(
                f"{names[rate]} {words['currency']}{value}" for rate, value in definition["prices"].items()
            )
            yield _("Each %(uom)s costs, by the time of day: %(prices)s.", **words, prices=prices)
        tiers = definition.get("tiers") or []
        if tiers:
            yield self._get_period_sentence(definition)
        above = None
        for tier in tiers:
            yield self._get_tier_sentence(
                tier, above, words | {"sign": "+" if "prices" in definition else ""}
            )
            above = tier.get("upto")

    def _get_period_sentence(self, definition):
        by_year, surcharge = definition.get("period") == "year", "prices" in definition
        return {
            (False, False): self.env._("By the use of each month:"),
            (True, False): self.env._("By the use of each year:"),
            (False, True): self.env._("And on top, by the use of each month:"),
            (True, True): self.env._("And on top, by the use of each year:"),
        }[by_year, surcharge]

    def _get_tier_sentence(self, tier, above, words):
        values = words | {"price": tier["price"], "upto": tier.get("upto"), "above": above}
        if not above and not tier.get("upto"):
            return self.env._("• all of it: %(sign)s%(currency)s%(price)s per %(uom)s", **values)
        if not above:
            return self.env._("• the first %(upto)s %(uom)s: %(sign)s%(currency)s%(price)s each", **values)
        if tier.get("upto"):
            return self.env._(
                "• from %(above)s to %(upto)s %(uom)s: %(sign)s%(currency)s%(price)s each", **values
            )
        return self.env._("• above %(above)s %(uom)s: %(sign)s%(currency)s%(price)s each", **values)

    @api.model
    def _get_rate_names(self):
        return {
            "t1": self.env._("Sharp"),
            "t2": self.env._("Peak"),
            "t3": self.env._("Flat Rate"),
            "t4": self.env._("Valley"),
        }

    @api.depends("definition", "try_quantity")
    def _compute_try_text(self):
        for version in self:
            try:
                spec = parse(version.definition)
            except TariffError:
                version.try_text = False
                continue
            version.try_text = "\n".join(version._get_try_lines(spec))

    def _get_try_lines(self, spec):
        """What the tried use of one period costs; with rates a quarter of it in each."""
        total = Decimal(str(round(max(self.try_quantity, 0), 2)))
        use = Use(total, (total / 4,) * 4)
        symbol, names = self.company_id.currency_id.symbol or "", self._get_rate_names()
        yield f"{symbol}{round_fen(price(spec, use))}"
        rows = explain(spec, Use(), use)
        for row in rows if len(rows) > 1 else ():
            name = names[row["rate"]] if row["line"] == "rate" else self.env._("Tier %s", row["tier"])
            yield f"{name}: {row['quantity']} × {row['price']} = {symbol}{row['amount']}"

    def _compute_charge_count(self):
        groups = self.env["prepaid.charge"]._read_group(
            [("tariff_version_id", "in", self.ids)], ["tariff_version_id"], ["__count"]
        )
        counts = dict(groups)
        for version in self:
            version.charge_count = counts.get(version, 0)

    @api.depends("tariff_id.name", "valid_from")
    def _compute_display_name(self):
        for version in self:
            day = (
                fields.Datetime.context_timestamp(version, version.valid_from).date()
                if version.valid_from
                else ""
            )
            version.display_name = f"{version.tariff_id.name or ''} ({day})"

    def action_confirm(self):
        """Put the version in force from its date; from now on it cannot be changed."""
        self.check_access("write")
        for version in self.filtered(lambda v: v.state == "draft"):
            version._get_spec()
            version._check_not_behind_charges()
            version.sudo().state = "confirmed"  # the state has no writer but this button
            self.env["audit.entry"]._log(
                "tariff.change",
                version,
                after={"valid_from": version.valid_from, "definition": version.definition},
            )
        # As superuser: what waited for this price is settled, whichever buildings it is in.
        self.tariff_id.sudo().assignment_ids.service_point_id._request_settlement()
        return True

    def _check_not_behind_charges(self):
        """A version may not begin before use that was charged already by this tariff."""
        self.env.cr.execute(
            """SELECT max(c.to_reading_at) FROM prepaid_charge c
                 JOIN utility_tariff_version v ON v.id = c.tariff_version_id WHERE v.tariff_id = %s""",
            [self.tariff_id.id],
        )
        charged_to = self.env.cr.fetchone()[0]
        if charged_to and charged_to > self.valid_from:
            raise UserError(
                self.env._(
                    "Use up to %(charged)s is charged by %(tariff)s already. A new version begins after that.",
                    charged=fields.Datetime.to_string(fields.Datetime.context_timestamp(self, charged_to)),
                    tariff=self.tariff_id.name,
                )
            )

    def write(self, vals):
        if FROZEN_FIELDS & vals.keys() and any(version.state == "confirmed" for version in self):
            raise UserError(
                self.env._("A confirmed version stays as it is. Make a new version from a later date.")
            )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_draft(self):
        if any(version.state == "confirmed" for version in self):
            raise UserError(
                self.env._("A confirmed version stays as it is. Make a new version from a later date.")
            )

    def copy_data(self, default=None):
        default = dict(default or {})
        default.setdefault("valid_from", fields.Datetime.now())
        return super().copy_data(default)


def _to_text(value):
    """Float of 6 digits -> its decimal, exactly as typed."""
    text = format(Decimal(str(round(value or 0, 6))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
