from odoo import api, fields, models

from ..parameter_catalogue import settings_of
from ..parameter_labels import find_label


class MeterParameterType(models.Model):
    """A setting that meters of a model have. Made from the connector's table by ``meter.model._sync_parameters``."""

    _name = "meter.parameter.type"
    _description = "Meter Setting"
    _order = "model_id, sequence, name"

    model_id = fields.Many2one("meter.model", required=True, ondelete="cascade", readonly=True)
    name = fields.Char("Key", required=True, readonly=True)
    label = fields.Char("Setting", compute="_compute_label")
    active = fields.Boolean(default=True, readonly=True)
    sequence = fields.Integer(readonly=True)
    kind = fields.Selection(
        [
            ("number", "Numeric"),
            ("text", "Text"),
            ("moment", "Date and Time"),
            ("bits", "Bits"),
            ("table", "Table"),
        ],
        readonly=True,
    )
    unit = fields.Char(readonly=True)
    minimum = fields.Char(readonly=True)
    maximum = fields.Char(readonly=True)
    limits = fields.Char(compute="_compute_limits")
    place = fields.Char("Kept At", readonly=True, help="Data identifier or register.")
    is_readonly = fields.Boolean("Read Only", readonly=True)

    _name_uniq = models.UniqueIndex("(model_id, name)", "A model has each setting once.")

    @api.depends("name")
    @api.depends_context("lang")
    def _compute_label(self):
        for kind in self:
            kind.label = find_label(self.env, kind.name)

    @api.depends("minimum", "maximum", "unit", "kind")
    def _compute_limits(self):
        for kind in self:
            limits = [kind.minimum or "", kind.maximum or ""]
            kind.limits = (
                f"{' … '.join(limits)} {kind.unit or ''}".strip() if any(limits) else kind.unit or ""
            )

    @api.depends("label", "unit")
    def _compute_display_name(self):
        for kind in self:
            kind.display_name = f"{kind.label} ({kind.unit})" if kind.unit else kind.label

    @api.model
    def _search_display_name(self, operator, value):
        """People look for the words they see, whatever their language."""
        if operator not in ("ilike", "like", "=") or not isinstance(value, str):
            return super()._search_display_name(operator, value)
        names = {row[0] for row in self.with_context(active_test=False)._read_group([], ["name"])}
        text = value.lower()
        found = [name for name in names if text in name or text in find_label(self.env, name).lower()]
        return [("name", "in", found)]


class MeterModel(models.Model):
    _inherit = "meter.model"

    parameter_type_ids = fields.One2many("meter.parameter.type", "model_id", string="Settings", readonly=True)

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        records._sync_parameters()
        return records

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint(("definition", "definition_text", "protocol")):
            self._sync_parameters()
        return result

    def _sync_parameters(self):
        """Settings as the connector's table has them now; what a model no longer has is archived."""
        types = (
            self.env["meter.parameter.type"].sudo().with_context(active_test=False)
        )  # made by nobody's hand
        for model in self:
            known = {kind.name: kind for kind in types.search([("model_id", "=", model.id)])}
            wanted = settings_of(model.protocol, model.definition or {})
            created = []
            for setting in wanted:
                vals = {
                    "kind": setting.kind,
                    "unit": setting.unit,
                    "minimum": setting.minimum,
                    "maximum": setting.maximum,
                    "is_readonly": setting.is_readonly,
                    "place": setting.where,
                    "sequence": setting.sequence,
                    "active": True,
                }
                if setting.name in known:
                    known[setting.name].write(vals)
                else:
                    created.append({"model_id": model.id, "name": setting.name, **vals})
            types.create(created)
            gone = known.keys() - {setting.name for setting in wanted}
            types.browse([known[name].id for name in gone]).write({"active": False})

    @api.model
    def _sync_all_parameters(self):
        """At every update of the addon: the connector's table may have grown."""
        self.with_context(active_test=False).search([])._sync_parameters()
