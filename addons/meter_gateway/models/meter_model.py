import json

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import html_escape

from ..const import PROTOCOLS
from ..definition import find_problems


class MeterModel(models.Model):
    """A type of meter as data: what to read, how to switch, what is odd about it."""

    _name = "meter.model"
    _description = "Meter Model"
    _inherit = ["meter.config.mixin", "property.facts.mixin"]
    _order = "manufacturer, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(
        required=True, copy=False, help="Such as dds645-1p; used in configuration and site files."
    )
    active = fields.Boolean(default=True)
    manufacturer = fields.Char()
    protocol = fields.Selection(PROTOCOLS, required=True)
    kind_id = fields.Many2one(
        "utility.kind",
        string="Utility",
        required=True,
        ondelete="restrict",
        domain=[("is_metered", "=", True)],
    )
    phases = fields.Selection(
        [("0", "—"), ("1", "Single Phase"), ("3", "Three Phase")], required=True, default="1"
    )
    circuit_count = fields.Integer(required=True, default=1)
    has_switch = fields.Boolean(
        help="Has a relay, a shunt-trip output or a valve that can be operated from afar."
    )
    definition = fields.Json(
        "Definition (Data)",
        required=True,
        help="Registers, switch and quirks, exactly as the connector gets them.",
        default=lambda self: {"registers": [{"key": "total", "di": "00010000"}]},
    )
    definition_text = fields.Text(
        "Definition", compute="_compute_definition_text", inverse="_inverse_definition_text"
    )
    register_table = fields.Html("Registers", compute="_compute_register_table", sanitize=False)
    meter_ids = fields.One2many("meter.meter", "model_id", string="Meters")
    meter_count = fields.Integer(compute="_compute_meter_count")
    note = fields.Text("Sources and Limits", translate=True)

    _code_uniq = models.UniqueIndex("(code)", "Another meter model already has this code.")
    _circuit_count_range = models.Constraint(
        "CHECK (circuit_count BETWEEN 1 AND 64)", "A meter has 1 to 64 circuits."
    )

    def _get_config_fields(self):
        return frozenset(("code", "protocol", "kind_id", "definition", "definition_text", "has_switch"))

    def _get_config_connectors(self):
        return self.meter_ids.connector_id

    @api.depends("definition")
    def _compute_definition_text(self):
        for model in self:
            model.definition_text = json.dumps(model.definition or {}, ensure_ascii=False, indent=2)

    def _inverse_definition_text(self):
        for model in self:
            try:
                model.definition = json.loads(model.definition_text or "{}")
            except ValueError as error:
                raise ValidationError(
                    self.env._(
                        "Meter model %(name)s: the definition is not JSON: %(error)s",
                        name=model.name,
                        error=error,
                    )
                ) from error

    @api.constrains("definition", "protocol", "has_switch", "circuit_count")
    def _check_definition(self):
        for model in self:
            problems = find_problems(model.definition, model.protocol, model.circuit_count, model.has_switch)
            if problems:
                raise ValidationError(
                    self.env._("Meter model %(name)s:", name=model.name) + "\n" + "\n".join(problems)
                )

    @api.depends("definition", "protocol")
    def _compute_register_table(self):
        for model in self:
            model.register_table = model._render_register_table()

    @api.depends("meter_ids")
    def _compute_meter_count(self):
        counts = dict(
            self.env["meter.meter"]._read_group([("model_id", "in", self.ids)], ["model_id"], ["__count"])
        )
        for model in self:
            model.meter_count = counts.get(model, 0)

    def _prepare_document(self):
        """The model as the connector gets it (``api_config``, key ``models``)."""
        self.ensure_one()
        return {"protocol": self.protocol, "kind": self.kind_id.code, **(self.definition or {})}

    def _render_register_table(self):
        """Registers of the definition as an HTML table a technician can compare with the manual."""
        self.ensure_one()
        rows = (self.definition or {}).get("registers") or []
        if not rows:
            return False
        columns = [
            name
            for name in ("key", "circuit", "di", "address", "count", "type", "scale")
            if any(name in row for row in rows)
        ]
        titles = {
            "key": self.env._("Value"),
            "circuit": self.env._("Circuit"),
            "di": self.env._("Data identifier"),
            "address": self.env._("Register (hex)"),
            "count": self.env._("Registers"),
            "type": self.env._("Type"),
            "scale": self.env._("Scale"),
        }
        head = "".join(f"<th>{html_escape(titles[name])}</th>" for name in columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html_escape(_shown(name, row.get(name)))}</td>" for name in columns)
            + "</tr>"
            for row in rows
        )
        return f'<table class="table table-sm o_meter_registers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def action_view_meters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_meter_action")
        return action | {"domain": [("model_id", "=", self.id)], "context": {"default_model_id": self.id}}


def _shown(name, value):
    if value is None:
        return ""
    if name == "address" and isinstance(value, int):
        return f"{value:04X}"
    return str(value)
